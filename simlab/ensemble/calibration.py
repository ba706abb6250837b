"""From a distance to evidence: a smooth curve that always falls.

It is fitted by penalised logistic regression. Evidence is a log-likelihood ratio in nats: log of
how much likelier the distance is among copies than among non-copies. 0 says nothing, 4.6 is 100 to
1 for a copy, -4.6 is 100 to 1 against.
"""

from dataclasses import dataclass

import numpy as np
from numpy import ndarray
from scipy.linalg import cholesky, solve_triangular

LEAST_FALL = 1e-3
"""Nats by which evidence falls from knot to knot at the least: no plateaus, so no ties are made."""

# where knots lie: among the copies, and among the others, whose near tail counts most
_QUANTILES_OF_COPIES = (0, 0.25, 0.5, 0.75, 0.95, 1)
_QUANTILES_OF_OTHERS = (0, 0.01, 0.1, 0.5, 1)

MOST_DISTANCES = 10_000
"""Distances of a method that a calibration is fitted to; more are joined to so many."""

# penalties
_ON_CHANGE_OF_SLOPE = 0.1
_ON_SLOPE = 0.01

MANY_ROWS = 20_000
"""Rows of a regression that are many: it begins with the solution of so many of them."""

_MAX_STEPS = 60
_SMALLEST_SIZE = 1e-6  # of a step of Newton's, which is halved until it lowers the loss


@dataclass(frozen=True)
class Calibration:
    """A falling curve without corners: its slope is linear between knots, constant outside of them.

    Attributes:
        knots: ascending distances.
        slopes: fall of the evidence per unit of distance at each knot, positive.
        offset: evidence at the first knot.
    """

    knots: ndarray
    slopes: ndarray
    offset: float

    def __call__(self, distance: ndarray) -> ndarray:
        """Return the evidence of distances in nats; 0 where the distance is NaN.

        >>> falling = Calibration(np.array([0.0, 10.0]), np.array([1.0, 0.0]), 4.0)
        >>> falling(np.array([-1, 0, 10, 99, np.nan]))
        array([ 5.,  4., -1., -1.,  0.])
        """
        if not len(self.knots):
            return np.zeros(len(distance))
        # as a curve of pieces: a straight line, parabolas between the knots, a straight line
        gaps = np.diff(self.knots)
        falls = np.append(0, np.cumsum(gaps * (self.slopes[:-1] + self.slopes[1:]) / 2))
        bends = np.concatenate([[0], np.diff(self.slopes) / (2 * gaps), [0]])
        piece = np.searchsorted(self.knots, distance, side="right")
        knot = np.maximum(piece - 1, 0)
        beyond = distance - self.knots[knot]
        fall = falls[knot] + beyond * (self.slopes[knot] + beyond * bends[piece])
        return np.where(np.isnan(distance), 0.0, self.offset - fall)


def fit_calibration(distance: ndarray, label: ndarray, weight: ndarray) -> Calibration:
    """Return the calibration of one method, in which both classes count alike.

    So what comes out does not depend on the share of copies.

    Args:
        distance: finite or NaN (n,).
        label: bool (n,).
        weight: (n,) > 0.
    """
    known = ~np.isnan(distance)
    if label[known].all() or not label[known].any():
        return Calibration(np.zeros(0), np.zeros(0), 0.0)
    distance, label, weight = _merged(distance[known], label[known], weight[known])
    knots = _knots(distance, label, weight)
    widths = _widths(knots)
    basis = np.column_stack([np.ones(len(distance)), -_falls(distance, knots) / widths])
    lower = np.append(-np.inf, np.full(len(knots), LEAST_FALL))
    offset, *falls_at_knots = nonnegative_logistic(
        basis, label, balanced(label, weight), _penalty(len(knots)), lower
    )
    return Calibration(knots, falls_at_knots / widths, float(offset))


