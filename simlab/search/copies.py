"""The copies in a folder: which of its pictures are copies of each other, or of others handed over,
and which look alike, yet contradict each other.

A recipe is too slow for all pairs, so candidates come first: pairs whose hashes are near, and pairs
whose keypoints vote for each other in one index of all keypoints, which finds the crops and
rotations that no hash sees. Only candidates are compared by every method of the recipe.
"""

import itertools
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
from pandas import DataFrame

from simlab.datasets import as_table, two_sides
from simlab.ensemble import Ensemble
from simlab.images import ImageError
from simlab.pairs.labelling import choose
from simlab.pairs.make import make_pairs
from simlab.paths import AnyPath, expanded
from simlab.scoring.cache import Cache, opened
from simlab.scoring.features import Readers
from simlab.search.doubts import warnings_of
from simlab.search.gallery import Gallery, Query
from simlab.search.grouping import CLOSED, hubs
from simlab.search.judging import (
    DIFFERENT,
    LOOK_ALIKE,
    Recipe,
    Rule,
    Strictness,
    judge_pairs,
    loaded,
    stated_prior,
    stated_threshold,
    surest_first,
)
from simlab.search.keeping import with_choices
from simlab.search.library import Library, table_of
from simlab.search.lying import of_pairs
from simlab.search.said import Labels, Said, kept_apart, read_said, said_of
from simlab.tables import SIDES, Pair, connected_sources, pairs_of, root_of

_Searched: TypeAlias = tuple[DataFrame, dict[str, DataFrame], dict[str, Any]]
"""The pairs that were found, the pictures of either side, and what ``attrs`` are to say."""

_ROUNDS = 8  # of comparing what earlier pairs link

_ANSWERS = 20  # candidates of one query of a search, by each hash and by each kind of keypoint


