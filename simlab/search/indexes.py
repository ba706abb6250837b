"""Candidates: one index for each kind of feature, in which pictures find what may be their copies.

Hashes are candidates by how few bits part them, vectors by the angle between them, and keypoints
vote for each other in one index of all keypoints, which finds the crops and rotations no hash sees.
"""

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Self

import faiss
import numpy as np
from numpy import ndarray

from simlab.methods import alignment, hashes, keypoints
from simlab.methods.packing import unpack
from simlab.methods.registry import Feature, Method

NEAR = 0.16
"""Share of a hash's largest distance within which two pictures are candidates: 10 of 64 bits."""

BEST = 6
"""Candidates of a picture by each hash (the nearest) and by each kind of keypoint (most votes)."""

NEIGHBOURS = 10
"""Keypoints among which a keypoint spreads its votes: those nearest to it."""

FLAT = 5_000
"""Keypoints up to which comparing all is as fast as an inverted file."""

BALLOT = 200
"""Pictures whose keypoints vote in one call, and after which what was found is kept."""

VOTING = 256
"""Bits of AKAZE's 486 by which keypoints vote: they find as many copies, in half the memory."""

LENGTH = 64
"""Mean length of the lists of the inverted file: so a search grows little faster than what it is
among.
"""

CENTRES = 1_000
"""Centres of lists that are all compared; more are in lists themselves."""

PROBES = 8
"""Lists of the inverted file in which a keypoint looks for its neighbours."""

_NOWHERE = 2**31 - 1  # the distance that faiss gives to a neighbour that it did not find
_AT_ONCE = 500_000  # codes that are added in a call
_BLOCK = 20_000  # queries in a call of faiss, whose result must fit in memory


class Candidates(NamedTuple):
    """Pairs that are worth comparing: the number of a query and of a picture each, int64 (m,)."""

    query: ndarray
    picture: ndarray


class Rows(NamedTuple):
    """One feature of many pictures: the number of the picture that each value is of, and these."""

    picture: ndarray
    """(m,)"""
    values: ndarray
    """(m, ...), one a row."""


def build_indexes(
    methods: Iterable[Method], packed: Callable[[Feature], Sequence[bytes]]
) -> list[tuple[Method, "Index"]]:
    """Return an index of each feature that has one, with the method that the feature is of.

    Arguments and what is raised are as for :func:`empty_indexes`.
    """
    indexes = []
    for method, index in empty_indexes(methods, packed):
        indexes.append((method, index.filled(packed(method.feature))))
    return indexes


def empty_indexes(
    methods: Iterable[Method], packed: Callable[[Feature], Sequence[bytes]]
) -> list[tuple[Method, "Index"]]:
    """Return what :func:`build_indexes` does, with nothing in any index yet.

    Args:
        packed: gives a feature of all pictures; ``b""`` is no evidence.

    Raises:
        ValueError: no method has a feature by which candidates are found.
    """
    # the one that looks in most orientations comes last, and stands for all that share its feature
    plain_first = sorted(methods, key=lambda method: method.orientations)
    method_of = {method.feature: method for method in plain_first}
    indexes = []
    has_evidence = False
    for feature, method in method_of.items():
        sample = next(filter(None, packed(feature)), None)
        if sample is None:
            continue  # no evidence to put in
        has_evidence = True
        index = _index_of(method, sample)
        if index is not None:
            indexes.append((method, index))
    if has_evidence and not indexes:
        names = ", ".join(method.name for method in methods)
        raise ValueError(
            "recipe must have a hash, a vector, AKAZE or ORB, by which candidates are found;"
            f" it has {names}"
        )
    return indexes


def _index_of(method: Method, sample: bytes) -> "Index | None":
    """An empty index for this kind of feature; None where there is none."""
    kind = method.kind_of(sample)
    if kind == "bits":
        return HashIndex()
    if kind == "vector":
        # what is near by another vector depends on the network: the nearest are candidates
        has_scale = method.feature.function is alignment.correlation
        return VectorIndex(has_scale=has_scale)
    if kind == "keypoints" and unpack(sample)[1].dtype == np.uint8:
        # the distance turns the query itself: here nothing else does
        mirrored = method.orientations > 1 and not method.turned
        return KeypointIndex(mirrored=mirrored)
    return None


