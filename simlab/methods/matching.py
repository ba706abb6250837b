"""Keypoints compared: two sets become matches, and these a distance.

The distance of two sets is the mean distance of their matches, or says how many of the matches
agree on one geometric transform.
"""

import math
from collections.abc import Iterator
from typing import Annotated, Literal, NamedTuple

import cv2
import faiss
import numpy as np

from simlab.specs import between, checked

AKAZE_BITS = 486
"""Length of AKAZE's binary descriptors, and so the largest mean distance."""

ORB_BITS = 256
"""The same of ORB's."""

SIFT_MAXIMUM = 733.0
"""No two SIFT descriptors are farther apart.

None is negative, and none longer than 512 + sqrt(128) / 2 by rounding.
"""

LARGEST_CHANGE = 400
"""A transform that changes the area of a picture more than so many times is no evidence."""

Model = Literal["affine", "homography"]

_MAXIMA = {61: AKAZE_BITS, 32: ORB_BITS, 128: SIFT_MAXIMUM}  # by width of the descriptors
_MINIMAL = {"affine": 3, "homography": 4}  # so many matches always agree
_BLOCK = 4_000_000  # distances held at a time: 16 MB
_FAR = 2**30  # farther than any descriptor


class Keypoints(NamedTuple):
    """The keypoints of one picture, in the order in which they were detected."""

    points: np.ndarray
    """float32 (n, 2): x, y in pixels of the picture that was given."""
    descriptors: np.ndarray
    """uint8 (n, bytes) of bits, compared by Hamming distance; or floating point (n, d), by L2."""
    sizes: np.ndarray
    """float32 (n,): diameter of the neighbourhood in pixels."""
    responses: np.ndarray
    """float32 (n,): strength of the detection."""


def mean_distance(a: Keypoints, b: Keypoints) -> float:
    """Return the mean distance of the matches that pass the cross-check: 0 for the same picture.

    This is ``numpy.mean([m.distance for m in cv2.BFMatcher(norm, crossCheck=True).match(a, b)])``
    to the last digit, with ``NORM_HAMMING`` for bits and ``NORM_L2`` for numbers, at a fraction of
    its cost. Where a side has no keypoints it is the largest possible: 486 for AKAZE, 256 for ORB,
    733 for SIFT, infinite for other descriptors.
    """
    _, _, matched = match(a, b)
    if len(matched):
        return float(matched.mean())
    return float(_MAXIMA.get(a.descriptors.shape[1], math.inf))


def match(a: Keypoints, b: Keypoints) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the cross-checked matches: indexes into `a` (ascending), into `b`, and distances.

    Each is the other's nearest neighbour; among equally near ones the first counts, as in OpenCV.
    All are int64, distances by L2 float64.
    """
    is_bits = a.descriptors.dtype == np.uint8
    nearest_in_b = np.zeros(len(a.points), dtype=np.int64)
    nearest_in_a = np.zeros(len(b.points), dtype=np.int64)
    closest = np.full(len(b.points), _FAR, dtype=np.int64 if is_bits else np.float64)
    for rows, table in _tables(a, b):
        nearest_in_b[rows] = table.argmin(axis=1)
        first = table.argmin(axis=0)
        in_block = table[first, np.arange(len(first))]
        closer = in_block < closest
        closest[closer] = in_block[closer]
        nearest_in_a[closer] = first[closer] + rows.start
    if not len(b.points):
        return nearest_in_b[:0], nearest_in_a, closest
    mutual = np.flatnonzero(nearest_in_a[nearest_in_b] == np.arange(len(a.points)))
    matched = nearest_in_b[mutual]
    return mutual, matched, closest[matched]


@checked
def inlier_distance(
    a: Keypoints,
    b: Keypoints,
    *,
    model: Model = "affine",
    ratio: Annotated[float, between(0.01, 1)] = 0.85,
    tolerance: Annotated[float, between(0.0001, 1)] = 0.01,
) -> float:
    """Return 1 / (1 + support / 10): near 0 where many matches agree on one transform, else 1.

    The support is the number of matches that agree beyond the 3 (affine) or 4 (homography) that
    always do, times the share of the matches that agree: of a dozen matches of two foreign
    pictures, five may agree by chance.

    Args:
        model: ``"affine"`` (6 degrees of freedom) or ``"homography"`` (8).
        ratio: a match counts when its nearest distance is under this share of the second nearest
            (Lowe 2004).
        tolerance: by how much a matched point may miss its place, as a share of the extent of the
            points of `a`.
    """
    _, _, agree = verify(a, b, model=model, ratio=ratio, tolerance=tolerance)
    n_agree = int(agree.sum())
    support = n_agree * max(0, n_agree - _MINIMAL[model]) / max(1, len(agree))
    return 1.0 / (1.0 + support / 10.0)


def inliers(a: Keypoints, b: Keypoints, **options) -> tuple[np.ndarray, np.ndarray]:
    """Return the matches that agree on one transform from `b` to `a`: indexes into both, int64.

    Options as in :func:`inlier_distance`.
    """
    left, right, agree = verify(a, b, **options)
    return left[agree], right[agree]


def verify(
    a: Keypoints,
    b: Keypoints,
    *,
    model: Model = "affine",
    ratio: float = 0.85,
    tolerance: float = 0.01,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the matches that pass the ratio test, and which of them agree on one transform.

    The first two are indexes into `a` and into `b`, int64; the third is bool.

    The transform from `b` to `a` is found by RANSAC (M. Fischler, R. Bolles 1981) in OpenCV's
    seeded implementation. One that mirrors the picture, or changes its area more than 400-fold
    beyond what the extents of the two sets of points differ, is no evidence. Options as in
    :func:`inlier_distance`.
    """
    left, right = ratio_matches(a, b, ratio)
    none = np.zeros(len(left), dtype=bool)
    if len(left) <= _MINIMAL[model]:
        return left, right, none
    extent = _extent(a)
    reach = max(2.0, tolerance * extent)  # detectors miss by a pixel or two
    matrix, mask = _fit(b.points[right], a.points[left], model, reach)
    if matrix is None:
        return left, right, none
    # a thumbnail of a large picture is no different from one of a small picture
    size_ratio = extent / max(1.0, _extent(b))
    change = np.linalg.det(matrix[:2, :2]) / size_ratio**2
    if not 1 / LARGEST_CHANGE < change < LARGEST_CHANGE:
        return left, right, none
    return left, right, mask.ravel().astype(bool)


