"""A run that was killed and resumed is proved to be the same, on the machine at hand."""

import json
import subprocess

import pytest

from tests.road.conftest import GLAM, Finished

pytestmark = [pytest.mark.ray, pytest.mark.timeout(400)]


def test_a_certificate_says_that_the_bits_are_the_same_and_is_made_once(finished: Finished) -> None:
    command = [*GLAM, "certify", "sparse-s0", "--store", str(finished.store.root), "--json"]
    first, second = (subprocess.run(command, capture_output=True, text=True, check=False) for _ in range(2))
    assert first.returncode == 0, first.stderr[-3000:]
    certificate = json.loads(first.stdout)
    assert certificate["same"]
    assert certificate["same_numerics"]
    early, late = certificate["killed_at"]
    assert 0 <= certificate["resumed_from"][0] <= early < certificate["resumed_from"][1] <= late < 20
    assert second.stdout == first.stdout
    assert "killed" not in second.stderr


def test_a_run_that_is_not_there_is_a_clear_error(finished: Finished) -> None:
    command = [*GLAM, "certify", "sparse-s7", "--store", str(finished.store.root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "names no runs" in done.stderr
