"""Every pair of hashes, counted by distance and source and never stored: FPR down to 1e-9."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy import ndarray
from scipy import special

from simlab import specs
from simlab.evaluation.intervals import degrees_of_freedom, reach, wilson
from simlab.methods import hashes

BLOCK = 400_000
"""Distances held at a time: few enough for a core's cache."""


def exhaustive_histogram(
    references: ndarray,
    queries: ndarray,
    reference_sources: Sequence,
    query_sources: Sequence,
) -> pd.DataFrame:
    """Return how many bits part every reference from every query.

    Two are copies where they share a source, else non-copies. One row per distance from 0 to the
    length of the hash. Columns: threshold (bits), n_copies, n_others (pairs at that distance), tpr,
    tpr_low, tpr_high, fpr, fpr_low, fpr_high (at or below it, with 95 % intervals by source),
    n_positive, n_negative, smallest_fpr. A pair's two sources both count; where no pair is at or
    below a distance, the bound is Wilson's for as many trials as the pairs are worth at the lowest
    rate seen.

    Args:
        references: hashes of the originals, bool (n, bits).
        queries: hashes of their variants, bool (m, bits).
        reference_sources, query_sources: the source that each shows, (n,) and (m,).

    Raises:
        ValueError: the hashes have different lengths, or a source is missing.

    >>> originals = np.array([[0, 0, 0, 0], [1, 1, 1, 1]], dtype=bool)
    >>> variants = np.array([[0, 0, 0, 1], [1, 1, 0, 0]], dtype=bool)
    >>> table = exhaustive_histogram(originals, variants, ["a", "b"], ["a", "b"])
    >>> table[["threshold", "n_copies", "n_others"]].T
               0  1  2  3  4
    threshold  0  1  2  3  4
    n_copies   0  1  1  0  0
    n_others   0  0  1  1  0
    """
    for name, given in (("references", references), ("queries", queries)):
        if np.ndim(given) != 2:
            raise ValueError(f"{name} must be hashes, bool (n, bits), not {np.shape(given)}")
    reference_sources = specs.listed("reference_sources", reference_sources)
    query_sources = specs.listed("query_sources", query_sources)
    bits = references.shape[1]
    n_references = len(reference_sources)
    n_queries = len(query_sources)
    have_sources = n_references == len(references) and n_queries == len(queries)
    if queries.shape[1] != bits or not have_sources:
        raise ValueError(
            "hashes must have one length and one source each;"
            f" given {references.shape} with {n_references}, {queries.shape} with {n_queries}"
        )
    numbers, names = pd.factorize(np.concatenate([reference_sources, query_sources]))
    one = _side(references, numbers[:n_references])
    other = _side(queries, numbers[n_references:])
    copies, others = _by_source(one, other, len(names), bits)
    _, others_of_queries = _by_source(other, one, len(names), bits)
    table = pd.DataFrame({"threshold": np.arange(bits + 1)})
    table["n_copies"] = copies.sum(axis=0)
    table["n_others"] = others.sum(axis=0)
    table["tpr"], table["tpr_low"], table["tpr_high"] = _rates(copies, 1)
    by_both = others + others_of_queries
    table["fpr"], table["fpr_low"], table["fpr_high"] = _rates(by_both, 2)
    table["n_positive"] = table["n_copies"].sum()
    table["n_negative"] = table["n_others"].sum()
    table["smallest_fpr"] = 1 / (table["n_others"].sum() or np.nan)
    return table


class _Side(NamedTuple):
    """Packed hashes, and the number of each one's source, ascending."""

    packed: ndarray
    sources: ndarray


def _side(bits: ndarray, sources: ndarray) -> _Side:
    order = np.argsort(sources, kind="stable")
    return _Side(hashes.pack(bits[order]), sources[order])


def _by_source(one: _Side, other: _Side, n_sources: int, bits: int) -> tuple[ndarray, ndarray]:
    """How many copies and others of each source of one side lie at each distance.

    Each is (sources, bits + 1).
    """
    copies, others = np.zeros((2, n_sources, bits + 1), np.int64)
    present, starts = np.unique(one.sources, return_index=True)
    for source, rows in zip(present, np.split(one.packed, starts[1:])):
        same = slice(*np.searchsorted(other.sources, [source, source + 1]))
        n_blocks = 1 + len(rows) * len(other.packed) // BLOCK
        for block in np.array_split(rows, n_blocks):
            if bits > 64:
                distance = hashes.hamming_matrix(block, other.packed)
            else:
                distance = np.bitwise_count(block ^ other.packed.T)
            of_source = np.bincount(distance[:, same].ravel(), minlength=bits + 1)
            copies[source] += of_source
            others[source] += _count(distance.ravel(), bits + 1) - of_source
    return copies, others


def _count(values: ndarray, n: int) -> ndarray:
    """How often each of 0 … n - 1 occurs.

    Many bytes are counted two at a time, as one number of 16 bits, which halves the time.
    """
    if values.dtype != np.uint8 or len(values) < 1 << 16:
        return np.bincount(values, minlength=n)
    n_even = len(values) // 2 * 2
    twos = values[:n_even].view(np.uint16)
    by_two = np.bincount(twos, minlength=1 << 16).reshape(256, 256)
    left_over = np.bincount(values[n_even:], minlength=n)
    return (by_two.sum(axis=0) + by_two.sum(axis=1))[:n] + left_over


def _rates(by_source: ndarray, owners: int) -> tuple[ndarray, ndarray, ndarray]:
    """Rate at or below each distance, and the ends of its interval.

    The variance is dyadic-robust, where pairs of two sources have one noise each: counted with both
    (`owners` = 2), it is taken off once.

    Source: Aronow, Samii and Assenova (2015), "Cluster-robust variance estimation for dyadic data",
    doi:10.1093/pan/mpv018.
    """
    up_to = np.cumsum(by_source, axis=1)
    n_of_source = up_to[:, -1:]
    n_pairs = n_of_source.sum() / owners
    n_sources = max(np.count_nonzero(n_of_source), 1)
    rate = up_to.sum(axis=0) / max(n_pairs * owners, 1)
    squared_effect = (up_to - rate * n_of_source) ** 2
    between_sources = squared_effect.sum(axis=0)
    binomial = n_pairs * rate * (1 - rate)
    variance = np.maximum(between_sources - (owners - 1) * binomial, binomial)
    kurtosis = n_sources * (squared_effect**2).sum(axis=0) / np.maximum(between_sources, 1e-9) ** 2
    is_bounded = variance == 0
    trials = np.where(is_bounded, n_sources, n_pairs * binomial / np.where(is_bounded, 1, variance))
    worth = n_sources
    if owners == 2:
        place_of_ten = np.searchsorted(up_to.sum(axis=0), 20).clip(max=len(rate) - 1)
        worth = trials[place_of_ten]
        trials[rate == 0] = worth
    freedom = np.where(is_bounded, np.inf, degrees_of_freedom(kurtosis, n_sources))
    low, high = wilson(rate, trials, special.stdtrit(freedom, 0.975))
    # No end is tighter than without one error, or without one success.
    unseen = reach(worth)
    return rate, np.minimum(low, 1 - unseen), np.maximum(high, unseen)
