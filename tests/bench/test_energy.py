"""Both meters see the same busy process. Nothing here says which of them is right."""

import pytest

pytest.importorskip("codecarbon")

from glam.bench.energy import meters
from glam.bench.energy.races import races
from glam.bench.measure import BenchError, Contestant
from glam.energy.meter import NoMeter


def test_the_row_reads_the_facts_that_the_contestant_finds():
    (race,) = races()
    (claim,) = race.claims
    contestant = race.contestants[claim.ours]
    assert isinstance(contestant, Contestant)
    assert contestant.builder == f"{meters.__name__}:{meters.side_by_side.__name__}"
    found = meters.side_by_side(**{**contestant.arguments, "busy_seconds": 0.3})()
    assert set(found) == {"our_joules", "codecarbon_joules"}
    assert all(joules > 0 for joules in found.values())


def test_where_our_meter_reads_unknown_there_is_nothing_to_compare(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(meters, "open_meter", NoMeter)
    with pytest.raises(BenchError, match="the none meter of this machine read unknown"):
        meters.side_by_side(0.05)()
