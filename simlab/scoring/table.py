"""Scores: the pair table with every method's distance. The only slow step; parallel, resumable, with progress."""

import struct
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from PIL import Image

from simlab.images import read_bytes, read_image
from simlab.messages import counted, progress_bar
from simlab.methods import registry
from simlab.methods.packing import unpack
from simlab.methods.registry import Feature, Method, extract_all
from simlab.pairs.make import DESIGNS, NEGATIVES, make_pairs
from simlab.perturb import canonical
from simlab.scoring.cache import Cache, key, opened
from simlab.scoring.features import (
    Store,
    Variant,
    check_jobs,
    chunked,
    in_words,
    run,
    stopping,
)
from simlab.scoring.one_pair import PIXELS, compare_features, compare_stacked
from simlab.tables import check_pairs, root_of

CHUNK = 64
"""Pairs that a worker matches at a time."""

_RESULT = struct.Struct("<d?")  # distance, whether there was no evidence


def score_pairs(
    pairs: pd.DataFrame,
    methods: str | Iterable[str] | None = None,
    *,
    root: str | Path | None = None,
    cache: Cache | str | Path | None = None,
    n_jobs: int = -1,
    progress: bool = True,
) -> pd.DataFrame:
    """Return the score table: the same rows in the same order, plus status, error, no_evidence, a distance per method.

    Each source is decoded once and each feature made once, ever, where a cache is kept. Equal pixels are distance 0
    before anything else; then a method without evidence gives its stated maximum and is named in ``no_evidence``.
    A row whose pictures cannot be used, or on which a method fails, has status ``error``, the reason, and NaN
    distances. The result does not depend
    on the number of workers.

    Args:
        pairs: a pair table; see :mod:`simlab.tables`.
        methods: specs; None for :data:`simlab.methods.DEFAULT`.
        root: folder that the paths are relative to; by default ``pairs.attrs["root"]``, else the current folder.
        cache: a :class:`simlab.cache.Cache` or the path of one; None keeps nothing.
        n_jobs: processes, as joblib counts them: -1 is one per core.
        progress: whether progress bars are shown, where a terminal or notebook can show them.

    Raises:
        ValueError: an unknown method or perturbation, a missing column, or no file of the pairs is there.
    """
    resolved = registry.resolve(methods)
    table = _canonical_specs(check_pairs(pairs))
    root = root_of(pairs, root)
    with opened(cache) as kept:
        store = Store(root, kept, n_jobs=n_jobs, progress=progress)
        scorer = _Scorer(table, resolved, store)
        scorer.make_features()
        scorer.match()
        scores = scorer.table()
    scores.attrs.update(pairs.attrs, root=str(root), methods=[method.name for method in resolved])
    return scores


def score_designs(
    images,
    perturbations: str | Iterable[str] = "basic",
    methods: str | Iterable[str] | None = None,
    *,
    negatives: int = NEGATIVES,
    seed: int = 0,
    cache: Cache | str | Path | None = None,
    **options,
) -> dict[str, pd.DataFrame]:
    """Return a score table for each design of negatives, by its name, for :func:`simlab.evaluation.compare_designs`.

    Args:
        images, perturbations, negatives, seed: as for :func:`simlab.make_pairs`.
        methods, cache, options: as for :func:`score_pairs`.

    Raises:
        ValueError: what the two functions raise.
    """
    drawn = {"negatives": negatives, "seed": seed}
    pairs = {
        design: make_pairs(images, perturbations, design=design, **drawn) for design in DESIGNS
    }
    registry.resolve(methods)  # refused before a cache is made
    with opened(cache) as kept:
        return {
            design: score_pairs(table, methods, cache=kept, **options)
            for design, table in pairs.items()
        }


def preview(
    pairs: pd.DataFrame,
    methods: str | Iterable[str] | None = None,
    *,
    root: str | Path | None = None,
    n_jobs: int = -1,
) -> str:
    """Return what scoring would cost without a cache: "3,600 pairs of 396 pictures, about 40 s".

    The time is extrapolated from one variant and one pair, on as many processes as `n_jobs` asks for.
    """
    check_jobs(n_jobs)
    resolved = registry.resolve(methods)
    root = root_of(pairs, root)
    variants = {
        variant for side in _sides(_canonical_specs(check_pairs(pairs))) for variant in side
    }
    sample = next((root / v.path for v in sorted(variants) if (root / v.path).is_file()), None)
    # where that picture crashes its decoder, only a worker ends
    ((_, seconds),) = run(
        _seconds, [("", (sample, resolved, len(variants), len(pairs)))], n_jobs=n_jobs
    )
    seconds = 0 if isinstance(seconds, str) else seconds / joblib.effective_n_jobs(n_jobs)
    text = (
        f"{seconds:.0f} s"
        if seconds < 90
        else f"{seconds / 60:.0f} min"
        if seconds < 5400
        else f"{seconds / 3600:.1f} h"
    )
    return f"{counted(len(pairs), 'pair')} of {counted(len(variants), 'picture')}, about {text}"