def _merged(distance, label, weight):
    """Ties as one row with their weights added: distances of hashes are few.

    Where they are very many, those of a small step count as their mean.
    """
    values, place = np.unique(distance, return_inverse=True)
    if len(values) > MOST_DISTANCES:
        steps = (distance - values[0]) * ((MOST_DISTANCES - 1) / (values[-1] - values[0]))
        place = steps.astype(np.int64)
    row = 2 * place.ravel() + label
    added = np.bincount(row, weight)
    taken = np.flatnonzero(added)
    mean = np.bincount(row, weight * distance)[taken] / added[taken]
    if len(values) <= MOST_DISTANCES:
        mean = values[taken // 2]  # to the last digit
    return mean, taken % 2 == 1, added[taken]


def _knots(distance, label, weight):
    """Quantiles of both classes, none too close to the one before."""
    quantiles = []
    for rows, wanted in ((label, _QUANTILES_OF_COPIES), (~label, _QUANTILES_OF_OTHERS)):
        found = np.quantile(distance[rows], wanted, weights=weight[rows], method="inverted_cdf")
        quantiles.append(found)
    knots = np.unique(np.concatenate(quantiles))
    close = np.diff(knots) < 1e-3 * (knots[-1] - knots[0])
    return knots[np.append(True, ~close)]


def _widths(knots):
    """The wider of the two gaps beside each knot; 1 of a single knot."""
    if len(knots) == 1:
        return np.ones(1)
    gaps = np.diff(knots)
    return np.maximum(np.append(gaps, 0), np.append(0, gaps))


def _falls(distance, knots):
    """By how much a slope of 1 at each knot lowers the curve (n, knots).

    The slope is 0 at the other knots, and linear between.
    """
    gaps = np.diff(knots)
    # share of each gap that lies to the left
    inside = np.clip((distance[:, None] - knots[:-1]) / gaps, 0, 1)
    lowered = np.zeros((len(distance), len(knots)))
    lowered[:, 1:] += gaps * inside**2 / 2
    lowered[:, :-1] += gaps * (inside - inside**2 / 2)
    lowered[:, 0] += np.minimum(distance - knots[0], 0)
    lowered[:, -1] += np.maximum(distance - knots[-1], 0)
    return lowered


def _penalty(n_knots):
    """The quadratic form that asks for small slopes that change little; the offset is free."""
    change = np.diff(np.eye(n_knots), axis=0)
    penalty = np.zeros((n_knots + 1, n_knots + 1))
    penalty[1:, 1:] = _ON_CHANGE_OF_SLOPE * change.T @ change + _ON_SLOPE * np.eye(n_knots)
    return penalty


def balanced(label: ndarray, weight: ndarray) -> ndarray:
    """Return the weights scaled so that copies and others weigh the same, with the same sum."""
    share = weight[label].sum() / weight.sum()
    return weight * np.where(label, 0.5 / share, 0.5 / (1 - share))


def nonnegative_logistic(  # noqa: PLR0917
    basis: ndarray,
    label: ndarray,
    weight: ndarray,
    penalty: ndarray,
    lower: ndarray,
    start: ndarray | None = None,
    tolerance: float = 1e-10,
) -> ndarray:
    """Return the coefficients (p,) of a penalised logistic regression, each at least `lower`.

    Newton's method; every step solves its quadratic problem within the bounds. The problem is
    convex.

    Args:
        basis: float (n, p).
        label: bool (n,).
        weight: (n,) > 0.
        penalty: (p, p); half of the quadratic form is added to the loss.
        start: coefficients to begin with, within the bounds; of many rows, by default those that
            fit a part of them.
        tolerance: the method ends with a step that changes no coefficient by more.
    """
    if start is None and len(basis) > MANY_ROWS:
        few = slice(None, None, len(basis) // MANY_ROWS + 1)
        scaled = weight[few] * (weight.sum() / weight[few].sum())
        start = nonnegative_logistic(basis[few], label[few], scaled, penalty, lower)
    basis = np.asfortranarray(basis)  # all work goes by its columns
    side = np.where(label, -1.0, 1.0)

    def loss_of(theta):
        """The loss, and the probabilities of a copy."""
        eta = basis @ theta
        small = np.exp(-np.abs(eta))
        misfit = np.maximum(side * eta, 0) + np.log1p(small)
        p = np.where(eta >= 0, 1.0, small) / (1 + small)
        return float(weight @ misfit + theta @ penalty @ theta / 2), p

    theta = np.maximum(lower, 0.0 if start is None else start)
    loss, p = loss_of(theta)
    for _ in range(_MAX_STEPS):
        gradient = basis.T @ (weight * (p - label)) + penalty @ theta
        hessian = (basis.T * (weight * p * (1 - p))) @ basis + penalty
        step = _bounded_step(hessian + 1e-9 * np.eye(len(theta)), gradient, lower - theta)
        size = 1.0
        new_loss, p = loss_of(theta + step)
        while new_loss > loss and size > _SMALLEST_SIZE:
            size /= 2
            new_loss, p = loss_of(theta + size * step)
        theta = np.maximum(theta + size * step, lower)
        loss = new_loss
        if np.abs(size * step).max() < tolerance or size <= _SMALLEST_SIZE:
            break
    return theta


def _bounded_step(hessian, gradient, lower):
    """The step, at least `lower`, that is best for the quadratic model."""
    root = cholesky(hessian)
    target = solve_triangular(root, -gradient, trans=1)
    free = solve_triangular(root, target)
    if (free >= lower).all():
        return free
    # only a fit needs it, and it is slow to import
    from scipy.optimize import lsq_linear

    return lsq_linear(root, target, bounds=(lower - 1e-15, np.inf), method="bvls").x
