"""The readable pictures of a collection, what is known of each, and which pairs are candidates."""

import itertools
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import cv2
import faiss
import numpy as np
from numpy import ndarray
from pandas import DataFrame

from simlab.ensemble import Ensemble
from simlab.messages import say
from simlab.methods import registry
from simlab.methods.packing import pack, unpack
from simlab.methods.registry import Feature, Seen
from simlab.scoring.cache import Cache, key
from simlab.scoring.features import FRAMES, Store, Variant
from simlab.scoring.one_pair import PIXELS, needed
from simlab.scoring.workers import client_of
from simlab.search.forecast import LONG, forecast
from simlab.search.indexes import (
    BALLOT,
    BEST,
    CENTRES,
    FLAT,
    LENGTH,
    NEAR,
    NEIGHBOURS,
    PROBES,
    VOTING,
    Candidates,
    Index,
    empty_indexes,
)
from simlab.search.parts import found_in_parts
from simlab.tables import Facts, Pair, root_of

DETAIL = 0.02
"""Share of a small grey copy in which neighbours must differ; less is low in information."""


class Library:
    """The readable pictures of a table, and their features.

    Where several have equal pixels, one stands for them all: candidates are found among these.

    Args:
        options: as :class:`Store` takes them.

    Attributes:
        methods: those of the recipe.
        store: where features are kept, and made.
        pictures: what is known of each, as of :class:`Picture`; the index is its file.
        errors: file → why it cannot be used.
        alike: for each number of a picture the files with these pixels.
        files: for each number the file that stands for them, the first.
    """

    def __init__(
        self,
        table: DataFrame,
        recipe: Ensemble,
        cache: Cache,
        **options: Any,
    ):
        self.methods = registry.resolve(recipe.methods_)
        self.store = Store(root_of(table, columns=["path"]), cache, **options)
        self.errors = {}
        self._passed_over = table.attrs.get("passed_over", {})
        self._read(list(table["path"]))

    def _read(self, files: list[str]) -> None:
        """Make all features, once; then note what is known of each picture, or why it has none."""
        variants = [Variant(file) for file in files]
        features = [PIXELS, FRAMES, SIZE_AND_DETAIL, *needed(self.methods, query=True)]
        if len(files) >= LONG:
            expected = forecast(self.store, files, self.methods, features)
            say(str(expected), shown=self.store.progress)
        self.store.make(itertools.product(variants, features))
        sizes = Packed(self.store, files, SIZE_AND_DETAIL)[:]
        pixels = Packed(self.store, files, PIXELS)[:]
        frames = self.store.frames(files)
        known = []
        alike = defaultdict(list)
        # errors only now: what the cache lost meanwhile may be impossible to make again
        for at, file in enumerate(files):
            error = self.store.error(variants[at])
            if error:
                self.errors[file] = error
            else:
                content = self.store.contents[file]
                known.append(picture_of(file, content, pixels[at], frames[at], sizes[at]))
                alike[pixels[at]].append(file)
        self.pictures = table_of(known)
        self._columns = columns_of(known)
        self._row_of = {picture.file: row for row, picture in enumerate(known)}
        self.alike = list(alike.values())
        self.files = [files_alike[0] for files_alike in self.alike]

    def known(self, files: Iterable[str]) -> dict[str, ndarray]:
        """Return what is known of pictures, as of :func:`columns_of`."""
        rows = [self._row_of[file] for file in files]
        return {name: values[rows] for name, values in self._columns.items()}

    def packed(self, feature: Feature) -> "Packed":
        """Return a feature by the pictures' numbers, read where it is asked for."""
        return Packed(self.store, self.files, feature)

    def candidates(self) -> list[Pair]:
        """Return the pairs worth comparing: equal pixels, near hashes, votes of keypoints."""
        pairs = []
        for first, *others in self.alike:
            pairs.extend((first, other) for other in others)
        for first, second in self._kept("", self._propose):
            pairs.append((self.files[first], self.files[second]))
        return pairs

    def candidates_between(self, queries: Collection[str]) -> list[Pair]:
        """Return the pairs worth comparing of a file that is none of the queries, and one that is.

        No others are looked for. Every file with the pixels of a candidate has a pair.
        """
        references_of = []
        queries_of = []
        for files in self.alike:
            references_of.append([file for file in files if file not in queries])
            queries_of.append([file for file in files if file in queries])
        is_reference = np.array([bool(files) for files in references_of])
        is_query = np.array([bool(files) for files in queries_of])

        def across(name: bytes) -> ndarray:
            forth = self._proposed(name, is_reference, is_query)
            back = self._proposed(key("back", name.hex()), is_query, is_reference)
            pairs = np.unique(np.concatenate([forth[:, ::-1], back]), axis=0)
            return pairs[pairs[:, 0] != pairs[:, 1]]

        sides = f"{is_reference.tolist()} {is_query.tolist()}"
        both = np.flatnonzero(is_reference & is_query)
        numbers = [*zip(both, both), *self._kept(sides, across)]
        pairs = []
        for first, second in numbers:
            references = references_of[first]
            asking = queries_of[second]
            pairs.extend((references[0], query) for query in asking)
            pairs.extend((reference, asking[0]) for reference in references[1:])
        return pairs

    def _kept(self, sides: str, propose: Callable[[bytes], ndarray]) -> ndarray:
        """What is proposed, or was in an earlier search for the same pictures on the same sides."""
        features = needed(self.methods, query=True)
        pairs = itertools.product(self.files, features)
        keys = [self.store.key(Variant(file), feature).hex() for file, feature in pairs]
        settings = str((NEAR, BEST, NEIGHBOURS, FLAT, PROBES, VOTING, LENGTH, CENTRES))
        orientations = str([method.orientations for method in self.methods])
        name = key("candidates", faiss.__version__, settings + sides + orientations, *keys)
        kept = self.store.cache.get([name])
        if not kept:
            kept = {name: pack(propose(name))}
            self.store.cache.put(kept)
        return unpack(kept[name])[0]

    def _propose(self, name: bytes) -> ndarray:
        """Pairs of numbers, int64 (m, 2), ascending, the smaller number first."""
        every = np.ones(len(self.files), dtype=bool)
        pairs = np.unique(np.sort(self._proposed(name, every, every), axis=1), axis=0)
        return pairs[pairs[:, 0] < pairs[:, 1]]

    def _proposed(self, name: bytes, is_asked: ndarray, is_asking: ndarray) -> ndarray:
        """The numbers of a picture that asks and one that answers, int64 (m, 2).

        They are kept a ballot at a time, so that a search that was stopped goes on from there.
        """

        def packed(feature: Feature, chosen: ndarray) -> Packed:
            files = [file if is_one else "" for file, is_one in zip(self.files, chosen)]
            return Packed(self.store, files, feature)

        found = [np.zeros((0, 2), dtype=np.int64)]
        indexes = empty_indexes(self.methods, lambda feature: packed(feature, is_asked))
        for method, index in indexes:
            asked = packed(method.feature, is_asked)
            asking = [packed(feature, is_asking) for feature in method.features(query=True)]
            starts = range(0, len(self.files), BALLOT)
            keys = {start: key("ballot", name.hex(), method.name, str(start)) for start in starts}
            found.extend(self._voted(index, asked, asking, keys))
        return np.concatenate(found)

    def _voted(
        self, index: Index, asked: "Packed", asking: "list[Packed]", keys: dict[int, bytes]
    ) -> list[ndarray]:
        """What is found in the index by each ballot, which begins at the number of its key."""
        cache = self.store.cache
        kept = cache.get(keys.values())
        missing = [start for start, its_key in keys.items() if its_key not in kept]

        def ballot(start: int) -> list[list[bytes]]:
            return [in_orientation[start : start + BALLOT] for in_orientation in asking]

        for start, pairs in self._found(index, asked, missing, ballot):
            made = {keys[start]: pack(pairs)}
            cache.put(made)
            kept |= made
        return [unpack(kept[its_key])[0] for its_key in keys.values()]

    def _found(
        self,
        index: Index,
        asked: "Packed",
        starts: list[int],
        ballot: Callable[[int], list[list[bytes]]],
    ) -> Iterator[tuple[int, ndarray]]:
        """For each ballot what it finds, here or on the workers of a cluster."""
        client = client_of(self.store.n_jobs)
        if client is not None:
            for start, found in found_in_parts(client, index, asked, starts, ballot):
                yield start, _pairs(found, start)
        elif starts:
            index.filled(asked)
            for start in starts:
                yield start, _vote(index, ballot(start), start)

    def facts(self) -> dict[str, Any]:
        """Return what a table of found pairs says beside its columns."""
        pictures = self.pictures.drop(columns=["content", "shown", "part_shows"]).reset_index()
        return {
            "root": str(self.store.root),
            "errors": dict(self.errors),
            "passed_over": self._passed_over,
            "pictures": Facts(pictures.to_dict("list")),
        }


