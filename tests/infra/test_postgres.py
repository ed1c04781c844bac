"""The stack over a real PostgreSQL, with every password switched on; skipped where there is none."""

import os
import pwd
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

from infra.health import count_deployments
from infra.lifeline import marked
from infra.stack_file import STACK_MARK, recorded_stack
from tests.browser.conftest import free_ports
from tests.infra.conftest import glam, options, stack_ports
from tests.infra.test_settings import QUOTED, SECRET

pytestmark = pytest.mark.browser

ROOTLESS = "postgres"
"""Whom the server runs as where we are root, which it refuses to be."""
PREFECT_AUTH, MLFLOW_SECRET, FORM_KEY = "admin:prefect-secret", "mlflow-secret-1", "form-secret"


class Postgres:
    """A private cluster with two empty databases."""

    def __init__(self, folder: Path, port: int):
        self.folder, self.port = folder, port
        self.user = ROOTLESS if os.geteuid() == 0 else None
        if self.user is not None:
            shutil.chown(folder, self.user)

    def run(self, *command: str) -> str:
        variables = {**os.environ, "PGPASSWORD": SECRET}
        done = subprocess.run(
            command, user=self.user, env=variables, cwd=self.folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ask(self, database: str, question: str) -> str:
        return self.run(
            "psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "glam", database, "-Atc", question
        ).strip()


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    missing = [program for program in ("initdb", "pg_ctl", "psql") if shutil.which(program) is None]
    missing += [driver for driver in ("psycopg", "asyncpg", "flask_wtf") if find_spec(driver) is None]
    if missing:
        pytest.skip(f"no PostgreSQL to try here: {', '.join(missing)} missing")
    if os.geteuid() == 0 and ROOTLESS not in {each.pw_name for each in pwd.getpwall()}:
        pytest.skip(f"no PostgreSQL to try here: it refuses to run as root, and there is no user {ROOTLESS}")
    folder = Path(tempfile.mkdtemp(prefix="glam-postgres-"))  # a short path, for its socket
    server = Postgres(folder, *free_ports(1))
    try:
        (folder / "password").write_text(SECRET)
        (folder / "password").chmod(0o644)
        server.run("initdb", "-D", "data", "-A", "scram-sha-256", "-U", "glam", "--pwfile=password")
        how = f"-p {server.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
        server.run("pg_ctl", "-D", "data", "-o", how, "-l", "log", "-w", "start")
        for database in ("prefect", "mlflow"):
            server.ask("postgres", f"create database {database}")
        yield server
    finally:
        if (folder / "data" / "postmaster.pid").exists():
            server.run("pg_ctl", "-D", "data", "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def variables(port: int) -> dict[str, str]:
    return {
        "GLAM_PREFECT_DATABASE": f"postgresql+asyncpg://glam:{QUOTED}@127.0.0.1:{port}/prefect",
        "GLAM_MLFLOW_DATABASE": f"postgresql://glam:{QUOTED}@127.0.0.1:{port}/mlflow",
        "PREFECT_SERVER_API_AUTH_STRING": PREFECT_AUTH,
        "GLAM_MLFLOW_AUTH": "1",
        "MLFLOW_TRACKING_USERNAME": "boss",
        "MLFLOW_TRACKING_PASSWORD": MLFLOW_SECRET,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": FORM_KEY,
    }


def mlflow_status(address: str, auth: str | None) -> int:
    headers = {} if auth is None else {"Authorization": "Basic " + b64encode(auth.encode()).decode()}
    try:
        question = f"{address}/api/2.0/mlflow/experiments/get?experiment_id=0"
        with urllib.request.urlopen(urllib.request.Request(question, headers=headers), timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as refusal:
        return refusal.code


@pytest.mark.timeout(300)
def test_both_servers_work_on_it_ask_for_passwords_and_show_none(postgres: Postgres, tmp_path: Path) -> None:
    given = variables(postgres.port)
    wrong = {**given, "GLAM_MLFLOW_DATABASE": given["GLAM_MLFLOW_DATABASE"].replace("/mlflow", "/nonsense")}
    refused = glam(tmp_path, "up", "--detach", *options(stack_ports()), **wrong)
    assert refused.returncode == 1
    assert (
        f"GLAM_MLFLOW_DATABASE: the database 'nonsense' at 127.0.0.1:{postgres.port} cannot be used" in refused.stderr
    )

    done = glam(tmp_path, "up", "--detach", *options(stack_ports()), **given)
    assert done.returncode == 0, done.stderr
    stack = recorded_stack(tmp_path)
    assert stack is not None
    try:
        assert int(postgres.ask("prefect", "select count(*) from deployment")) > 0
        assert int(postgres.ask("mlflow", "select count(*) from experiments")) > 0
        assert count_deployments(stack.prefect_api, PREFECT_AUTH)
        assert count_deployments(stack.prefect_api, "admin:wrong") is None
        assert [
            mlflow_status(stack.mlflow, auth) for auth in (None, "boss:wrong-password", f"boss:{MLFLOW_SECRET}")
        ] == [
            401,
            401,
            200,
        ]
        shown = glam(tmp_path, "status", **given)
        assert shown.returncode == 0, shown.stdout
        assert glam(tmp_path, "status").returncode == 0, "health is seen without passwords too"
        unauthorised = glam(tmp_path, "prepare", "smoke")
        assert unauthorised.returncode == 1
        assert "refuses us: set PREFECT_API_AUTH_STRING" in unauthorised.stderr
        family = marked(STACK_MARK, stack.mark)
        said = [refused.stderr, done.stdout, shown.stdout, (tmp_path / "stack.json").read_text()]
        said += [" ".join(each.cmdline()) for each in family if each.status() != psutil.STATUS_ZOMBIE]
    finally:
        assert glam(tmp_path, "down", **given).returncode == 0
    said += [path.read_text(errors="replace") for path in (tmp_path / "stack").iterdir() if path.is_file()]
    for secret in (SECRET, QUOTED, "prefect-secret", MLFLOW_SECRET, FORM_KEY):
        assert [text for text in said if secret in text] == []
