"""Uncertainty from resampling source pictures: weights, weighted histograms, and the interval made of them.

A copy's pair gets the weight of its source, a non-copy's the product of the weights of its two sources. Plain
products count the noise of single pairs three times over, so on the non-copies' side the weights are drawn
towards 1 by a factor that makes their variance equal the dyadic-robust one; docs/statistics.md measures the result.

Sources: Owen (2007), "The pigeonhole bootstrap", doi:10.1214/07-AOAS122; Aronow, Samii and Assenova (2015),
"Cluster-robust variance estimation for dyadic data", doi:10.1093/pan/mpv018; Efron (2014), "Estimation and
accuracy after model selection", doi:10.1080/01621459.2013.823775 (influence of a source from the resamples).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import stats

from simlab.evaluation.sample import Sample

MAX_BINS = 1000
"""Distinct distances kept for resampling; more are thinned to quantiles, ever finer towards low FPR."""
CHUNK = 256
"""Pairs weighted at a time; their weights under 1,000 resamples fit a core's cache."""


@dataclass(frozen=True)
class Counts:
    """Weights at K distances of copies, ascending; column 0 is the data, each further column a resample."""

    copies: np.ndarray
    others_below: np.ndarray
    others_up_to: np.ndarray
    n_others: np.ndarray
    threshold: np.ndarray

    @cached_property
    def n_copies(self) -> np.ndarray:
        return _or_nan(self.copies.sum(axis=0))

    @cached_property
    def tpr(self) -> np.ndarray:
        return np.cumsum(self.copies, axis=0) / self.n_copies

    @cached_property
    def fpr(self) -> np.ndarray:
        return self.others_up_to / self.n_others


