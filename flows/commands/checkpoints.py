"""Which trained model a person means: a run of the store, a registered model, or a folder."""

from pathlib import Path

from glam.lineage import Checkpoint
from glam.store import Store
from glam.store.identity import file_sha256

FILES = ("model.safetensors", "model.json", "tokenizer.json")
REGISTERED = "models:/"
CHECKPOINT_HELP = (
    "A run of the store by its label, fingerprint or both; a registered model, models:/NAME@ALIAS; or a folder with "
    f"{', '.join(FILES)}."
)


def find_checkpoint(store: Store, name: str) -> Path:
    """The folder of a complete run, of a registered model's run, or `name` itself where it is a folder with a model.

    Raises ValueError where there is none, where `name` means several runs, and where files are missing.
    """
    if name.startswith(REGISTERED):
        return _registered(store, name)
    named = store.named("runs", name)
    found = [folder for folder in named if folder.complete]
    if len(found) == 1:
        return found[0].path
    if found:
        raise ValueError(f"{name!r} names several runs, take one: {', '.join(folder.path.name for folder in found)}")
    if named:
        states = ", ".join(f"{folder.path.name} is {folder.state()}" for folder in named)
        raise ValueError(f"{states}: it has no finished model yet; `glam train` goes on with it")
    folder = Path(name)
    if not folder.is_dir():
        known = [folder.path.name for folder in store.folders("runs") if folder.complete]
        raise ValueError(
            f"no run {name!r} in {store.root}, and no folder of that name; runs there: {', '.join(known) or 'none'}"
        )
    if missing := [file for file in FILES if not (folder / file).is_file()]:
        raise ValueError(f"{folder} holds no model: {', '.join(missing)} missing")
    return folder


def named_by_content(store: Store, folder: Path) -> Checkpoint:
    """The checkpoint of a folder that `find_checkpoint` gave; a run's held-out text belongs to it."""
    folder = folder.absolute()
    run = next((each for each in store.folders("runs") if each.path.absolute() == folder), None)
    if run is None:
        return Checkpoint(folder.name, str(folder), *(file_sha256(folder / name) for name in FILES), heldout=None)
    manifest = run.manifest()
    hashes = {entry.name: entry.sha256 for entry in manifest.files}
    heldout = [read.rpartition("-")[2] for read in manifest.reads if read.startswith("heldout/")]
    return Checkpoint(
        run.reference.label,
        str(folder),
        *(hashes[name] for name in FILES),
        heldout=heldout[0] if heldout and store.find_complete("heldout", heldout[0]) is not None else None,
    )


def _registered(store: Store, name: str) -> Path:
    from workers.tracking import registered_run  # MLflow takes seconds to import

    fingerprint, manifest_hash = registered_run(store.root, name)
    folder = store.open("runs", fingerprint)
    if folder.manifest_hash() != manifest_hash:
        raise ValueError(f"{name} is another result than {folder.path}: register it anew")
    return folder.path
