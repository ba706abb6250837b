"""From a distance to evidence: a smooth curve that always falls, fitted by penalised logistic regression.

Evidence is a log-likelihood ratio in nats: log of how much likelier the distance is among copies than among
non-copies. 0 says nothing, 4.6 is 100 to 1 for a copy, -4.6 is 100 to 1 against.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import lsq_linear
from scipy.special import expit

LEAST_FALL = 1e-3
"""Nats by which evidence falls from one knot to the next at the least: there are no plateaus, so no ties are made."""

# where knots lie: among the copies, and among the others, whose near tail counts most
_QUANTILES = {1: (0, 0.25, 0.5, 0.75, 0.95, 1), 0: (0, 0.01, 0.1, 0.5, 1)}
_SMOOTH, _SHRINK = 0.1, 0.01  # penalties on the change of slope and on the slope


@dataclass(frozen=True)
class Calibration:
    """A falling curve without corners: its slope is linear between knots and constant outside of them.

    Attributes:
        knots: ascending distances.
        slopes: fall of the evidence per unit of distance at each knot, positive.
        offset: evidence at the first knot.
    """

    knots: np.ndarray
    slopes: np.ndarray
    offset: float

    def __call__(self, distance: np.ndarray) -> np.ndarray:
        """Return the evidence of distances in nats; 0 where the distance is NaN.

        >>> Calibration(np.array([0.0, 10.0]), np.array([1.0, 0.0]), 4.0)(np.array([-1, 0, 10, 99, np.nan]))
        array([ 5.,  4., -1., -1.,  0.])
        """
        if not len(self.knots):
            return np.zeros(len(distance))
        evidence = self.offset - _falls(distance, self.knots) @ self.slopes
        return np.where(np.isnan(distance), 0.0, evidence)


def fit_calibration(distance: np.ndarray, label: np.ndarray, weight: np.ndarray) -> Calibration:
    """Return the calibration of one method: finite or NaN distances (n,), bool labels (n,), weights (n,) > 0.

    Both classes count alike, so that what comes out does not depend on the share of copies.
    """
    there = ~np.isnan(distance)
    distance, label, weight = distance[there], label[there], weight[there]
    if label.all() or not label.any():
        return Calibration(np.zeros(0), np.zeros(0), 0.0)
    distance, label, weight = _merged(distance, label, weight)
    knots = _knots(distance, label, weight)
    gaps = np.diff(knots)
    widths = np.maximum(np.append(gaps, 0), np.append(0, gaps)) if len(knots) > 1 else np.ones(1)
    basis = np.column_stack([np.ones(len(distance)), -_falls(distance, knots) / widths])
    change = np.diff(np.eye(len(knots)), axis=0)
    penalty = np.zeros((len(knots) + 1,) * 2)
    penalty[1:, 1:] = _SMOOTH * change.T @ change + _SHRINK * np.eye(len(knots))
    lower = np.append(-np.inf, np.full(len(knots), LEAST_FALL))
    offset, *falls = nonnegative_logistic(basis, label, balanced(label, weight), penalty, lower)
    return Calibration(knots, falls / widths, float(offset))


def balanced(label: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the weights scaled so that copies and others weigh the same, with the same sum."""
    share = weight[label].sum() / weight.sum()
    return weight * np.where(label, 0.5 / share, 0.5 / (1 - share))


def nonnegative_logistic(
    basis: np.ndarray, label: np.ndarray, weight: np.ndarray, penalty: np.ndarray, lower: np.ndarray
) -> np.ndarray:
    """Return the coefficients (p,) of a penalised logistic regression, each at least `lower`.

    Newton's method; every step solves its quadratic problem within the bounds. The problem is convex.

    Args:
        basis: float (n, p). label: bool (n,). weight: (n,) > 0.
        penalty: (p, p); half of the quadratic form is added to the loss.
    """
    theta = np.maximum(lower, 0.0)
    loss = _loss(theta, basis, label, weight, penalty)
    for _ in range(60):
        p = expit(basis @ theta)
        gradient = basis.T @ (weight * (p - label)) + penalty @ theta
        hessian = (basis.T * (weight * p * (1 - p))) @ basis + penalty
        step = _bounded_step(hessian + 1e-9 * np.eye(len(theta)), gradient, lower - theta)
        size = 1.0
        while (
            new := _loss(theta + size * step, basis, label, weight, penalty)
        ) > loss and size > 1e-6:
            size /= 2
        theta, loss = np.maximum(theta + size * step, lower), new
        if np.abs(size * step).max() < 1e-10 or size <= 1e-6:
            break
    return theta


def _bounded_step(hessian: np.ndarray, gradient: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """The step, at least `lower`, that is best for the quadratic model."""
    root = cholesky(hessian)
    target = solve_triangular(root, -gradient, trans=1)
    step = solve_triangular(root, target)
    return (
        step
        if (step >= lower).all()
        else lsq_linear(root, target, bounds=(lower - 1e-15, np.inf), method="bvls").x
    )


def _merged(distance: np.ndarray, label: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, ...]:
    """Ties as one row with their weights added: distances of hashes are few."""
    rows, at = np.unique(np.column_stack([distance, label]), axis=0, return_inverse=True)
    return rows[:, 0], rows[:, 1] > 0, np.bincount(at.ravel(), weight)


def _loss(
    theta: np.ndarray, basis: np.ndarray, label: np.ndarray, weight: np.ndarray, penalty: np.ndarray
) -> float:
    eta = basis @ theta
    return float(weight @ np.logaddexp(0, np.where(label, -eta, eta)) + theta @ penalty @ theta / 2)


def _knots(distance: np.ndarray, label: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Quantiles of both classes, none too close to the one before."""
    quantiles = [
        np.quantile(distance[label == c], q, weights=weight[label == c], method="inverted_cdf")
        for c, q in _QUANTILES.items()
    ]
    knots = np.unique(np.concatenate(quantiles))
    close = np.diff(knots) < 1e-3 * (knots[-1] - knots[0])
    return knots[np.append(True, ~close)]


def _falls(distance: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """By how much a slope of 1 at each knot (0 at the others, linear between) lowers the curve: (n, knots)."""
    gaps = np.diff(knots)
    inside = np.clip(
        (distance[:, None] - knots[:-1]) / gaps, 0, 1
    )  # share of each gap that lies to the left
    falls = np.zeros((len(distance), len(knots)))
    falls[:, 1:] += gaps * inside**2 / 2
    falls[:, :-1] += gaps * (inside - inside**2 / 2)
    falls[:, 0] += np.minimum(distance - knots[0], 0)
    falls[:, -1] += np.maximum(distance - knots[-1], 0)
    return falls