def find_copies(  # noqa: PLR0913
    images,
    recipe: Recipe = None,
    *,
    queries: str | os.PathLike | Iterable[str | os.PathLike] | None = None,
    between=None,
    labels: Labels = None,
    threshold: float | Strictness = 0.5,
    prior: float | None = None,
    any_name: bool = False,
    cache: Cache | AnyPath | None = None,
    n_jobs: int = -1,
    progress: bool = True,
    read: Readers = "caller",
) -> DataFrame:
    """Return the pairs of pictures that are copies, and those of look-alikes; no file is touched.

    Args:
        images: a folder, a list of paths, or a table with a ``path`` column.
        recipe: a fitted ensemble or the path of one; None for the one that ships with the package.
        queries: one file, a folder, a list or a table of files that are looked for among the
            images, instead of the images among each other; a folder stands for the pictures in it.
            Each is compared with the 20 candidates that are best by each hash and by each kind of
            keypoint.
        between: other pictures, given as `images` are. Only pairs of one of the images, as the
            reference, and one of these, as the query, are looked for; a file that is on both sides
            is a query. Names are relative to the deepest folder that holds both sides.
        labels: what people said of pairs, the path of a CSV (see
            :func:`simlab.pairs.labels.read_unchecked`) or a table: reference, query, and label 1
            (copy) or 0 (different). Names are relative to the folder that is searched, or to that
            of the CSV. A pair that is called different is left out; one called a copy is always
            found, at distance 0 and with label 1. Others are counted in ``attrs["labels"]``.
        threshold: largest distance of a copy, or in words: "strict" is 0.1, "normal" 0.5, "lenient"
            0.9. A pair that is more likely a copy than not, but no longer called one by a strict
            search, is among its look-alikes.
        prior: share of copies among all pairs; by default 1 / (pictures - 1), one copy of each
            picture. The recipe's probabilities are shifted to it, and the column prior states it.
        any_name: whether pictures of a folder are known by their content too, whatever their names
            end in.
        cache: a :class:`simlab.cache.Cache` or the path of one: a second search takes everything
            from there.
        n_jobs, progress, read: as in :func:`simlab.score_pairs`.

    Returns:
        Surest first. Columns reference, query; verdict; same_file (equal byte for byte); distance
        (1 - probability) and probability; agreed (methods that speak for a copy, joined by ``;``);
        low_information (one of the two is flat or nearly so); frames (of the two files the larger
        number of frames or pages: only the first are compared, so that a probability stays at most
        0.5 where there are more); no_evidence; one distance per method; where the one lies in the
        other, in the columns of :func:`simlab.overlap`, NaN where nothing says; pixels, sharpness
        and sha256 (of the file) of either side (such as pixels_reference); keep, the file of the
        two from which the other could have been made, and keep_reason, what tells so (empty where
        nothing does, and in large groups, where all are compared with the likeliest one only), and
        likelier, the file of the two for which a little speaks where keep is empty;
        threshold and prior of the search; with labels also label, and apart (grouped by this pair,
        two pictures that are called different would come together). Beside these, ``attrs`` tells:
        root, n_candidates, errors (file → why it was left out), passed_over (ending → how many
        files of the folder were not looked at), pictures (file, pixels, sharpness, frames,
        low_information of all, copies or not), warnings (what looks wrong, and what to do; see
        :mod:`simlab.search.doubts`), queries (the files on the side of `between`).

        The verdict is "identical" (equal pixels), "copy" (distance within the threshold) or
        "look-alike" (beyond it, though much speaks for a copy: something else contradicts it; see
        :func:`simlab.search.judging.verdicts`).

    Raises:
        ValueError: no pictures, a bad recipe, or a number out of range.
    """
    ensemble = loaded(recipe)
    largest = stated_threshold(threshold)
    stated_prior(prior, 0)  # refused before a picture is read
    said_to_be = read_said(labels)
    if between is None:
        table = as_table(images, any_name=any_name)
        across = frozenset()
    elif queries is None:
        table, across = two_sides(images, between, any_name=any_name)
    else:
        raise ValueError("either queries or between may be given, not both")
    options = {"n_jobs": n_jobs, "progress": progress, "read": read}
    files = None if queries is None else _query_files(queries)
    with opened(cache) as kept:
        if files is None:
            library = Library(table, ensemble, kept, **options)
            said = said_of(said_to_be, library.pictures.index, library.store.root)
            search = _Search(library, said, across)
            found, sides, facts = _find_among(search, ensemble, largest, prior)
        else:
            gallery = Gallery(table, ensemble, cache=kept, **options)
            library = gallery.library
            said = said_of(said_to_be, library.pictures.index, library.store.root, files)
            found, sides, facts = _find_queries(gallery, files, said, largest, prior)
        found = with_choices(found, library.store)
    # what a report and grouping need, in columns, which a CSV keeps
    for side, pictures in sides.items():
        details = pictures[["pixels", "sharpness", "content"]]
        details = details.rename(columns={"content": "sha256"}).add_suffix(f"_{side}")
        found = found.join(details, on=side)
    found = found.assign(threshold=largest, prior=float(facts["prior"]))
    if across:
        found["between"] = True
    facts["threshold"] = largest
    if labels is None:
        found = found.drop(columns="label")
    else:
        found = found.assign(apart=kept_apart(found, said.different))
        facts["labels"] = said.facts()
    facts["warnings"] = _warnings(found, facts)
    return surest_first(found, facts)


