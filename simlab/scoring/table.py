"""Scores: the pair table with every method's distance. The only slow step; parallel, resumable.

:func:`score_pairs` tells it in order: check the table, see which pictures it needs, make their
features, compare, and write the score table.
"""

import contextlib
import itertools
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy import ndarray
from pandas import DataFrame

from simlab.messages import progress_bar
from simlab.methods import registry
from simlab.methods.packing import pack, unpack
from simlab.methods.registry import Feature, Method
from simlab.pairs.make import DESIGNS, NEGATIVES, make_pairs
from simlab.paths import AnyPath
from simlab.perturb import canonical
from simlab.scoring.cache import Cache, key, opened
from simlab.scoring.features import Readers, Side, Store, Variant
from simlab.scoring.one_pair import (
    PIXELS,
    Answer,
    compare_features,
    compare_stacked,
)
from simlab.scoring.workers import Died, chunked, in_words, run
from simlab.specs import Names
from simlab.tables import check_pairs, root_of

CHUNK = 64
"""Pairs that a worker compares at a time."""

STACKED_BYTES = 50_000_000
"""Features, as they are packed, that are stacked at a time; restored, they take more."""

_ANSWER = struct.Struct("<d?")  # as the cache keeps it: distance, whether there was no evidence


def score_pairs(
    pairs: DataFrame,
    methods: Names | None = None,
    *,
    root: AnyPath | None = None,
    cache: Cache | AnyPath | None = None,
    n_jobs: int = -1,
    progress: bool = True,
    read: Readers = "caller",
) -> DataFrame:
    """Return the score table: the same rows in the same order, and a distance per method.

    Beside the distances stand status, error and no_evidence. Each source is decoded once and each
    feature made once, ever, where a cache is kept. Equal pixels are distance 0 before anything
    else; then a method without evidence gives its stated maximum and is named in ``no_evidence``.
    A row whose pictures cannot be used, or on which a method fails, has status ``error``, the
    reason, and NaN distances. The result does not depend on the number of workers.

    Args:
        pairs: a pair table; see :mod:`simlab.tables`.
        methods: specs; None for :data:`simlab.methods.DEFAULT`.
        root: folder that the paths are relative to; by default ``pairs.attrs["root"]``, else the
            current folder.
        cache: a :class:`simlab.cache.Cache` or the path of one; None keeps nothing.
        n_jobs: processes, as joblib counts them: -1 is one per core.
        progress: whether progress bars are shown, where a terminal or notebook can show them.
        read: "workers" where those of a cluster have the files at the same paths, and read them;
            else the process that calls hands them on.

    Raises:
        ValueError: an unknown method or perturbation, a missing column, or no file of the pairs is
            there.
    """
    resolved = registry.resolve(methods)
    table = checked_pairs(pairs)
    folder = root_of(pairs, root)
    with opened(cache) as kept:
        store = Store(folder, kept, n_jobs=n_jobs, progress=progress, read=read)
        scoring = _begin(table, resolved, store)
        _compare(scoring)
        scores = _score_table(scoring)
    scores.attrs.update(pairs.attrs, root=str(folder), methods=[method.name for method in resolved])
    return scores


def checked_pairs(pairs: DataFrame) -> DataFrame:
    """Return the checked table, each perturbation in its one spelling."""
    pairs = check_pairs(pairs)
    for column in ("perturbation_reference", "perturbation"):
        known = {"": ""}
        for spec in filter(None, pairs[column].unique()):
            known[spec] = canonical(spec)
        pairs[column] = pairs[column].map(known).astype(object)
    return pairs


@dataclass
class _Scoring:
    """What is known of the pairs, as far as the work has come.

    Attributes:
        pairs: the checked table.
        methods: the columns of `distances` and `no_evidence`.
        store: where features are made and kept.
        variants: the pictures that the pairs need, each once.
        reference, query: for each pair, where its two pictures stand in `variants`.
        distances: (pairs, methods); NaN as long as it is not known.
        no_evidence: (pairs, methods), bool.
        failures: for each pair, why a method failed on it; "" where none did.
    """

    pairs: DataFrame
    methods: list[Method]
    store: Store
    variants: list[Variant]
    reference: ndarray
    query: ndarray
    distances: ndarray
    no_evidence: ndarray
    failures: ndarray


