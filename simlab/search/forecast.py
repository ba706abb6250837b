"""What a long search will take, said before it begins; one that does not fit is refused.

Features of some pictures are made first, which are kept like all others; what the index of
keypoints and the comparisons will take is worked out from these and a few distances.
"""

import copy
import itertools
import shutil
import tempfile
import time
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import joblib
import psutil

from simlab.messages import in_bytes, in_units
from simlab.methods.registry import Feature, Method
from simlab.paths import AnyPath
from simlab.scoring.cache import MEMORY_BYTES, Cache, Memory
from simlab.scoring.features import Side, Store, Variant
from simlab.scoring.one_pair import PIXELS, answers, needed
from simlab.search.indexes import BEST, NEAR, Index, KeypointIndex, build_indexes

LONG = 5_000
"""Pictures from which a search says beforehand what it will take."""

_SAMPLE = 64
_FIRST = 8  # of these, for which libraries are loaded and workers started
_PAIRS = 16
_TILES = 64
_ANY = 250_000_000  # bytes that a search of few pictures holds
_KNOWN = 2_000  # bytes that are held of every picture beside its features
_MORE_ALIKE = 2  # candidates look alike: they take so many times as long as pairs by chance
_IN_FILE = 1.04  # a cache takes so many times the bytes of what is in it


_Packed: TypeAlias = dict[Feature, bytes]


class Forecast(NamedTuple):
    """What a search will take."""

    pictures: int
    features: float
    """Seconds until all features are made; those of pictures in the cache take none."""
    search: float
    """Seconds of the search among them."""
    memory: float
    """Bytes that it will hold."""
    disk: float
    """Bytes that features will add to the cache, or to the temporary folder without one."""

    def __str__(self) -> str:
        features = in_units(self.features)
        search = in_units(self.search)
        memory = in_bytes(round(self.memory))
        disk = in_bytes(round(self.disk))
        return (
            f"{self.pictures:,} pictures: about {features} for features, {search} for the search,"
            f" {memory} of memory, {disk} of disk"
        )


def forecast(
    store: Store, files: Sequence[str], methods: Sequence[Method], features: Sequence[Feature]
) -> Forecast:
    """Return what a search among the files will take; features of some of them are made for it.

    The seconds are those of this machine, on as many processes as the store has.

    Args:
        features: what is made of every picture.

    Raises:
        ValueError: it needs more memory, or room on the disk, than is free.
    """
    step = max(1, len(files) // _SAMPLE)
    # each time from another one, so that none stands for all because an earlier search began there
    chosen = files[time.time_ns() % step :: step]
    made = list(itertools.product(map(Variant, chosen), features))
    keys = _keys(store, made)
    new = keys - store.cache.present(keys)
    store.make(itertools.product(map(Variant, chosen[:_FIRST]), features))
    began = time.perf_counter()
    store.make(made)
    of_features = (time.perf_counter() - began) / len(chosen[_FIRST:])
    n_bytes = sum(map(len, store.cache.get(new).values())) * len(files) / len(chosen)
    asked = [PIXELS, *needed(methods, query=True)]
    sample = [_packed(store, file, asked) for file in chosen if not store.error(Variant(file))]
    search, memory = _of_search(sample, methods, len(files), store.n_jobs)
    held, disk, place = _where_kept(store.cache, n_bytes)
    memory += held
    expected = Forecast(len(files), of_features * len(files), search, memory, disk)
    _refuse_without_room(expected, place)
    return expected


def _keys(store: Store, sides: Sequence[Side]) -> set[bytes]:
    """The keys of what can be made."""
    store.read(variant.path for variant, _ in sides)
    return {store.key(*side) for side in sides if not store.error(side[0])}


def _where_kept(cache: Cache | Memory, n_bytes: float) -> tuple[float, float, AnyPath]:
    """How many bytes of features are held in memory, how many go to a disk, and its folder."""
    on_disk = n_bytes * _IN_FILE
    if isinstance(cache, Cache):
        return 0.0, on_disk, cache.path.parent
    if n_bytes <= MEMORY_BYTES:
        return n_bytes, 0.0, tempfile.gettempdir()
    return MEMORY_BYTES, on_disk, tempfile.gettempdir()


def _refuse_without_room(expected: Forecast, place: AnyPath) -> None:
    free = psutil.virtual_memory().available
    if expected.memory > free:
        raise ValueError(
            f"{expected}, and {in_bytes(free)} are free: search parts of the folder, and each two"
            " parts with simlab find PART OTHER --between"
        )
    room = shutil.disk_usage(place).free
    if expected.disk > room:
        raise ValueError(
            f"{expected}, and {in_bytes(room)} are free in {str(place)!r}: name a cache on a disk"
            " with more room"
        )


def _packed(store: Store, file: str, features: Sequence[Feature]) -> _Packed:
    wanted = [(Variant(file), feature) for feature in features]
    found = store.get(wanted)
    return {pair[1]: found.get(pair, b"") for pair in wanted}


def _of_search(
    sample: Sequence[_Packed], methods: Sequence[Method], n_files: int, n_jobs: int
) -> tuple[float, float]:
    """The seconds and bytes that a search among so many pictures like these takes."""
    if len(sample) < 2:
        return 0.0, _ANY + _KNOWN * n_files
    times = n_files / len(sample)
    to_propose = 0.0
    held = 0
    for method, index in build_indexes(methods, lambda feature: [one[feature] for one in sample]):
        asking = [[one[feature] for one in sample] for feature in method.features(query=True)]
        seconds = _seconds(index, asking)
        if isinstance(index, KeypointIndex):
            to_propose += times * seconds * index.growth(times)
        else:
            # a query costs something by itself, and something more for each picture it is held to
            many = copy.copy(index).filled([one[method.feature] for one in sample] * _TILES)
            more = max(0, _seconds(many, asking) - seconds) / (_TILES - 1)
            to_propose += times * (seconds + more * (times - 1))
        held += index.n_bytes
    _seconds_of_pair(sample, methods)  # the first time pays for loading libraries
    to_compare = BEST * n_files * _MORE_ALIKE * _seconds_of_pair(sample, methods)
    seconds = to_propose + to_compare / joblib.effective_n_jobs(n_jobs)
    return seconds, _ANY + _KNOWN * n_files + held * times


def _seconds(index: Index, asking: Sequence[Sequence[bytes]]) -> float:
    began = time.perf_counter()
    index.candidates(asking, n=BEST + 1, near=NEAR)
    return time.perf_counter() - began


def _seconds_of_pair(sample: Sequence[_Packed], methods: Sequence[Method]) -> float:
    """How long it takes to compare two pictures, in the mean of neighbours in the sample."""
    pairs = list(itertools.pairwise(sample))[:_PAIRS]
    began = time.perf_counter()
    for reference, query in pairs:
        answers(methods, reference, query)
    return (time.perf_counter() - began) / len(pairs)
