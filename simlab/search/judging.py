"""What a recipe makes of compared pictures: verdict, distance, probability, which methods agree.

The verdict is told by :func:`verdicts`, in one place, from the row alone.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy import ndarray
from pandas import DataFrame
from scipy.special import expit, logit

from simlab import specs
from simlab.cards import Shown
from simlab.ensemble import Ensemble
from simlab.ensemble.validation import voting_distances
from simlab.methods import registry
from simlab.paths import AnyPath
from simlab.scoring.table import checked_pairs, scored_again
from simlab.search.library import Library
from simlab.tables import Columns, Pair

Recipe: TypeAlias = Ensemble | AnyPath | None

NOTHING_SAYS = 0.49
"""Largest probability where a picture has next to nothing in it, and the pixels differ: no copy."""

CAUTION = 0.5
"""The most that a probability can be where a picture is low in information, or the first of several
frames or pages: those behind it are not compared. Identical files are sure all the same."""

Strictness: TypeAlias = Literal["strict", "normal", "lenient"]

BE: dict[str, float] = {"strict": 0.1, "normal": 0.5, "lenient": 0.9}
"""The largest distance of a copy, in words."""

MUCH = 3.0
"""Nats (20 to 1) that are much for a copy: where it is no copy, pictures look alike."""

IDENTICAL = "identical"
COPY = "copy"
LOOK_ALIKE = "look-alike"
DIFFERENT = "different"


def loaded(recipe: Recipe) -> Ensemble:
    """Return the ensemble that a recipe names: itself, or of its file; None is the one that ships.

    Raises:
        ValueError: the ensemble is not fitted, or the file is no recipe.
    """
    ensemble = recipe if isinstance(recipe, Ensemble) else Ensemble.load(recipe)
    if not hasattr(ensemble, "methods_"):
        raise ValueError("recipe must be an ensemble that is fitted, not one to be fitted")
    return ensemble


def stated_prior(prior: float | None, n_others: int) -> float:
    """Return the share of copies that is given, else that of one copy among the other pictures.

    Raises:
        ValueError: it is no share.
    """
    stated = min(0.5, 1 / max(1, n_others)) if prior is None else prior
    specs.check_share("prior", stated)
    return stated


def stated_threshold(threshold: float | Strictness) -> float:
    """Return the largest distance of a copy, which a word of :data:`BE` may name.

    Raises:
        ValueError: it is neither such a word nor a number from 0 to 1.
    """
    if isinstance(threshold, str):
        if threshold in BE:
            return BE[threshold]
        raise ValueError(
            f"threshold must be between 0 and 1, or {', '.join(BE)}, not {threshold!r}"
        )
    specs.check_share("threshold", threshold)
    return float(threshold)


@dataclass(frozen=True)
class Rule:
    """By what pairs are judged, in a search.

    Attributes:
        recipe: what the distances are worth.
        prior: share of copies, for which the probability is stated.
        threshold: largest distance of a copy.
    """

    recipe: Ensemble
    prior: float
    threshold: float

    @functools.cached_property
    def sees_parts(self) -> bool:
        """Whether a method looks at the part of a picture that shows something."""
        return any(method.feature.inner for method in registry.resolve(self.recipe.methods_))


def judge_pairs(library: Library, pairs: Sequence[Pair], rule: Rule) -> DataFrame:
    """Return the pairs of files with their distances, and what the recipe makes of them."""
    table = DataFrame(pairs, columns=["reference", "query"]).astype(object)
    # by the library's own store: no file is read a second time
    scores = scored_again(checked_pairs(table.assign(label=0)), library.methods, library.store)
    references = library.known(scores["reference"])
    queries = library.known(scores["query"])
    return DataFrame(judge_scores(scores, ["reference", "query"], references, queries, rule))


def judge_scores(
    scores: Columns,
    names: list[str],
    references: Mapping[str, ndarray],
    queries: Mapping[str, ndarray],
    rule: Rule,
) -> dict[str, Any]:
    """Return what the recipe makes of rows of scores: the table of a search, by column.

    A query asks three times, of few rows: with tables it would take a quarter of its time.

    Args:
        scores: no_evidence, and a distance per method.
        names: columns of files, which are kept.
        references, queries: what is known of the two pictures of each row; see
            :func:`~simlab.search.library.columns_of`. One query may stand for all.
    """
    methods = list(rule.recipe.methods_)
    by_itself, evidence = rule.recipe.told(voting_distances(scores, methods), rule.prior)
    log_odds = evidence.sum(axis=1) + logit(rule.prior)

    same_file = references["content"] == queries["content"]
    equal_pixels = references["shown"] == queries["shown"]
    frames = np.maximum(references["frames"], queries["frames"])
    low_information = references["low_information"] | queries["low_information"]
    if rule.sees_parts:
        # what is there was judged
        low_information &= ~(references["part_shows"] & queries["part_shows"])
    same = same_file | np.all([np.asarray(scores[name]) == 0 for name in methods], axis=0)
    doubtful = (low_information | (frames > 1)) & ~same_file
    highest = np.where(doubtful, CAUTION, 1.0)
    highest[low_information & ~same_file & ~equal_pixels] = NOTHING_SAYS
    # not 1 - probability, which would round 1e-17 to 0
    distance = np.maximum(np.where(same, 0.0, expit(-log_odds)), 1 - highest)
    probability = np.where(same, 1.0, expit(log_odds))
    in_columns = np.array(methods, dtype=object)
    agreed = (evidence > 0) | same[:, None]
    columns = {name: np.asarray(scores[name]) for name in names}
    columns |= {
        "verdict": verdicts(
            distance,
            by_itself,
            rule.threshold,
            identical=same_file | (equal_pixels & ~doubtful),
            low_information=low_information,
            by_chance=is_by_chance(scores, by_itself, rule.recipe),
        ),
        "same_file": same_file,
        "distance": distance,
        "probability": np.minimum(probability, highest),
        "agreed": np.array([";".join(in_columns[row]) for row in agreed], dtype=object),
        "low_information": low_information,
        "frames": frames,
    }
    return columns | {name: np.asarray(scores[name]) for name in ("no_evidence", *methods)}


def verdicts(
    distance: ndarray,
    evidence: ndarray,
    threshold: float,
    *,
    identical: ndarray,
    low_information: ndarray,
    by_chance: ndarray | bool = False,
) -> ndarray:
    """Return what each pair is: identical, copy, look-alike or different, as text (n,).

    A copy is within the threshold. A look-alike is not, though much speaks for one (:data:`MUCH`),
    as far as only that is counted: something else contradicts it. So is what a strict threshold
    leaves out, but is more likely a copy than not. A picture low in information looks like too many
    to be called alike.

    The prior has no say in likeness, nor have the weights: a recipe that knows look-alikes trusts
    what they share little, and what contradicts them much.

    Args:
        distance: (n,).
        evidence: of each method by itself, (n, d), in nats; 0 where one abstains. See
            :meth:`simlab.Ensemble.evidence`.
        threshold: largest distance of a copy.
        identical: which pairs have equal pixels, and nothing beside them that was not compared.
        by_chance: of which pairs no likeness is believed; see :func:`is_by_chance`.
    """
    speaks_for = np.maximum(evidence, 0).sum(axis=1)
    is_alike = (
        ((speaks_for > MUCH) | (distance <= BE["normal"]))
        & ~low_information
        & ~np.asarray(by_chance)
    )
    conditions = [identical, distance <= threshold, is_alike]
    return np.select(conditions, [IDENTICAL, COPY, LOOK_ALIKE], DIFFERENT).astype(object)


def is_by_chance(scores: Columns, by_itself: ndarray, recipe: Ensemble) -> ndarray:
    """Return which pairs one method alone calls alike, while nothing lays them on each other (n,).

    Two pictures that were turned alike have the same black corners.
    """
    if recipe.guard_ is None or not registry.is_spec(recipe.guard_.method):
        return np.zeros(len(by_itself), dtype=bool)
    guard = registry.get(recipe.guard_.method)
    nothing_fits = np.asarray(scores[guard.name], dtype=float) >= guard.maximum
    return nothing_fits & ((by_itself > 0).sum(axis=1) < 2)


def surest_first(found: Columns, attrs: dict[str, Any]) -> DataFrame:
    """Return the rows with identical pictures first, then by distance, then by names of files.

    Args:
        attrs: what the table says beside its columns.
    """
    columns = [~found["same_file"], found["verdict"] != IDENTICAL, found["distance"]]
    columns += [found[name] for name in ("reference", "query", "file") if name in found]
    keys = list(zip(*columns))
    order = sorted(range(len(keys)), key=keys.__getitem__)
    if isinstance(found, DataFrame):
        ordered = Shown(found.iloc[order].reset_index(drop=True))
    else:
        ordered = Shown({name: values[order] for name, values in found.items()})
    ordered.attrs = attrs
    return ordered
