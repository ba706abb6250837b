"""Resampling of source pictures: many weightings of them, and what the pairs count under each.

A copy's pair gets the weight of its source, a non-copy's the product of the weights of its two
sources. Plain products count the noise of single pairs three times over, so on the non-copies' side
the weights are drawn towards 1 by a factor, kappa, that makes their variance equal the
dyadic-robust one; docs/statistics.md measures the result.

Sources: Owen (2007), "The pigeonhole bootstrap", doi:10.1214/07-AOAS122; Aronow, Samii and Assenova
(2015), "Cluster-robust variance estimation for dyadic data", doi:10.1093/pan/mpv018.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy import ndarray

from simlab import specs
from simlab.evaluation.sample import Group, Sample

MAX_BINS = 1000
"""Distinct distances kept for resampling; more are thinned, ever finer towards low FPR."""

CHUNK = 256_000
"""Weights multiplied at a time, so that they fit a core's cache."""


class Resampler:
    """A sample under many weightings of its sources, the same for every method and group."""

    def __init__(self, sample: Sample, weights: ndarray) -> None:
        """Take the weights, (sources, resamples), behind a column for the data as they are."""
        self.sample = sample
        self.n_resamples = weights.shape[1]
        weights = weights.astype(np.float32 if self.n_resamples else np.float64)
        # The last row stands for "no second source".
        self.weights = np.pad(weights, ((0, 1), (1, 0)), constant_values=1)

    @classmethod
    def draw(cls, sample: Sample, n_resamples: int, seed: int) -> "Resampler":
        """Return as many sources as there are, drawn with replacement, `n_resamples` times."""
        specs.check_count("n_resamples", n_resamples, 0)
        specs.check_count("seed", seed, 0)
        n_sources = sample.n_sources
        rng = np.random.default_rng(seed)
        weights = np.empty((n_sources, n_resamples), np.float32)
        for column in weights.T:
            column[:] = np.bincount(rng.integers(n_sources, size=n_sources), minlength=n_sources)
        return cls(sample, weights)

    def plain(self) -> "Resampler":
        """Return the data as they are, without resamples: every distance counts."""
        return Resampler(self.sample, self.weights[:-1, :0])

    def counts(
        self,
        method: str,
        groups: Iterable[Group],
        *,
        kappa: float | None = None,
        at_copies: bool = False,
    ) -> Iterator["Counts"]:
        """Yield the counts of each group, at every distance, or only at those of its copies.

        Non-copies that the group before had as well are not counted again.
        """
        distance = self.sample.distance(method)
        if self.n_resamples:
            edges = bin_edges(distance, self.sample.label)
        else:
            edges = np.unique(distance)
        bins = np.searchsorted(edges, distance)
        previous = None
        for group in groups:
            if group.is_other is not previous:
                previous = group.is_other
                factor = self.kappa(method, group) if kappa is None else kappa
                others = self._histogram(bins, group.is_other, len(edges), factor)
                up_to = np.cumsum(others, axis=0)
                n_others = _or_nan(others.sum(axis=0))
            copies = self._histogram(bins, group.is_copy, len(edges), 1.0)
            at = np.flatnonzero(copies[:, 0]) if at_copies else np.arange(len(edges))
            below = up_to[at] - others[at]
            yield Counts(edges[at], copies[at], below, up_to[at], n_others)

    def kappa(self, method: str, group: Group) -> float:
        """Return how much of the weights' spread the non-copies get.

        That is :func:`calibrate` for the ROC AUC, and for an FPR where it is 20 non-copies or more.
        """
        distance = self.sample.distance(method)
        others = distance[group.is_other]
        if len(others) == 0 or self.n_resamples == 0:
            return 1.0
        copies = np.sort(distance[group.is_copy])
        nearer = np.searchsorted(copies, others, "left")
        nearer_or_tied = np.searchsorted(copies, others, "right")
        effects = [nearer + nearer_or_tied]
        for fpr in (1e-2, 1e-3):
            if fpr * len(others) >= 20:
                effects.append(others <= np.quantile(others, fpr, method="lower"))
        sources = self.sample.sources[:, group.is_other]
        return calibrate(effects, sources, self.sample.weight[group.is_other])

    def mean(self, value: ndarray, source: ndarray, weight: ndarray) -> ndarray:
        """Return the weighted mean of values that belong to one source each, (1 + resamples,).

        It is NaN where a resample has drawn none of them.
        """
        weights = self.weights[:-1].astype(float)
        value_by_source = np.bincount(source, weight * value, len(weights))
        weight_by_source = np.bincount(source, weight, len(weights))
        return value_by_source @ weights / _or_nan(weight_by_source @ weights)

    def _histogram(self, bins: ndarray, mask: ndarray, n_bins: int, kappa: float) -> ndarray:
        """Weight of the masked rows in each bin under each resample, (bins, 1 + resamples)."""
        rows = np.flatnonzero(mask)
        rows = rows[np.argsort(bins[rows], kind="stable")]
        first, second = self.sample.sources[:, rows]
        no_source = len(self.weights) - 1
        second = np.where(first == second, no_source, second)
        n_columns = self.weights.shape[1]
        total = np.zeros((n_bins, n_columns))
        step = math.ceil(CHUNK / n_columns)
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            product = self._drawn_in(first[part], kappa)
            product *= self._drawn_in(second[part], kappa)
            product *= self.sample.weight[rows[part], None]
            bins_met = bins[rows[part]]
            begins = np.flatnonzero(np.diff(bins_met, prepend=-1))
            total[bins_met[begins]] += np.add.reduceat(product, begins, axis=0)
        return total

    def _drawn_in(self, sources: ndarray, kappa: float) -> ndarray:
        """Weights of some sources, drawn towards 1: 1 + kappa (w - 1)."""
        weights = self.weights[sources]
        weights -= 1
        weights *= kappa
        weights += 1
        return weights