class _Scorer:
    """The state of one call: which variants the pairs need, and what is known of each pair."""

    def __init__(self, table: pd.DataFrame, methods: list[Method], store: Store):
        self.pairs, self.methods, self.store = table, methods, store
        sides = _sides(table)
        self.variants = list(dict.fromkeys(sides[0] + sides[1]))
        index = {variant: i for i, variant in enumerate(self.variants)}
        self.reference, self.query = (
            np.array([index[v] for v in side], dtype=int) for side in sides
        )
        self.values = np.full((len(table), len(methods)), np.nan)
        self.absent = np.zeros((len(table), len(methods)), dtype=bool)
        self.failed = np.full(len(table), "", dtype=object)

    def make_features(self) -> None:
        """Extract whatever is needed and not cached; keypoints only for pairs whose distance is not known."""
        self.store.read(dict.fromkeys(variant.path for variant in self.variants))
        for column, method in enumerate(self.methods):
            if method.compare_many is None:
                self._recall(column)
        # one pass: a variant is made once for its pixels' digest and for all features
        self.store.make([*((variant, PIXELS) for variant in self.variants), *self._wanted()])
        self._find_equal()

    def match(self) -> None:
        """Fill in the distances."""
        each = []
        for column, method in enumerate(self.methods):
            try:
                if method.compare_many is None:
                    each.append(column)
                else:
                    self._match_stacked(column)
            except (
                Exception
            ):  # a user's own function may raise anything; pair by pair, it costs single rows
                each.append(column)
        self._match_each(each)

    def table(self) -> pd.DataFrame:
        """Return the score table."""
        scores, errors = self.pairs.copy(), self._errors()
        names = np.array([method.name for method in self.methods], dtype=object)
        scores["status"] = np.where(errors == "", "ok", "error")
        scores["error"] = errors
        self.absent[errors != ""] = False
        scores["no_evidence"] = [";".join(names[row]) for row in self.absent]
        self.values[errors != ""] = np.nan
        return scores.assign(**dict(zip(names, self.values.T)))

    def _errors(self) -> np.ndarray:
        """Why each pair cannot be scored, as far as it is known; "" where it can."""
        words = np.array([self.store.error(variant) for variant in self.variants], dtype=object)
        first, second = words[self.reference], words[self.query]
        files = np.where(
            first != "", "reference: " + first, np.where(second != "", "query: " + second, "")
        )
        return np.where(files != "", files, self.failed)

    def _find_equal(self) -> None:
        pixels = self.store.get((variant, PIXELS) for variant in self.variants)
        codes = pd.factorize(
            np.array(
                [pixels.get((v, PIXELS), str(i)) for i, v in enumerate(self.variants)], dtype=object
            )
        )[0]
        self.equal = codes[self.reference] == codes[self.query]
        self.values[self.equal], self.absent[self.equal] = 0.0, False

    def _unknown(self, column: int) -> np.ndarray:
        return np.flatnonzero(np.isnan(self.values[:, column]) & (self._errors() == ""))

    def _wanted(self, columns: Iterable[int] | None = None) -> Iterator[tuple[Variant, Feature]]:
        for column in range(len(self.methods)) if columns is None else columns:
            method, rows = self.methods[column], self._unknown(column)
            for side, is_query in ((self.reference, False), (self.query, True)):
                for variant in np.unique(side[rows]):
                    yield from (
                        (self.variants[variant], feature)
                        for feature in method.features(query=is_query)
                    )

    def _match_stacked(self, column: int) -> None:
        """All pairs of a method that compares stacked features, in one call."""
        method = self.methods[column]
        features = self.store.get(self._wanted([column]))
        found = {pair: value for pair, value in features.items() if value}
        stack = [method.restore(unpack(value)) for value in found.values()]
        stack = np.stack(stack) if stack else np.zeros((0, 1))
        rows = self._unknown(column)
        i, j = self.reference[rows], self.query[rows]
        place = {pair: n for n, pair in enumerate(found)}
        reference = self._places(place, i, method.feature)
        queries = [self._places(place, j, feature) for feature in method.features(query=True)]
        distances, no_evidence = compare_stacked(method, stack, reference, queries)
        self.values[rows, column] = distances
        self.absent[rows, column] = no_evidence

    def _places(self, place: dict, variants: np.ndarray, feature: Feature) -> np.ndarray:
        by_variant = np.array([place.get((variant, feature), -1) for variant in self.variants])
        return by_variant[variants]

    def _pair_key(self, row: int, method: Method) -> bytes:
        sides = (
            (self.variants[self.reference[row]], method.features(query=False)),
            (self.variants[self.query[row]], method.features(query=True)),
        )
        return key(
            *(
                self.store.key(variant, feature).hex()
                for variant, features in sides
                for feature in features
            ),
            method.key,
        )

    def _recall(self, column: int) -> None:
        """Distances of earlier runs."""
        rows: dict[bytes, list[int]] = {}
        for row in self._unknown(column):
            rows.setdefault(self._pair_key(row, self.methods[column]), []).append(row)
        for k, value in self.store.cache.get(rows).items():
            self.values[rows[k], column], self.absent[rows[k], column] = _RESULT.unpack(value)

    def _match_each(self, columns: list[int]) -> None:
        """The rest, pair by pair in the workers, by reference so that a chunk needs few features."""
        work = [
            (c, row)
            for c in columns
            for row in sorted(self._unknown(c), key=lambda r: (self.reference[r], self.query[r]))
        ]
        with progress_bar("matches", len(work), "pair", shown=self.store.progress) as bar:
            for size in (CHUNK, 1):  # of a chunk whose process died, each pair by itself
                work = self._match(list(chunked(work, size)), bar, again=size == 1)

    def _match(self, parts: list[tuple], bar: Any, *, again: bool) -> list[tuple[int, int]]:
        """Match parts; returned are the pairs of those whose process died, to be tried again."""
        dead: list[tuple[int, int]] = []
        arguments = ((part, self._chunk(part)) for part in parts)
        with stopping(run(_match_chunk, arguments, n_jobs=self.store.n_jobs)) as done:
            for part, results in done:
                if isinstance(results, str) and not again:
                    dead.extend(part)
                else:
                    self._keep(part, [results] if isinstance(results, str) else results)
                    bar.update(len(part))
        return dead

    def _chunk(self, part: tuple[tuple[int, int], ...]) -> tuple[list[Method], list[tuple], dict]:
        """What a worker needs to match a part: methods, which features make each pair, and the features."""
        needed: dict[tuple[Variant, Feature], int] = {}

        def place(variant: int, feature: Feature) -> int:
            return needed.setdefault((self.variants[variant], feature), len(needed))

        rows = []
        for column, row in part:
            method = self.methods[column]
            sides = [
                (self.reference[row], method.feature),
                *((self.query[row], f) for f in method.features(query=True)),
            ]
            rows.append((column, [place(*side) for side in sides]))
        found = self.store.get(needed)
        return self.methods, rows, {n: found.get(pair) for pair, n in needed.items()}

    def _keep(
        self, part: tuple[tuple[int, int], ...], results: list[tuple[float, bool] | str]
    ) -> None:
        entries = {}
        for (column, row), result in zip(part, results):
            if isinstance(result, str):
                self.failed[row] = f"{self.methods[column].name}: {result}"
            else:
                self.values[row, column], self.absent[row, column] = result
                entries[self._pair_key(row, self.methods[column])] = _RESULT.pack(*result)
        self.store.cache.put(entries)


