"""Uncertainty from resampling source pictures: weights, weighted histograms, and the interval made of them.

A copy's pair gets the weight of its source, a non-copy's the product of the weights of its two sources. Plain
products count the noise of single pairs three times over, so on the non-copies' side the weights are drawn
towards 1 by a factor that makes their variance equal the dyadic-robust one; docs/statistics.md measures the result.

Sources: Owen (2007), "The pigeonhole bootstrap", doi:10.1214/07-AOAS122; Aronow, Samii and Assenova (2015),
"Cluster-robust variance estimation for dyadic data", doi:10.1093/pan/mpv018; Efron (2014), "Estimation and
accuracy after model selection", doi:10.1080/01621459.2013.823775 (a source's influence, read from the resamples).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy import special, stats

from simlab import specs
from simlab.evaluation.sample import Sample

MAX_BINS = 1000
"""Distinct distances kept for resampling; more are thinned, ever finer towards low FPR."""
CHUNK = 256_000
"""Weights multiplied at a time, so that they fit a core's cache."""

Z = stats.norm.ppf(0.975)
"""Standard errors to either end of a 95 % interval."""

FEW = 6
"""With fewer sources than these, even if all agree, no sign test decides anything."""

Masks = tuple[np.ndarray, np.ndarray]
"""Which rows are positive and which negative, bool (n,) each."""


@dataclass(frozen=True)
class Counts:
    """Weights of pairs at K distances, ascending, (K, 1 + resamples): column 0 is the data."""

    threshold: np.ndarray
    copies: np.ndarray
    others_below: np.ndarray
    others_up_to: np.ndarray
    n_others: np.ndarray

    @cached_property
    def n_copies(self) -> np.ndarray:
        return _or_nan(self.copies.sum(axis=0))

    @cached_property
    def tpr(self) -> np.ndarray:
        return np.cumsum(self.copies, axis=0) / self.n_copies

    @cached_property
    def fpr(self) -> np.ndarray:
        return self.others_up_to / self.n_others

    @cached_property
    def precision(self) -> np.ndarray:
        """The share of copies among the pairs up to each distance; 1 where there are none."""
        found = np.cumsum(self.copies, axis=0)
        called = found + self.others_up_to
        return np.divide(found, called, out=np.ones_like(found), where=called > 0)


class Spread(NamedTuple):
    """How k statistics vary over the resamples, (k,) each; their middle 95 % reach from `least` to `most`.

    `freedom`: degrees of freedom of the variance; `carriers`: how many sources the variance rests on.
    """

    variance: np.ndarray
    freedom: np.ndarray
    least: np.ndarray
    most: np.ndarray
    carriers: np.ndarray


class Interval(NamedTuple):
    """95 % intervals of k fractions, (k,) each.

    `bounded`: an end is no tighter than the sources would leave it without one error, or without one success;
    `carriers`: how many sources the variance rests on.
    """

    low: np.ndarray
    high: np.ndarray
    bounded: np.ndarray
    carriers: np.ndarray