@dataclass(frozen=True)
class Counts:
    """Weights of pairs at K distances, ascending, (K, 1 + resamples): column 0 is the data."""

    threshold: ndarray
    copies: ndarray
    others_below: ndarray
    others_up_to: ndarray
    n_others: ndarray

    @cached_property
    def n_copies(self) -> ndarray:
        return _or_nan(self.copies.sum(axis=0))

    @cached_property
    def tpr(self) -> ndarray:
        return np.cumsum(self.copies, axis=0) / self.n_copies

    @cached_property
    def fpr(self) -> ndarray:
        return self.others_up_to / self.n_others

    @cached_property
    def precision(self) -> ndarray:
        """The share of copies among the pairs up to each distance; 1 where there are none."""
        found = np.cumsum(self.copies, axis=0)
        called = found + self.others_up_to
        return np.divide(found, called, out=np.ones_like(found), where=called > 0)


def within(error: ndarray, most: float | ndarray) -> ndarray:
    """Return where an error rate is at most `most`: 3 of 30 are .1, whatever the rounding."""
    return error <= most * (1 + 1e-9)


def last(allowed: ndarray) -> ndarray:
    """Return the place of the last true row of each column, -1 where none is."""
    from_the_end = allowed[::-1].argmax(axis=0)
    return np.where(allowed.any(axis=0), len(allowed) - 1 - from_the_end, -1)


def bin_edges(distance: ndarray, label: ndarray) -> ndarray:
    """Return the distinct distances, or of many, enough of them to keep ROC and PR curves.

    Copies are cut at even ranks; non-copies at ranks that grow by a constant factor, so that every
    FPR is met within 3 %.
    """
    distinct = np.unique(distance)
    if len(distinct) <= MAX_BINS:
        return distinct
    copies = np.sort(distance[label])
    others = np.sort(distance[~label])
    even = np.linspace(0, max(len(copies) - 1, 0), MAX_BINS // 3).astype(int)
    growing = np.geomspace(1, max(len(others), 1), 2 * MAX_BINS // 3).astype(int) - 1
    copies = copies[even[: len(copies)]]
    others = others[growing[: len(others)]]
    return np.unique(np.concatenate([copies, others, distinct[-1:]]))


def calibrate(effects: Iterable[ndarray], sources: ndarray, weight: ndarray) -> float:
    """Return the factor k in (0, 1] by which products of weights 1 + k·(w - 1) fit the data.

    With T the effect summed over a source's pairs and D over one pair of sources, such products
    give the mean effect a variance of k²·ΣT² + k⁴·ΣD², and the dyadic-robust one is ΣT² - ΣD² (ΣD²
    at least). The largest k over the effects is taken.

    Args:
        effects: what each pair contributes to a statistic, (n,) each.
        sources: numbers of the pair's two sources, (2, n).
        weight: of the pairs, (n,).

    >>> pairs = np.array([(a, b) for a in range(50) for b in range(a)]).T
    >>> noise = np.random.default_rng(0).normal(size=1225)
    >>> round(calibrate([pairs.sum(axis=0)], pairs, np.ones(1225)), 2)
    0.98
    >>> round(calibrate([noise], pairs, np.ones(1225)), 2)
    0.64
    """
    low, high = np.sort(sources, axis=0)
    n_sources = int(high.max()) + 1
    two = low != high
    pair_of_sources = low[two] * n_sources + high[two]
    _, dyad = np.unique(pair_of_sources, return_inverse=True)
    largest = 0.0
    for effect in effects:
        moved = weight * (effect - np.average(effect, weights=weight))
        as_low = np.bincount(low, moved, n_sources)
        as_high = np.bincount(high[two], moved[two], n_sources)
        by_source = ((as_low + as_high) ** 2).sum()
        by_dyad = (np.bincount(dyad, moved[two]) ** 2).sum()
        if by_source > 0:
            largest = max(largest, _squared_factor(by_dyad / by_source))
    return float(np.sqrt(largest)) if largest else 1.0


def _squared_factor(share: float) -> float:
    """The k² that solves k² + k⁴·share = max(1 - share, share), where share = ΣD² / ΣT²."""
    share = np.clip(share, 1e-9, 1.0)
    wanted = max(1 - share, share)
    return (np.sqrt(1 + 4 * share * wanted) - 1) / (2 * share)


def _or_nan(total: ndarray) -> ndarray:
    """The weight of a class, NaN where a resample has drawn none of it."""
    return np.where(total > 0, total, np.nan)
