"""Keypoints: found by AKAZE, ORB or SIFT; each makes two methods, ``akaze`` and ``akaze_inliers``.

Detectors and descriptors are OpenCV's, called as in the classic recipes (on the colour picture,
default parameters).

First stands how two sets become matches, and these a distance: the mean of theirs, or how many
agree on one geometric transform. Then the detectors, each registered where it stands.
"""

import functools
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Annotated, Literal, NamedTuple

import cv2
import faiss
import numpy as np
from numpy import ndarray
from PIL import Image

from simlab.cards import card
from simlab.images import ENOUGH, Picture, read_image, reduced
from simlab.messages import counted
from simlab.methods.registry import Extract, register
from simlab.specs import between, check_kind, checked

__all__ = [
    "AKAZE_BITS",
    "MIN_SIDE",
    "ORB_BITS",
    "SIFT_MAXIMUM",
    "Keypoints",
    "Model",
    "akaze",
    "akaze_detector",
    "at_most",
    "detect",
    "distances",
    "inlier_distance",
    "inliers",
    "match",
    "mean_distance",
    "mirrored_bits",
    "orb",
    "ratio_matches",
    "scaled",
    "sift",
    "strongest",
    "verify",
]

AKAZE_BITS = 486
"""Length of AKAZE's binary descriptors, and so the largest mean distance."""

AKAZE_BYTES = 61
"""In which they are held."""

ORB_BITS = 256
"""The same of ORB's."""

SIFT_MAXIMUM = 733.0
"""No two SIFT descriptors are farther apart.

None is negative, and none longer than 512 + sqrt(128) / 2 by rounding.
"""

MIN_SIDE = 16
"""Below this side OpenCV's AKAZE finds nothing, or aborts the whole process."""

MaxSide = Annotated[int, between(MIN_SIDE, 100_000)] | None
MaxKeypoints = Annotated[int, between(1, 1_000_000)] | None
Model = Literal["affine", "homography"]

_MAXIMA = {61: AKAZE_BITS, 32: ORB_BITS, 128: SIFT_MAXIMUM}  # by width of the descriptors
_MINIMAL = {"affine": 3, "homography": 4}  # so many matches always agree
_BLOCK = 250_000  # distances held at a time: 1 MB, which stays near the processor
_FAR = 2**30  # farther than any descriptor


def __dir__() -> list[str]:
    return __all__


class Keypoints(NamedTuple):
    """The keypoints of one picture, in the order in which they were detected."""

    points: ndarray
    """float32 (n, 2): x, y in pixels of the picture that was given."""
    descriptors: ndarray
    """uint8 (n, bytes) of bits, compared by Hamming distance; or floating point (n, d), by L2."""
    sizes: ndarray
    """float32 (n,): diameter of the neighbourhood in pixels."""
    responses: ndarray
    """float32 (n,): strength of the detection."""

    def __repr__(self) -> str:
        return f"<{counted(len(self.points), 'keypoint')}, descriptors {self.descriptors.shape}>"

    def _repr_html_(self) -> str:
        length, kind = self.descriptors.shape[1], self.descriptors.dtype
        about = f"each with its place, size, strength, and a descriptor of {length} {kind}"
        typed = [
            "sl.plots.plot_keypoints(image, keypoints.points)",
            "sl.keypoints.mean_distance(keypoints, others)    # 0 for the same picture",
        ]
        return card(counted(len(self.points), "keypoint"), about, typed=typed)


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


def match(a: Keypoints, b: Keypoints) -> tuple[ndarray, ndarray, ndarray]:
    """Return the cross-checked matches: indexes into `a` (ascending), into `b`, and distances.

    Each is the other's nearest neighbour; among equally near ones the first counts, as in OpenCV.
    All are int64, distances by L2 float64.
    """
    _check_both(a, b)
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


def inliers(a: Keypoints, b: Keypoints, **options) -> tuple[ndarray, ndarray]:
    """Return the matches that agree on one transform from `b` to `a`: indexes into both, int64.

    Options as in :func:`inlier_distance`.
    """
    left, right, agree = verify(a, b, **options)
    return left[agree], right[agree]


