"""Pseudo-random draws that are pure functions of a name and a seed: no state, no order, the same on every machine."""

import xxhash


def draw(name: str, seed: int = 0) -> int:
    """64 bits decided by `name` and `seed`; sorting by them is a fixed shuffle."""
    return xxhash.xxh64_intdigest(name.encode(), seed)


def uniform(name: str, seed: int = 0) -> float:
    """A number in [0, 1) decided by `name` and `seed`."""
    return (draw(name, seed) >> 11) * 2.0**-53
