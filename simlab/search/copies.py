"""Search: which pictures of a collection are copies of each other, or of a picture that is handed over.

A recipe is too slow for all pairs, so candidates come first: pairs whose hashes are near, and pairs whose keypoints
vote for each other in one index of all keypoints, which finds the crops and rotations that no hash sees. Only
candidates are compared by every method of the recipe. The keypoints of a query are found, and candidates
compared by them, only as far as the hashes leave a doubt.
"""

import hashlib
import itertools
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import cv2
import faiss
import numpy as np
import pandas as pd
from scipy.special import expit, logit

from simlab import specs
from simlab.datasets import as_table, path_text
from simlab.ensemble import Ensemble
from simlab.images import ImageError, read_bytes, read_image
from simlab.methods import alignment, hashes, registry
from simlab.methods.keypoints import Keypoints
from simlab.methods.packing import pack, unpack
from simlab.methods.registry import Feature, Method
from simlab.paths import expanded
from simlab.scoring.cache import Cache, key, opened
from simlab.scoring.features import FRAMES, Store, Variant
from simlab.scoring.one_pair import PIXELS, LazyPicture, compare
from simlab.scoring.table import score_pairs
from simlab.tables import connected_sources, root_of

Recipe: TypeAlias = Ensemble | str | os.PathLike | None

NEAR = 0.16
"""Share of the largest distance of a hash within which two pictures are candidates: 10 of 64 bits."""

BEST = 6
"""Candidates of a picture by each hash and by each kind of keypoint: the nearest, and those with most votes."""

CLEAR = 1e-3
"""A copy at this distance ends a query that asks for one copy only."""

DOUBT = 0.99
"""A hash's candidate at this distance by all hashes, and without votes, is not compared by keypoints."""

DETAIL = 0.02
"""Share of a small grey copy in which neighbours must differ; a picture with less is low in information."""

CAUTION = 0.5
"""The most that a probability can be, unless the files are identical, where a picture is low in information or the
first of several frames or pages: those behind it are not compared."""

_ANSWERS = 20  # candidates of one query of a search, by each hash and by each kind of keypoint
_NEIGHBOURS = 10
_FLAT = 5_000  # keypoints up to which comparing all is as fast as an inverted file
_PROBES = 8
_BLOCK = 20_000  # queries in a call of faiss, whose result must fit in memory
_BALLOT = 200  # pictures whose keypoints vote in one call
_CLOSED = 50  # pictures linked to each other, up to which all their pairs are compared


def find_copies(
    images,
    recipe: Recipe = None,
    *,
    queries: str | os.PathLike | Iterable[str | os.PathLike] | None = None,
    threshold: float = 0.5,
    prior: float | None = None,
    any_name: bool = False,
    cache: Cache | str | os.PathLike | None = None,
    n_jobs: int = -1,
    progress: bool = True,
) -> pd.DataFrame:
    """Return the pairs of pictures that are copies of each other, surest first; no file is touched.

    Args:
        images: a folder, a list of paths, or a table with a ``path`` column.
        recipe: a fitted ensemble or the path of one; None for the one that ships with the package.
        queries: one file, a folder, a list or a table of files that are looked for among the images, instead of the
            images among each other. Each is
            compared with the 20 candidates that are best by each hash and by each kind of keypoint.
        threshold: largest distance of a copy.
        prior: share of copies among all pairs; by default 1 / (pictures - 1), one copy of each picture. The recipe's
            probabilities are shifted to it, and the column prior states it.
        any_name: whether pictures of a folder are known by their content too, whatever their names end in.
        cache: a :class:`simlab.cache.Cache` or the path of one: a second search takes everything from there.
        n_jobs, progress: as in :func:`simlab.score_pairs`.

    Returns:
        Columns reference, query; identical (the files are, byte for byte); distance (1 - probability) and
        probability; agreed (methods that speak for a copy, joined by ``;``); low_information (one of the two is flat
        or nearly so); frames (of the two files the larger number of frames or pages: only the first are compared, so
        that a probability stays at most 0.5 where there are more); no_evidence; one distance per method; pixels and
        sharpness of either side (such as pixels_reference); threshold and prior of the search. Beside these, ``attrs``
        tells: root, n_candidates, errors (file → why it was left out), passed_over (ending → how many files of the
        folder were not looked at), pictures (file, pixels, sharpness, frames, low_information of all, copies or not).

    Raises:
        ValueError: no pictures, a bad recipe, or a number out of range.
    """
    recipe, threshold = loaded(recipe), _share(threshold, "threshold")
    if prior is not None:
        _share(prior, "prior")
    table = as_table(images, any_name=any_name)
    if queries is not None:
        files = _query_files(queries)
        gallery = Gallery(table, recipe, cache=cache, n_jobs=n_jobs, progress=progress)
        return _find_queries(gallery, files, threshold, prior)
    with opened(cache) as kept:
        library = _Library(table, recipe, kept, n_jobs, progress)
        prior = _prior(prior, len(library.paths) - 1)
        pairs = library.candidates()
        found = library.judged(pairs, recipe, prior)
        # whoever is linked by others must be compared: a chain a~b~c says nothing about a and c
        more = _uncompared(found[found["distance"] <= threshold], pairs, library.looks)
        found = pd.concat([found, library.judged(more, recipe, prior)]) if more else found
    facts = {
        **library.facts(),
        "prior": prior,
        "threshold": threshold,
        "n_candidates": len(pairs) + len(more),
    }
    return _told(found, facts, library.looks)