def _match_chunk(
    methods: list[Method], rows: list[tuple[int, list[int]]], features: dict[int, bytes | None]
) -> list[tuple[float, bool] | str]:
    """For each pair its distance and whether there was no evidence, or in words why it has none."""
    return [
        _match_pair(methods[column], *(features[place] for place in places))
        for column, places in rows
    ]


def _match_pair(method: Method, *sides: bytes | None) -> tuple[float, bool] | str:
    if None in sides:
        return "a feature was lost and could not be made again"
    try:
        return compare_features(method, sides[0], sides[1:])
    except Exception as error:  # a user's own distance may raise anything: one row, not the run
        return in_words(error)


def _sides(table: pd.DataFrame) -> list[list[Variant]]:
    """The variants on the reference side and on the query side, row by row."""
    seeds = table["seed"].tolist()
    # the draw of an unperturbed picture is no draw: seed 0, so that it is one variant
    return [
        [
            Variant(path, spec, seed if spec else 0)
            for path, spec, seed in zip(table[side], table[spec_column], seeds)
        ]
        for side, spec_column in (
            ("reference", "perturbation_reference"),
            ("query", "perturbation"),
        )
    ]


def _canonical_specs(pairs: pd.DataFrame) -> pd.DataFrame:
    for column in ("perturbation_reference", "perturbation"):
        pairs[column] = (
            pairs[column]
            .map({spec: canonical(spec) for spec in pairs[column].unique()})
            .astype(object)
        )
    return pairs


def _seconds(path: Path | None, methods: list[Method], n_variants: int, n_pairs: int) -> float:
    """Cost of the whole on one core, from one picture and one pair."""
    wanted = {feature for method in methods for feature in method.features(query=True)}
    try:
        image = read_image(read_bytes(path)) if path else Image.new("RGB", (1, 1))
        for _ in range(2):  # the first time pays for loading libraries
            start = time.perf_counter()
            features = extract_all(image, wanted)
            middle = time.perf_counter()
            for method in methods:
                if method.compare_many is None:
                    reference = features[method.feature.key]
                    queries = [features[feature.key] for feature in method.features(query=True)]
                    compare_features(method, reference, queries)
            end = time.perf_counter()
    except ValueError:
        return 0.0
    return (middle - start) * n_variants + (end - middle) * n_pairs