class _Found(NamedTuple):
    """Candidates of one orientation, and how good each is: the more the better, float (m,)."""

    query: ndarray
    picture: ndarray
    score: ndarray


class Index:
    """Features of many pictures, among which candidates for others are found.

    It is empty until it is filled, with all of them, or with a part of them, of which there are
    several: what the parts answer gives the same candidates as one index of all.

    Attributes:
        n_bytes: that it needs while it is built.
    """

    n_bytes = 0

    def __sizeof__(self) -> int:
        return self.n_bytes

    def filled(self, packed: Sequence[bytes]) -> Self:
        """Return the index with a feature of all pictures in it."""
        self.fill(self.rows(packed))
        return self

    def candidates(
        self, queries: Sequence[Sequence[bytes]], *, n: int, near: float = 1.0
    ) -> Candidates:
        """Return the best pictures, at most n for each query, within a share of the maximum.

        Args:
            queries: the features of the queries, and the same in each other orientation; in the
                best of them a picture counts.
        """
        asked = self.asked(queries)
        return self.best([self.answers(asked, n=n, near=near)], n=n)

    def asked(self, queries: Sequence[Sequence[bytes]]) -> list[Rows]:
        """Return what is looked for: the features of the queries in one orientation after another.

        A query's number is in the place of a picture's.
        """
        return [self.rows(in_orientation) for in_orientation in queries]

    def best(self, answers: Sequence[Sequence[Any]], *, n: int) -> Candidates:
        """Return the candidates by the answers of each part to all that was asked."""
        found = [self._together(of_parts) for of_parts in zip(*answers)]
        together = _Found._make([np.concatenate(columns) for columns in zip(*found)])
        return _foremost(together, n)

    def rows(self, packed: Sequence[bytes]) -> Rows:
        """Return what is put into the index of the packed features of pictures."""
        return _stacked(packed)

    def fill(self, rows: Rows, centres: ndarray | None = None) -> None:
        """Put the features of all pictures in, or of a part of them.

        Args:
            centres: of lists of keypoints, the same in every part (see :func:`centres_at`).
        """
        raise NotImplementedError

    def where(self, asked: Sequence[Rows]) -> list[ndarray | None]:
        """Return the lists to look into for each of what is asked, in every part; None for all."""
        return [None for _ in asked]

    def answers(
        self,
        asked: Sequence[Rows],
        *,
        n: int,
        near: float,
        where: Sequence[ndarray | None] | None = None,
    ) -> list[Any]:
        """Return what is found in this part, for each of what is asked.

        Args:
            where: what :meth:`where` gave, of this part or another.
        """
        with _threads_for(asked):
            if where is None:
                where = self.where(asked)
            return [self._answer(rows, n, near, lists) for rows, lists in zip(asked, where)]

    def _answer(self, rows: Rows, n: int, near: float, lists: ndarray | None) -> Any:
        """At least the n best of each query, in the lists."""
        raise NotImplementedError

    def _together(self, of_parts: Sequence[_Found]) -> _Found:
        return _Found._make([np.concatenate(columns) for columns in zip(*of_parts)])


class HashIndex(Index):
    """The hashes of many pictures, among which the nearest to others are found."""

    def fill(self, rows: Rows, centres: ndarray | None = None) -> None:
        self.numbers, self.bits = rows
        self.n_bytes = self.bits.nbytes

    def _answer(self, rows: Rows, n: int, near: float, lists: ndarray | None) -> _Found:
        numbers, bits = rows
        if not len(numbers) or not len(self.numbers):
            return _nothing()
        radius = int(near * bits.shape[1])
        picture, query, distances = near_pairs(self.bits, bits, radius=radius)
        return _Found(numbers[query], self.numbers[picture], -distances)