def scored_again(pairs: DataFrame, methods: list[Method], store: Store) -> DataFrame:
    """Return the score table of checked pairs that may be asked for again and again.

    The answers to all of them together are kept as one entry of the cache, found in no time. The
    store must have read the files.
    """
    scoring = _begin(pairs, methods, store)
    name = _name_of_all(scoring)
    kept = store.cache.get([name])
    if kept.get(name):  # of no pairs nothing is kept
        scoring.distances, scoring.no_evidence = unpack(kept[name])
    else:
        _compare(scoring)
        if not np.isnan(scoring.distances).any():
            store.cache.put({name: pack((scoring.distances, scoring.no_evidence))})
    return _score_table(scoring)


def _name_of_all(scoring: _Scoring) -> bytes:
    """The cache key of the answers to all pairs: whatever they depend on is in it."""
    parts = [scoring.store.key(variant, PIXELS).hex() for variant in scoring.variants]
    for method in scoring.methods:
        parts.extend(
            [method.compared_as, *(feature.key for feature in method.features(query=True))]
        )
    pairs = np.concatenate([scoring.reference, scoring.query])
    return key("scores", *parts, str(pairs.tolist()))


def _compare(scoring: _Scoring) -> None:
    _make_features(scoring)
    _settle_equal(scoring)
    columns = range(len(scoring.methods))
    left = [column for column in columns if not _compare_stack(scoring, column)]
    if left:
        _compare_each(scoring, left)


def _begin(pairs: DataFrame, methods: list[Method], store: Store) -> _Scoring:
    references = variants_of(pairs, "reference")
    queries = variants_of(pairs, "query")
    variants = list(dict.fromkeys(references + queries))
    places = {variant: place for place, variant in enumerate(variants)}
    shape = (len(pairs), len(methods))
    return _Scoring(
        pairs,
        methods,
        store,
        variants,
        reference=np.array([places[variant] for variant in references], dtype=int),
        query=np.array([places[variant] for variant in queries], dtype=int),
        distances=np.full(shape, np.nan),
        no_evidence=np.zeros(shape, dtype=bool),
        failures=np.full(len(pairs), "", dtype=object),
    )


def variants_of(pairs: DataFrame, side: str) -> list[Variant]:
    """Return the pictures on one side of checked pairs, row by row."""
    specs = pairs["perturbation" if side == "query" else "perturbation_reference"]
    variants = []
    for path, spec, seed in zip(pairs[side], specs, pairs["seed"].tolist()):
        # the draw of an unperturbed picture is no draw: seed 0, so that it is one variant
        variants.append(Variant(path, spec, seed if spec else 0))
    return variants


def _make_features(scoring: _Scoring) -> None:
    """Make what is needed and not cached; keypoints only for pairs whose distance is not known."""
    store = scoring.store
    store.read(dict.fromkeys(variant.path for variant in scoring.variants))
    for column, method in enumerate(scoring.methods):
        if method.compare_many is None:
            _recall(scoring, column)
    # in one call: a variant is made once for its pixels' digest and for all features
    wanted = [(variant, PIXELS) for variant in scoring.variants]
    for column in range(len(scoring.methods)):
        wanted.extend(_wanted(scoring, column, _open_rows(scoring, column)))
    store.make(wanted)


def _recall(scoring: _Scoring, column: int) -> None:
    """Fill in the distances of earlier runs."""
    rows: dict[bytes, list[int]] = {}
    for row in _open_rows(scoring, column):
        rows.setdefault(_answer_key(scoring, column, row), []).append(row)
    for answer_key, value in scoring.store.cache.get(rows).items():
        distance, no_evidence = _ANSWER.unpack(value)
        scoring.distances[rows[answer_key], column] = distance
        scoring.no_evidence[rows[answer_key], column] = no_evidence


def _answer_key(scoring: _Scoring, column: int, row: int) -> bytes:
    features = [scoring.store.key(*side).hex() for side in _sides(scoring, column, row)]
    return key(*features, scoring.methods[column].compared_as)


def _sides(scoring: _Scoring, column: int, row: int) -> list[Side]:
    """What a pair is compared by: the reference's feature, then that or those of the query."""
    method = scoring.methods[column]
    reference = scoring.variants[scoring.reference[row]]
    query = scoring.variants[scoring.query[row]]
    return [(reference, method.feature), *itertools.product([query], method.features(query=True))]