def ratio_matches(a: Keypoints, b: Keypoints, ratio: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the matches from `b` into `a` that pass Lowe's ratio test: indexes into `a` and `b`.

    Those into `a` ascend: each of its keypoints is used once, by its nearest.
    """
    nearest = np.zeros(len(b.points), dtype=np.int64)
    best, second = np.full((2, len(b.points)), np.inf)
    for rows, table in _tables(b, a):
        nearest[rows] = table.argmin(axis=1)
        chosen = (np.arange(len(table)), nearest[rows])
        best[rows] = table[chosen]
        table[chosen] = _FAR
        second[rows] = table.min(axis=1)
    passed = np.flatnonzero(best < ratio * second)
    if len(a.points) <= 1:
        passed = passed[:0]
    by_distance = passed[np.argsort(best[passed], kind="stable")]
    left, first = np.unique(nearest[by_distance], return_index=True)
    return left, by_distance[first]


def _tables(a: Keypoints, b: Keypoints) -> Iterator[tuple[slice, np.ndarray]]:
    """All distances of `a` to `b`, so many rows at a time that memory stays bounded.

    There is nothing where a side is empty.
    """
    if not len(b.points):
        return
    step = max(1, _BLOCK // len(b.points))
    for start in range(0, len(a.points), step):
        rows = slice(start, min(start + step, len(a.points)))
        yield rows, distances(a.descriptors[rows], b.descriptors)


def distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return all distances of descriptors (n, d) and (m, d).

    Hamming distances, int32, for uint8 ones; else L2, float32.
    """
    if a.dtype == np.uint8:
        left = _padded(a)
        right = _padded(b)
        table = np.empty((len(a), len(b)), dtype=np.int32)
        pointers = map(faiss.swig_ptr, (left, right))
        faiss.hammings(*pointers, len(a), len(b), left.shape[1], faiss.swig_ptr(table))
        return table
    first = a.astype(np.float32)
    second = b.astype(np.float32)
    # exact for SIFT: every sum is a whole number under 2**24
    lengths = (first * first).sum(axis=1)[:, None] + (second * second).sum(axis=1)
    return np.sqrt(np.maximum(lengths - 2 * (first @ second.T), 0))


def _padded(descriptors: np.ndarray) -> np.ndarray:
    """The descriptors as whole 64-bit words."""
    n_bytes = descriptors.shape[1]
    padded = np.zeros((len(descriptors), -(-n_bytes // 8) * 8), dtype=np.uint8)
    padded[:, :n_bytes] = descriptors
    return padded


def _extent(found: Keypoints) -> float:
    return float(np.ptp(found.points, axis=0).max())


def _fit(source: np.ndarray, target: np.ndarray, model: str, reach: float):
    if model == "affine":
        return cv2.estimateAffine2D(source, target, method=cv2.RANSAC, ransacReprojThreshold=reach)
    return cv2.findHomography(source, target, cv2.RANSAC, reach)