class Packed(Sequence[bytes]):
    """A packed feature of many pictures, which is read where it is asked for: it may take 80 KB a
    picture. ``b""`` is no evidence.

    Args:
        files: "" for one that is left out, as if it had no evidence.
    """

    def __init__(self, store: Store, files: Sequence[str], feature: Feature):
        self.store = store
        self.files = files
        self.feature = feature

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, at):
        if isinstance(at, slice):
            return self._read(self.files[at])
        return self._read([self.files[at]])[0]

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self), BALLOT):
            yield from self[start : start + BALLOT]

    def _read(self, files: Sequence[str]) -> list[bytes]:
        wanted = [(Variant(file), self.feature) for file in files]
        found = self.store.get(side for side, file in zip(wanted, files) if file)
        return [found.get(side, b"") for side in wanted]


def _vote(index: Index, ballot: Sequence[Sequence[bytes]], start: int) -> ndarray:
    """The numbers of a picture of one ballot and one that answers, int64 (m, 2)."""
    # each picture is a candidate of its own
    return _pairs(index.candidates(ballot, n=BEST + 1, near=NEAR), start)


def _pairs(found: Candidates, start: int) -> ndarray:
    return np.column_stack([found.query + start, found.picture])


class Picture(NamedTuple):
    """What is known of a picture, of a library or a query, beside the features of methods."""

    file: str
    content: str
    """SHA-256 of its file; "" where there is none."""
    shown: bytes
    """The digest of its size and pixels."""
    pixels: int
    sharpness: float
    frames: int
    """Frames or pages of its file, of which it is the first."""
    low_information: bool
    """Whether it is flat or nearly so."""
    part_shows: bool
    """Whether at least a part of it is not (:mod:`simlab.methods.inner`)."""


