"""One meter of a node, many pieces of work on it at once: what is used between two events is shared equally among the
pieces that are in flight then.
"""

from collections.abc import Hashable

from glam.energy.account import Energy, between, share, total
from glam.energy.meter import Meter


class Sharing:
    """What is used while nothing is in flight is nobody's."""

    def __init__(self, meter: Meter):
        self._meter = meter
        self._before = meter.read()
        self._flying: dict[Hashable, Energy] = {}

    def begin(self, piece: Hashable) -> None:
        """From now on the piece takes its share."""
        self._settle()
        self._flying[piece] = Energy(0.0, 0.0, 0.0, self._meter.method)

    def end(self, piece: Hashable) -> Energy:
        """All shares of a piece; unknown where the meter was at one of the events."""
        self._settle()
        return self._flying.pop(piece)

    def _settle(self) -> None:
        after = self._meter.read()
        part = share(between(self._before, after), max(len(self._flying), 1))
        self._flying = {piece: total([used, part]) for piece, used in self._flying.items()}
        self._before = after