class VectorIndex(Index):
    """The vectors of many pictures, among which those that point the most alike way are found.

    Args:
        has_scale: whether 1 - cosine is the method's distance, so that `near` counts; else the
            nearest are candidates, however near.
    """

    def __init__(self, *, has_scale: bool = True):
        self.has_scale = has_scale

    def fill(self, rows: Rows, centres: ndarray | None = None) -> None:
        self.numbers, vectors = rows
        if not len(vectors):
            return
        self.index = faiss.IndexFlatIP(vectors.shape[1])
        self.index.add(_of_length_1(vectors))
        self.n_bytes = 2 * vectors.nbytes  # here, and in faiss

    def _answer(self, rows: Rows, n: int, near: float, lists: ndarray | None) -> _Found:
        numbers, vectors = rows
        if not len(numbers) or not len(self.numbers):
            return _nothing()
        n_asked = min(n, len(self.numbers))
        cosines, found = self.index.search(_of_length_1(vectors), n_asked)
        # the distance 1 - cosine is at most 2
        least = 1 - 2 * near if self.has_scale else -np.inf
        query, rank = np.nonzero(cosines >= least)
        picture = self.numbers[found[query, rank]]
        return _Found(numbers[query], picture, cosines[query, rank])


class _Neighbours(NamedTuple):
    """The nearest keypoints to those of queries, in one part: each row in ascending distance."""

    voter: ndarray
    """The number of the query, (m,)."""
    distances: ndarray
    """(m, NEIGHBOURS)"""
    owners: ndarray
    """The number of the picture; -1 where there are fewer neighbours."""


class KeypointIndex(Index):
    """The keypoints of many pictures in one index, in which those of others look for neighbours.

    A keypoint votes for a picture by how much nearer a neighbour there is than its tenth nearest of
    all, squared: after S. McCann, D. Lowe, "Local naive Bayes nearest neighbor for image
    classification", CVPR 2012. Any vote is near.

    Args:
        mirrored: whether AKAZE's keypoints vote as they are in the mirror image, too.
    """

    def __init__(self, *, mirrored: bool = False):
        self.mirrored = mirrored

    def rows(self, packed: Sequence[bytes]) -> Rows:
        return _ballot(packed)

    def asked(self, queries: Sequence[Sequence[bytes]]) -> list[Rows]:
        asked = super().asked(queries)
        if self.mirrored:
            asked.extend(_ballot(in_orientation, mirrored=True) for in_orientation in queries)
        return asked

    def fill(self, rows: Rows, centres: ndarray | None = None) -> None:
        self.owner, codes = rows
        if centres is None:
            centres = codes[centres_at(len(codes))]
        self.index = _in_lists(codes, centres) if len(centres) else _flat(codes)
        # faiss adds a number of 8 bytes to each, in lists with a fifth of room to grow
        in_lists = (codes.nbytes + 8 * len(codes)) * 6 // 5
        self.n_bytes = codes.nbytes + in_lists + self.owner.nbytes

    def where(self, asked: Sequence[Rows]) -> list[ndarray | None]:
        if not isinstance(self.index, faiss.IndexBinaryIVF):
            return super().where(asked)
        centres = faiss.downcast_IndexBinary(self.index.quantizer)
        return [centres.search(rows.values, PROBES)[1] for rows in asked]

    def __getstate__(self) -> dict[str, Any]:
        # what lies on a worker may be moved to another; an empty one has nothing of faiss
        state = dict(self.__dict__)
        if "index" in state:
            state["index"] = faiss.serialize_index_binary(self.index)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ = state
        if "index" in state:
            self.index = faiss.deserialize_index_binary(state["index"])

    def growth(self, times: float) -> float:
        """Return how much longer a query takes among so many times the pictures."""
        n_codes = len(self.owner)
        return _n_compared(times * n_codes) / _n_compared(n_codes)

    def _answer(self, rows: Rows, n: int, near: float, lists: ndarray | None) -> _Neighbours:
        if not len(self.owner):
            nobody = np.full((len(rows.picture), NEIGHBOURS), -1, dtype=np.int32)
            return _Neighbours(rows.picture, np.full_like(nobody, _NOWHERE), nobody)
        if lists is None:
            distances, nearest = self.index.search(rows.values, NEIGHBOURS)
        else:
            found = self.index.search_preassigned(rows.values, NEIGHBOURS, lists, None)
            distances, nearest = found
        # where faiss found fewer neighbours it names keypoint -1
        owners = np.where(nearest < 0, np.int32(-1), self.owner[nearest])
        return _Neighbours(rows.picture, distances, owners)

    def _together(self, of_parts: Sequence[_Neighbours]) -> _Found:
        distances = np.concatenate([part.distances for part in of_parts], axis=1)
        owners = np.concatenate([part.owners for part in of_parts], axis=1)
        # which of the tenth nearest it is does not matter: they have no votes
        nearest = np.argsort(distances, axis=1, kind="stable")[:, :NEIGHBOURS]
        distances = np.take_along_axis(distances, nearest, axis=1)
        owners = np.take_along_axis(owners, nearest, axis=1)
        return _votes(_Neighbours(of_parts[0].voter, distances, owners))


