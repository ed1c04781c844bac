"""A driver whose Ray breaks down ends with the reason, also when Ray ends it first and without a word."""

import subprocess
import sys

import pytest

DRIVER = """
import os, shutil, signal, subprocess, sys, time
import psutil
from workers.ray_watch import watched

what, place = sys.argv[1:]
shutil.copy(shutil.which("sleep"), f"{place}/raylet")
silence = subprocess.DEVNULL
server = subprocess.Popen([f"{place}/raylet", "60"], stdout=silence, stderr=silence, start_new_session=True)
print(server.pid, flush=True)
with watched([psutil.Process(server.pid)], mark="GLAM_TEST_MARK"):
    if "server" in what:
        server.kill()
    if "wordless" in what:
        os._exit(1)
    if "killed" in what:
        os.kill(os.getpid(), signal.SIGKILL)
    if "server" in what:
        time.sleep(60)
server.kill()
"""


@pytest.mark.parametrize(
    ("what", "code", "told"),
    [
        ("server", 1, True),
        ("server, then wordless", 1, True),
        ("wordless", 1, False),
        ("killed", -9, False),
        ("nothing", 0, False),
    ],
)
def test_a_driver_ends_with_its_ray_and_says_so(what: str, code: int, told: bool, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, what, str(tmp_path)], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith("glam: Ray broke down: its raylet (pid ") == told, done.stderr
    assert bool(done.stderr) == told
    subprocess.run(["kill", "-9", done.stdout.strip()], capture_output=True, check=False)
