"""Numbers and names as text on a page: units always, unknown said as such, nothing taken for markup."""

import math
import re

UNKNOWN = "unknown"
LARGE = 1e7
"""From here on a bare number is written with a power of ten."""
_MARKUP = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&])")
_LINKS = re.compile(r"(?<=:)(?=\S)|(?<=www)(?=\.)|(?=@)", re.IGNORECASE)
"""Where addresses, icons and emoji are made of plain text, after Markdown's own escapes were taken away."""
JOINER = "\u2060"
"""Cannot be seen, and parts them."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Characters that cannot be seen, or turn the text around them."""


def plain(text: str) -> str:
    """Text that Markdown shows as it is, whatever a run's name contains, in one paragraph."""
    return _MARKUP.sub(r"\\\1", _LINKS.sub(JOINER, " ".join(_CONTROL.sub("�", text).split())))


def number(value: float | None, *, digits: int = 4) -> str:
    """A bare number with a fixed count of decimals."""
    if value is None:
        return UNKNOWN
    if not math.isfinite(value):
        return not_finite(value)
    return f"{value:.{digits}f}" if abs(value) < LARGE else f"{value:.3g}"


def count(value: float | None) -> str:
    """A count with a metric suffix: 1.45 M."""
    if value is None:
        return UNKNOWN
    if not math.isfinite(value):
        return not_finite(value)
    for size, suffix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g} {suffix}"
    return f"{value:.3g}"


def energy(joules: float | None) -> str:
    """Joules, or watt-hours where those are easier to read."""
    if joules is None:
        return UNKNOWN
    if not math.isfinite(joules):
        return not_finite(joules)
    if abs(joules) < 36_000:
        return f"{joules:.0f} J"
    return f"{joules / 3600:.1f} Wh" if abs(joules) < 3.6e6 else f"{count(joules / 3600)}Wh"


def duration(seconds: float | None) -> str:
    """Seconds, or minutes and seconds, or hours and minutes, or days."""
    if seconds is None:
        return UNKNOWN
    if not math.isfinite(seconds):
        return not_finite(seconds)
    if abs(seconds) < 100:
        return f"{seconds:.1f} s"
    if seconds < 0 or seconds > 100 * 86_400:
        return f"{number(seconds / 86_400, digits=1)} days"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 100:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def percent(fraction: float | None, *, digits: int = 1) -> str:
    """A fraction in percent."""
    return UNKNOWN if fraction is None else f"{number(100 * fraction, digits=digits)} %"


def ratio(value: float | None) -> str:
    """One cost over another."""
    return UNKNOWN if value is None else f"{number(value, digits=2)} ×"


def signed(value: float | None, *, digits: int = 4) -> str:
    """A difference with its sign."""
    if value is None:
        return UNKNOWN
    shown = number(value, digits=digits).replace("-", "−")
    return shown if value < 0 or not math.isfinite(value) else f"+{shown}"


def interval(value: float | None, low: float | None, high: float | None, *, digits: int = 4) -> str:
    """A difference with its sign and its interval."""
    if value is None or low is None or high is None:
        return signed(value, digits=digits)
    return f"{signed(value, digits=digits)} [{signed(low, digits=digits)}, {signed(high, digits=digits)}]"


def some(count: int, noun: str) -> str:
    """`1 run`, `2 runs`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def not_finite(value: float) -> str:
    """What stands for a number that is none."""
    return "not a number" if math.isnan(value) else "infinite"
