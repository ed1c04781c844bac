"""torch.compile takes the training step's model whole: its own operators do not break the graph."""

import shutil

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from glam.model.transformer import Transformer
from glam.variants import VARIANTS

TOY = VARIANTS["toy_4e"]


@pytest.mark.timeout(300)
def test_the_compiled_model_has_the_same_loss_and_gradients() -> None:
    model = Transformer(TOY)
    model.initialize(0)
    ids = torch.randint(1, TOY.vocab_size, (2, 64), generator=torch.Generator().manual_seed(0))
    segment = (ids < 20).cumsum(1)
    results: list[list[Tensor]] = []
    # Without a compiler of C++ the graph is still traced, forward and backward.
    backend = "inductor" if shutil.which("g++") else "aot_eager"
    for run in (model, torch.compile(model, fullgraph=True, backend=backend)):
        out = run(ids, segment)
        loss = F.cross_entropy(out.logits_BSV.flatten(0, 1), ids.flatten()) + out.routing.balance_loss
        loss.backward()
        results.append([loss.detach(), *(parameter.grad for parameter in model.parameters())])
        model.zero_grad(set_to_none=True)
    for plain, compiled in zip(*results, strict=True):
        assert torch.allclose(plain, compiled, atol=1e-6)