class Gallery:
    """Pictures in which the copies of another are looked for; arguments as in :func:`find_copies`.

    Attributes:
        errors: file → why it is not in the gallery.
    """

    def __init__(
        self,
        images,
        recipe: Recipe = None,
        *,
        cache: Cache | str | os.PathLike | None = None,
        n_jobs: int = -1,
        progress: bool = True,
    ):
        self.recipe = loaded(recipe)
        table = as_table(images)
        with opened(cache) as kept:
            library = _Library(table, self.recipe, kept, n_jobs, progress)
            self.errors, self._library, self._paths = library.errors, library, library.paths
            self._packed = {
                f: library.packed(f)
                for f in (PIXELS, *(method.feature for method in library.methods))
            }
        self._indexes = _indexes(library.methods, self._packed.__getitem__)

    def query(self, image, *, top: int = 5, prior: float | None = None) -> pd.DataFrame:
        """Return the pictures most likely to be copies of this one, at most `top`, surest first, however unlikely.

        Args:
            image: what :func:`simlab.read_image` takes.
            top: 1 asks for one copy: the first that is clear (:data:`CLEAR`) ends the search, which is then fast.
            prior: share of copies among the gallery's pictures; by default 1 / (pictures + 1).

        Returns:
            Column file; the others as in :func:`find_copies`. A distance is NaN where a picture was found to be a
            copy, or out of the question, before that method was asked.

        Raises:
            ImageError: the picture cannot be used.
        """
        specs.check_number("top", top, 1, whole=True)
        for found in self.steps(image, top=top, prior=prior):
            if top == 1 and (found["distance"] <= CLEAR).any():
                break
        return found.head(top)

    def steps(self, image, *, top: int = 5, prior: float | None = None) -> Iterator[pd.DataFrame]:
        """Yield all candidates of a query as they stand after each of three steps, each of which costs more.

        First they are proposed and judged by hashes; then the one with most votes of keypoints is compared by all
        methods; then the others are. Arguments and columns as in :meth:`query`.
        """
        specs.check_number("top", top, 1, whole=True)
        asked = image if isinstance(image, _Asked) else _Asked(image)
        n, methods = max(BEST, top), self._library.methods
        prior = _prior(prior, len(self._paths) + 1)
        rows = self._compared(
            asked, self._proposed(asked, n, cheap=True), [m for m in methods if m.compare_many]
        )
        found = self._judged(rows, asked, prior)
        yield _listed(found, {"prior": prior})
        doubtful = found.index[found["distance"] < DOUBT]
        numbers = list(dict.fromkeys([*self._proposed(asked, n, cheap=False), *doubtful]))
        for part in (numbers[:1], numbers[1:]):
            rows |= self._compared(asked, part, methods)
            yield _listed(self._judged(rows, asked, prior), {"prior": prior})

    def _proposed(self, asked: "_Asked", n: int, *, cheap: bool) -> list[int]:
        """Numbers of pictures: with equal pixels, near hashes, or most votes first."""
        found = [
            number
            for number, pixels in enumerate(self._packed[PIXELS])
            if cheap and pixels == asked[PIXELS]
        ]
        for method, index in self._indexes:
            if bool(method.compare_many) == cheap:
                for feature in method.features(query=True):
                    found += index.best([asked[feature]], n=n)[1].tolist()
        return list(dict.fromkeys(found))

    def _compared(
        self, asked: "_Asked", numbers: Iterable[int], methods: list[Method]
    ) -> dict[int, dict]:
        asked.make([LOOK, *_features(methods)])
        return {number: self._row(number, asked, methods) for number in numbers}

    def _row(self, number: int, asked: "_Asked", methods: list[Method]) -> dict[str, Any]:
        reference = {feature: values[number] for feature, values in self._packed.items()}
        if reference[PIXELS] == asked[PIXELS]:
            methods = self._library.methods  # all are 0, also those that are not asked yet
        row: dict[str, Any] = {}
        silent = []
        for method in methods:
            row[method.name], no_evidence = compare(method, reference, asked)
            if no_evidence:
                silent.append(method.name)
        return {**row, "no_evidence": ";".join(silent)}

    def _judged(self, rows: Mapping[int, dict], asked: "_Asked", prior: float) -> pd.DataFrame:
        contents, poor, vague = (
            self._library.store.contents,
            self._library.poor,
            _is_poor(asked[LOOK]),
        )
        names, each = (
            list(self.recipe.methods_),
            [(n, file) for n in rows for file in self._library.alike[n]],
        )
        distances = np.array(
            [[rows[n].get(name, np.nan) for name in names] for n, _ in each], dtype=float
        )
        scores = pd.DataFrame(
            distances.reshape(-1, len(names)), index=[n for n, _ in each], columns=names
        )
        scores.insert(
            0, "no_evidence", np.array([rows[n]["no_evidence"] for n, _ in each], dtype=object)
        )
        scores.insert(0, "file", np.array([file for _, file in each], dtype=object))
        identical = np.array(
            [contents[file] == asked.file_digest for file in scores["file"]], dtype=bool
        )
        low = np.array([vague or file in poor for file in scores["file"]], dtype=bool)
        frames = self._library.frames
        scores["frames"] = [max(frames[file], asked.frames) for file in scores["file"]]
        return _judge(scores, ["file"], self.recipe, prior, identical, low)