def picture_of(file: str, content: str, shown: bytes, frames: int, packed: bytes) -> Picture:
    """Return what is known of a picture, much of it from its packed :data:`SIZE_AND_DETAIL`."""
    if not packed:
        return Picture(file, content, shown, 0, 0.0, frames, True, False)
    width, height, sharpness, detail, detail_of_part = unpack(packed)[0].tolist()
    pixels = int(width * height)
    is_low = detail < DETAIL
    part_shows = detail_of_part >= DETAIL
    return Picture(file, content, shown, pixels, sharpness, frames, is_low, part_shows)


def table_of(pictures: list[Picture]) -> DataFrame:
    """Return what is known of pictures as a table, whose index is the file."""
    return DataFrame(columns_of(pictures)).set_index("file")


def columns_of(pictures: Sequence[Picture]) -> dict[str, ndarray]:
    """Return what is known of pictures, by attribute."""
    columns = {}
    for at, name in enumerate(Picture._fields):
        values = [picture[at] for picture in pictures]
        columns[name] = np.array(values, dtype=_TYPES.get(name, object))
    return columns


_TYPES = {"pixels": int, "sharpness": float, "frames": int}
_TYPES |= {"low_information": bool, "part_shows": bool}


def size_and_detail(seen: Seen) -> ndarray:
    """Return width, height, sharpness, detail, and detail of the part that shows something.

    They are float64 (5,). Sharpness is the variance of the Laplacian; detail is the share of a
    small grey copy in which neighbours differ.
    """
    laplacian = cv2.Laplacian(np.asarray(seen.grey), cv2.CV_16S)
    sharpness = cv2.meanStdDev(laplacian)[1].item() ** 2
    detail = _detail(seen.reduced)
    detail_of_part = detail if seen.inner is seen.reduced else _detail(seen.inner)
    return np.array([*seen.image.size, sharpness, detail, detail_of_part])


def _detail(seen: Seen) -> float:
    small = np.asarray(seen.grey.resize((64, 64))).astype(np.int16)
    down = np.abs(np.diff(small, axis=0))[:, 1:]
    across = np.abs(np.diff(small, axis=1))[1:]
    return float(np.mean(np.maximum(down, across) > 4))


# "look" is what caches know it by: under another name, all pictures would be read anew
SIZE_AND_DETAIL = Feature("look", size_and_detail, {}, of_seen=True)
"""Size, sharpness and detail of a picture; none for a flat one."""