@checked
def verify(
    a: Keypoints,
    b: Keypoints,
    *,
    model: Model = "affine",
    ratio: float = 0.85,
    tolerance: float = 0.01,
) -> tuple[ndarray, ndarray, ndarray]:
    """Return the matches that pass the ratio test, and which of them agree on one transform.

    The first two are indexes into `a` and into `b`, int64; the third is bool.

    The transform from `b` to `a` is found by RANSAC (M. Fischler, R. Bolles 1981) in OpenCV's
    seeded implementation. One that mirrors the picture, or changes its area more than 400-fold
    beyond what the extents of the two sets of points differ, is no evidence. Options as in
    :func:`inlier_distance`.
    """
    left, right = ratio_matches(a, b, ratio)
    agree = np.zeros(len(left), dtype=bool)
    if len(left) > _MINIMAL[model]:
        extent = _extent(a)
        reach = max(2.0, tolerance * extent)  # detectors miss by a pixel or two
        fit = cv2.estimateAffine2D if model == "affine" else cv2.findHomography
        matrix, mask = fit(
            b.points[right], a.points[left], method=cv2.RANSAC, ransacReprojThreshold=reach
        )
        # a thumbnail of a large picture is no different from one of a small picture
        area_ratio = (extent / max(1.0, _extent(b))) ** 2
        if matrix is not None and is_plausible(np.linalg.det(matrix[:2, :2]) / area_ratio):
            agree = mask.ravel().astype(bool)
    return left, right, agree


def is_plausible(area: float) -> bool:
    """Return whether a transform may change areas so: 400-fold at most, and never mirrored."""
    return 1 / 400 < area < 400


def ratio_matches(a: Keypoints, b: Keypoints, ratio: float) -> tuple[ndarray, ndarray]:
    """Return the matches from `b` into `a` that pass Lowe's ratio test: indexes into `a` and `b`.

    Those into `a` ascend: each of its keypoints is used once, by its nearest.
    """
    _check_both(a, b)
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


def _check_both(a: Keypoints, b: Keypoints) -> None:
    for name, value in (("a", a), ("b", b)):
        check_kind(name, value, Keypoints, "keypoints, as from sl.akaze.extract")


