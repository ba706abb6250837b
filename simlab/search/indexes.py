"""Candidates: one index for each kind of feature, in which pictures find what may be their copies.

Hashes are candidates by how few bits part them, vectors by the angle between them, and keypoints
vote for each other in one index of all keypoints, which finds the crops and rotations no hash sees.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeAlias

import faiss
import numpy as np

from simlab.methods import alignment, hashes
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

PROBES = 8
"""Lists of the inverted file in which a keypoint looks for its neighbours."""

_BLOCK = 20_000  # queries in a call of faiss, whose result must fit in memory
_BALLOT = 200  # pictures whose keypoints vote in one call


class Candidates(NamedTuple):
    """Pairs that are worth comparing: the number of a query and of a picture each, int64 (m,)."""

    query: np.ndarray
    picture: np.ndarray


def build_indexes(
    methods: Iterable[Method], packed: Callable[[Feature], Sequence[bytes]]
) -> list[tuple[Method, "Index"]]:
    """Return an index of each feature that has one, with the method that the feature is of.

    Args:
        packed: gives a feature of all pictures; ``b""`` is no evidence.

    Raises:
        ValueError: no method has a feature by which candidates are found.
    """
    # the one with a mirrored feature comes last, and so stands for all that share its plain one
    plain_first = sorted(methods, key=lambda method: method.mirrored is not None)
    method_of = {method.feature: method for method in plain_first}
    indexes = []
    has_evidence = False
    for feature, method in method_of.items():
        values = packed(feature)
        has_evidence = has_evidence or any(values)
        index = _index_of(method, values)
        if index is not None:
            indexes.append((method, index))
    if has_evidence and not indexes:
        names = ", ".join(method.name for method in methods)
        raise ValueError(
            "recipe must have a hash, a vector, AKAZE or ORB, by which candidates are found;"
            f" it has {names}"
        )
    return indexes


def _index_of(method: Method, packed: Sequence[bytes]) -> "Index | None":
    """The index for this kind of feature; None where there is none, or no evidence to put in."""
    sample = next(filter(None, packed), None)
    if sample is None:
        return None
    kind = method.kind_of(sample)
    if kind == "bits":
        return HashIndex(packed)
    if kind == "vector":
        # what is near by another vector depends on the network: the nearest are candidates
        has_scale = method.feature.function is alignment.correlation
        return VectorIndex(packed, has_scale=has_scale)
    if kind == "keypoints" and unpack(sample)[1].dtype == np.uint8:
        return KeypointIndex(packed)
    return None


class HashIndex:
    """The hashes of many pictures, among which the nearest to others are found."""

    def __init__(self, packed: Sequence[bytes]):
        self.numbers, self.bits = _stacked(packed)

    def candidates(self, queries: Sequence[bytes], *, n: int, near: float = 1.0) -> Candidates:
        """Return the nearest pictures, at most n for each query, within a share of the bits."""
        numbers, bits = _stacked(queries)
        if not len(numbers):
            return Candidates(numbers, numbers)
        radius = int(near * bits.shape[1])
        picture, query, distances = near_pairs(self.bits, bits, radius=radius)
        return _foremost(numbers[query], self.numbers[picture], -distances, n)


class VectorIndex:
    """The vectors of many pictures, among which those that point the most alike way are found.

    Args:
        has_scale: whether 1 - cosine is the method's distance, so that `near` counts; else the
            nearest are candidates, however near.
    """

    def __init__(self, packed: Sequence[bytes], *, has_scale: bool = True):
        self.numbers, vectors = _stacked(packed)
        self.has_scale = has_scale
        self.index = faiss.IndexFlatIP(vectors.shape[1])
        self.index.add(_of_length_1(vectors))

    def candidates(self, queries: Sequence[bytes], *, n: int, near: float = 1.0) -> Candidates:
        """Return the nearest pictures, at most n for each query, within a share of the maximum."""
        numbers, vectors = _stacked(queries)
        if not len(numbers):
            return Candidates(numbers, numbers)
        n_asked = min(n, len(self.numbers))
        cosines, found = self.index.search(_of_length_1(vectors), n_asked)
        # the distance 1 - cosine is at most 2
        least = 1 - 2 * near if self.has_scale else -np.inf
        query, rank = np.nonzero(cosines >= least)
        return Candidates(numbers[query], self.numbers[found[query, rank]])


class KeypointIndex:
    """The keypoints of many pictures in one index, in which those of others look for neighbours.

    A keypoint votes for a picture by how much nearer a neighbour there is than its tenth nearest of
    all, squared: after S. McCann, D. Lowe, "Local naive Bayes nearest neighbor for image
    classification", CVPR 2012.
    """

    def __init__(self, packed: Sequence[bytes]):
        self.owner, codes = _descriptors(packed)
        self.index = _keypoint_index(codes)
        self.n_pictures = len(packed)

    def candidates(self, queries: Sequence[bytes], *, n: int, near: float = 1.0) -> Candidates:
        """Return the pictures with most votes, at most n for each query; any vote is `near`."""
        query_numbers = []
        picture_numbers = []
        for start in range(0, len(queries), _BALLOT):
            voters, winners = self._vote(queries[start : start + _BALLOT], n)
            query_numbers.append(voters + start)
            picture_numbers.append(winners)
        return Candidates(np.concatenate(query_numbers), np.concatenate(picture_numbers))

    def _vote(self, queries: Sequence[bytes], n: int) -> Candidates:
        voter, codes = _descriptors(queries)
        if not len(voter):
            return Candidates(voter, voter)
        distances, nearest = self.index.search(codes, NEIGHBOURS)
        margin = distances.max(axis=1, keepdims=True) - distances
        # where faiss found fewer neighbours it names keypoint -1: no vote for its owner
        margin = np.where(nearest < 0, 0, margin).astype(float)
        ballots = voter[:, None] * self.n_pictures + self.owner[nearest]
        pairs, pair_of_ballot = np.unique(ballots, return_inverse=True)
        votes = np.bincount(pair_of_ballot.ravel(), margin.ravel() ** 2)
        voted = votes > 0
        query, picture = np.divmod(pairs[voted], self.n_pictures)
        return _foremost(query, picture, votes[voted], n)


Index: TypeAlias = HashIndex | VectorIndex | KeypointIndex


def near_pairs(
    bits: np.ndarray, queries: np.ndarray, *, radius: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
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


def _foremost(query: np.ndarray, picture: np.ndarray, score: np.ndarray, n: int) -> Candidates:
    """Of each query the n pictures with the largest scores."""
    order = np.lexsort((picture, -score, query))
    ordered = query[order]
    rank = np.arange(len(ordered)) - np.searchsorted(ordered, ordered)
    kept = order[rank < n]
    return Candidates(query[kept], picture[kept])


def _stacked(packed: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of the pictures that have a hash or vector, and these, one a row."""
    numbers = [number for number, value in enumerate(packed) if value]
    rows = np.array([unpack(packed[number])[0] for number in numbers])
    return np.array(numbers, dtype=np.int64), rows