class _Asked(LazyPicture):
    """A query picture, what its file is known by, and how many frames or pages that has."""

    def __init__(self, image):
        is_path = isinstance(image, str | os.PathLike)
        name = image if is_path else ""
        data = read_bytes(expanded(image)) if is_path else image
        is_file = isinstance(data, bytes | bytearray | memoryview)
        self.file_digest = hashlib.sha256(data).hexdigest() if is_file else ""
        super().__init__(read_image(data, name=name))
        self.frames = self.image.info.get("frames", 1)


def _query_files(queries: Any) -> list[str]:
    """The files that are looked for, each once."""
    if isinstance(queries, str | os.PathLike) and not os.path.isdir(expanded(queries)):
        queries = [queries]
    if isinstance(queries, list | tuple):
        files = [os.path.abspath(expanded(path_text(query))) for query in queries]
    else:
        table = as_table(queries)
        root = root_of(table, columns=["path"])
        files = [os.path.abspath(root / path) for path in table["path"]]
    if not files:
        raise ValueError("queries must name one picture or more; there is none")
    return list(dict.fromkeys(files))


def _find_queries(
    gallery: Gallery, queries: list[str], threshold: float, prior: float | None
) -> pd.DataFrame:
    """Return the copies of each query; one that cannot be read is listed, and stops nothing."""
    facts, found = gallery._library.facts(), []
    looks = dict(gallery._library.looks)
    for query in queries:
        try:
            asked = _Asked(query)
            *_, rows = gallery.steps(asked, top=_ANSWERS, prior=prior)
            found.append(rows.assign(query=query))
            looks[query] = asked[LOOK]
        except ImageError as error:
            facts["errors"][query] = str(error)
    if not found:
        raise ValueError(
            f"no query could be read; the first, {queries[0]!r}: {facts['errors'][queries[0]]}"
        )
    facts |= {
        "prior": found[0].attrs["prior"],
        "threshold": threshold,
        "n_candidates": sum(map(len, found)),
    }
    table = pd.concat(found).rename(columns={"file": "reference"})
    table = table[
        ["reference", "query", *(name for name in table if name not in ("reference", "query"))]
    ]
    return _told(table, facts, looks)