@dataclass(frozen=True)
class Spread:
    """How far each of k statistics moves over the resamples, and over how many sources that was seen."""

    variance: np.ndarray
    freedom: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n_sources: int

    def interval(self, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends of the 95 % Wilson interval of fractions, with the sample size that fits the variance.

        A fraction that no resample moves, or of 0 or 1, counts as if every source were one trial.

        Source: Wilson (1927), doi:10.1080/01621459.1927.10502953; Korn and Graubard (1998) for the effective n.
        """
        edge = self.bounded(value)
        n = np.where(edge, self.n_sources, value * (1 - value) / np.where(edge, 1, self.variance))
        z = stats.t.ppf(0.975, np.where(edge, np.inf, self.freedom))
        centre = (value + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z / (1 + z**2 / n) * np.sqrt(value * (1 - value) / n + z**2 / (4 * n**2))
        low, high = np.clip(centre - half, 0, value), np.clip(centre + half, value, 1)
        low, high = np.where(edge, np.minimum(low, self.low), low), np.where(edge, np.maximum(high, self.high), high)
        return np.where(np.isnan(self.variance), np.nan, [low, high])

    def at(self, index: np.ndarray) -> "Spread":
        """Return the spread of the statistics at these positions."""
        chosen = (column[index] for column in (self.variance, self.freedom, self.low, self.high))
        return Spread(*chosen, self.n_sources)

    def bounded(self, value: np.ndarray) -> np.ndarray:
        """Return where the resamples say nothing and the bound by number of sources is used."""
        return ~(self.variance > 1e-15) | (value <= 0) | (value >= 1)


class Resampler:
    """Resamples of the sources of a sample: the same ones for every method and group, given the seed."""

    def __init__(self, sample: Sample, n_resamples: int, seed: int) -> None:
        self.sample = sample
        n = int(sample.sources.max(initial=0)) + 1
        drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=n_resamples)
        # Column 0 is the data; the last row stands for "no second source".
        self.weights = np.ones((n + 1, n_resamples + 1), np.float32)
        self.weights[:n, 1:] = drawn.T

    def counts(
        self, method: str, masks: Iterable[tuple[np.ndarray, np.ndarray]], kappa: float | None = None
    ) -> Iterator[Counts]:
        """Yield the counts of each pair of masks, positive and negative; the same negatives are counted once."""
        distance, previous = self.sample.distance(method), None
        edges = bin_edges(distance, self.sample.label)
        code = np.searchsorted(edges, distance)
        for positive, negative in masks:
            if negative is not previous:
                factor = self.kappa(method, positive, negative) if kappa is None else kappa
                others = self._histogram(code, negative, len(edges), factor)
                up_to, total, previous = np.cumsum(others, axis=0), _or_nan(others.sum(axis=0)), negative
            copies = self._histogram(code, positive, len(edges), 1.0)
            at = np.flatnonzero(copies[:, 0])
            yield Counts(copies[at], up_to[at] - others[at], up_to[at], total, edges[at])

    def kappa(self, method: str, positive: np.ndarray, negative: np.ndarray) -> float:
        """Return how much of the weights' spread the non-copies get: :func:`calibrate` for ROC AUC and FPR."""
        distance = self.sample.distance(method)[negative]
        if len(distance) == 0:
            return 1.0
        copies = self.sample.ranked(method, positive)
        effects = [copies.below(distance) + copies.up_to(distance)]
        effects += [distance <= np.quantile(distance, rate, method="lower") for rate in (1e-2, 1e-3)]
        return calibrate(effects, self.sample.sources[:, negative], self.sample.weight[negative])

    def spread(self, replicates: np.ndarray, rows: np.ndarray) -> Spread:
        """Return the spread of statistics, (k, resamples), that depend on the sources of the given rows."""
        good = np.isfinite(replicates).all(axis=0)
        if good.sum() < 2:
            return Spread(*np.full((4, len(replicates)), np.nan), 1)
        moved = replicates[:, good] - replicates[:, good].mean(axis=1, keepdims=True)
        present = np.flatnonzero(self.sample.present(rows))
        influence = moved @ (self.weights[present, 1:][:, good].T - 1.0)
        square = (influence**2).sum(axis=1)
        kurtosis = len(present) * (influence**4).sum(axis=1) / np.where(square > 0, square, 1) ** 2
        # Few sources that carry most of the variance make its estimate a guess: a Student t of few degrees.
        freedom = np.clip(2 * len(present) / np.maximum(kurtosis - 1, 1e-9), 1, max(len(present) - 1, 1))
        low, high = np.quantile(replicates[:, good], [0.025, 0.975], axis=1)
        return Spread(moved.var(axis=1, ddof=1), freedom, low, high, max(len(present), 1))

    def _histogram(self, code: np.ndarray, rows: np.ndarray, n_bins: int, kappa: float) -> np.ndarray:
        """Weight of the rows in each bin under each resample, (bins, 1 + resamples)."""
        rows = np.flatnonzero(rows)
        rows = rows[np.argsort(code[rows], kind="stable")]
        first, second = self.sample.sources[:, rows]
        second = np.where(first == second, len(self.weights) - 1, second)
        weights = 1 + np.float32(kappa) * (self.weights - 1)
        total = np.zeros((n_bins, self.weights.shape[1]))
        for start in range(0, len(rows), CHUNK):
            part = slice(start, start + CHUNK)
            product = weights[first[part]]
            product *= weights[second[part]]
            product *= self.sample.weight[rows[part], None]
            at = np.flatnonzero(np.diff(code[rows[part]], prepend=-1))
            total[code[rows[part]][at]] += np.add.reduceat(product, at, axis=0)
        return total


def _or_nan(total: np.ndarray) -> np.ndarray:
    """The weight of a class, NaN where a resample has drawn none of it."""
    return np.where(total > 0, total, np.nan)


def bin_edges(distance: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return the distinct distances, or where they are many, enough of them to keep ROC and PR curves.

    Copies are cut at even ranks; non-copies at ranks that grow by a constant factor, so that every FPR is met
    within 2 %.
    """
    distinct = np.unique(distance)
    if len(distinct) <= MAX_BINS:
        return distinct
    copies, others = np.sort(distance[label]), np.sort(distance[~label])
    even = np.linspace(0, max(len(copies) - 1, 0), MAX_BINS // 2).astype(int)
    growing = np.geomspace(1, max(len(others), 1), MAX_BINS // 2).astype(int) - 1
    return np.unique(np.concatenate([copies[even[: len(copies)]], others[growing[: len(others)]], distinct[-1:]]))


def calibrate(effects: Iterable[np.ndarray], sources: np.ndarray, weight: np.ndarray) -> float:
    """Return the factor k in (0, 1] that fits products of weights 1 + k·(w - 1) to the data's dependence.

    With T the effect summed over a source's pairs and D over one pair of sources, such products give the mean
    effect a variance of k²·ΣT² + k⁴·ΣD², and the dyadic-robust one is ΣT² - ΣD² (ΣD² at least). The largest k
    over the effects is taken.

    Args:
        effects: what each pair contributes to a statistic, (n,) each.
        sources: numbers of the pair's two sources, (2, n).
        weight: of the pairs, (n,).

    >>> pairs = np.array([(a, b) for a in range(50) for b in range(a)]).T
    >>> noise = np.random.default_rng(0).normal(size=1225)
    >>> [round(calibrate([effect], pairs, np.ones(1225)), 2) for effect in (pairs.sum(axis=0), noise)]
    [0.98, 0.64]
    """
    low, high = np.sort(sources, axis=0)
    two = low != high
    n_sources = int(high.max()) + 1
    dyad = np.unique(low[two] * n_sources + high[two], return_inverse=True)[1]
    square = 0.0
    for effect in effects:
        moved = weight * (effect - np.average(effect, weights=weight))
        by_source = np.bincount(low, moved, n_sources) + np.bincount(high[two], moved[two], n_sources)
        total, single = (by_source**2).sum(), (np.bincount(dyad, moved[two]) ** 2).sum()
        if total > 0:
            share = np.clip(single / total, 1e-9, 1.0)
            square = max(square, (np.sqrt(1 + 4 * share * max(1 - share, share)) - 1) / (2 * share))
    return float(np.sqrt(square)) if square else 1.0
