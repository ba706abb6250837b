"""95 % intervals by source: how a statistic moves over the resamples, and what none can show.

Sources: Wilson (1927), doi:10.1080/01621459.1927.10502953; Efron (2014), "Estimation and accuracy
after model selection", doi:10.1080/01621459.2013.823775 (a source's influence, read from the
resamples); Brown, Cai and DasGupta (2001), "Interval estimation for a binomial proportion",
doi:10.1214/ss/1009213286 (Jeffreys's interval).
"""

from collections.abc import Hashable, Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy import ndarray
from scipy import special

from simlab.evaluation.resampling import Counts, Resampler, last, within
from simlab.evaluation.sample import Group

# scipy.stats, which says the same, is slow to import
Z = special.ndtri(0.975)
"""Standard errors to either end of a 95 % interval."""

FEW = 6
"""With fewer sources than these, even if all agree, no sign test decides anything."""

UNMOVED = 1e-15
"""A variance up to this is none but rounding."""

TAILS = [0.025, 0.975]


class Interval(NamedTuple):
    """95 % intervals of k fractions, (k,) each.

    `bounded`: an end is no tighter than the sources would leave it without one error, or without
    one success; `carriers`: how many sources the variance rests on.
    """

    low: ndarray
    high: ndarray
    bounded: ndarray
    carriers: ndarray


class Spread(NamedTuple):
    """How k statistics vary over the resamples, (k,) each.

    `freedom`: degrees of freedom of the variance; `least` and `most`: the ends of their middle
    95 %; `carriers`: how many sources the variance rests on.
    """

    variance: ndarray
    freedom: ndarray
    least: ndarray
    most: ndarray
    carriers: ndarray


def fraction_interval(
    resampler: Resampler,
    value: ndarray,
    replicates: ndarray,
    rows: ndarray,
    trials: float | None = None,
) -> Interval:
    """Return Wilson's interval of k fractions, of as many trials as fit their replicates' variance.

    A fraction that no resample moves, or of 0 or 1, counts as if it came from so many `trials`, by
    default as many as the rows have sources; and no end is tighter than that many trials without
    one error, or without one success, would leave it.

    Args:
        value: the fractions, (k,).
        replicates: the same under each resample, (k, resamples).
        rows: mask of the rows whose sources matter.
    """
    spread = spread_of(resampler, replicates, rows)
    trials = trials or resampler.sample.n_sources_in(rows)
    worth, bounded = _effective_trials(value, spread, trials)
    low, high = wilson(value, worth, Z)
    low = np.where(bounded, np.minimum(low, spread.least), low)
    high = np.where(bounded, np.maximum(high, spread.most), high)
    return _no_tighter_than_without_error(low, high, trials, bounded, spread)


def recall_interval(
    resampler: Resampler,
    value: ndarray,
    counts: Counts,
    error: ndarray,
    limits: ndarray,
    group: Group,
) -> Interval:
    """Return the intervals of the recall at the largest distance whose error is within each limit.

    The threshold is not known either: each distance has the chance, Jeffreys's for an error rate of
    its effective trials, of being the last that keeps the rate. Given the threshold, the recall is
    uncertain as in Wilson's interval; the ends leave 2.5 % of the mixture outside. Tied distances,
    where the recall jumps from one threshold to the next, are thus covered on both of its sides.

    Args:
        value: the recalls, (k,).
        counts: of the resamples, at K distances.
        error: the rate that is limited, at those distances, (K, 1 + resamples).
        limits: the most that is allowed of it, (k,).
    """
    n_sources = resampler.sample.n_sources_in(group.is_copy)
    # Row 0 is the recall where not even the nearest distance is within the limit.
    recall = np.vstack([np.zeros_like(counts.tpr[:1]), counts.tpr])
    chosen = last(within(error[:, :1], limits)) + 1
    spread = spread_of(resampler, recall[chosen, 1:], group.is_copy)
    worth, bounded = _effective_trials(value, spread, n_sources)
    chance = _chance_of_last(error, limits, resampler.sample.n_sources_in(group.is_other))
    ends = _ends_of_mixture(recall[:, 0], chance, worth)
    low, high = np.where(np.isnan(spread.variance), np.nan, ends)
    low = np.minimum(low, value)
    high = np.maximum(high, value)
    return _no_tighter_than_without_error(low, high, n_sources, bounded, spread)