def _of_length_1(vectors: np.ndarray) -> np.ndarray:
    vectors = vectors.astype(np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(lengths, 1e-9)


def _descriptors(packed: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of the pictures that descriptors are of, and these, as whole 64-bit words."""
    numbers = [number for number, value in enumerate(packed) if value]
    parts = [unpack(packed[number])[1] for number in numbers]
    codes = np.concatenate(parts) if parts else np.zeros((0, 8), dtype=np.uint8)
    owner = np.repeat(np.array(numbers, dtype=np.int64), [len(part) for part in parts])
    n_missing = -codes.shape[1] % 8
    return owner, np.pad(codes, ((0, 0), (0, n_missing)))


def _keypoint_index(codes: np.ndarray) -> faiss.IndexBinary:
    n_bits = 8 * codes.shape[1]
    flat = faiss.IndexBinaryFlat(n_bits)
    if len(codes) <= FLAT:
        flat.add(codes)
        return flat
    n_lists = 2 ** round(np.log2(2 * np.sqrt(len(codes))))
    # a sample of the codes serves as centres: k-means costs minutes and finds no more copies
    centres = np.linspace(0, len(codes) - 1, n_lists).astype(np.int64)
    flat.add(codes[centres])
    inverted = faiss.IndexBinaryIVF(flat, n_bits, n_lists)
    inverted.nprobe = PROBES
    inverted.is_trained = True
    inverted.add(codes)
    return inverted
