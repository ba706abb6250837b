"""An audit of sources for hidden duplicates, before their pairs are called different pictures."""

import itertools
from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy import ndarray

from simlab.datasets import as_table
from simlab.methods import hashes, registry
from simlab.methods.packing import unpack
from simlab.methods.registry import Method
from simlab.paths import AnyPath
from simlab.scoring.cache import Cache, opened
from simlab.scoring.features import Store, Variant
from simlab.scoring.one_pair import needed
from simlab.specs import Names
from simlab.tables import root_of

NEAR = 0.16
"""Share of a hash's bits under which two originals count as near: 10 of 64."""

_BLOCK = 512  # rows of the distance matrix that are in memory at a time


def audit_sources(
    images,
    methods: Names = ("phash", "dhash", "average_hash"),
    *,
    cache: Cache | AnyPath | None = None,
    n_jobs: int = -1,
    progress: bool = True,
) -> pd.DataFrame:
    """Return pairs of different sources that look like hidden duplicates, nearest first.

    Nothing is removed. One hidden duplicate among the negatives can move the rate of found copies
    at a low false positive rate from 1 to 0. A pair is listed when at least two of the hashes (or
    the only one) differ in less than :data:`NEAR` of their bits. Flat and unreadable pictures are
    left out.

    Args:
        images: a folder, a list of paths, or a table with ``path`` and ``source``.
        methods: hashes to look with; the rest as in :func:`simlab.score_pairs`.

    Returns:
        Columns reference, query, and one distance in bits per method.

    Raises:
        ValueError: a method that is not a hash, or one with ``mirror=True``.
    """
    table = as_table(images)
    resolved = registry.resolve(methods)
    _check_hashes(resolved)
    variants = [Variant(path) for path in table["path"]]
    wanted = list(itertools.product(variants, needed(resolved, query=False)))
    with opened(cache) as kept:
        store = Store(root_of(table, columns=["path"]), kept, n_jobs=n_jobs, progress=progress)
        store.make(wanted)
        packed = store.get(wanted)
    bits = {side: unpack(value)[0] for side, value in packed.items() if value}
    is_usable = np.ones(len(table), dtype=bool)
    for place, variant in enumerate(variants):
        is_usable[place] = all((variant, method.feature) in bits for method in resolved)
    usable = table[is_usable]
    hashes_of = {}
    for method in resolved:
        rows = [bits[Variant(path), method.feature] for path in usable["path"]]
        stack = np.array(rows) if rows else np.zeros((0, 1), dtype=bool)
        hashes_of[method.name] = hashes.pack(stack)
    limits = [NEAR * method.maximum for method in resolved]
    first, second = _near(list(hashes_of.values()), limits, usable["source"].to_numpy())
    paths = usable["path"].to_numpy()
    audit = pd.DataFrame({"reference": paths[first], "query": paths[second]})
    for name, codes in hashes_of.items():
        audit[name] = hashes.hamming_rows(codes[first], codes[second])
    order = audit[list(hashes_of)].mean(axis=1).argsort(kind="stable")
    return audit.iloc[order].reset_index(drop=True)


def _check_hashes(methods: Iterable[Method]) -> None:
    for method in methods:
        if method.unit != "bits" or method.compare_many is None or method.turned:
            raise ValueError(
                f"an audit looks with hashes, of pictures as they are; {method.name!r} is none"
            )


def _near(packed: list[ndarray], limits: list[float], sources: ndarray) -> tuple[ndarray, ndarray]:
    """Indexes of pairs of different sources that enough of the hashes call near."""
    firsts = [np.zeros(0, dtype=int)]
    seconds = [np.zeros(0, dtype=int)]
    for start in range(0, len(sources), _BLOCK):
        rows = slice(start, start + _BLOCK)
        votes = 0
        for codes, limit in zip(packed, limits):
            votes = votes + (hashes.hamming_matrix(codes[rows], codes) < limit).astype(np.uint8)
        first, second = np.nonzero(votes >= min(2, len(packed)))
        firsts.append(first + start)
        seconds.append(second)
    first = np.concatenate(firsts)
    second = np.concatenate(seconds)
    keep = (first < second) & (sources[first] != sources[second])
    return first[keep], second[keep]