def pairs_to_label(
    images,
    n: int = 100,
    recipe: Recipe = None,
    *,
    cache: Cache | AnyPath | None = None,
    n_jobs: int = -1,
    progress: bool = True,
    seed: int = 0,
) -> DataFrame:
    """Return pairs worth a person's time, with weights, for :func:`simlab.widgets.label`.

    Nearly all pairs of a folder are different, and the near ones are worth asking about: all that
    a search finds up to a distance of 0.999, and of the others as many as are drawn by chance, each
    of which stands for many. They are chosen as :func:`simlab.labelling.choose` does, by distance.

    Args:
        n: most pairs.
        seed: of the draws.
    """
    table = as_table(images)
    key = ["reference", "query"]
    near = find_copies(
        table, recipe, threshold=0.999, cache=cache, n_jobs=n_jobs, progress=progress
    )
    near = near[[*key, "distance"]].assign(weight=1.0)
    near[key] = np.sort(near[key].to_numpy(object), axis=1)
    drawn = make_pairs(table, [], design="original-original", negatives=30 * n, seed=seed)
    far = drawn[key].merge(near, how="left", on=key)
    far = far[far["weight"].isna()].assign(distance=1.0)
    n_pairs = len(table) * (len(table) - 1) / 2
    far["weight"] = (n_pairs - len(near)) / max(1, len(far))
    pairs = pd.concat([near, far], ignore_index=True)
    chosen = choose(pairs, min(n, len(pairs)), by="distance", seed=seed)
    chosen.attrs = {"root": table.attrs["root"]}
    return chosen


class _Search(NamedTuple):
    """Where copies are looked for, and what is known of them beforehand.

    Attributes:
        across: the queries, where only pairs of one with another picture count; empty otherwise.
    """

    library: Library
    said: Said
    across: frozenset[str]

    def candidates(self) -> list[Pair]:
        """The pairs worth comparing."""
        if self.across:
            pairs = self.library.candidates_between(self.across)
        else:
            pairs = self.library.candidates()
        return self._on_both_sides(self.said.candidates(pairs))

    def missed(
        self,
        linked: DataFrame,
        known: Iterable[Pair],
        *,
        with_hubs: bool = False,
    ) -> list[Pair]:
        """The pairs worth comparing because others link them."""
        known = [*known, *self.said.different]
        files = self.library.pictures.index
        pairs = uncompared(linked, known, files, with_hubs=with_hubs)
        return self._on_both_sides(pairs)

    def _on_both_sides(self, pairs: list[Pair]) -> list[Pair]:
        if not self.across:
            return pairs
        return [pair for pair in pairs if pair[0] not in self.across and pair[1] in self.across]

    def n_references(self) -> int:
        """How many different pictures one of them may be a copy of."""
        if self.across:
            is_query = self.library.pictures.index.isin(self.across)
            return self.library.pictures["shown"][~is_query].nunique()
        return len(self.library.files) - 1


def _find_among(
    search: _Search, recipe: Ensemble, threshold: float, prior: float | None
) -> _Searched:
    """Look for copies among the pictures themselves."""
    library = search.library
    stated = stated_prior(prior, search.n_references())
    candidates = search.candidates()
    rule = Rule(recipe, stated, threshold)
    compared = search.said.judged(judge_pairs(library, candidates, rule))
    # whoever is linked by others must be compared: a chain a~b~c says nothing about a and c
    for _ in range(_ROUNDS):
        found = compared[compared["verdict"] != DIFFERENT]
        copies = found[found["verdict"] != LOOK_ALIKE]
        missed = search.missed(copies, candidates, with_hubs=True)
        missed.extend(search.missed(found, [*candidates, *missed]))
        if not missed:
            break
        more = search.said.judged(judge_pairs(library, missed, rule))
        compared = pd.concat([compared, more])
        candidates = [*candidates, *missed]
    sides = dict.fromkeys(SIDES, library.pictures)
    facts = {**library.facts(), "prior": stated, "n_candidates": len(compared)}
    if search.across:
        facts["queries"] = sorted(search.across)
    found = compared[compared["verdict"] != DIFFERENT].reset_index(drop=True)
    # not of look-alikes, of which a folder of forms has thousands
    copies = found.loc[found["verdict"] != LOOK_ALIKE, ["reference", "query"]]
    lying = of_pairs(library.store, pairs_of(copies))
    lying.index = copies.index
    return found.join(lying), sides, facts


