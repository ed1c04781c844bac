"""A headless Chromium where there is one, and the dashboard over a fabricated store."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from glam.environment import LOOPBACK
from infra.health import answers
from infra.programs import PORTS_VARIABLE, STORE_VARIABLE, become
from infra.stack_file import Ports
from tests.dashboard.fabricated import fabricate

CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def browser() -> Iterator:
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


def free_ports(count: int) -> list[int]:
    """Ports that nobody uses at this moment."""
    sockets = [socket.create_server((LOOPBACK, 0)) for _ in range(count)]
    try:
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


@contextmanager
def streamlit_of(script: Path) -> Iterator[str]:
    """Address of a script, served as the dashboard is."""
    (port,) = free_ports(1)
    options = ("--server.address", LOOPBACK, "--server.port", str(port), "--server.fileWatcherType", "none")
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", str(script), *options],
        env={**os.environ, "STREAMLIT_SERVER_HEADLESS": "true"},
    )
    try:
        yield _once_healthy(process, port)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)


def _once_healthy(process: subprocess.Popen, port: int) -> str:
    address = f"http://{LOOPBACK}:{port}"
    deadline = time.monotonic() + 60
    while not answers(f"{address}/_stcore/health"):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return address


@contextmanager
def served(root: Path) -> Iterator[str]:
    """Address of the dashboard over a store, started with the stack's own command."""
    prefect, mlflow, port = free_ports(3)
    ports = Ports(prefect=prefect, mlflow=mlflow, dashboard=port)
    process = subprocess.Popen(
        [sys.executable, "-m", become.__module__, "dashboard"],
        env={**os.environ, STORE_VARIABLE: str(root), PORTS_VARIABLE: ports.model_dump_json()},
    )
    try:
        yield _once_healthy(process, port)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)


@pytest.fixture(scope="session")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The same over a fabricated store."""
    with served(fabricate(tmp_path_factory.mktemp("store")).root) as address:
        yield address
