"""Where the servers keep what is theirs under a store root; the folders of results belong to glam/store alone."""

from pathlib import Path

CODE = Path(__file__).resolve().parents[1]
"""Where the packages lie: a checkout, or site-packages."""


def prefect_home(store_root: Path) -> Path:
    """Database, settings and logs of Prefect, of the stack's server and of a run's own."""
    return store_root / "prefect"


def mlflow_database(store_root: Path) -> str:
    """Address of the SQLite file that holds runs and registry, with the server and without."""
    return f"sqlite:///{store_root / 'mlflow' / 'mlflow.db'}"


def mlflow_artifacts(store_root: Path) -> Path:
    """Where artifacts lie; given to the server and to every experiment, or they land in ./mlruns."""
    return store_root / "mlflow" / "artifacts"


def mlflow_auth_file(store_root: Path) -> Path:
    """What MLflow's authentication reads; no password is in it."""
    return store_root / "mlflow" / "basic_auth.ini"


def mlflow_auth_database(store_root: Path) -> str:
    """Address of the SQLite file with MLflow's accounts."""
    return f"sqlite:///{store_root / 'mlflow' / 'auth.db'}"


def ray_snapshots(store_root: Path) -> Path:
    """Where Ray Train insists on writing about each attempt; nothing of ours is read from there."""
    return store_root / "ray"


def stack_logs(store_root: Path) -> Path:
    """Supervisor's configuration, the log of each program, and the state of all."""
    return store_root / "stack"