def _votes(neighbours: _Neighbours) -> _Found:
    voter, distances, owners = neighbours
    if not len(voter):
        return _nothing()
    margin = distances[:, -1:] - distances
    # nobody owns what was not found
    margin = np.where(owners < 0, 0, margin).astype(float)
    n_pictures = int(owners.max()) + 1
    ballots = voter[:, None].astype(np.int64) * n_pictures + np.maximum(owners, 0)
    pairs, pair_of_ballot = np.unique(ballots, return_inverse=True)
    votes = np.bincount(pair_of_ballot.ravel(), margin.ravel() ** 2)
    voted = votes > 0
    query, picture = np.divmod(pairs[voted], n_pictures)
    return _Found(query, picture, votes[voted])


@contextlib.contextmanager
def _threads_for(asked: Sequence[Rows]) -> Iterator[None]:
    """One thread of faiss for one picture, all of them for more.

    A thread that has nothing to do spins until the others are ready: where other programs keep
    them waiting, that takes far longer than one picture does.
    """
    n_threads = faiss.omp_get_max_threads()
    is_one = not any(rows.picture.any() for rows in asked)
    faiss.omp_set_num_threads(1 if is_one else n_threads)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(n_threads)


def near_pairs(bits: ndarray, queries: ndarray, *, radius: int) -> tuple[ndarray, ndarray, ndarray]:
    """Return all pairs within `radius` bits: rows of `bits`, rows of `queries`, distances.

    They come by rows of `queries`, then of `bits`, both ascending.

    Args:
        bits, queries: bool (n, bits) and (m, bits); the same array twice gives every pair in both
            orders, and itself.

    >>> bits = np.array([[0, 0, 1], [1, 1, 0]], dtype=bool)
    >>> near_pairs(bits, np.array([[1, 1, 1]], dtype=bool), radius=1)
    (array([1]), array([0]), array([1]))
    """
    codes = hashes.pack(bits).view(np.uint8)
    query_codes = hashes.pack(queries).view(np.uint8)
    index = faiss.IndexBinaryFlat(8 * codes.shape[1])
    index.add(codes)
    found = [np.zeros((3, 0), dtype=np.int64)]
    for start in range(0, len(query_codes), _BLOCK):
        block = query_codes[start : start + _BLOCK]
        limits, distances, rows = index.range_search(block, radius + 1)  # it wants less than
        n_found = np.diff(limits.astype(np.int64))
        query = np.repeat(np.arange(len(n_found)) + start, n_found)
        found.append(np.stack([rows, query, distances.astype(np.int64)]))
    rows, query, distances = np.concatenate(found, axis=1)
    order = np.lexsort((rows, query))
    return rows[order], query[order], distances[order]


def _foremost(found: _Found, n: int) -> Candidates:
    """Of each query the n pictures with the largest scores, each picture once."""
    by_pair = np.lexsort((-found.score, found.picture, found.query))
    query = found.query[by_pair]
    picture = found.picture[by_pair]
    is_best = np.ones(len(query), dtype=bool)
    is_best[1:] = (query[1:] != query[:-1]) | (picture[1:] != picture[:-1])
    best = by_pair[is_best]
    order = best[np.lexsort((found.picture[best], -found.score[best], found.query[best]))]
    ordered = found.query[order]
    rank = np.arange(len(ordered)) - np.searchsorted(ordered, ordered)
    kept = order[rank < n]
    return Candidates(found.query[kept], found.picture[kept])


