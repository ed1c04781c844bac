"""Numbers as people read them. None is `unknown`, never 0."""

from glam.records import EnergyMethod

UNKNOWN = "unknown"
PREFIXES = (
    (1e18, "E"),
    (1e15, "P"),
    (1e12, "T"),
    (1e9, "G"),
    (1e6, "M"),
    (1e3, "k"),
    (1.0, ""),
    (1e-3, "m"),
    (1e-6, "µ"),
)
METHOD_WORDS: dict[EnergyMethod, str] = {
    "nvml_counter": "GPU energy counter",
    "nvml_power": "GPU power samples",
    "rapl": "processor energy counter",
    "power_model": "power model",
    "none": "not measured",
}


def number(value: float | None, digits: int = 4) -> str:
    """Fixed decimals."""
    return UNKNOWN if value is None else f"{value:.{digits}f}"


def signed(value: float | None) -> str:
    """A difference, with its sign."""
    return UNKNOWN if value is None else f"{value:+.4f}"


def count(value: float | None) -> str:
    """A whole number with thousands apart."""
    return UNKNOWN if value is None else f"{value:,.0f}"


def percent(value: float | None) -> str:
    """A fraction in percent."""
    return UNKNOWN if value is None else f"{100 * value:.1f} %"


def p_value(value: float | None) -> str:
    """Two significant digits, or below what is worth telling apart."""
    if value is None:
        return UNKNOWN
    return "< 0.0001" if value < 0.0001 else f"{value:.2g}"


def ratio(value: float | None) -> str:
    """How many times the other."""
    return UNKNOWN if value is None else f"{value:.2f} ×"


def quantity(value: float | None, unit: str = "") -> str:
    """Three digits and an SI prefix: 1.64 MJ."""
    if value is None:
        return UNKNOWN
    for size, prefix in PREFIXES:
        if abs(value) >= size:
            return f"{value / size:.3g} {prefix}{unit}".strip()
    return f"{value:.3g} {unit}".strip()


def energy(
    joules: float | None,
    low: float | None,
    high: float | None,
    method: EnergyMethod,
    idle_watts: float | None = None,
) -> str:
    """Joules with their range and how they were obtained, and the power of the idle machine where that is known."""
    idle = "" if idle_watts is None else f", idle {quantity(idle_watts, 'W')}"
    if joules is None:
        return UNKNOWN + idle
    ends = f" [{quantity(low)}, {quantity(high)}]" if low is not None and high is not None and low < high else ""
    return f"{quantity(joules, 'J')}{ends} ({METHOD_WORDS[method]}){idle}"
