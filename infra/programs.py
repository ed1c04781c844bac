"""The programs of the stack: their commands, settings and health pages: PROGRAMS.

As a program (`python -m infra.programs NAME`) it becomes one of them. Store, ports and host come from the
environment, so that the supervisor's configuration holds no path that a person has chosen.
"""

import configparser
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

from glam.environment import LOOPBACK
from infra.health import accepts, answers, serves_deployments
from infra.lifeline import end_with_parent
from infra.places import CODE, mlflow_artifacts, mlflow_auth_database, mlflow_auth_file, mlflow_database, prefect_home
from infra.processors import RAY_ADDRESS
from infra.settings import PREFECT_SERVER_AUTH, WITHHELD, Settings
from infra.stack_file import Ports

STORE_VARIABLE = "GLAM_STORE"
PORTS_VARIABLE = "GLAM_PORTS"
HOST_VARIABLE = "GLAM_HOST"
DATABASE_PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Site:
    """What decides how the programs are started."""

    store_root: Path
    ports: Ports
    host: str = LOOPBACK
    settings: Settings = field(default_factory=Settings)

    @classmethod
    def read(cls) -> Self:
        """As `variables` of another process says; the settings as its environment does."""
        ports = Ports.model_validate_json(os.environ[PORTS_VARIABLE])
        host = os.environ.get(HOST_VARIABLE, LOOPBACK)
        return cls(Path(os.environ[STORE_VARIABLE]), ports, host, Settings.read())

    @property
    def variables(self) -> dict[str, str]:
        """Environment of a process that starts programs; without the settings, which it has anyway."""
        return {
            STORE_VARIABLE: str(self.store_root),
            PORTS_VARIABLE: self.ports.model_dump_json(),
            HOST_VARIABLE: self.host,
        }

    def page(self, port: int) -> str:
        """Address of a server under which all of this machine reach it."""
        return f"http://{self.host}:{port}"


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
    """Where it is reached; None for one that nobody asks."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    directory: Path = CODE
    stop_signal: Literal["TERM", "INT"] = "TERM"
    stop_seconds: int = 8
    """For it to end after the signal; then it is killed."""


def prefect(site: Site) -> Program:
    """Server and pages of Prefect."""
    page, settings = site.page(site.ports.prefect), site.settings
    database = {"PREFECT_API_DATABASE_CONNECTION_URL": settings.prefect_database} if settings.prefect_database else {}
    return Program(
        title="Prefect",
        module="prefect",
        arguments=("server", "start", "--host", site.host, "--port", str(site.ports.prefect)),
        address=page,
        healthy=lambda: answers(f"{page}/api/health"),
        environment={
            **prefect_environment(site.store_root),
            **database,
            **({PREFECT_SERVER_AUTH: settings.prefect_auth} if settings.prefect_auth else {}),
            "PREFECT_SERVER_UI_API_URL": "/api",  # of whatever name the page was opened under
            "PREFECT_SERVER_UI_STATIC_DIRECTORY": str(prefect_home(site.store_root) / "ui"),
            "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": page,  # by default pages of every other site may start flows
        },
    )


def mlflow(site: Site) -> Program:
    """Server and pages of MLflow, with the registry."""
    page, settings = site.page(site.ports.mlflow), site.settings
    environment = {
        "MLFLOW_BACKEND_STORE_URI": settings.mlflow_backend or mlflow_database(site.store_root),
        "MLFLOW_DEFAULT_ARTIFACT_ROOT": settings.mlflow_artifacts or mlflow_artifacts(site.store_root).as_uri(),
        **settings.bucket_credentials,
        # Jobs are for judges and gateways; they would cost a process and a directory in /dev/shm.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    if site.host != LOOPBACK:
        environment["MLFLOW_SERVER_ALLOWED_HOSTS"] = page.removeprefix("http://")
        environment["MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"] = page
    if settings.mlflow_auth:
        environment |= {**settings.mlflow_admin, "MLFLOW_AUTH_CONFIG_PATH": str(mlflow_auth_file(site.store_root))}
    return Program(
        title="MLflow",
        module="mlflow",
        arguments=(
            *("server", "--host", site.host, "--port", str(site.ports.mlflow), "--workers", "1"),
            "--no-serve-artifacts",
            *(("--app-name", "basic-auth") if settings.mlflow_auth else ()),
        ),
        address=page,
        healthy=lambda: answers(f"{page}/health"),
        environment=environment,
    )


def dashboard(site: Site) -> Program:
    """Our own pages over the store."""
    page = site.page(site.ports.dashboard)
    return Program(
        title="Dashboard",
        module="streamlit",
        arguments=(
            *("run", str(CODE / "dashboard" / "app.py")),
            *("--server.address", site.host, "--server.port", str(site.ports.dashboard)),
            *("--browser.serverAddress", site.host, "--server.headless", "true"),
            *("--browser.gatherUsageStats", "false", "--server.fileWatcherType", "none"),
        ),
        address=page,
        healthy=lambda: answers(f"{page}/_stcore/health"),
        directory=CODE / "dashboard",  # where .streamlit/config.toml lies
    )


def serve(site: Site) -> Program:
    """Completions of trained models."""
    page = site.page(site.ports.serve)
    return Program(
        title="Completions",
        module="workers.serve",
        arguments=("--store", str(site.store_root), "--host", site.host, "--port", str(site.ports.serve)),
        address=page,
        healthy=lambda: answers(f"{page}/health"),
    )


def ray(site: Site) -> Program:
    """Processors of this machine, for the runs of all who ask; on loopback whatever the host of the pages."""
    port = site.ports.ray
    return Program(
        title="Ray",
        module="workers.ray_head",
        arguments=("--port", str(port)),
        address=f"{LOOPBACK}:{port}",
        healthy=lambda: accepts(LOOPBACK, port) and accepts(LOOPBACK, port + 1),  # the second is the raylet's
    )


def deployments(site: Site) -> Program:
    """Runs what is started from Prefect's pages, on the stack's Ray unless RAY_ADDRESS names another."""
    api, settings = f"{site.page(site.ports.prefect)}/api", site.settings
    return Program(
        title="Deployments",
        module="flows.deployments",
        arguments=("--store", str(site.store_root)),
        healthy=lambda: serves_deployments(api, settings.prefect_client_auth),
        environment={
            "PREFECT_HOME": str(prefect_home(site.store_root)),
            "PREFECT_API_URL": api,
            "MLFLOW_TRACKING_URI": site.page(site.ports.mlflow),
            RAY_ADDRESS: os.environ.get(RAY_ADDRESS) or f"{LOOPBACK}:{site.ports.ray}",
            **settings.prefect_clients,
            **settings.mlflow_clients,
            **settings.bucket_credentials,
        },
        stop_signal="INT",  # Prefect's runner tidies up on this one only
        stop_seconds=25,  # runs save first
    )


PROGRAMS: Mapping[str, Callable[[Site], Program]] = {
    "prefect": prefect,
    "mlflow": mlflow,
    "dashboard": dashboard,
    "serve": serve,
    "ray": ray,
    "deployments": deployments,
}
"""In the order in which they start."""


def programs(site: Site) -> dict[str, Program]:
    """Every program by name."""
    return {name: make(site) for name, make in PROGRAMS.items()}


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


def write_mlflow_auth(store_root: Path) -> None:
    """What MLflow's authentication reads from a file; names and passwords come from the environment."""
    config = configparser.ConfigParser()
    config["mlflow"] = {
        "default_permission": "READ",
        "database_uri": mlflow_auth_database(store_root).replace("%", "%%"),
        "authorization_function": "mlflow.server.auth:authenticate_request_basic_auth",
    }
    with open(mlflow_auth_file(store_root), "w", encoding="utf-8") as file:
        config.write(file)


def become(name: str) -> None:
    """Replaces this process, a child of the supervisor, by the named program; it ends when the supervisor does."""
    program = PROGRAMS[name](Site.read())
    end_with_parent(os.getppid(), signal.SIGTERM)
    os.chdir(program.directory)
    command = [sys.executable, "-m", program.module, *program.arguments]
    inherited = {variable: value for variable, value in os.environ.items() if variable not in WITHHELD}
    os.execve(sys.executable, command, {**inherited, **program.environment})


if __name__ == "__main__":
    become(sys.argv[1])
