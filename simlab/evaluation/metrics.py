"""The metrics: what each is called, how it is worked out, and whether more of it is better.

A metric of its own is a function from :class:`Counts` and a row of :data:`PLAIN`.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from simlab import specs
from simlab.evaluation.resampling import Counts, last, within

METRICS = ("roc_auc", "average_precision", "tpr@fpr=0.01", "tpr@fpr=0.001")
"""What is measured by default."""

Points = dict[str, ndarray]
"""The arguments of a curve of scikit-learn, whose scores grow with likeness."""

Rate = Callable[[Counts], ndarray]
"""A rate at each of K distances, (K, 1 + resamples)."""


class Limit(NamedTuple):
    """An error rate, the most that is allowed of it, and the FPR that must be measurable for it."""

    error: Rate
    most: float
    needs_fpr: float = 1.0

    def last_within(self, counts: Counts) -> ndarray:
        """Return the place of the largest distance that keeps it, -1 of none, (1 + resamples,)."""
        return last(within(self.error(counts), self.most))


class Metric(NamedTuple):
    """A metric by its name.

    Attributes:
        statistic: its value under each weighting of the sources, the data's first: (1 + resamples,)
        exact: the data's value of labelled points, by scikit-learn; None: the statistic is exact.
        ties_against_copies: whether the copies come last among equal distances, in `exact`.
        larger_is_better: whether the better of two methods has the larger value.
        limit: of a recall, what limits the distance at which it is read.
    """

    name: str
    statistic: Callable[[Counts], ndarray]
    exact: Callable[[Points], float] | None = None
    ties_against_copies: bool = False
    larger_is_better: bool = True
    limit: Limit | None = None


def parse(name: str) -> Metric:
    """Return the metric of a name such as "roc_auc" or "tpr@fpr=0.01".

    Raises:
        ValueError: there is none of this name.
    """
    name = specs.one_name(name, "metric")
    if name in PLAIN:
        return PLAIN[name]
    base, _, number = name.partition("=")
    rate = float(number) if re.fullmatch(r"[0-9]*\.?[0-9]+(e-?[0-9]+)?", number) else 0.0
    if base in LIMITS and 0 < rate < 1:
        limit = LIMITS[base](rate)
        return Metric(name, partial(highest_recall, limit), limit=limit)
    at_a_rate = [f"{base}=<between 0 and 1>" for base in LIMITS]
    allowed = ", ".join([*PLAIN, *at_a_rate])
    raise ValueError(f"a metric must be one of {allowed}; given {name!r}")


def roc_auc(counts: Counts) -> ndarray:
    """Return the chance that a copy is nearer than a non-copy, ties half, of each resample."""
    nearer = (counts.others_below + counts.others_up_to) / 2 / counts.n_others
    return 1 - (counts.copies * nearer).sum(axis=0) / counts.n_copies


def exact_roc_auc(points: Points) -> float:
    """Return what ``roc_auc_score`` of scikit-learn does, in less than half of its time."""
    # a search measures nothing, and importing it would be a fifth of its time
    from sklearn.metrics import auc, roc_curve

    fpr, tpr, _ = roc_curve(**points)
    return auc(fpr, tpr)


def exact_average_precision(points: Points) -> float:
    """Return what ``average_precision_score`` of scikit-learn does, in half of its time."""
    from sklearn.metrics import precision_recall_curve

    precision, recall, _ = precision_recall_curve(**points)
    # recall falls
    return max(0.0, -np.sum(np.diff(recall) * precision[:-1]))


def average_precision(counts: Counts) -> ndarray:
    """Return the mean, over the copies, of the precision at their distance, of each resample."""
    return (counts.copies * counts.precision).sum(axis=0) / counts.n_copies


def equal_error_rate(counts: Counts) -> ndarray:
    """Return the mean of FPR and miss rate where they are closest, of each resample.

    Below each distance the copies are counted up to the one before.
    """
    tpr_below = np.vstack([np.zeros_like(counts.tpr[:1]), counts.tpr[:-1]])
    fpr_below = counts.others_below / counts.n_others
    miss = 1 - np.vstack([counts.tpr, tpr_below])
    false = np.vstack([counts.fpr, fpr_below])
    closest = np.abs(miss - false).argmin(axis=0)
    return ((miss + false) / 2)[closest, np.arange(len(closest))]


def highest_recall(limit: Limit, counts: Counts) -> ndarray:
    """Return the largest recall among the distances within the limit, of each resample."""
    return np.where(within(limit.error(counts), limit.most), counts.tpr, 0.0).max(axis=0)


def fpr_of(counts: Counts) -> ndarray:
    """Return the share of the non-copies up to each distance, (K, 1 + resamples)."""
    return counts.fpr


def false_share_of(counts: Counts) -> ndarray:
    """Return the share of non-copies among the pairs up to each distance, (K, 1 + resamples)."""
    return 1 - counts.precision


LIMITS = {
    "tpr@fpr": lambda rate: Limit(fpr_of, rate, needs_fpr=rate),
    "recall@precision": lambda rate: Limit(false_share_of, 1 - rate),
}
"""What limits the recalls that are read at a rate, which follows their name."""

PLAIN = {
    metric.name: metric
    for metric in (
        Metric("roc_auc", roc_auc, exact=exact_roc_auc),
        Metric("average_precision", average_precision, exact=exact_average_precision),
        Metric(
            "micro_average_precision",
            average_precision,
            exact=exact_average_precision,
            ties_against_copies=True,
        ),
        Metric("equal_error_rate", equal_error_rate, larger_is_better=False),
    )
}
"""The metrics of whole curves."""