def _wanted(scoring: _Scoring, column: int, rows: ndarray) -> list[Side]:
    """What a method needs of the pictures of some pairs."""
    method = scoring.methods[column]
    wanted = []
    for places, is_query in ((scoring.reference[rows], False), (scoring.query[rows], True)):
        variants = [scoring.variants[place] for place in np.unique(places)]
        wanted.extend(itertools.product(variants, method.features(query=is_query)))
    return wanted


def _open_rows(scoring: _Scoring, column: int) -> ndarray:
    """The pairs whose distance by a method is not known and can be."""
    return np.flatnonzero(np.isnan(scoring.distances[:, column]) & (_errors(scoring) == ""))


def _errors(scoring: _Scoring) -> ndarray:
    """Why each pair cannot be scored, as far as it is known; "" where it can."""
    reasons = [scoring.store.error(variant) for variant in scoring.variants]
    of_variants = np.array(reasons, dtype=object)
    errors = scoring.failures.copy()
    # of several reasons that of the reference counts, which is written last
    for side, places in (("query", scoring.query), ("reference", scoring.reference)):
        reason = of_variants[places]
        failed = reason != ""
        errors[failed] = f"{side}: " + reason[failed]
    return errors


def _settle_equal(scoring: _Scoring) -> None:
    """Fill in 0 where two pictures have equal pixels."""
    digests = scoring.store.get((variant, PIXELS) for variant in scoring.variants)
    firsts: dict[bytes | int, int] = {}
    same_as = np.zeros(len(scoring.variants), dtype=int)
    for place, variant in enumerate(scoring.variants):
        digest = digests.get((variant, PIXELS), place)  # without one it is like itself only
        same_as[place] = firsts.setdefault(digest, place)
    equal = same_as[scoring.reference] == same_as[scoring.query]
    scoring.distances[equal] = 0.0
    scoring.no_evidence[equal] = False


def _compare_stack(scoring: _Scoring, column: int) -> bool:
    """Compare the pairs that are left by a method that takes stacked features; whether it could."""
    if scoring.methods[column].compare_many is None:
        return False
    rows = _open_rows(scoring, column)
    rows = rows[np.argsort(scoring.reference[rows], kind="stable")]  # a block needs few pictures
    # a user's own function may raise anything; pair by pair, it costs single rows
    try:
        for block in np.array_split(rows, _n_blocks(scoring, column, rows)):
            _compare_block(scoring, column, block)
    except Exception:
        return False
    return True


