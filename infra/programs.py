"""The four programs of the stack: their commands, settings and health pages.

As a program (`python -m infra.programs NAME`) it becomes one of them. Store and ports come from the
environment, so that the supervisor's configuration holds no path that a person has chosen.
"""

import os
import shlex
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from glam.environment import LOOPBACK
from infra.health import answers, offers_deployments
from infra.lifeline import end_with_parent
from infra.places import CODE, mlflow_artifacts, mlflow_database, prefect_home
from infra.stack_file import Ports

STORE_VARIABLE = "GLAM_STORE"
PORTS_VARIABLE = "GLAM_PORTS"
DATABASE_PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Program:
    """One process of the stack."""

    title: str
    module: str
    """What `python -m` runs."""
    arguments: tuple[str, ...]
    healthy: Callable[[], bool]
    """Whether it works now."""
    address: str | None = None
    """Where a person opens it; None for one without a page."""
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: Path = CODE
    stop_signal: Literal["TERM", "INT"] = "TERM"


def programs(store_root: Path, ports: Ports) -> dict[str, Program]:
    """By name, in the order in which they start."""
    prefect, mlflow, dashboard = (
        f"http://{LOOPBACK}:{port}" for port in (ports.prefect, ports.mlflow, ports.dashboard)
    )
    return {
        "prefect": Program(
            title="Prefect",
            module="prefect",
            arguments=("server", "start", "--host", LOOPBACK, "--port", str(ports.prefect)),
            address=prefect,
            healthy=lambda: answers(f"{prefect}/api/health"),
            environment={
                **prefect_environment(store_root),
                "PREFECT_SERVER_UI_API_URL": f"{prefect}/api",
                "PREFECT_SERVER_UI_STATIC_DIRECTORY": str(prefect_home(store_root) / "ui"),
            },
        ),
        "mlflow": Program(
            title="MLflow",
            module="mlflow",
            arguments=(
                *("server", "--host", LOOPBACK, "--port", str(ports.mlflow), "--workers", "1"),
                *("--backend-store-uri", mlflow_database(store_root)),
                *("--no-serve-artifacts", "--default-artifact-root", str(mlflow_artifacts(store_root))),
            ),
            address=mlflow,
            healthy=lambda: answers(f"{mlflow}/health"),
            # Jobs are for judges and gateways; they would cost a process and a directory in /dev/shm.
            environment={"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        ),
        "dashboard": Program(
            title="Dashboard",
            module="streamlit",
            arguments=(
                *("run", str(CODE / "dashboard" / "app.py")),
                *("--server.address", LOOPBACK, "--server.port", str(ports.dashboard)),
                *("--browser.serverAddress", LOOPBACK, "--server.headless", "true"),
                *("--browser.gatherUsageStats", "false", "--server.fileWatcherType", "none"),
            ),
            address=dashboard,
            healthy=lambda: answers(f"{dashboard}/_stcore/health"),
            directory=CODE / "dashboard",  # where .streamlit/config.toml lies
        ),
        "deployments": Program(
            title="Deployments",
            module="flows.deployments",
            arguments=("--store", str(store_root)),
            healthy=lambda: offers_deployments(f"{prefect}/api"),
            environment={
                "PREFECT_HOME": str(prefect_home(store_root)),
                "PREFECT_API_URL": f"{prefect}/api",
                "MLFLOW_TRACKING_URI": mlflow,
            },
            stop_signal="INT",  # Prefect's runner tidies up on this one only
        ),
    }


def prefect_environment(store_root: Path, *, migrate: bool = True) -> dict[str, str]:
    """Settings of any Prefect server over this store: one SQLite file, nothing written outside the store."""
    home = prefect_home(store_root)
    return {
        "PREFECT_HOME": str(home),
        "PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{home}/prefect.db",
        "PREFECT_API_DATABASE_TIMEOUT": str(DATABASE_PATIENCE_SECONDS),
        "PREFECT_API_DATABASE_CONNECTION_TIMEOUT": str(DATABASE_PATIENCE_SECONDS),
        "PREFECT_API_DATABASE_MIGRATE_ON_START": str(migrate).lower(),
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    }


def supervisor_config(names: Mapping[str, Program]) -> str:
    """Supervisor's configuration, to be run in the folder that takes its logs. It opens no port."""
    sections = ["[supervisord]\nnodaemon=true\nlogfile=supervisor.log\npidfile=supervisor.pid\nloglevel=info\n"]
    interpreter = shlex.quote(sys.executable).replace("%", "%%")
    for priority, (name, program) in enumerate(names.items()):
        sections.append(
            f"[program:{name}]\n"
            f"command={interpreter} -m infra.programs {name}\n"
            f"priority={priority}\n"
            f"stdout_logfile={name}.log\nstdout_logfile_maxbytes=5MB\nstdout_logfile_backups=1\nredirect_stderr=true\n"
            "autorestart=true\nstartsecs=10\nstartretries=3\n"
            f"stopsignal={program.stop_signal}\n"
            "stopwaitsecs=8\nstopasgroup=true\nkillasgroup=true\n"
        )
    return "\n".join(sections)


def become(name: str) -> None:
    """Replaces this process, a child of the supervisor, by the named program; it ends when the supervisor does."""
    store_root = Path(os.environ[STORE_VARIABLE])
    program = programs(store_root, Ports.model_validate_json(os.environ[PORTS_VARIABLE]))[name]
    end_with_parent(os.getppid(), signal.SIGTERM)
    os.chdir(program.directory)
    command = [sys.executable, "-m", program.module, *program.arguments]
    os.execve(sys.executable, command, {**os.environ, **program.environment})


if __name__ == "__main__":
    become(sys.argv[1])
