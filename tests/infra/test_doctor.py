"""The doctor's findings: complete, judged, and each bad one with advice."""

import os
import socket
from pathlib import Path

import pytest

from glam.environment import LOOPBACK
from infra import doctor
from infra.doctor import EXAMINATIONS, Finding, examine, locked_versions
from infra.stack_file import Ports


def named(findings: list[Finding], start: str) -> Finding:
    return next(finding for finding in findings if finding.name.startswith(start))


def test_everything_is_examined_and_nothing_is_changed(tmp_path: Path):
    root = tmp_path / "not" / "there"
    findings = examine(root)
    names = [finding.name for finding in findings]
    for expected in ("Python", "cores", "memory", "disk", "store", "torch", "devices", "gloo interface", "versions"):
        assert expected in names
    assert all(finding.advice for finding in findings if finding.status != "ok")
    assert not any(finding.advice for finding in findings if finding.status == "ok")
    assert list(tmp_path.iterdir()) == []
    assert len(EXAMINATIONS) <= len(findings)


def test_a_store_that_cannot_be_written_is_bad(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    def refuse(_path: Path, _data: bytes) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    finding = next(doctor._store(tmp_path))
    assert finding.status == "bad"
    assert "--store" in finding.advice


def test_a_gloo_interface_that_does_not_exist_is_bad(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "eth77")
    finding = next(doctor._gloo(tmp_path))
    assert finding.status == "bad"
    assert "lo" in finding.advice


def test_a_port_in_use_names_its_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(doctor, "Ports", lambda: Ports(prefect=port, mlflow=1, dashboard=2))
        finding = named(list(doctor._ports(tmp_path)), f"port {port}")
    assert finding.status == "warn"
    assert f"pid {os.getpid()}" in finding.value


def test_the_lock_is_read_pin_by_pin():
    lock = "\n".join(
        [
            "# made by a command",
            "numpy==2.1.0",
            "    # via glam",
            "torch==2.13.0+cpu",
            "pandas==1 ; python_version < '3.12'",
            "pandas==2 ; python_version >= '3.12'",
        ]
    )
    assert locked_versions(lock) == {"numpy": "2.1.0", "torch": "2.13.0"}