def _tables(a: Keypoints, b: Keypoints) -> Iterator[tuple[slice, ndarray]]:
    """All distances of `a` to `b`, so many rows at a time that memory stays bounded.

    There is nothing where a side is empty.
    """
    if not len(b.points):
        return
    step = max(1, _BLOCK // len(b.points))
    for start in range(0, len(a.points), step):
        rows = slice(start, min(start + step, len(a.points)))
        yield rows, distances(a.descriptors[rows], b.descriptors)


def distances(a: ndarray, b: ndarray) -> ndarray:
    """Return all distances of descriptors (n, d) and (m, d).

    Hamming distances, int32, for uint8 ones; else L2, float32.
    """
    if a.dtype == np.uint8:
        left = whole_words(a)
        right = whole_words(b)
        table = np.empty((len(a), len(b)), dtype=np.int32)
        pointers = map(faiss.swig_ptr, (left, right))
        faiss.hammings(*pointers, len(a), len(b), left.shape[1], faiss.swig_ptr(table))
        return table
    first = a.astype(np.float32)
    second = b.astype(np.float32)
    # exact for SIFT: every sum is a whole number under 2**24
    lengths = (first * first).sum(axis=1)[:, None] + (second * second).sum(axis=1)
    return np.sqrt(np.maximum(lengths - 2 * (first @ second.T), 0))


def whole_words(descriptors: ndarray) -> ndarray:
    """Return descriptors, uint8 (n, bytes), with zeros up to whole 64-bit words."""
    padded = np.pad(descriptors, ((0, 0), (0, -descriptors.shape[1] % 8)))
    return np.ascontiguousarray(padded)  # faiss takes no other


def _extent(found: Keypoints) -> float:
    return float(np.ptp(found.points, axis=0).max())


def mirrored_bits(descriptors: ndarray) -> ndarray:
    """Return AKAZE's descriptors (n, 61), as they are in the mirror image: but for 40 bits of 486.

    What differs is that OpenCV's samples of 2 and of 4 cells are half a sample off the centre.
    """
    where, turned_over = _bits_in_mirror()
    bits = np.unpackbits(descriptors, axis=1, bitorder="little")
    # a fifth of the time of bits[:, where]
    return np.packbits(np.take(bits, where, axis=1) ^ turned_over, axis=1, bitorder="little")


@functools.cache
def _bits_in_mirror() -> tuple[ndarray, ndarray]:
    """Which bit each bit becomes, and whether it is turned over (uint8).

    A bit says which of two cells around a keypoint, of 2 x 2, 3 x 3 and 4 x 4, has more of a level,
    then of its slope across the keypoint's direction, then along it. A mirror image exchanges the
    cells on both sides of that direction, and the sign of the slope across.
    """
    where = []
    turned_over = []
    for n in (2, 3, 4):
        pairs = list(itertools.combinations(range(n * n), 2))
        place = {pair: number for number, pair in enumerate(pairs)}
        cells = np.arange(n * n).reshape(n, n)[:, ::-1].ravel().tolist()
        for is_slope_across in (False, True, False):
            start = len(where)
            for first, second in pairs:
                ordered = sorted((cells[first], cells[second]))
                where.append(start + place[tuple(ordered)])
                turned_over.append(is_slope_across != (cells[first] > cells[second]))
    # the last bits of the last byte are none
    unused = range(len(where), 8 * AKAZE_BYTES)
    return np.array([*where, *unused]), np.array(turned_over + [False] * len(unused), np.uint8)


def _mirrored(found: Keypoints, _orientation: int) -> Keypoints:
    """AKAZE's keypoints in the mirror image; where it lies does not matter."""
    return found._replace(
        points=found.points * np.array([-1, 1], np.float32),
        descriptors=mirrored_bits(found.descriptors),
    )


def _two_methods(maximum: float, unit: str, **more) -> Callable[[Extract], Extract]:
    """A decorator that registers a detector's keypoints twice.

    By the mean distance of their matches, and by those that agree on one transform.
    """

    def decorate(extract: Extract) -> Extract:
        name = extract.__name__
        options = {"restore": Keypoints._make, "feature": name, "feature_kind": "keypoints"} | more
        register(name, extract, distance=mean_distance, maximum=maximum, unit=unit, **options)
        register(
            f"{name}_inliers",
            extract,
            distance=inlier_distance,
            maximum=1.0,
            symmetric=False,
            **options,
        )
        return extract

    return decorate


@_two_methods(AKAZE_BITS, "bits", turn=_mirrored)
@checked
def akaze(
    image,
    *,
    max_side: MaxSide = 800,
    max_keypoints: MaxKeypoints = 500,
    threshold: Annotated[float, between(1e-6, 1)] = 0.001,
) -> Keypoints:
    """Return the AKAZE keypoints of a picture; none if it is flat or has a side under 16 pixels.

    Args:
        image: what :func:`simlab.read_image` takes. OpenCV is given its colours.
        max_side: a larger picture is first scaled down to this side; None keeps it (94 MB per
            megapixel).
        max_keypoints: only the strongest are kept; None keeps all. With both None this is the
            classic recipe.
        threshold: least detector response; smaller finds more keypoints.

    Raises:
        ValueError: a limit is out of range, or this OpenCV has no AKAZE.

    Source: P. F. Alcantarilla, J. Nuevo, A. Bartoli, "Fast explicit diffusion for accelerated
    features in nonlinear scale spaces", BMVC 2013.
    """
    return strongest(detect(image, akaze_detector(threshold), max_side), max_keypoints)


@_two_methods(ORB_BITS, "bits")
@checked
def orb(
    image, *, max_side: MaxSide = 800, max_keypoints: Annotated[int, between(1, 100_000)] = 500
) -> Keypoints:
    """Return the ORB keypoints of a picture: 256 bits each.

    There are none in the outer 31 pixels, nor in a flat picture.

    Args:
        max_side: as in :func:`akaze`; None is the classic recipe.
        max_keypoints: as OpenCV's ``nfeatures``: the best, shared out among the scales.

    Source: E. Rublee, V. Rabaud, K. Konolige, G. Bradski, "ORB: an efficient alternative to SIFT or
    SURF", ICCV 2011.
    """
    return detect(image, cv2.ORB_create(nfeatures=max_keypoints), max_side)


@_two_methods(SIFT_MAXIMUM, "L2")
@checked
def sift(
    image,
    *,
    max_side: MaxSide = 800,
    max_keypoints: MaxKeypoints = 500,
    threshold: Annotated[float, between(0.001, 1)] = 0.04,
) -> Keypoints:
    """Return the SIFT keypoints of a picture: 128 numbers from 0 to 255 each, whole, as float16.

    Args:
        max_side, max_keypoints: as in :func:`akaze`; with both None this is the classic recipe.
        threshold: least contrast of a keypoint, OpenCV's ``contrastThreshold``; smaller finds more.

    Source: D. G. Lowe, "Distinctive image features from scale-invariant keypoints", IJCV 60, 2004.
    """
    found = detect(image, cv2.SIFT_create(contrastThreshold=threshold), max_side)
    # half the bytes, and exact: whole numbers up to 2048 are
    halved = found._replace(descriptors=found.descriptors.astype(np.float16))
    return strongest(halved, max_keypoints)


def akaze_detector(threshold: float, **options) -> cv2.Feature2D:
    """Return OpenCV's AKAZE; `options` as its ``AKAZE_create`` takes them.

    Raises:
        ValueError: this OpenCV has none.
    """
    # OpenCV 5 moved AKAZE to its contrib modules
    for module in (cv2, getattr(cv2, "xfeatures2d", None)):
        if hasattr(module, "AKAZE_create"):
            return module.AKAZE_create(threshold=threshold, **options)
    raise ValueError(
        f"this OpenCV ({cv2.__version__}) has no AKAZE; install opencv-python-headless>=4.12,<5"
        " or opencv-contrib-python-headless"
    )


def detect(image, detector: cv2.Feature2D, max_side: int | None = None) -> Keypoints:
    """Return what an OpenCV detector finds in a picture, first scaled down to `max_side`."""
    working, scale = at_most(read_image(image), max_side)
    if min(working.size) < MIN_SIDE:
        return _keypoints([], None, detector)
    blue_first = np.ascontiguousarray(np.asarray(working)[:, :, ::-1])
    detected, descriptors = detector.detectAndCompute(blue_first, None)
    return scaled(_keypoints(detected, descriptors, detector), 1 / scale)


def at_most(
    image: Picture, max_side: int | None, smaller: Picture | None = None
) -> tuple[Picture, float]:
    """Return the picture, scaled down where its longer side is over `max_side`, and the factor.

    Args:
        smaller: ``reduced(image)``, where it was made.
    """
    longer = max(image.size)
    if max_side is None or longer <= max_side:
        return image, 1.0
    scale = max_side / longer
    size = tuple(max(1, round(scale * side)) for side in image.size)
    side = max(ENOUGH, 2 * max_side)
    if smaller is None or side > ENOUGH:
        smaller = reduced(image, side)
    small = cv2.resize(np.asarray(smaller), size, interpolation=cv2.INTER_AREA)
    return Image.fromarray(small), scale


def _keypoints(detected, descriptors: ndarray | None, detector: cv2.Feature2D) -> Keypoints:
    """OpenCV's keypoints as arrays; it gives None for the descriptors where there are none."""
    if descriptors is None:
        is_bits = detector.descriptorType() == cv2.CV_8U
        dtype = np.uint8 if is_bits else np.float32
        descriptors = np.zeros((0, detector.descriptorSize()), dtype=dtype)
    rows = [(*point.pt, point.size, point.response) for point in detected]
    x, y, sizes, responses = np.array(rows, dtype=np.float32).reshape(-1, 4).T
    return Keypoints(np.column_stack([x, y]), descriptors, sizes, responses)


def scaled(found: Keypoints, factor: float) -> Keypoints:
    """Return the keypoints as they lie in a picture larger by this factor.

    The centres of pixels are half a pixel in.
    """
    if factor == 1:
        return found
    half = np.float32(0.5)
    points = np.float32(factor) * (found.points + half) - half
    return found._replace(points=points, sizes=np.float32(factor) * found.sizes)


def strongest(keypoints: Keypoints, n: int | None) -> Keypoints:
    """Return the n keypoints of largest response (None: all), in their order of detection."""
    if n is None or len(keypoints.points) <= n:
        return keypoints
    keep = np.sort(np.argsort(-keypoints.responses, kind="stable")[:n])
    return Keypoints._make([column[keep] for column in keypoints])
