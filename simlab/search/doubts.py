"""What looks wrong in the copies that were found, in words: a recipe that takes look-alikes for
copies floods a folder, and nobody should find that out by reading pairs.
"""

import pandas as pd
from pandas import DataFrame

from simlab.search.judging import COPY, IDENTICAL, LOOK_ALIKE
from simlab.tables import connected_sources

_TIMES = 10
"""So many times the copies that the prior expects are many."""

_FEW = 10
"""Fewer copies than this, or fewer pictures in a group, are never too many."""

_LARGE = 0.2
"""A group with this share of the pictures is large."""

WHAT_TO_DO = (
    "they may be look-alikes: look at some pairs, or search with --be strict; for a recipe that"
    " knows your pictures, label some pairs (sl.widgets.label), then simlab tune LABELS.csv --out"
    " DIR, then simlab find with --recipe DIR/recipe.json"
)


def warnings_of(found: DataFrame, *, n_pictures: int, n_pairs: int, prior: float) -> list[str]:
    """Return what looks wrong in found pairs and what to do, in one line; as a rule there is none.

    Pictures that are identical count as one, since nothing is wrong with ninety times one picture.

    Args:
        found: reference, query and verdict.
        n_pictures: among which was searched.
        n_pairs: of pictures that might have been copies.
        prior: share of copies that the search expects among these.
    """
    copies = _of_different_contents(found)
    reasons = []
    expected = max(1, round(n_pairs * prior))
    if len(copies) >= _FEW and len(copies) > _TIMES * expected:
        reasons.append(
            f"{len(copies):,} pairs are copies and not identical, where about {expected:,} were"
            " expected"
        )
    largest = _largest_group(copies)
    if largest >= _FEW and largest >= _LARGE * n_pictures:
        reasons.append(f"one group of copies holds {largest:,} of {n_pictures:,} pictures")
    if not reasons:
        return []
    return [f"{', and '.join(reasons)}: {WHAT_TO_DO}"]


def _of_different_contents(found: DataFrame) -> DataFrame:
    """The pairs of copies, each once, in which one file stands for all that are identical to it."""
    pairs = found[found["verdict"] != LOOK_ALIKE]
    identical = (pairs["verdict"] == IDENTICAL).astype(int)
    contents = connected_sources(pairs[["reference", "query"]].assign(label=identical))
    is_copy = (pairs["verdict"] == COPY).to_numpy()
    sides = contents[is_copy].to_numpy(dtype=object)
    named = DataFrame([sorted(names) for names in sides], columns=["reference", "query"])
    different = named[named["reference"] != named["query"]]
    return different.drop_duplicates()


def _largest_group(copies: DataFrame) -> int:
    """Number of contents in the largest group that pairs of copies link."""
    groups = connected_sources(copies.assign(label=1))["source_reference"]
    linked = pd.concat([copies["reference"], copies["query"]])
    sizes = linked.groupby(pd.concat([groups, groups])).nunique()
    return int(sizes.max()) if len(sizes) else 0
