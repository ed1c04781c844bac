"""A headless Chromium where there is one, and the dashboard over a fabricated store."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
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


@pytest.fixture(scope="session")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the dashboard, started with the stack's own command."""
    root: Path = tmp_path_factory.mktemp("store")
    fabricate(root)
    prefect, mlflow, port = free_ports(3)
    ports = Ports(prefect=prefect, mlflow=mlflow, dashboard=port)
    process = subprocess.Popen(
        [sys.executable, "-m", become.__module__, "dashboard"],
        env={**os.environ, STORE_VARIABLE: str(root), PORTS_VARIABLE: ports.model_dump_json()},
    )
    address = f"http://{LOOPBACK}:{port}"
    deadline = time.monotonic() + 60
    while not answers(f"{address}/_stcore/health"):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    yield address
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=20)
