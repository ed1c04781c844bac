"""A fingerprint changes with what determines a result and with nothing else."""

from glam.store import fingerprint, library_versions


def test_order_of_fields_and_reads_does_not_matter() -> None:
    one = fingerprint({"a": 1, "b": 2}, reads=["x", "y"], revision=1)
    assert one == fingerprint({"b": 2, "a": 1}, reads=["y", "x"], revision=1)
    assert len(one) == 16


def test_each_ingredient_matters() -> None:
    marks = {
        fingerprint({"a": 1}, revision=1),
        fingerprint({"a": 2}, revision=1),
        fingerprint({"a": 1}, reads=["x"], revision=1),
        fingerprint({"a": 1}, revision=2),
        fingerprint({"a": 1}, revision=1, libraries=["numpy"]),
    }
    assert len(marks) == 5


def test_local_version_parts_are_left_out() -> None:
    assert "+" not in library_versions(["torch"])["torch"]
