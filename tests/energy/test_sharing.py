"""What a node used is shared among what was in flight, and nothing of it is lost or doubled."""

from collections.abc import Iterator

from glam.energy.account import total
from glam.energy.sharing import Sharing
from glam.records import EnergyCovers, EnergyMethod, EnergyReading


class Scripted:
    """Reads what a test says, one second apart."""

    method: EnergyMethod = "rapl"
    per_process = False
    covers: EnergyCovers | None = "packages and memory"

    def __init__(self, *joules: float | None):
        self._joules: Iterator[tuple[int, float | None]] = iter(enumerate(joules))

    def read(self) -> EnergyReading:
        second, joules = next(self._joules)
        return EnergyReading(
            method=self.method, at_seconds=second, energy_joules=joules, low_joules=joules, high_joules=joules
        )


def test_pieces_share_equally_what_was_used_while_they_were_in_flight():
    sharing = Sharing(Scripted(0, 5, 15, 35, 38))
    sharing.begin("first")  # 5 J before it are nobody's
    sharing.begin("second")  # 10 J of the first alone
    assert sharing.end("first").joules == 10 + 20 / 2
    second = sharing.end("second")
    assert (second.joules, second.low_joules, second.method) == (20 / 2 + 3, 13, "rapl")


def test_shares_sum_to_what_the_node_used_meanwhile():
    sharing = Sharing(Scripted(0, 0, 4, 11, 30, 31, 40))
    sharing.begin("a")
    sharing.begin("b")
    parts = [sharing.end("a")]
    sharing.begin("c")
    parts += [sharing.end("b"), sharing.end("c")]
    assert total(parts).joules == 40


def test_an_unknown_event_makes_only_those_in_flight_unknown():
    sharing = Sharing(Scripted(0, 0, None, 20, 30, 45))
    sharing.begin("a")
    assert sharing.end("a").joules is None
    sharing.begin("b")
    sharing.begin("c")
    assert sharing.end("b").joules == 10 + 15 / 2
