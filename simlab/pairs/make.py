"""Pairs by design: each source with its variants (copies) and with other sources (not copies)."""

import itertools

import numpy as np
import pandas as pd
from pandas import DataFrame

from simlab import perturb
from simlab.datasets import as_table
from simlab.specs import Names, check_choice, check_count
from simlab.tables import PAIR_COLUMNS, check_pairs

DESIGNS = ("original-variant", "variant-variant", "original-original")
"""Which two pictures of different sources make a negative pair."""

NEGATIVES = 3000
"""Negative pairs drawn unless told otherwise: enough to see a false positive rate of 1e-3."""

_BLOCK = 4096  # candidates drawn at a time; fixed, so that more negatives begin with the same ones


def make_pairs(
    images,
    perturbations: Names = "basic",
    *,
    negatives: int = NEGATIVES,
    design: str = "original-variant",
    seed: int = 0,
) -> DataFrame:
    """Return the pair table of a study: sources with their variants, and with other sources.

    Args:
        images: a folder, a list of paths, or a table with a ``path`` column. Where a ``source``
            column says that several files show one original, they are paired as copies too, as they
            are.
        perturbations: a preset, specs, or a list of them; see :func:`simlab.perturb.resolve`.
        negatives: pairs of different sources; fewer where there are not as many.
        design: ``"original-variant"``: the reference as it is, the query perturbed.
            ``"variant-variant"``: both perturbed in the same way. ``"original-original"``: both as
            they are. Perturbations take turns.
        seed: of the draw of negatives, and of the perturbations.

    Raises:
        ValueError: an unknown perturbation or design, none at all, a negative count or seed, or a
            single source (no negatives possible).
    """
    check_choice("design", design, DESIGNS)
    check_count("negatives", negatives, 0)
    check_count("seed", seed, 0)
    table = as_table(images).sort_values("path", ignore_index=True)
    specs = perturb.resolve(perturbations)
    if negatives:
        _check_negatives(table, specs, design)
    each = np.repeat(np.arange(len(table)), len(specs))
    parts = [
        _rows(table, each, each, label=1, perturbation=specs * len(table), seed=seed),
        _known_copies(table),
        _negatives(table, specs, negatives, design, seed),
    ]
    filled = [part for part in parts if len(part)]
    if not filled:
        raise ValueError(
            "no pairs: there is no perturbation, no source of several files,"
            " and no negative is asked for"
        )
    pairs = check_pairs(pd.concat(filled, ignore_index=True))
    pairs.attrs["root"] = table.attrs["root"]
    return pairs


def _check_negatives(table, specs, design) -> None:
    if not specs and design != "original-original":
        raise ValueError(
            f"negative pairs of design {design!r} need a perturbation; '' is the picture as it is"
        )
    if table["source"].nunique() < 2:
        raise ValueError(
            "negative pairs need two sources or more; there is one (negatives=0 makes copies only)"
        )


def _known_copies(table: DataFrame) -> DataFrame:
    copies = []
    for files in table.groupby("source", sort=True).indices.values():
        copies.extend(itertools.combinations(sorted(files), 2))
    references, queries = np.array(copies, dtype=int).reshape(-1, 2).T
    return _rows(table, references, queries, label=1)


def _negatives(table, specs, n, design, seed) -> DataFrame:
    taking_turns = [""] if design == "original-original" else specs
    is_ordered = design == "original-variant"
    drawn = _draw(table["source"].to_numpy(), n, len(taking_turns), is_ordered, seed)
    references, queries, turns = np.array(drawn, dtype=int).reshape(-1, 3).T
    of_query = np.array(taking_turns, dtype=object)[turns]
    of_reference = of_query if design == "variant-variant" else ""
    return _rows(
        table,
        references,
        queries,
        label=0,
        perturbation=of_query,
        perturbation_reference=of_reference,
        seed=seed,
    )


def _draw(sources, n, n_specs, is_ordered, seed) -> list[tuple[int, int, int]]:
    """Distinct (reference, query, spec) of different sources.

    Where both pictures are treated alike, their order does not count.
    """
    sizes = np.unique(sources, return_counts=True)[1]
    n_pairs = len(sources) ** 2 - int((sizes**2).sum())
    n_possible = n_pairs * n_specs if is_ordered else n_pairs * n_specs // 2
    if n >= n_possible:
        return _all_draws(sources, n_specs, is_ordered)
    rng = np.random.default_rng([seed, 0x9A1B])
    drawn = {}  # a set that keeps its order
    while len(drawn) < n:
        for reference, query in rng.integers(len(sources), size=(_BLOCK, 2)).tolist():
            if sources[reference] == sources[query]:
                continue
            sides = (reference, query)
            if not is_ordered:
                sides = (min(sides), max(sides))
            drawn.setdefault((*sides, len(drawn) % n_specs))
    return list(drawn)[:n]


def _all_draws(sources, n_specs, is_ordered) -> list[tuple[int, int, int]]:
    draws = []
    files = range(len(sources))
    for reference, query, spec in itertools.product(files, files, range(n_specs)):
        is_first = is_ordered or reference < query
        if is_first and sources[reference] != sources[query]:
            draws.append((reference, query, spec))
    return draws


def _rows(table, references, queries, **columns) -> DataFrame:
    paths = table["path"].to_numpy()
    sources = table["source"].to_numpy()
    pairs = {
        "perturbation_reference": "",
        "perturbation": "",
        "seed": 0,
        "weight": 1.0,
        "reference": paths[references],
        "query": paths[queries],
        "source_reference": sources[references],
        "source_query": sources[queries],
        **columns,
    }
    return DataFrame(pairs, index=range(len(references)))[list(PAIR_COLUMNS)]
