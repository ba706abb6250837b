"""Labelled pairs: each source with its own variants (copies), and with pictures of other sources (not copies)."""

import itertools
from collections.abc import Iterable

import numpy as np
import pandas as pd

from simlab import perturb
from simlab.datasets import as_table
from simlab.specs import check_number
from simlab.tables import PAIR_COLUMNS, check_pairs

DESIGNS = ("original-variant", "variant-variant", "original-original")
"""Which two pictures of different sources make a negative pair."""

NEGATIVES = 3000
"""Negative pairs drawn unless told otherwise: enough to see a false positive rate of 1e-3."""

_BLOCK = 4096  # candidates drawn at a time; fixed, so that more negatives begin with the same ones


def make_pairs(
    images,
    perturbations: str | Iterable[str] = "basic",
    *,
    negatives: int = NEGATIVES,
    design: str = "original-variant",
    seed: int = 0,
) -> pd.DataFrame:
    """Return the pair table of a study: every source with each of its variants, and pairs of different sources.

    Args:
        images: a folder, a list of paths, or a table with a ``path`` column. Where a ``source`` column says that
            several files show one original, they are paired as copies too, as they are.
        perturbations: a preset, specs, or a list of them; see :func:`simlab.perturb.resolve`.
        negatives: pairs of different sources; fewer where there are not as many.
        design: ``"original-variant"``: the reference as it is, the query perturbed. ``"variant-variant"``: both
            perturbed in the same way. ``"original-original"``: both as they are. Perturbations take turns.
        seed: of the draw of negatives, and of the perturbations.

    Raises:
        ValueError: an unknown perturbation or design, none at all, a negative count or seed, or a single source (no
            negatives possible).
    """
    if design not in DESIGNS:
        raise ValueError(f"design must be one of {', '.join(DESIGNS)}, not {design!r}")
    check_number("negatives", negatives, 0, whole=True)
    check_number("seed", seed, 0, whole=True)
    table = as_table(images).sort_values("path", ignore_index=True)
    specs = perturb.resolve(perturbations)
    if negatives and not specs and design != "original-original":
        raise ValueError(
            f"negative pairs of design {design!r} need a perturbation; '' is the picture as it is"
        )
    if negatives and table["source"].nunique() < 2:
        raise ValueError(
            "negative pairs need two sources or more; there is one (negatives=0 makes copies only)"
        )
    parts = [
        _variants(table, specs, seed),
        _known_copies(table),
        _negatives(table, specs, negatives, design, seed),
    ]
    if not any(map(len, parts)):
        raise ValueError(
            "no pairs: there is no perturbation, no source of several files, and no negative is asked for"
        )
    pairs = check_pairs(pd.concat([part for part in parts if len(part)], ignore_index=True))
    pairs.attrs["root"] = table.attrs["root"]
    return pairs


def _variants(table: pd.DataFrame, specs: list[str], seed: int) -> pd.DataFrame:
    i = np.repeat(np.arange(len(table)), len(specs))
    return _rows(table, i, i, label=1, perturbation=specs * len(table), seed=seed)


def _known_copies(table: pd.DataFrame) -> pd.DataFrame:
    groups = table.groupby("source", sort=True).indices.values()
    edges = [pair for rows in groups for pair in itertools.combinations(sorted(rows), 2)]
    i, j = np.array(edges, dtype=int).reshape(-1, 2).T
    return _rows(table, i, j, label=1)


def _negatives(
    table: pd.DataFrame, specs: list[str], n: int, design: str, seed: int
) -> pd.DataFrame:
    drawn = _draw(
        table["source"].to_numpy(),
        n,
        1 if design == "original-original" else len(specs),
        design,
        seed,
    )
    i, j, k = np.array(drawn, dtype=int).reshape(-1, 3).T
    chosen = np.array(["", *specs], dtype=object)[0 * k if design == "original-original" else k + 1]
    first = chosen if design == "variant-variant" else ""
    return _rows(table, i, j, label=0, perturbation=chosen, perturbation_reference=first, seed=seed)


def _draw(
    sources: np.ndarray, n: int, n_specs: int, design: str, seed: int
) -> list[tuple[int, int, int]]:
    """Distinct (reference, query, spec) of different sources; where both are treated alike, order does not count."""
    ordered = design == "original-variant"
    sizes = np.unique(sources, return_counts=True)[1]
    possible = (len(sources) ** 2 - int((sizes**2).sum())) * n_specs // (1 if ordered else 2)
    if n >= possible:
        everyone = itertools.product(range(len(sources)), range(len(sources)), range(n_specs))
        return [t for t in everyone if sources[t[0]] != sources[t[1]] and (ordered or t[0] < t[1])]
    rng = np.random.default_rng([seed, 0x9A1B])
    found: dict[tuple[int, int, int], None] = {}
    while len(found) < n:
        for i, j in rng.integers(len(sources), size=(_BLOCK, 2)).tolist():
            if sources[i] != sources[j]:
                found.setdefault((*((i, j) if ordered else sorted((i, j))), len(found) % n_specs))
    return list(found)[:n]


def _rows(table: pd.DataFrame, i: np.ndarray, j: np.ndarray, **columns) -> pd.DataFrame:
    paths, sources = table["path"].to_numpy(), table["source"].to_numpy()
    sides = {
        "reference": paths[i],
        "query": paths[j],
        "source_reference": sources[i],
        "source_query": sources[j],
    }
    defaults = {"perturbation_reference": "", "perturbation": "", "seed": 0, "weight": 1.0}
    return pd.DataFrame({**defaults, **sides, **columns}, index=range(len(i)))[list(PAIR_COLUMNS)]