def spread_of(resampler: Resampler, replicates: ndarray, rows: ndarray) -> Spread:
    """Return how k statistics of the given rows vary.

    Args:
        replicates: the statistics, (k, resamples). Where fewer than two resamples are finite, all
            is NaN.
        rows: mask of the rows whose sources matter.
    """
    finite = np.isfinite(replicates).all(axis=0)
    if finite.sum() < 2:
        return Spread(*np.full((5, len(replicates)), np.nan))
    replicates = replicates[:, finite]
    moved = replicates - replicates.mean(axis=1, keepdims=True)
    variance = moved.var(axis=1, ddof=1)
    # A source's influence is how far the statistic moves along with the source's weight.
    present = np.flatnonzero(resampler.sample.present(rows))
    n_sources = len(present)
    weights = resampler.weights[present, 1:][:, finite]
    squared_influence = (moved @ (weights.T - 1.0)) ** 2
    kurtosis = n_sources * _concentration(squared_influence)
    # The draws alone give every source some influence, which would hide how few have their own.
    by_chance = finite.sum() * variance[:, None]
    concentration = _concentration(np.maximum(squared_influence - by_chance, 0.0))
    least, most = np.quantile(replicates, TAILS, axis=1)
    return Spread(
        variance,
        degrees_of_freedom(kurtosis, n_sources),
        least,
        most,
        1 / np.maximum(concentration, 1e-9),
    )


def _concentration(square: ndarray) -> ndarray:
    """How much of each row's sum sits in few entries: 1 in one, 1 / n in n alike; 0 of nothing."""
    return (square**2).sum(axis=1) / np.maximum(square.sum(axis=1) ** 2, 1e-300)


def degrees_of_freedom(kurtosis: ndarray, n_sources: int) -> ndarray:
    """Return the degrees of freedom of a variance over sources whose influences have this kurtosis.

    Few sources that carry most of the variance make its estimate a guess: a Student t of few
    degrees. Theory says 2 n / (kurtosis - 1); half of it is taken, since a sample hides its own
    tail; fewer than 6 only widened, in simulation.
    """
    most = max(n_sources - 1, 1)
    return np.clip(n_sources / np.maximum(kurtosis - 1, 1e-9), min(most, 6), most)


def _effective_trials(value: ndarray, spread: Spread, trials: float) -> tuple[ndarray, ndarray]:
    """How many trials fractions are worth in an interval of Z standard errors; which are a bound.

    A binomial fraction of n trials has a variance of value (1 - value) / n. Wilson's interval takes
    Z where Student's t belongs, so that n shrinks by (Z / t)². The bounded ones get `trials`.
    """
    extreme = np.isfinite(spread.variance) & ((value <= 0) | (value >= 1))
    bounded = (spread.variance <= UNMOVED) | extreme
    fitting = value * (1 - value) / np.where(bounded, 1, spread.variance)
    student = special.stdtrit(np.where(bounded, np.inf, spread.freedom), 0.975)
    worth = np.maximum(fitting, 1e-9) * (Z / student) ** 2
    return np.where(bounded, trials, worth), bounded


def _no_tighter_than_without_error(
    low: ndarray, high: ndarray, trials: float, bounded: ndarray, spread: Spread
) -> Interval:
    """The interval, its ends moved out to where `trials` without an error or success leave them."""
    unseen = reach(trials)
    moved_out = (low > 1 - unseen) | (high < unseen)
    low = np.minimum(low, 1 - unseen)
    high = np.maximum(high, unseen)
    return Interval(low, high, bounded | moved_out, spread.carriers)


