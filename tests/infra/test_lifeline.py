"""What a process starts in a guarded block does not outlive it, however it ends."""

import subprocess
import sys

import psutil
import pytest

from infra.lifeline import marked

VARIABLE = "GLAM_TEST_GUARDED"
DRIVER = f"""
import subprocess, sys, time
from infra.lifeline import guarded
with guarded("{VARIABLE}"):
    stray = subprocess.Popen([sys.executable, "-c", "import time; print(1, flush=True); time.sleep(60)"],
                             start_new_session=True, stdout=subprocess.PIPE)
    stray.stdout.readline()
    print(stray.pid, flush=True)
    if sys.argv[1] == "stay": time.sleep(60)
left = stray.poll() is None
print(left, flush=True)
"""


@pytest.mark.parametrize("how", ["stay", "leave"])
def test_strays_end_with_the_block_and_with_a_driver_that_is_killed(how: str):
    driver = subprocess.Popen([sys.executable, "-c", DRIVER, how], stdout=subprocess.PIPE, text=True)
    assert driver.stdout is not None
    stray = psutil.Process(int(driver.stdout.readline()))
    mark = stray.environ()[VARIABLE]
    assert [each.pid for each in marked(VARIABLE, mark)] == [stray.pid], "the guardian itself is not marked"
    if how == "stay":
        driver.kill()
    else:
        assert driver.stdout.readline().strip() == "False"
    driver.wait(timeout=10)
    psutil.wait_procs([stray], timeout=5)
    assert not stray.is_running() or stray.status() == psutil.STATUS_ZOMBIE
    driver.stdout.close()
