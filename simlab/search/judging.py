"""What a recipe makes of compared pictures: distance, probability, and which methods agree."""

import os
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from simlab import specs
from simlab.ensemble import Ensemble
from simlab.scoring.table import score_pairs
from simlab.search.library import Library

Recipe: TypeAlias = Ensemble | str | os.PathLike | None

CAUTION = 0.5
"""The most that a probability can be where a picture is low in information, or the first of several
frames or pages: those behind it are not compared. Identical files are sure all the same."""


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
    specs.check_number("prior", stated, 0, 1, within=True)
    return stated


def judge_pairs(
    library: Library, pairs: Sequence[tuple[str, str]], recipe: Ensemble, prior: float
) -> pd.DataFrame:
    """Return the pairs of files with their distances, and what the recipe makes of them."""
    table = pd.DataFrame(pairs, columns=["reference", "query"]).astype(object)
    scores = score_pairs(
        table.assign(label=0),
        list(recipe.methods_),
        root=library.store.root,
        cache=library.store.cache,
        **library.options,
    )
    references = library.pictures.loc[scores["reference"]]
    queries = library.pictures.loc[scores["query"]]
    return judge_scores(scores, ["reference", "query"], references, queries, recipe, prior)


def judge_scores(
    scores: pd.DataFrame,
    names: list[str],
    references: pd.DataFrame,
    queries: pd.DataFrame,
    recipe: Ensemble,
    prior: float,
) -> pd.DataFrame:
    """Return what the recipe makes of rows of scores: the table of a search, in their order.

    Args:
        scores: no_evidence, and a distance per method.
        names: columns of files, which are kept.
        references, queries: what is known of the two pictures of each row; see
            :func:`~simlab.search.library.table_of`. One query may stand for all.
        prior: share of copies, for which the probability is stated.
    """
    methods = list(recipe.methods_)
    if len(scores):
        evidence = recipe.evidence(scores).to_numpy()
    else:
        evidence = np.zeros((0, len(methods)))
    log_odds = evidence.sum(axis=1) + logit(prior)

    identical = references["content"].to_numpy() == queries["content"].to_numpy()
    frames = np.maximum(references["frames"].to_numpy(), queries["frames"].to_numpy())
    low_information = (
        references["low_information"].to_numpy() | queries["low_information"].to_numpy()
    )
    same = identical | (scores[methods].to_numpy(float) == 0).all(axis=1)
    doubtful = (low_information | (frames > 1)) & ~identical
    highest = np.where(doubtful, CAUTION, 1.0)
    # not 1 - probability, which would round 1e-17 to 0
    distance = np.where(same, 0.0, expit(-log_odds))
    probability = np.where(same, 1.0, expit(log_odds))
    columns = {name: scores[name].array for name in names}
    columns |= {
        "identical": identical,
        "distance": np.maximum(distance, 1 - highest),
        "probability": np.minimum(probability, highest),
        "agreed": _joined(methods, (evidence > 0) | same[:, None]),
        "low_information": low_information,
        "frames": frames,
    }
    columns |= {name: scores[name].array for name in ("no_evidence", *methods)}
    return pd.DataFrame(columns, index=scores.index)


def _joined(methods: list[str], chosen: np.ndarray) -> list[str]:
    """For each row the names of the methods that are chosen in it, joined by ``;``."""
    names = np.array(methods, dtype=object)
    return [";".join(names[row]) for row in chosen]


def surest_first(found: pd.DataFrame, attrs: dict[str, Any]) -> pd.DataFrame:
    """Return the rows with identical files first, then by distance, then by names of files.

    Args:
        attrs: what the table says beside its columns.
    """
    columns = [~found["identical"], found["distance"]]
    columns += [found[name] for name in ("reference", "query", "file") if name in found]
    keys = list(zip(*columns))
    order = sorted(range(len(keys)), key=keys.__getitem__)
    ordered = found.iloc[order].reset_index(drop=True)
    ordered.attrs = attrs
    return ordered
