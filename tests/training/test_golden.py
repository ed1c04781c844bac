"""Golden loss curves: a refactor reproduces them; a change of results raises training.REVISION.

To refresh after such a change: `python -m tests.training.test_golden "why"`.
"""

import json
import sys
import tempfile
from pathlib import Path

import pytest
import torch

from glam import training
from glam.store import Store, library_versions
from glam.study import dense_twin
from tests.training.conftest import TOY, make_run, train_through

MODELS = {"dense": dense_twin(TOY), "sparse": TOY}
GOLDEN = Path(__file__).parents[1] / "golden"


def losses(name: str, root: Path) -> list[float]:
    torch.set_num_threads(1)
    with Store(root).claim("runs", name, "0" * 16) as folder:
        return [
            metrics.loss
            for metrics in train_through(
                make_run(folder, model=MODELS[name], num_steps=100, optimizer="adafactor", learning_rate=0.02)
            )
        ]


@pytest.mark.parametrize("name", MODELS)
def test_loss_curve_is_the_golden_one(name: str, tmp_path: Path) -> None:
    golden = json.loads((GOLDEN / f"{name}.json").read_text())
    assert golden["history"][-1]["revision"] == training.REVISION, (
        "results changed: raise training.REVISION and refresh"
    )
    assert golden["history"][-1]["losses"] == golden["losses"], "the curve changed without a new revision"
    # Other processors and versions round differently; the same ones do not.
    same = golden["made_on"] == made_on()
    assert losses(name, tmp_path) == (golden["losses"] if same else pytest.approx(golden["losses"], rel=1e-4))


def made_on() -> dict[str, str]:
    return {**library_versions(["torch", "numpy"]), "cpu": torch.backends.cpu.get_cpu_capability()}


def refresh(why: str) -> None:
    """Writes new curves; the history keeps each revision's own, so none changes silently."""
    for name in MODELS:
        path = GOLDEN / f"{name}.json"
        history = json.loads(path.read_text())["history"] if path.exists() else []
        assert all(entry["revision"] < training.REVISION for entry in history), "raise training.REVISION first"
        with tempfile.TemporaryDirectory() as root:
            curve = losses(name, Path(root))
        history.append({"revision": training.REVISION, "why": why, "losses": curve})
        path.write_text(json.dumps({"made_on": made_on(), "losses": curve, "history": history}, indent=1) + "\n")


if __name__ == "__main__":
    refresh(sys.argv[1])