def _n_blocks(scoring: _Scoring, column: int, rows: ndarray) -> int:
    """In how many parts the pairs are compared, so that their features fit in memory."""
    wanted = _wanted(scoring, column, rows)
    some = scoring.store.get(wanted[:: 1 + len(wanted) // 100]).values()
    n_bytes = max(map(len, some), default=0) * len(wanted)
    return 1 + n_bytes // STACKED_BYTES


def _compare_block(scoring: _Scoring, column: int, rows: ndarray) -> None:
    method = scoring.methods[column]
    packed = scoring.store.get(_wanted(scoring, column, rows))
    present = {side: value for side, value in packed.items() if value}
    places = {side: place for place, side in enumerate(present)}
    stack = np.array([method.restore(unpack(value)) for value in present.values()])

    def in_stack(of_pairs: ndarray, feature: Feature) -> ndarray:
        numbers, which = np.unique(of_pairs[rows], return_inverse=True)
        sides = [(scoring.variants[number], feature) for number in numbers]
        return np.array([places.get(side, -1) for side in sides], dtype=int)[which]

    reference = in_stack(scoring.reference, method.feature)
    queries = [in_stack(scoring.query, feature) for feature in method.features(query=True)]
    answers = compare_stacked(method, stack, reference, queries)
    scoring.distances[rows, column], scoring.no_evidence[rows, column] = answers


def _compare_each(scoring: _Scoring, columns: Iterable[int]) -> None:
    """The rest, pair by pair in the workers, by reference so that a chunk needs few features."""
    work = []
    for column in columns:
        for row in _open_rows(scoring, column).tolist():
            work.append((scoring.reference[row], scoring.query[row], column, row))
    # two methods may ask the same of a pair, one after the other
    work = [(column, row) for _, _, column, row in sorted(work)]
    with progress_bar("matches", len(work), "pair", shown=scoring.store.progress) as bar:
        died = _compare_chunks(scoring, chunked(work, CHUNK), bar, once=False)
        # of a chunk whose process died, each pair by itself
        _compare_chunks(scoring, chunked(died, 1), bar, once=True)


def _compare_chunks(
    scoring: _Scoring, chunks: Iterable[tuple], bar: Any, *, once: bool
) -> list[tuple[int, int]]:
    """Compare chunks of (column, row); returned are those to be tried again, unless `once`."""
    died = []
    tasks = ((chunk, (_with_features(scoring, chunk),)) for chunk in chunks)
    with contextlib.closing(run(_compare_chunk, tasks, n_jobs=scoring.store.n_jobs)) as done:
        for chunk, result in done:
            if isinstance(result, Died) and not once:
                died.extend(chunk)
                continue
            answers = [result] if isinstance(result, Died) else result
            _keep(scoring, chunk, answers)
            bar.update(len(chunk))
    return died


def _with_features(
    scoring: _Scoring, chunk: tuple[tuple[int, int], ...]
) -> list[tuple[Method, list[bytes | None]]]:
    """What a worker needs: for each pair the method, and the features that :func:`_sides` names."""
    sides = [_sides(scoring, column, row) for column, row in chunk]
    packed = scoring.store.get(itertools.chain(*sides))
    pairs = []
    for (column, _), its_sides in zip(chunk, sides):
        # a feature of several pairs is one object, which goes to the worker once
        pairs.append((scoring.methods[column], [packed.get(side) for side in its_sides]))
    return pairs


def _compare_chunk(pairs: list[tuple[Method, list[bytes | None]]]) -> list[Answer | str]:
    """For each pair the method's answer, or in words why it has none."""
    return [_compare_pair(method, features) for method, features in pairs]


def _compare_pair(method: Method, features: list[bytes | None]) -> Answer | str:
    if None in features:
        return "a feature was lost and could not be made again"
    try:
        return compare_features(method, features[0], features[1:])
    except Exception as error:  # a user's own distance may raise anything: one row, not the run
        return in_words(error)


def _keep(
    scoring: _Scoring, chunk: tuple[tuple[int, int], ...], answers: Sequence[Answer | str]
) -> None:
    entries = {}
    for (column, row), answer in zip(chunk, answers):
        if isinstance(answer, str):
            scoring.failures[row] = f"{scoring.methods[column].name}: {answer}"
            continue
        scoring.distances[row, column] = answer.distance
        scoring.no_evidence[row, column] = answer.no_evidence
        entries[_answer_key(scoring, column, row)] = _ANSWER.pack(*answer)
    scoring.store.cache.put(entries)


def _score_table(scoring: _Scoring) -> DataFrame:
    errors = _errors(scoring)
    failed = errors != ""
    distances = np.where(failed[:, None], np.nan, scoring.distances)
    silent = scoring.no_evidence & ~failed[:, None]
    names = np.array([method.name for method in scoring.methods], dtype=object)

    scores = scoring.pairs.copy()
    scores["status"] = np.where(failed, "error", "ok")
    scores["error"] = errors
    scores["no_evidence"] = [";".join(names[row]) for row in silent]
    return scores.assign(**dict(zip(names, distances.T)))


def score_designs(
    images,
    perturbations: Names = "basic",
    methods: Names | None = None,
    *,
    negatives: int = NEGATIVES,
    seed: int = 0,
    cache: Cache | AnyPath | None = None,
    **options,
) -> dict[str, DataFrame]:
    """Return a score table for each design of negatives, by its name.

    It is what :func:`simlab.evaluation.compare_designs` takes.

    Args:
        images, perturbations, negatives, seed: as for :func:`simlab.make_pairs`.
        methods, cache, options: as for :func:`score_pairs`.

    Raises:
        ValueError: what the two functions raise.
    """
    pairs = {}
    for design in DESIGNS:
        pairs[design] = make_pairs(
            images, perturbations, design=design, negatives=negatives, seed=seed
        )
    registry.resolve(methods)  # refused before a cache is made
    scores = {}
    with opened(cache) as kept:
        for design, table in pairs.items():
            scores[design] = score_pairs(table, methods, cache=kept, **options)
    return scores
