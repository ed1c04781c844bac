"""L(c) = E + A c^-alpha with E, A >= 0: the law by which held-out curves go on, fitted to many of them at once.

At a given exponent the law is a straight line in c^-alpha, so E and A follow in closed form and one number is searched.
"""

from dataclasses import dataclass

import numpy as np

EXPONENTS = np.geomspace(0.01, 4.0, 49)
"""Among which the search begins; their ends bound it."""
GOLDEN = (np.sqrt(5) - 1) / 2
NUM_NARROWINGS = 40
"""Of the search between two neighbours of EXPONENTS, each to 0.62 of the interval."""


@dataclass(frozen=True)
class PowerLaws:
    """R laws, loss = floor + scale * (cost / reference_cost)^-exponent; losses in nats per token."""

    floor_R: np.ndarray
    scale_R: np.ndarray
    exponent_R: np.ndarray
    reference_cost: float
    """The geometric mean of the costs fitted to, in their unit: the other three do not depend on that unit."""

    def cost_at(self, loss_R: np.ndarray) -> np.ndarray:
        """The cost at which each law falls to its loss; infinite where it never does."""
        above_R = loss_R - self.floor_R
        reached_R = (above_R > 0) & (self.scale_R > 0)
        log_cost_R = np.full(len(loss_R), np.inf)
        log_cost_R[reached_R] = np.log(self.scale_R[reached_R] / above_R[reached_R]) / self.exponent_R[reached_R]
        with np.errstate(over="ignore"):
            return self.reference_cost * np.exp(log_cost_R)


def fit_curves(cost_P: np.ndarray, loss_RP: np.ndarray) -> PowerLaws:
    """The law of least squares of each of R curves over the same P costs."""
    log_cost_P = np.log(cost_P)
    centred_P = log_cost_P - log_cost_P.mean()

    def error(log_exponent_R: np.ndarray) -> np.ndarray:
        return _line(np.exp(log_exponent_R), centred_P, loss_RP)[2]

    log_exponents = np.log(EXPONENTS)
    best_R = np.array([error(np.full(len(loss_RP), each)) for each in log_exponents]).argmin(axis=0)
    low_R = log_exponents[np.maximum(best_R - 1, 0)]
    high_R = log_exponents[np.minimum(best_R + 1, len(EXPONENTS) - 1)]
    for _ in range(NUM_NARROWINGS):
        step_R = GOLDEN * (high_R - low_R)
        left_R, right_R = high_R - step_R, low_R + step_R
        falls_R = error(right_R) < error(left_R)
        low_R, high_R = np.where(falls_R, left_R, low_R), np.where(falls_R, high_R, right_R)
    exponent_R = np.exp((low_R + high_R) / 2)
    floor_R, scale_R, _ = _line(exponent_R, centred_P, loss_RP)
    return PowerLaws(floor_R, scale_R, exponent_R, float(np.exp(log_cost_P.mean())))


def _line(
    exponent_R: np.ndarray, log_cost_P: np.ndarray, loss_RP: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Floor, scale and sum of squared errors at given exponents; a line that leaves the bounds is put on them."""
    x_RP = np.exp(-exponent_R[:, None] * log_cost_P)
    mean_R, loss_R = x_RP.mean(axis=1), loss_RP.mean(axis=1)
    from_mean_RP = x_RP - mean_R[:, None]
    scale_R = (from_mean_RP * loss_RP).sum(axis=1) / (from_mean_RP**2).sum(axis=1)
    floor_R = loss_R - scale_R * mean_R
    through_zero_R = (x_RP * loss_RP).sum(axis=1) / (x_RP**2).sum(axis=1)
    scale_R = np.where(floor_R < 0, through_zero_R, np.maximum(scale_R, 0))
    floor_R = np.where(floor_R < 0, 0.0, np.where(scale_R > 0, floor_R, loss_R))
    errors_RP = floor_R[:, None] + scale_R[:, None] * x_RP - loss_RP
    return floor_R, scale_R, (errors_RP**2).sum(axis=1)
