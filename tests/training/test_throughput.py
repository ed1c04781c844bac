"""What utilisation is measured against."""

import pytest
import torch

from glam.training import throughput
from glam.training.throughput import peak_flops


@pytest.mark.parametrize("precision", ["float32", "float64", "bfloat16"])
def test_a_processors_peak_is_that_of_the_products_that_a_run_makes(
    precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    peaks = {torch.float32: 1.0, torch.float64: 2.0, torch.bfloat16: 3.0}
    monkeypatch.setattr(throughput, "_measured", peaks.__getitem__)
    assert peak_flops(torch.device("cpu"), precision) == peaks[getattr(torch, precision)]