def _chance_of_last(error: ndarray, limits: ndarray, n_sources: int) -> ndarray:
    """Chance of each distance to be the last with a true error rate within each limit, (k, 1 + K).

    The first column is the chance that none is. An error rate that was seen in n trials lies within
    a limit with the chance of Jeffreys's distribution: Beta(n·seen + ½, n·(1 - seen) + ½).
    """
    seen = error[:, 0]
    # The trials that the rate is worth are read where it first exceeds the limit, on more errors
    # than before it.
    beyond = np.minimum(last(within(seen[:, None], limits)) + 1, len(seen) - 1)
    finite = np.isfinite(error[:, 1:]).all(axis=0)
    moved = error[:, 1:][:, finite]
    variance = moved[beyond].var(axis=1) if moved.size else np.zeros(len(limits))
    binomial = seen[beyond] * (1 - seen[beyond])
    known = (variance > 0) & (binomial > 0)
    trials = np.where(known, binomial / np.where(known, variance, 1), n_sources)[:, None]
    kept = special.betainc(seen * trials + 0.5, (1 - seen) * trials + 0.5, limits[:, None])
    kept = np.maximum.accumulate(kept[:, ::-1], axis=1)[:, ::-1]
    # Below the first error nothing tells the distances apart: the farthest of them stands for all.
    kept[:, : last(seen[:, None] <= 0)[0] + 1] = 1.0
    return -np.diff(kept, prepend=1.0, append=0.0, axis=1)


def _ends_of_mixture(value: ndarray, chance: ndarray, trials: ndarray) -> ndarray:
    """Where Wilson's distributions of K values, mixed by their chances, reach .025 and .975.

    The values are (K,), their chances (k, K), the ends (2, k). Wilson's distribution of a value
    reaches p where the value is as many standard errors away as the normal one's at p. The ends are
    halved in on from .5, to 2^-26.
    """
    possible = (chance > 1e-9).any(axis=0)
    value = value[possible]
    chance = chance[:, possible]
    ends = np.full((2, len(chance)), 0.5)
    step = 0.25
    goal = special.ndtr([[-Z], [Z]])
    for _ in range(25):
        per_error = np.sqrt(trials / (ends * (1 - ends)))
        errors = per_error[..., None] * (ends[..., None] - value)
        below = (special.ndtr(errors) * chance).sum(axis=2)
        ends = ends + np.where(below < goal, step, -step)
        step /= 2
    return ends


def wilson(value: ndarray, n: ndarray, z: ndarray) -> tuple[ndarray, ndarray]:
    """Return the ends of the Wilson interval of fractions of `n` trials, at `z` standard errors.

    >>> [round(float(end), 4) for end in wilson(0.0, 100, 1.96)]
    [0.0, 0.037]
    """
    centre = value + z**2 / (2 * n)
    half_width = z * np.sqrt(value * (1 - value) / n + z**2 / (4 * n**2))
    scale = 1 + z**2 / n
    low = np.clip((centre - half_width) / scale, 0, value)
    high = np.clip((centre + half_width) / scale, value, 1)
    return low, high


def share_interval(is_one: Iterable[bool], group: Iterable[Hashable]) -> tuple[float, ...]:
    """Return a share, and the ends of its 95 % interval; what is of one group stands together.

    Wilson's interval. It is of as many trials as fit the variance between groups, and at most as
    many as there were if all groups were as large as those that have it, so that the others need
    not be known. No end is tighter than as many groups without one error, or one success, leave it.
    NaN of nothing.

    Args:
        is_one: what has it, (n,).
        group: that each belongs to, (n,).

    >>> [round(end, 3) for end in share_interval([1, 1, 0, 0, 0, 0], list("abcdef"))]
    [0.333, 0.087, 0.725]
    >>> [round(end, 3) for end in share_interval([1, 1, 0, 0, 0, 0], list("aabcde"))]
    [0.333, 0.06, 0.797]
    """
    one = np.asarray(is_one, float)
    codes, names = pd.factorize(np.asarray(group, object))
    n_groups = len(names)
    if not n_groups:
        return np.nan, np.nan, np.nan
    share = one.mean()
    trials = float(n_groups)
    if 0 < share < 1:
        by_group = np.bincount(codes, one - share)
        variance = (by_group**2).sum() / len(one) ** 2 * n_groups / max(n_groups - 1, 1)
        size = np.bincount(codes)[codes]
        trials = min(share * (1 - share) / variance, len(one) / size[one > 0].mean())
    low, high = wilson(share, trials, Z)
    unseen = reach(n_groups)
    return float(share), float(min(low, 1 - unseen)), float(max(high, unseen))


def reach(n: float) -> float:
    """Return how large a rate may be that showed in none of `n` trials: its Wilson interval's end.

    >>> round(float(reach(36)), 3)
    0.096
    """
    return Z**2 / (n + Z**2)
