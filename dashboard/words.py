"""Numbers and names as text on a page: units always, unknown said as such, nothing taken for markup."""

import re

UNKNOWN = "unknown"
_MARKUP = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&])")


def plain(text: str) -> str:
    """Text that Markdown shows as it is, whatever a run's name contains."""
    return _MARKUP.sub(r"\\\1", text)


def number(value: float | None, *, digits: int = 4) -> str:
    """A bare number with a fixed count of decimals."""
    return UNKNOWN if value is None else f"{value:.{digits}f}"


def count(value: float | None) -> str:
    """A count with a metric suffix: 1.45 M."""
    if value is None:
        return UNKNOWN
    for size, suffix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g} {suffix}"
    return f"{value:.3g}"


def energy(joules: float | None) -> str:
    """Joules, or watt-hours where those are easier to read."""
    if joules is None:
        return UNKNOWN
    return f"{joules:.0f} J" if joules < 36_000 else f"{joules / 3600:.1f} Wh"


def duration(seconds: float | None) -> str:
    """Seconds, or minutes and seconds, or hours and minutes."""
    if seconds is None:
        return UNKNOWN
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def ratio(value: float | None) -> str:
    """One cost over another."""
    return UNKNOWN if value is None else f"{value:.2f} ×"


def interval(value: float | None, low: float | None, high: float | None, *, digits: int = 4) -> str:
    """A difference with its sign and its interval."""
    if value is None:
        return UNKNOWN
    ends = "" if low is None or high is None else f" [{low:+.{digits}f}, {high:+.{digits}f}]"
    return f"{value:+.{digits}f}{ends}".replace("-", "−")
