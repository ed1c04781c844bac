"""Laws of the held-out loss in one variable, fitted to few points, robustly and the same way every time.

In: x and losses of some runs. Out: the parameters' values and how sure they are.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from glam.analysis.power_law import EXPONENTS
from glam.analysis.statistics import CONFIDENCE, RNG_SEED

HUBER_DELTA = 0.01
"""Relative error of a loss from which on it counts by its size, no longer by its square. Chinchilla (arXiv:2203.15556,
appendix D.2) has 0.001 for hundreds of runs; of five it would meet as many exactly as there are parameters."""
NUM_REFITS = 400
STARTING_EXPONENTS = (0.05, 0.15, 0.4, 1.0)
STARTING_FLOORS = (0.1, 0.5, 0.9)
"""As fractions of the lowest loss."""


@dataclass(frozen=True)
class Law:
    """A form of the loss (nats per token) in x, whose 0 lies among the points or at the dense model."""

    formula: str
    parameters: tuple[str, ...]
    predict: Callable[[np.ndarray, np.ndarray], np.ndarray]
    """Losses at x, given the parameters' values."""
    low: tuple[float, ...]
    high: tuple[float, ...]
    starts: Callable[[np.ndarray, np.ndarray], list[np.ndarray]]
    """Of the search, given x and losses."""

    def fit(self, x: np.ndarray, loss: np.ndarray) -> np.ndarray:
        """Values at which Huber's loss of the logarithms' residuals is lowest, whatever the start."""
        found = [self._search(x, loss, start) for start in self.starts(x, loss)]
        return min(found, key=lambda each: each.cost).x

    def half_widths(self, x: np.ndarray, loss: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Of the parameters' 95 % intervals: fits of as many points again, with residuals drawn from those seen.

        Residuals are made as large as those of a fit that has fewer points than parameters to follow; a t quantile
        takes the place of the normal one. The form of the law is taken to be right.
        """
        fitted, freedom = self.predict(values, x), len(x) - len(values)
        residuals = np.log(loss / fitted)
        residuals = (residuals - residuals.mean()) * np.sqrt(len(x) / freedom)
        rng = np.random.default_rng(RNG_SEED)
        drawn = rng.choice(residuals, size=(NUM_REFITS, len(x)))
        refits = np.array([self._search(x, fitted * np.exp(each), values).x for each in drawn])
        return stats.t.ppf((1 + CONFIDENCE) / 2, freedom) * refits.std(axis=0)

    def _search(self, x: np.ndarray, loss: np.ndarray, start: np.ndarray) -> optimize.OptimizeResult:
        log_loss, tiny = np.log(loss), np.finfo(float).tiny

        def residuals(values: np.ndarray) -> np.ndarray:
            return np.log(np.maximum(self.predict(values, x), tiny)) - log_loss

        return optimize.least_squares(
            residuals,
            np.clip(start, self.low, self.high),
            bounds=(self.low, self.high),
            loss="huber",
            f_scale=HUBER_DELTA,
            x_scale="jac",
            ftol=1e-10,
            xtol=1e-10,
            gtol=1e-10,
        )


def _power_starts(x: np.ndarray, loss: np.ndarray) -> list[np.ndarray]:
    """At a given exponent a power law is met best in the mean of logarithms."""
    return [np.array([np.exp((np.log(loss) + each * x).mean()), each]) for each in STARTING_EXPONENTS]


def _floor_starts(x: np.ndarray, loss: np.ndarray) -> list[np.ndarray]:
    floors = [part * loss.min() for part in STARTING_FLOORS]
    return [np.array([floor, *start]) for floor in floors for start in _power_starts(x, loss - floor)]


POWER_WITH_FLOOR = Law(
    formula="L(C) = E + A (C / C0)^-alpha",
    parameters=("E", "A", "alpha"),
    predict=lambda values, x: values[0] + values[1] * np.exp(-values[2] * x),
    low=(0.0, 0.0, EXPONENTS[0]),
    high=(np.inf, np.inf, EXPONENTS[-1]),
    starts=_floor_starts,
)
POWER = Law(
    formula="L(C) = A (C / C0)^-alpha",
    parameters=("A", "alpha"),
    predict=lambda values, x: values[0] * np.exp(-values[1] * x),
    low=(0.0, EXPONENTS[0]),
    high=(np.inf, EXPONENTS[-1]),
    starts=_power_starts,
)
LINE_IN_DOUBLINGS = Law(
    formula="L(N) = a + b log2(N)",
    parameters=("a", "b"),
    predict=lambda values, x: values[0] + values[1] * x,
    low=(0.0, -np.inf),
    high=(np.inf, np.inf),
    starts=lambda x, loss: [np.polyfit(x, loss, 1)[::-1]],
)
LAWS = {law.formula: law for law in (POWER_WITH_FLOOR, POWER, LINE_IN_DOUBLINGS)}
"""By formula, as a verdict names them."""
