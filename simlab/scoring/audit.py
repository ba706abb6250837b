"""An audit of sources for hidden duplicates, before pairs of different sources are called different pictures."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from simlab.datasets import as_table
from simlab.methods import hashes, registry
from simlab.methods.packing import unpack
from simlab.scoring.cache import Cache, opened
from simlab.scoring.features import Store, Variant
from simlab.tables import root_of

NEAR = 0.16
"""Share of a hash's bits under which two originals count as near: 10 of 64."""

_BLOCK = 512  # rows of the distance matrix that are in memory at a time


def audit_sources(
    images,
    methods: str | Iterable[str] = ("phash", "dhash", "average_hash"),
    *,
    cache: Cache | str | Path | None = None,
    n_jobs: int = -1,
    progress: bool = True,
) -> pd.DataFrame:
    """Return pairs of different sources that look like hidden duplicates, nearest first; nothing is removed.

    One hidden duplicate among the negatives can move the rate of found copies at a low false positive rate from 1 to 0.
    A pair is listed when at least two of the hashes (or the only one) differ in less than :data:`NEAR` of their bits.
    Flat and unreadable pictures are left out.

    Args:
        images: a folder, a list of paths, or a table with ``path`` and ``source``.
        methods: hashes to look with; the rest as in :func:`simlab.score_pairs`.

    Returns:
        Columns reference, query, and one distance in bits per method.

    Raises:
        ValueError: a method that is not a hash, or one with ``mirror=True``.
    """
    table, resolved = as_table(images), registry.resolve(methods)
    if others := [
        m.name for m in resolved if m.unit != "bits" or m.compare_many is None or m.mirrored
    ]:
        raise ValueError(
            f"an audit looks with hashes, of pictures as they are; {others[0]!r} is none"
        )
    variants = [Variant(path) for path in table["path"]]
    wanted = [(variant, method.feature) for variant in variants for method in resolved]
    with opened(cache) as kept:
        store = Store(root_of(table, columns=["path"]), kept, n_jobs=n_jobs, progress=progress)
        store.make(wanted)
        found = {pair: unpack(value)[0] for pair, value in store.get(wanted).items() if value}
    usable = np.array(
        [all((variant, method.feature) in found for method in resolved) for variant in variants]
    )
    table, variants = table[usable], [variant for variant, use in zip(variants, usable) if use]
    none = np.zeros((0, 1), dtype=bool)
    packed = [
        hashes.pack(np.array([found[v, method.feature] for v in variants] or none))
        for method in resolved
    ]
    i, j = _near(packed, [NEAR * method.maximum for method in resolved], table["source"].to_numpy())
    paths = table["path"].to_numpy()
    distances = {
        method.name: hashes.hamming_rows(bits[i], bits[j]) for method, bits in zip(resolved, packed)
    }
    audit = pd.DataFrame({"reference": paths[i], "query": paths[j], **distances})
    return audit.iloc[audit[list(distances)].mean(axis=1).argsort(kind="stable")].reset_index(
        drop=True
    )


def _near(
    packed: list[np.ndarray], limits: list[float], sources: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Indexes of pairs of different sources that enough of the hashes call near."""
    blocks = []
    for start in range(0, len(sources), _BLOCK):
        rows = slice(start, start + _BLOCK)
        near = (
            hashes.hamming_matrix(bits[rows], bits) < limit for bits, limit in zip(packed, limits)
        )
        votes = sum(matrix.view(np.uint8) for matrix in near)
        i, j = np.nonzero(votes >= min(2, len(packed)))
        blocks.append(np.stack([i + start, j]))
    i, j = np.concatenate(blocks, axis=1) if blocks else np.zeros((2, 0), dtype=int)
    keep = (i < j) & (sources[i] != sources[j])
    return i[keep], j[keep]