def _nothing() -> _Found:
    return _Found._make(np.zeros((3, 0), dtype=np.int64))


def _stacked(packed: Sequence[bytes]) -> Rows:
    """The hash or vector of each picture that has one."""
    numbers = []
    rows = []
    for number, value in enumerate(packed):
        if value:
            numbers.append(number)
            rows.append(unpack(value)[0])
    return Rows(np.array(numbers, dtype=np.int64), np.array(rows))


def _of_length_1(vectors: ndarray) -> ndarray:
    vectors = vectors.astype(np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(lengths, 1e-9)


def _ballot(packed: Sequence[bytes], *, mirrored: bool = False) -> Rows:
    """The bits by which the keypoints of pictures vote; the numbers of these are int32.

    Args:
        mirrored: whether they are AKAZE's as in the mirror image; others have none.
    """
    owners = [np.zeros(0, dtype=np.int32)]
    codes = []
    for number, value in enumerate(packed):
        if not value:
            continue
        descriptors = unpack(value)[1]
        if mirrored and not _is_akaze(descriptors):
            continue
        if mirrored:
            # half of them: a mirror image that shows enough gets votes enough
            descriptors = keypoints.mirrored_bits(descriptors[::2])
        codes.append(_that_vote(descriptors))
        owners.append(np.full(len(descriptors), number, dtype=np.int32))
    joined = np.concatenate(codes) if codes else np.zeros((0, VOTING // 8), dtype=np.uint8)
    return Rows(np.concatenate(owners), joined)


def _is_akaze(descriptors: ndarray) -> bool:
    return descriptors.shape[1] == keypoints.AKAZE_BYTES


def _that_vote(descriptors: ndarray) -> ndarray:
    """The bits of descriptors that vote, as whole 64-bit words."""
    if not _is_akaze(descriptors):
        return keypoints.whole_words(descriptors)
    bits = np.unpackbits(descriptors, axis=1, bitorder="little")
    return np.packbits(np.take(bits, _voting_bits(), axis=1), axis=1)


@functools.cache
def _voting_bits() -> ndarray:
    """Which bits of AKAZE's vote: drawn once for all, by the one generator that never changes."""
    drawn = np.random.RandomState(0).permutation(keypoints.AKAZE_BITS)
    return np.sort(drawn[:VOTING])


def centres_at(n_codes: int) -> ndarray:
    """Return which of so many codes the lists are made around; none where all are compared."""
    return _spread(n_codes) if n_codes > FLAT else np.zeros(0, dtype=np.int64)


def _spread(n_codes: int) -> ndarray:
    # a sample of the codes serves as centres: k-means costs minutes and finds no more copies
    n_lists = n_codes // LENGTH + 1
    return np.linspace(0, n_codes - 1, n_lists).astype(np.int64)


def _flat(codes: ndarray) -> faiss.IndexBinary:
    flat = faiss.IndexBinaryFlat(8 * codes.shape[1])
    flat.add(codes)
    return flat


def _in_lists(codes: ndarray, centres: ndarray) -> faiss.IndexBinary:
    """Codes in lists around centres, which are found by lists in turn, where they are many."""
    if len(centres) <= CENTRES:
        nearest = _flat(centres)
    else:
        nearest = _in_lists(centres, centres[_spread(len(centres))])
    lists = faiss.IndexBinaryIVF(nearest, 8 * codes.shape[1], len(centres))
    lists.nprobe = PROBES
    lists.is_trained = True
    for start in range(0, len(codes), _AT_ONCE):  # for each of which faiss notes 100 bytes
        lists.add(codes[start : start + _AT_ONCE])
    return lists


def _n_compared(n_codes: float) -> float:
    """With how many others a keypoint is compared in :class:`KeypointIndex`."""
    if n_codes <= FLAT:
        return n_codes
    n_lists = n_codes / LENGTH
    to_find_lists = n_lists if n_lists <= CENTRES else _n_compared(n_lists)
    return to_find_lists + PROBES * LENGTH