class _Library:
    """The readable pictures of a table, `paths` one of those with equal pixels, and what is known of them."""

    def __init__(
        self, table: pd.DataFrame, recipe: Ensemble, cache: Cache, n_jobs: int, progress: bool
    ):
        self.methods, self.options = (
            registry.resolve(recipe.methods_),
            {"n_jobs": n_jobs, "progress": progress},
        )
        self.store = Store(root_of(table, columns=["path"]), cache, **self.options)
        self.passed_over = table.attrs.get("passed_over", {})
        variants, features = (
            [Variant(path) for path in table["path"]],
            [PIXELS, FRAMES, LOOK, *_features(self.methods)],
        )
        self.store.make(itertools.product(variants, features))
        self.paths = list(table["path"])
        looks = dict(zip(self.paths, self.packed(LOOK)))
        pixels = dict(zip(self.paths, self.packed(PIXELS)))
        self.frames = dict(zip(self.paths, self.store.frames(self.paths)))
        # only now: what the cache lost meanwhile may be impossible to make again
        self.errors = {
            variant.path: error for variant in variants if (error := self.store.error(variant))
        }
        self.paths = [path for path in table["path"] if path not in self.errors]
        self.looks = {path: looks[path] for path in self.paths}
        self.poor = {path for path, look in self.looks.items() if _is_poor(look)}
        alike: dict[bytes, list[str]] = defaultdict(list)
        for path in self.paths:
            alike[pixels[path]].append(path)
        self.alike = list(alike.values())
        self.equal = [(first, other) for first, *others in self.alike for other in others]
        self.paths = [first for first, *_ in self.alike]

    def packed(self, feature: Feature) -> list[bytes]:
        """Return a feature of the pictures; ``b""`` is no evidence."""
        wanted = [(Variant(path), feature) for path in self.paths]
        found = self.store.get(wanted)
        return [found.get(pair, b"") for pair in wanted]

    def facts(self) -> dict:
        """Return what a table of found pairs says beside its columns."""
        seen = [_size_and_sharpness(look) for look in self.looks.values()]
        pictures = {
            "file": list(self.looks),
            "pixels": [pixels for pixels, _ in seen],
            "sharpness": [sharpness for _, sharpness in seen],
            "frames": [self.frames[path] for path in self.looks],
            "low_information": [path in self.poor for path in self.looks],
        }
        return {
            "root": str(self.store.root),
            "errors": dict(self.errors),
            "passed_over": dict(self.passed_over),
            "pictures": pictures,
        }

    def candidates(self) -> list[tuple[str, str]]:
        """Return the pairs worth comparing: equal pixels, near hashes, keypoints that vote for each other."""
        features = [
            self.store.key(Variant(path), f).hex()
            for path in self.paths
            for f in _features(self.methods)
        ]
        name = key(
            "candidates",
            faiss.__version__,
            str((NEAR, BEST, _NEIGHBOURS, _FLAT, _PROBES)),
            *features,
        )
        if not (kept := self.store.cache.get([name])):
            kept = {name: pack(self._propose())}
            self.store.cache.put(kept)
        return [*self.equal, *((self.paths[i], self.paths[j]) for i, j in unpack(kept[name])[0])]

    def _propose(self) -> np.ndarray:
        """Numbers of pictures (m, 2), the smaller first."""
        found = [np.zeros((2, 0), dtype=np.int64)]
        for method, index in _indexes(self.methods, self.packed):
            for feature in method.features(query=True):
                found.append(
                    np.sort(index.best(self.packed(feature), n=BEST + 1, near=NEAR), axis=0)
                )  # itself is one
        i, j = np.unique(np.concatenate(found, axis=1), axis=1)
        return np.stack([i, j], axis=1)[i < j]

    def judged(
        self, pairs: Sequence[tuple[str, str]], recipe: Ensemble, prior: float
    ) -> pd.DataFrame:
        """Return the pairs with their distances by every method and what the recipe makes of them."""
        table = pd.DataFrame(pairs, columns=["reference", "query"]).astype(object)
        table = table.assign(
            label=0, source_reference=table["reference"], source_query=table["query"]
        )
        scores = score_pairs(
            table,
            list(recipe.methods_),
            root=self.store.root,
            cache=self.store.cache,
            **self.options,
        )
        sides, contents = (scores["reference"], scores["query"]), self.store.contents
        identical = np.array([contents[a] == contents[b] for a, b in zip(*sides)], dtype=bool)
        low = np.array([a in self.poor or b in self.poor for a, b in zip(*sides)], dtype=bool)
        scores["frames"] = [max(self.frames[a], self.frames[b]) for a, b in zip(*sides)]
        return _judge(scores, ["reference", "query"], recipe, prior, identical, low)