class Resampler:
    """A sample under many weightings of its sources, the same for every method and group."""

    def __init__(self, sample: Sample, weights: np.ndarray) -> None:
        """Take the weights, (sources, resamples), behind a first column for the data as they are."""
        self.sample = sample
        # The last row stands for "no second source".
        weights = weights.astype(np.float32 if weights.shape[1] else np.float64)
        self.weights = np.pad(weights, ((0, 1), (1, 0)), constant_values=1)

    @classmethod
    def draw(cls, sample: Sample, n_resamples: int, seed: int) -> "Resampler":
        """Return as many sources as there are, drawn with replacement, `n_resamples` times."""
        specs.check_number("n_resamples", n_resamples, 0, whole=True)
        specs.check_number("seed", seed, 0, whole=True)
        n, rng = sample.sources.max(initial=0) + 1, np.random.default_rng(seed)
        weights = np.empty((n, n_resamples), np.float32)
        for column in weights.T:
            column[:] = np.bincount(rng.integers(n, size=n), minlength=n)
        return cls(sample, weights)

    def plain(self) -> "Resampler":
        """Return the data as they are, without resamples: every distance counts."""
        return Resampler(self.sample, self.weights[:-1, :0])

    def counts(
        self,
        method: str,
        masks: Iterable[Masks],
        *,
        kappa: float | None = None,
        everywhere: bool = False,
    ) -> Iterator[Counts]:
        """Yield the counts for each pair of masks, at its copies' distances or at all; negatives met again are kept."""
        distance, previous = self.sample.distance(method), None
        thin = self.weights.shape[1] > 1
        edges = bin_edges(distance, self.sample.label) if thin else np.unique(distance)
        code = np.searchsorted(edges, distance)
        for positive, negative in masks:
            if negative is not previous:
                factor = self.kappa(method, positive, negative) if kappa is None else kappa
                others = self._histogram(code, negative, len(edges), factor)
                up_to, n_others, previous = (
                    np.cumsum(others, axis=0),
                    _or_nan(others.sum(axis=0)),
                    negative,
                )
            copies = self._histogram(code, positive, len(edges), 1.0)
            at = np.flatnonzero(copies[:, 0] + everywhere)
            yield Counts(edges[at], copies[at], up_to[at] - others[at], up_to[at], n_others)

    def kappa(self, method: str, positive: np.ndarray, negative: np.ndarray) -> float:
        """Return how much of the weights' spread the non-copies get: :func:`calibrate` for ROC AUC and FPR."""
        distance = self.sample.distance(method)
        copies, others = np.sort(distance[positive]), distance[negative]
        if len(others) == 0 or self.weights.shape[1] == 1:
            return 1.0
        effects = [
            np.searchsorted(copies, others, "left") + np.searchsorted(copies, others, "right")
        ]
        rates = (rate for rate in (1e-2, 1e-3) if rate * len(others) >= 20)
        effects += [others <= np.quantile(others, rate, method="lower") for rate in rates]
        return calibrate(effects, self.sample.sources[:, negative], self.sample.weight[negative])

    def spread(self, replicates: np.ndarray, rows: np.ndarray) -> "Spread":
        """Return how k statistics of the given rows vary.

        Args:
            replicates: the statistics, (k, resamples). Where fewer than two resamples are finite, all is NaN.
            rows: mask of the rows whose sources matter.
        """
        good = np.isfinite(replicates).all(axis=0)
        if good.sum() < 2:
            return Spread(*np.full((5, len(replicates)), np.nan))
        moved = replicates[:, good] - replicates[:, good].mean(axis=1, keepdims=True)
        variance = moved.var(axis=1, ddof=1)
        present = np.flatnonzero(self.sample.present(rows))
        square = (moved @ (self.weights[present, 1:][:, good].T - 1.0)) ** 2
        kurtosis = len(present) * _concentration(square)
        # Few sources that carry most of the variance make its estimate a guess: a Student t of few degrees. Theory says
        # 2 n / (kurtosis - 1); half of it, since a sample hides its own tail; fewer than 6 only widened, in simulation.
        most = max(len(present) - 1, 1)
        freedom = np.clip(len(present) / np.maximum(kurtosis - 1, 1e-9), min(most, 6), most)
        # The draws alone give every source some influence, which would hide how few sources have one of their own.
        by_chance = good.sum() * variance[:, None]
        concentration = _concentration(np.maximum(square - by_chance, 0.0))
        carriers = 1 / np.maximum(concentration, 1e-9)
        ends = np.quantile(replicates[:, good], [0.025, 0.975], axis=1)
        return Spread(variance, freedom, *ends, carriers)

    def mean(self, value: np.ndarray, source: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Return the weighted mean of values that belong to one source each, (1 + resamples,); NaN of nothing."""
        n, weights = len(self.weights) - 1, self.weights[:-1].astype(float)
        return (
            np.bincount(source, weight * value, n)
            @ weights
            / _or_nan(np.bincount(source, weight, n) @ weights)
        )

    def interval(
        self, value: np.ndarray, replicates: np.ndarray, rows: np.ndarray, n: float | None = None
    ) -> Interval:
        """Return the Wilson interval of k fractions, with the sample size that fits the variance of their replicates.

        A fraction that no resample moves, or of 0 or 1, counts as if it came from `n` trials, by default as many as
        the rows have sources; and no end is tighter than that many trials without one error, or without one success,
        would leave it.

        Source: Wilson (1927), doi:10.1080/01621459.1927.10502953.
        """
        spread, n = self.spread(replicates, rows), n or self.n_sources(rows)
        trials, bounded = _trials(value, spread, n)
        low, high = wilson(value, trials, Z)
        low = np.where(bounded, np.minimum(low, spread.least), low)
        high = np.where(bounded, np.maximum(high, spread.most), high)
        return _no_tighter_than_without_error(low, high, n, bounded, spread)

    def recall_interval(
        self, value: np.ndarray, counts: Counts, error: np.ndarray, most: np.ndarray, masks: Masks
    ) -> Interval:
        """Return the intervals of the recall at the largest distance whose error rate is at most each of k limits.

        The threshold is not known either: each distance has the chance, Jeffreys's for an error rate of its effective
        trials, of being the last that keeps the rate. Given the threshold, the recall is uncertain as in Wilson's
        interval; the ends leave 2.5 % of the mixture outside. Tied distances, where the recall jumps from one
        threshold to the next, are thus covered on both sides of the jump.

        Args:
            value: the recalls, (k,).
            counts: of the resamples, at K distances.
            error: the rate that is limited, at those distances, (K, 1 + resamples).
            most: the limits, (k,).

        Source: Brown, Cai and DasGupta (2001), "Interval estimation for a binomial proportion" (Jeffreys's interval).
        """
        n = self.n_sources(masks[0])
        recall = np.vstack([np.zeros_like(counts.tpr[:1]), counts.tpr])
        at = last(within(error[:, :1], most)) + 1
        spread = self.spread(recall[at, 1:], masks[0])
        trials, bounded = _trials(value, spread, n)
        chance = _chance_of_last(error, most, self.n_sources(masks[1]))
        ends = _ends_of_mixture(recall[:, 0], chance, trials)
        low, high = np.where(np.isnan(spread.variance), np.nan, ends)
        return _no_tighter_than_without_error(
            np.minimum(low, value), np.maximum(high, value), n, bounded, spread
        )

    def n_sources(self, rows: np.ndarray) -> int:
        """Return how many sources occur in the rows where the mask is true; 1 of none."""
        return max(int(self.sample.present(rows).sum()), 1)

    def _histogram(
        self, code: np.ndarray, rows: np.ndarray, n_bins: int, kappa: float
    ) -> np.ndarray:
        """Weight of the rows in each bin under each resample, (bins, 1 + resamples)."""
        rows = np.flatnonzero(rows)
        rows = rows[np.argsort(code[rows], kind="stable")]
        first, second = self.sample.sources[:, rows]
        second = np.where(first == second, len(self.weights) - 1, second)
        total, step = np.zeros((n_bins, self.weights.shape[1])), -(-CHUNK // self.weights.shape[1])
        for part in (slice(start, start + step) for start in range(0, len(rows), step)):
            product = self._drawn_in(first[part], kappa)
            product *= self._drawn_in(second[part], kappa)
            product *= self.sample.weight[rows[part], None]
            at = np.flatnonzero(np.diff(code[rows[part]], prepend=-1))
            total[code[rows[part]][at]] += np.add.reduceat(product, at, axis=0)
        return total

    def _drawn_in(self, sources: np.ndarray, kappa: float) -> np.ndarray:
        """Weights of some sources, drawn towards 1."""
        weights = self.weights[sources]
        weights -= 1
        weights *= kappa
        weights += 1
        return weights


def within(error: np.ndarray, most: float) -> np.ndarray:
    """Return where an error rate is at most `most`: 3 of 30 are .1, whatever the rounding."""
    return error <= most * (1 + 1e-9)


def last(allowed: np.ndarray) -> np.ndarray:
    """Return the place of the last true row of each column, -1 where none is."""
    return np.where(allowed.any(axis=0), len(allowed) - 1 - allowed[::-1].argmax(axis=0), -1)


def _trials(value: np.ndarray, spread: Spread, n: float) -> tuple[np.ndarray, np.ndarray]:
    """Effective trials of fractions for an interval of Z standard errors, and which are a bound from `n` trials."""
    unmoved = spread.variance <= 1e-15
    extreme = np.isfinite(spread.variance) & ((value <= 0) | (value >= 1))
    bounded = unmoved | extreme
    fitting = value * (1 - value) / np.where(bounded, 1, spread.variance)
    student = stats.t.ppf(0.975, np.where(bounded, np.inf, spread.freedom))
    return np.where(bounded, n, np.maximum(fitting, 1e-9) * (Z / student) ** 2), bounded


def _no_tighter_than_without_error(
    low: np.ndarray, high: np.ndarray, n: float, bounded: np.ndarray, spread: Spread
) -> Interval:
    """The interval, its ends moved out to where `n` trials without an error, or without a success, would leave them."""
    unseen = reach(n)
    bounded = bounded | (low > 1 - unseen) | (high < unseen)
    low, high = np.minimum(low, 1 - unseen), np.maximum(high, unseen)
    return Interval(low, high, bounded, spread.carriers)


def _chance_of_last(error: np.ndarray, most: np.ndarray, n_sources: int) -> np.ndarray:
    """Chance of each distance to be the last with a true error rate within each limit; first of none, (k, 1 + K)."""
    seen = error[:, 0]
    # The trials that the rate is worth are read where it first exceeds the limit, on more errors than before it.
    beyond = np.minimum(last(within(seen[:, None], most)) + 1, len(seen) - 1)
    moved = error[:, 1:][:, np.isfinite(error[:, 1:]).all(axis=0)]
    variance = moved[beyond].var(axis=1) if moved.size else np.zeros(len(most))
    binomial = seen[beyond] * (1 - seen[beyond])
    known = (variance > 0) & (binomial > 0)
    trials = np.where(known, binomial / np.where(known, variance, 1), n_sources)[:, None]
    kept = special.betainc(seen * trials + 0.5, (1 - seen) * trials + 0.5, most[:, None])
    kept = np.maximum.accumulate(kept[:, ::-1], axis=1)[:, ::-1]
    # Below the first error nothing tells the distances apart: the farthest of them stands for all.
    kept[:, : last(seen[:, None] <= 0)[0] + 1] = 1.0
    return -np.diff(kept, prepend=1.0, append=0.0, axis=1)


def _ends_of_mixture(
    value: np.ndarray, chance: np.ndarray, trials: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where Wilson's distributions of the K values, mixed by their chances (k, K), reach .025 and .975, (k,)."""
    possible = (chance > 1e-9).any(axis=0)
    value, chance = value[possible], chance[:, possible]
    ends, step = np.full((2, len(chance)), 0.5), 0.25
    goal = special.ndtr([[-Z], [Z]])
    for _ in range(25):
        errors = np.sqrt(trials / (ends * (1 - ends)))[..., None] * (ends[..., None] - value)
        below = (special.ndtr(errors) * chance).sum(axis=2)
        ends = ends + np.where(below < goal, step, -step)
        step /= 2
    return ends[0], ends[1]


def _concentration(square: np.ndarray) -> np.ndarray:
    """How much of each row's sum sits in few entries: 1 in one, 1 / n in all alike; 0 of nothing."""
    return (square**2).sum(axis=1) / np.maximum(square.sum(axis=1) ** 2, 1e-300)


def wilson(value: np.ndarray, n: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of the Wilson interval of fractions `value` of `n` trials, at `z` standard errors.

    >>> [round(float(end), 4) for end in wilson(0.0, 100, 1.96)]
    [0.0, 0.037]
    """
    centre, half = value + z**2 / (2 * n), z * np.sqrt(value * (1 - value) / n + z**2 / (4 * n**2))
    scale = 1 + z**2 / n
    return np.clip((centre - half) / scale, 0, value), np.clip((centre + half) / scale, value, 1)


def reach(n: float) -> float:
    """Return how large a rate may be that showed in none of `n` trials: the end of its Wilson interval.

    >>> round(float(reach(36)), 3)
    0.096
    """
    return Z**2 / (n + Z**2)


def bin_edges(distance: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return the distinct distances, or where they are many, enough of them to keep ROC and PR curves.

    Copies are cut at even ranks; non-copies at ranks that grow by a constant factor, so that every FPR is met
    within 3 %.
    """
    distinct = np.unique(distance)
    if len(distinct) <= MAX_BINS:
        return distinct
    copies, others = np.sort(distance[label]), np.sort(distance[~label])
    even = np.linspace(0, max(len(copies) - 1, 0), MAX_BINS // 3).astype(int)
    growing = np.geomspace(1, max(len(others), 1), 2 * MAX_BINS // 3).astype(int) - 1
    return np.unique(
        np.concatenate([copies[even[: len(copies)]], others[growing[: len(others)]], distinct[-1:]])
    )


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
    two, n_sources = low != high, int(high.max()) + 1
    dyad = np.unique(low[two] * n_sources + high[two], return_inverse=True)[1]
    square = 0.0
    for effect in effects:
        moved = weight * (effect - np.average(effect, weights=weight))
        by_source = np.bincount(low, moved, n_sources) + np.bincount(
            high[two], moved[two], n_sources
        )
        total, single = (by_source**2).sum(), (np.bincount(dyad, moved[two]) ** 2).sum()
        if total > 0:
            share = np.clip(single / total, 1e-9, 1.0)
            square = max(square, (np.sqrt(1 + 4 * share * max(1 - share, share)) - 1) / (2 * share))
    return float(np.sqrt(square)) if square else 1.0


def _or_nan(total: np.ndarray) -> np.ndarray:
    """The weight of a class, NaN where a resample has drawn none of it."""
    return np.where(total > 0, total, np.nan)
