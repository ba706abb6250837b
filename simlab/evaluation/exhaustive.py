"""Every pair of hashes, counted by distance and source and never stored: FPR down to one in a thousand million."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from simlab.evaluation.resampling import reach, wilson
from simlab.methods import hashes

Side = tuple[np.ndarray, np.ndarray]
"""Packed hashes and the number of each one's source, ascending."""

BLOCK = 400_000
"""Distances held at a time: few enough for a core's cache."""


def exhaustive_histogram(
    references: np.ndarray,
    queries: np.ndarray,
    reference_sources: Sequence,
    query_sources: Sequence,
) -> pd.DataFrame:
    """Return how many bits part every reference from every query: copies where they share a source, else non-copies.

    One row per distance from 0 to the length of the hash. Columns: threshold (bits), n_copies, n_others (pairs at
    that distance), tpr, tpr_low, tpr_high, fpr, fpr_low, fpr_high (at or below it, with 95 % intervals by source),
    n_positive, n_negative, smallest_fpr. A pair's two sources both count; where no pair is at or below a distance,
    the bound is Wilson's for as many trials as the pairs are worth at the lowest rate seen.

    Args:
        references: hashes of the originals, bool (n, bits).
        queries: hashes of their variants, bool (m, bits).
        reference_sources, query_sources: the source that each shows, (n,) and (m,).

    Raises:
        ValueError: the hashes have different lengths, or a source is missing.

    >>> originals = np.array([[0, 0, 0, 0], [1, 1, 1, 1]], dtype=bool)
    >>> variants = np.array([[0, 0, 0, 1], [1, 1, 0, 0]], dtype=bool)
    >>> exhaustive_histogram(originals, variants, ["a", "b"], ["a", "b"])[["threshold", "n_copies", "n_others"]].T
               0  1  2  3  4
    threshold  0  1  2  3  4
    n_copies   0  1  1  0  0
    n_others   0  0  1  1  0
    """
    bits = references.shape[1]
    if (
        queries.shape[1] != bits
        or len(reference_sources) != len(references)
        or len(query_sources) != len(queries)
    ):
        raise ValueError(
            f"hashes must have one length and one source each; given {references.shape} with {len(reference_sources)}, "
            f"{queries.shape} with {len(query_sources)}"
        )
    numbers = pd.factorize(np.concatenate([reference_sources, query_sources]))[0]
    split = numbers[: len(references)], numbers[len(references) :]
    orders = [np.argsort(side, kind="stable") for side in split]
    codes = [hashes.pack(side[order]) for side, order in zip((references, queries), orders)]
    sides = [(packed, side[order]) for packed, side, order in zip(codes, split, orders)]
    forth, back = (
        _by_source(*pair, numbers.max(initial=-1) + 1, bits) for pair in (sides, sides[::-1])
    )
    table = pd.DataFrame(
        {"threshold": np.arange(bits + 1), "n_copies": forth[0].sum(0), "n_others": forth[1].sum(0)}
    )
    for name, by_source, owners in (("tpr", forth[0], 1), ("fpr", forth[1] + back[1], 2)):
        table[name], table[f"{name}_low"], table[f"{name}_high"] = _rates(by_source, owners)
    n_positive, n_negative = table["n_copies"].sum(), table["n_others"].sum()
    return table.assign(
        n_positive=n_positive, n_negative=n_negative, smallest_fpr=1 / (n_negative or np.nan)
    )


def _by_source(one: Side, other: Side, n_sources: int, bits: int) -> np.ndarray:
    """Histograms of the distances from each source's hashes of one side: (2, sources, bits + 1), copies and others."""
    found = np.zeros((2, n_sources, bits + 1), np.int64)
    present, starts = np.unique(one[1], return_index=True)
    for source, rows in zip(present, np.split(one[0], starts[1:])):
        same = slice(*np.searchsorted(other[1], [source, source + 1]))
        for block in np.array_split(rows, -(-rows.shape[0] * len(other[1]) // BLOCK) or 1):
            distance = (
                hashes.hamming_matrix(block, other[0])
                if bits > 64
                else np.bitwise_count(block ^ other[0].T)
            )
            copies = np.bincount(distance[:, same].ravel(), minlength=bits + 1)
            found[:, source] += copies, _count(distance.ravel(), bits + 1) - copies
    return found


def _count(values: np.ndarray, n: int) -> np.ndarray:
    """How often each of 0 … n - 1 occurs; many bytes are counted two at a time, which halves the time."""
    if values.dtype != np.uint8 or len(values) < 1 << 16:
        return np.bincount(values, minlength=n)
    two = np.bincount(values[: len(values) // 2 * 2].view(np.uint16), minlength=1 << 16).reshape(
        256, 256
    )
    return (two.sum(0) + two.sum(1))[:n] + np.bincount(values[len(values) // 2 * 2 :], minlength=n)


def _rates(by_source: np.ndarray, owners: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rate at or below each distance and its interval; `owners` is 2 where each pair is counted with two sources."""
    at_most = np.cumsum(by_source, axis=1)
    n, n_sources = at_most[:, -1].sum() / owners, max(np.count_nonzero(at_most[:, -1]), 1)
    rate = at_most.sum(axis=0) / max(n * owners, 1)
    effect, single = (at_most - rate * at_most[:, -1:]) ** 2, n * rate * (1 - rate)
    # Dyadic-robust, where pairs of two sources have one noise each: counted with both, it is taken off once.
    variance = np.maximum(effect.sum(axis=0) - (owners - 1) * single, single)
    kurtosis = n_sources * (effect**2).sum(axis=0) / np.maximum(effect.sum(axis=0), 1e-9) ** 2
    most = max(n_sources - 1, 1)
    freedom = np.clip(n_sources / np.maximum(kurtosis - 1, 1e-9), min(most, 6), most)
    bounded = variance == 0
    trials = np.where(bounded, n_sources, n * single / np.where(bounded, 1, variance))
    worth = n_sources
    if owners == 2:
        worth = trials[np.searchsorted(at_most.sum(axis=0), 20).clip(max=len(rate) - 1)]
        trials[rate == 0] = worth
    low, high = wilson(rate, trials, stats.t.ppf(0.975, np.where(bounded, np.inf, freedom)))
    # No end is tighter than without one error, or without one success.
    unseen = reach(worth)
    return rate, np.minimum(low, 1 - unseen), np.maximum(high, unseen)