class _Hashes:
    """The hashes of many pictures, among which the nearest to others are found."""

    def __init__(self, packed: Sequence[bytes]):
        self.numbers, self.bits = _stacked(packed)

    def best(
        self, queries: Sequence[bytes], *, n: int, near: float = 1.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the nearest pictures, at most n for each query, within a share of the bits: queries, pictures."""
        there, bits = _stacked(queries)
        if not len(there):
            return there, there
        picture, query, distances = near_pairs(self.bits, bits, radius=int(near * bits.shape[1]))
        return _top(there[query], self.numbers[picture], -distances, n)


class _Correlations:
    """The correlation vectors of many pictures, among which the most alike to others are found."""

    def __init__(self, packed: Sequence[bytes]):
        self.numbers, vectors = _stacked(packed)
        self.index = faiss.IndexFlatIP(vectors.shape[1])
        self.index.add(vectors.astype(np.float32))

    def best(
        self, queries: Sequence[bytes], *, n: int, near: float = 1.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the nearest pictures, at most n for each query, within a share of the largest distance."""
        there, vectors = _stacked(queries)
        if not len(there):
            return there, there
        likeness, rows = self.index.search(vectors.astype(np.float32), min(n, len(self.numbers)))
        query, rank = np.nonzero(likeness >= 1 - 2 * near)
        return there[query], self.numbers[rows[query, rank]]


class _Votes:
    """The keypoints of many pictures in one index, in which those of others look for their nearest neighbours.

    A keypoint votes for a picture by how much nearer a neighbour there is than its tenth nearest of all, squared: after
    S. McCann, D. Lowe, "Local naive Bayes nearest neighbor for image classification", CVPR 2012.
    """

    def __init__(self, packed: Sequence[bytes]):
        self.owner, codes = _descriptors(packed)
        self.index, self.n = _keypoint_index(codes), len(packed)

    def best(
        self, queries: Sequence[bytes], *, n: int, near: float = 1.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the pictures with most votes, at most n for each query: numbers of queries and of pictures."""
        parts = [
            self._best(queries[at : at + _BALLOT], n) for at in range(0, len(queries), _BALLOT)
        ]
        return tuple(
            np.concatenate(part)
            for part in zip(*((q + at * _BALLOT, p) for at, (q, p) in enumerate(parts)))
        )

    def _best(self, queries: Sequence[bytes], n: int) -> tuple[np.ndarray, np.ndarray]:
        voter, codes = _descriptors(queries)
        if not len(voter):
            return voter, voter
        distances, nearest = self.index.search(codes, _NEIGHBOURS)
        margin = np.where(nearest < 0, 0, distances.max(axis=1, keepdims=True) - distances).astype(
            float
        )
        ballots, place = np.unique(
            voter[:, None] * self.n + self.owner[nearest], return_inverse=True
        )
        votes = np.bincount(place.ravel(), margin.ravel() ** 2)
        ballots, votes = ballots[votes > 0], votes[votes > 0]
        return _top(*divmod(ballots, self.n), votes, n)


def near_pairs(
    bits: np.ndarray, queries: np.ndarray, *, radius: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return all pairs of hashes within `radius` bits: rows of `bits`, rows of `queries` (ascending), distances.

    Args:
        bits, queries: bool (n, bits) and (m, bits); the same array twice gives every pair in both orders, and itself.

    >>> near_pairs(np.array([[0, 0, 1], [1, 1, 0]], dtype=bool), np.array([[1, 1, 1]], dtype=bool), radius=1)
    (array([1]), array([0]), array([1]))
    """
    codes, asked = (hashes.pack(part).view(np.uint8) for part in (bits, queries))
    index = faiss.IndexBinaryFlat(8 * codes.shape[1])
    index.add(codes)
    found = [np.zeros((3, 0), dtype=np.int64)]
    for start in range(0, len(asked), _BLOCK):
        limits, distances, rows = index.range_search(
            asked[start : start + _BLOCK], radius + 1
        )  # it wants less than
        query = np.repeat(np.arange(len(limits) - 1) + start, np.diff(limits.astype(np.int64)))
        found.append(np.stack([rows, query, distances.astype(np.int64)]))
    rows, query, distances = np.concatenate(found, axis=1)
    order = np.lexsort((rows, query))
    return rows[order], query[order], distances[order]


def look(grey) -> np.ndarray:
    """Return width, height, sharpness (variance of the Laplacian) and detail of a grey picture, float64 (4,)."""
    small = np.asarray(grey.resize((64, 64))).astype(np.int16)
    steps = np.abs(np.diff(small, axis=0))[:, 1:], np.abs(np.diff(small, axis=1))[1:]
    sharpness = cv2.meanStdDev(cv2.Laplacian(np.asarray(grey), cv2.CV_16S))[1].item() ** 2
    return np.array([*grey.size, sharpness, np.mean(np.maximum(*steps) > 4)])


LOOK = Feature("look", look, {}, grey=True)
"""Size, sharpness and detail of a picture; none for a flat one."""


def _judge(
    scores: pd.DataFrame,
    names: list[str],
    recipe: Ensemble,
    prior: float,
    identical: np.ndarray,
    low: np.ndarray,
) -> pd.DataFrame:
    methods = list(recipe.methods_)
    evidence = recipe.evidence(scores).to_numpy() if len(scores) else np.zeros((0, len(methods)))
    odds = evidence.sum(axis=1) + logit(prior)
    same = identical | (scores[methods].to_numpy(float) == 0).all(axis=1)
    frames = scores["frames"].to_numpy(int)
    most = np.where((low | (frames > 1)) & ~identical, CAUTION, 1.0)
    columns = {
        "identical": identical,
        "distance": np.maximum(
            np.where(same, 0.0, expit(-odds)), 1 - most
        ),  # 1 - p would round 1e-17 to 0
        "probability": np.minimum(np.where(same, 1.0, expit(odds)), most),
        "agreed": [
            ";".join(np.array(methods, dtype=object)[row]) for row in (evidence > 0) | same[:, None]
        ],
        "low_information": low,
        "frames": frames,
    }
    columns = {name: scores[name].array for name in names} | columns
    columns |= {name: scores[name].array for name in ("no_evidence", *methods)}
    return pd.DataFrame(columns, index=scores.index)


def _told(found: pd.DataFrame, facts: dict, looks: Mapping[str, bytes]) -> pd.DataFrame:
    """The copies, surest first, with all that grouping and a report need of them in columns, which a CSV keeps."""
    found = found[found["distance"] <= facts["threshold"]]
    seen = {}
    for side in ("reference", "query"):
        shown = [_size_and_sharpness(looks[file]) for file in found[side]]
        seen[f"pixels_{side}"] = np.array([pixels for pixels, _ in shown], dtype=np.int64)
        seen[f"sharpness_{side}"] = np.array([sharpness for _, sharpness in shown], dtype=float)
    stated = {name: float(facts[name]) for name in ("threshold", "prior")}
    return _listed(found.assign(**seen, **stated), facts)


def _size_and_sharpness(packed: bytes) -> tuple[int, float]:
    """Pixels and sharpness of what :data:`LOOK` extracted; none of a flat picture."""
    if not packed:
        return 0, 0.0
    width, height, sharpness, _ = unpack(packed)[0]
    return int(width * height), float(sharpness)


def _listed(found: pd.DataFrame, facts: dict) -> pd.DataFrame:
    """The table, surest first."""
    files = [name for name in ("reference", "query", "file") if name in found]
    keys = zip(~found["identical"], found["distance"], *(found[name] for name in files))
    order = [number for number, _ in sorted(enumerate(keys), key=lambda row: row[1])]
    found = found.iloc[order].reset_index(drop=True)
    found.attrs = facts
    return found


def _uncompared(
    found: pd.DataFrame, pairs: Sequence[tuple[str, str]], paths: Iterable[str]
) -> list[tuple[str, str]]:
    """Pairs of pictures that are linked by others but were no candidates, where not too many are linked."""
    place, seen, linked = {path: n for n, path in enumerate(paths)}, set(pairs), defaultdict(set)
    names = connected_sources(found.assign(label=1))["source_reference"] if len(found) else []
    for name, *pair in zip(names, found["reference"], found["query"]):
        linked[name].update(pair)
    groups = (sorted(group, key=place.get) for group in linked.values() if len(group) <= _CLOSED)
    return [
        pair for group in groups for pair in itertools.combinations(group, 2) if pair not in seen
    ]


def _indexes(
    methods: Iterable[Method], packed: Callable[[Feature], list[bytes]]
) -> list[tuple[Method, Any]]:
    """An index of each feature that is a hash or binary keypoints."""
    # the one with a mirrored feature stands for all that share its plain one
    by_feature = {
        method.feature: method
        for method in sorted(methods, key=lambda method: bool(method.mirrored))
    }
    values = {feature: packed(feature) for feature in by_feature}
    kinds = {feature: _kind(method, values[feature]) for feature, method in by_feature.items()}
    if not any(kinds.values()) and any(itertools.chain(*values.values())):
        names = ", ".join(method.name for method in methods)
        raise ValueError(
            f"recipe must have a hash, correlation, AKAZE or ORB, by which candidates are found; it has {names}"
        )
    return [(by_feature[feature], kind(values[feature])) for feature, kind in kinds.items() if kind]


def _kind(method: Method, packed: Sequence[bytes]) -> type | None:
    """The index that a method's features go to, if there is one for them."""
    sample = next(filter(None, packed), b"")
    feature = method.restore(unpack(sample)) if sample else None
    if isinstance(feature, Keypoints | alignment.Looks):
        return _Votes if feature.descriptors.dtype == np.uint8 else None
    if sample and method.feature.function is alignment.correlation:
        return _Correlations
    return (
        _Hashes
        if isinstance(feature, np.ndarray) and feature.dtype == bool and feature.ndim == 1
        else None
    )


def _stacked(packed: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """Which of the pictures have a hash or vector, and these."""
    there = [number for number, value in enumerate(packed) if value]
    return np.array(there, dtype=np.int64), np.array(
        [unpack(packed[number])[0] for number in there]
    )


def _descriptors(packed: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """Whose the descriptors of all pictures are, and these, as whole 64-bit words."""
    there = [number for number, value in enumerate(packed) if value]
    parts = [unpack(packed[number])[1] for number in there]
    codes = np.concatenate(parts) if parts else np.zeros((0, 8), dtype=np.uint8)
    owner = np.repeat(np.array(there, dtype=np.int64), [len(part) for part in parts])
    return owner, np.pad(codes, ((0, 0), (0, -codes.shape[1] % 8)))


def _keypoint_index(codes: np.ndarray) -> faiss.IndexBinary:
    flat = faiss.IndexBinaryFlat(8 * codes.shape[1])
    if len(codes) <= _FLAT:
        flat.add(codes)
        return flat
    n_lists = 2 ** round(np.log2(2 * np.sqrt(len(codes))))
    # a sample of the codes serves as centres: k-means costs minutes and finds no more copies
    flat.add(codes[np.linspace(0, len(codes) - 1, n_lists).astype(np.int64)])
    index = faiss.IndexBinaryIVF(flat, 8 * codes.shape[1], n_lists)
    index.nprobe, index.is_trained = _PROBES, True
    index.add(codes)
    return index


def _top(
    query: np.ndarray, picture: np.ndarray, score: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray]:
    order = np.lexsort((picture, -score, query))
    query, picture = query[order], picture[order]
    rank = np.arange(len(query)) - np.searchsorted(query, query)
    return query[rank < n], picture[rank < n]


def _features(methods: Iterable[Method]) -> list[Feature]:
    return list(
        dict.fromkeys(feature for method in methods for feature in method.features(query=True))
    )


def _is_poor(packed: bytes) -> bool:
    return not packed or unpack(packed)[0][3] < DETAIL


def loaded(recipe: Recipe) -> Ensemble:
    """Return the ensemble that a recipe names: itself, or read from its file; None is the one that ships.

    Raises:
        ValueError: the ensemble is not fitted, or the file is no recipe.
    """
    recipe = recipe if isinstance(recipe, Ensemble) else Ensemble.load(recipe)
    if not hasattr(recipe, "methods_"):
        raise ValueError("recipe must be an ensemble that is fitted, not one to be fitted")
    return recipe


def _prior(prior: float | None, n: int) -> float:
    return min(0.5, 1 / max(1, n)) if prior is None else _share(prior, "prior")


def _share(value: float, name: str) -> float:
    specs.check_number(name, value, 0, 1, within=True)
    return value
