"""Proof on the machine at hand that a run ends in the same bits however it is interrupted: it is made again, killed
twice on the way, and compared.
"""

import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from glam import training
from glam.config import ModelConfig, RunOptions, TrainConfig
from glam.model.saved import WEIGHTS
from glam.records import Certificate
from glam.store import Folder, Store, StoreError, fingerprint
from glam.store.identity import file_sha256
from glam.training.checkpoint import CHECKPOINTS, DESCRIPTION
from glam.training.position import end_of
from workers.alone import AloneOrder, run_order
from workers.numerics import numerics

CERTIFICATE = "certificate.json"
MIN_STEPS = 10
LAYOUT = ("num_workers", "threads_per_worker", "layout", "expert_parallel", "micro_batch_size", "use_gpu")
"""Options that decide the last bits, recorded in a run's manifest where they are set."""
NUM_SAVES = 8


def certify(run: Folder, store: Store, *, seed: int = 0, log: Callable[[str], None] = print) -> Certificate:
    """The certificate of a complete run, made now unless it is there; it lies in the store, beside the run.

    `seed` decides the steps at which its processes are killed. Raises StoreError for a run of other code or data, and
    where a process fails.
    """
    manifest = run.manifest()
    if manifest.revision != training.REVISION:
        raise StoreError(
            f"{run.reference} was trained by revision {manifest.revision} of the training code, this is revision "
            f"{training.REVISION}, which computes otherwise; train it anew"
        )
    if isinstance(manifest.numerics["num_workers"], list):
        raise StoreError(
            f"{run.reference} was trained by {' and then '.join(map(str, manifest.numerics['num_workers']))} workers; "
            "only a run of one layout from start to end can be made again bit by bit"
        )
    config = TrainConfig.model_validate(manifest.config["train"])
    begins_at = config.continues or 0
    if config.num_steps - begins_at < MIN_STEPS:
        raise StoreError(
            f"{run.reference} has {config.num_steps - begins_at} steps; two kills need at least {MIN_STEPS}"
        )
    layout = {name: manifest.numerics[name] for name in LAYOUT if name in manifest.numerics}
    save_every = max(1, (config.num_steps - begins_at) // NUM_SAVES)
    options = RunOptions.model_validate({**layout, "log_every": 1, "save_every": save_every})
    here = numerics(**layout)
    mark = fingerprint({"run": run.manifest_hash(), "numerics": here, "seed": seed}, revision=training.REVISION)
    with store.claim("certificates", run.reference.label, mark) as folder:
        if not folder.complete:
            # The end that a run goes on from is taken as it is, so who made that does not matter here.
            same_numerics = here == {name: each for name, each in manifest.numerics.items() if name != "origin"}
            with tempfile.TemporaryDirectory(dir=folder.path) as scratch:
                made = _Maker(run, store, config, options, Path(scratch), log)
                original = run if same_numerics else made.anew("straight", kill_at=())[0]
                certificate = made.compared(original, _kill_steps(begins_at, config.num_steps, seed), same_numerics)
            folder.write_text(CERTIFICATE, certificate.model_dump_json(indent=1) + "\n")
            folder.commit(config={"seed": seed}, reads=[str(run.reference)], revision=training.REVISION, numerics=here)
    return Certificate.model_validate(folder.read_json(CERTIFICATE))


def _kill_steps(begins_at: int, num_steps: int, seed: int) -> tuple[int, ...]:
    drawn = random.Random(seed)
    half = (num_steps - begins_at) // 2
    first, second = drawn.randrange(max(1, half // 2), half), drawn.randrange(half + 1, num_steps - begins_at - 1)
    return begins_at + first, begins_at + second


class _Maker:
    """Makes a run again in a scratch folder."""

    def __init__(
        self,
        run: Folder,
        store: Store,
        config: TrainConfig,
        options: RunOptions,
        scratch: Path,
        log: Callable[[str], None],
    ):
        self._run = run
        self._store = store
        self._config = config
        self._options = options
        self._scratch = scratch
        self._log = log

    def compared(self, original: Folder, kill_at: tuple[int, ...], same_numerics: bool) -> Certificate:
        started = time.monotonic()
        again, killed_at, resumed_from = self.anew("killed", kill_at=kill_at)
        return Certificate(
            run_fingerprint=self._run.reference.fingerprint,
            killed_at=killed_at,
            resumed_from=resumed_from,
            stream_hash=_stream_hash(original),
            stream_hash_again=_stream_hash(again),
            weights_sha256=file_sha256(original.path / WEIGHTS),
            weights_sha256_again=file_sha256(again.path / WEIGHTS),
            same_numerics=same_numerics,
            elapsed_seconds=time.monotonic() - started,
        )

    def anew(self, name: str, *, kill_at: tuple[int, ...]) -> tuple[Folder, tuple[int, ...], tuple[int, ...]]:
        """(folder of the run, steps at which it was killed, steps that it went on from)."""
        manifest = self._run.manifest()
        killed_at: list[int] = []
        resumed_from: list[int] = []
        with Store(self._scratch / name).claim(**self._run.reference.model_dump()) as folder:
            order = AloneOrder(
                store_root=self._store.root,
                model=ModelConfig.model_validate(manifest.config["model"]),
                train=self._config,
                reads={
                    kind: mark.rpartition("-")[2] for kind, _, mark in (read.partition("/") for read in manifest.reads)
                },
                run_path=folder.path,
                reference=folder.reference,
                options=self._options,
            )
            for step in (*kill_at, None):
                if killed_at:
                    resumed_from.append(_newest_checkpoint(folder) or self._config.continues or 0)
                run_order(order.model_copy(update={"kill_at": step}), self._scratch / f"{name}-{step}")
                if step is not None:
                    killed_at.append(step)
                    self._log(f"killed after step {step} of {self._config.num_steps}")
        return folder, tuple(killed_at), tuple(resumed_from)


def _newest_checkpoint(folder: Folder) -> int:
    """Step of the newest checkpoint that was finished; 0 where there is none."""
    finished = folder.path.glob(f"{CHECKPOINTS}/*/{DESCRIPTION}")
    return max((int(path.parent.name) for path in finished), default=0)


def _stream_hash(run: Folder) -> str:
    return end_of(run).stream_hash