def uncompared(
    found: DataFrame,
    candidates: Iterable[Pair],
    files: Iterable[str],
    *,
    with_hubs: bool = False,
) -> list[Pair]:
    """Return the pairs of files that others link but that were no candidates, where few are linked.

    Args:
        found: pairs that link, in reference and query.
        files: of all pictures; the order is theirs.
        with_hubs: where many are linked, return those of the next hub
            (:func:`simlab.search.grouping.hubs`), not none.
    """
    place = {file: number for number, file in enumerate(files)}
    known = set(candidates)
    missed = []
    names = connected_sources(found.assign(label=1))["source_reference"]
    for _, linked in found.groupby(names.to_numpy()):
        group = sorted({*linked["reference"], *linked["query"]}, key=place.get)
        if len(group) <= CLOSED:
            pairs = itertools.combinations(group, 2)
            missed.extend(pair for pair in pairs if pair not in known)
        elif with_hubs:
            missed.extend(_of_next_hub(linked, group, known))
    return missed


def _of_next_hub(linked: DataFrame, group: list[str], known: set[Pair]) -> list[Pair]:
    """The pairs of the first hub that was not compared with the whole group; none if all were."""
    place = {file: number for number, file in enumerate(group)}
    for hub in hubs(pairs_of(linked)):
        pairs = [tuple(sorted((hub, file), key=place.get)) for file in group if file != hub]
        missed = [pair for pair in pairs if pair not in known]
        if missed:
            return missed
    return []


def _query_files(queries: Any) -> list[str]:
    """The files that are looked for, by their whole paths, each once."""
    if isinstance(queries, AnyPath):
        queries = [queries]
    if isinstance(queries, list | tuple):
        paths = []
        for query in map(expanded, queries):
            paths.extend(_pictures_in(query) if os.path.isdir(query) else [query])
    else:
        paths = _pictures_in(queries)
    if not any(map(os.path.isfile, paths)):  # before the long work, which would find none either
        first = " ".join(map(str, paths[:1]))
        raise ValueError(f"queries must name one picture or more; there is none: {first!r}")
    return list(dict.fromkeys(map(os.path.abspath, paths)))


def _pictures_in(images: Any) -> list[Path]:
    """The files of a folder or a table."""
    table = as_table(images)
    root = root_of(table, columns=["path"])
    return [root / path for path in table["path"]]


def _find_queries(
    gallery: Gallery, files: list[str], said: Said, threshold: float, prior: float | None
) -> _Searched:
    """Look for copies of files; one that cannot be read is listed, and stops nothing."""
    facts = gallery.library.facts()
    known = []
    found = []
    for file in files:
        try:
            query = Query(file)
            also = [reference for reference, other in said.copies if other == file]
            search = {"top": _ANSWERS, "threshold": threshold, "prior": prior, "also": also}
            *_, answers = gallery.steps(query, **search)
        except ImageError as error:
            facts["errors"][file] = str(error)
            continue
        stated = answers.attrs["prior"]
        known.append(query.picture)
        answers = gallery.with_overlaps(query, answers)
        answers = answers.rename(columns={"file": "reference"})
        answers.insert(1, "query", file)
        found.append(said.judged(answers))
    if not found:
        first = files[0]
        raise ValueError(f"no query could be read; the first, {first!r}: {facts['errors'][first]}")
    sides = {"reference": gallery.library.pictures, "query": table_of(known)}
    compared = pd.concat(found)
    facts |= {"prior": stated, "n_queries": len(found), "n_candidates": len(compared)}
    return compared[compared["verdict"] != DIFFERENT], sides, facts


def _warnings(found: DataFrame, facts: Mapping[str, Any]) -> list[str]:
    """What looks wrong in the pairs that were found."""
    n_pictures = len(facts["pictures"]["file"])
    n_pairs = n_pictures * (n_pictures - 1) // 2
    if "queries" in facts:
        n_queries = len(facts["queries"])
        n_pairs = n_queries * (n_pictures - n_queries)
    elif "n_queries" in facts:
        n_pairs = facts["n_queries"] * n_pictures
    return warnings_of(found, n_pictures=n_pictures, n_pairs=n_pairs, prior=facts["prior"])
