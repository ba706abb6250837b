"""AKAZE keypoints: extract them, compare two sets by mean Hamming distance or by geometrically verified matches.

Source: P. F. Alcantarilla, J. Nuevo, A. Bartoli, "Fast explicit diffusion for accelerated features in nonlinear scale
spaces", BMVC 2013, as implemented in OpenCV.
"""

from typing import NamedTuple

import cv2
import faiss
import numpy as np

from simlab.images import read_image

BITS = 486
"""Length of a descriptor in bits, and so the largest mean distance."""

MIN_SIDE = 16
"""Below this side OpenCV's AKAZE finds nothing, or aborts the whole process."""

MODELS = ("homography", "affine")


class Keypoints(NamedTuple):
    """The keypoints of one picture, in the order in which they were detected."""

    points: np.ndarray
    """float32 (n, 2): x, y in pixels of the picture that was given."""
    descriptors: np.ndarray
    """uint8 (n, 61): 486 bits each."""
    sizes: np.ndarray
    """float32 (n,): diameter of the neighbourhood in pixels."""
    responses: np.ndarray
    """float32 (n,): strength of the detection."""


def extract(
    image, *, max_side: int | None = 800, max_keypoints: int | None = 500, threshold: float = 0.001
) -> Keypoints:
    """Return the AKAZE keypoints of a picture; none for a flat picture or one with a side under 16 pixels.

    Args:
        image: what :func:`simlab.read_image` takes. OpenCV is given its colours, as in the classic recipe.
        max_side: a larger picture is first scaled down to this side; None keeps it (94 MB per megapixel).
        max_keypoints: only the strongest are kept; None keeps all. With both None this is the classic recipe.
        threshold: least detector response; smaller finds more keypoints.

    Raises:
        ValueError: a limit is out of range, or this OpenCV has no AKAZE.
    """
    check_limits(max_side, max_keypoints, threshold)
    pixels = np.asarray(read_image(image))[:, :, ::-1]
    scale = min(1.0, max_side / max(pixels.shape[:2])) if max_side else 1.0
    if min(pixels.shape[:2]) * scale < MIN_SIDE:
        return _keypoints([], None, 1.0)
    if scale < 1:
        pixels = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    detected, descriptors = _detector(threshold).detectAndCompute(np.ascontiguousarray(pixels), None)
    keypoints = _keypoints(detected, descriptors, scale)
    return keypoints if max_keypoints is None else strongest(keypoints, max_keypoints)


def mean_distance(a: Keypoints, b: Keypoints) -> float:
    """Return the mean Hamming distance in bits, 0 to 486, of the matches that pass the cross-check.

    This is ``numpy.mean([m.distance for m in cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(a, b)])``
    to the last digit, at about a third of its cost. It is 0 for the same picture and 486 where a side has no keypoints.
    """
    if not len(a.points) or not len(b.points):
        return float(BITS)
    return float(match(a, b)[2].mean())


def match(a: Keypoints, b: Keypoints) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the cross-checked matches: indexes into `a`, indexes into `b`, distances in bits; int64, same length.

    Each is the other's nearest neighbour; among equally near ones the first counts, as in OpenCV.
    """
    if not len(a.points) or not len(b.points):
        return (np.zeros(0, dtype=np.int64),) * 3
    left, right = _padded(a.descriptors), _padded(b.descriptors)
    distances, nearest = (column[:, 0] for column in nearest_neighbours(right, left, 1))
    # only the points of `a` that are somebody's nearest can pass: about half of the second search is saved
    candidates = np.unique(nearest)
    back = nearest_neighbours(left[candidates], right, 1)[1][:, 0]
    mutual = nearest[back] == candidates
    return candidates[mutual], back[mutual], distances[back[mutual]].astype(np.int64)


def inlier_distance(
    a: Keypoints, b: Keypoints, *, model: str = "homography", ratio: float = 0.85, tolerance: float = 4.0
) -> float:
    """Return 1 / (1 + inliers / 10): near 0 for many matches that agree on one geometric transform, 1 for none.

    Args:
        model: ``"homography"`` (8 degrees of freedom) or ``"affine"`` (6).
        ratio: a match counts when its nearest distance is under this share of the second nearest (Lowe 2004).
        tolerance: pixels by which a matched point may miss its place.
    """
    return 1.0 / (1.0 + len(inliers(a, b, model=model, ratio=ratio, tolerance=tolerance)[0]) / 10.0)


def inliers(
    a: Keypoints, b: Keypoints, *, model: str = "homography", ratio: float = 0.85, tolerance: float = 4.0
) -> tuple[np.ndarray, np.ndarray]:
    """Return the matches that agree on one transform from `b` to `a`: indexes into `a` and into `b`, int64.

    Lowe's ratio test, then RANSAC (M. Fischler, R. Bolles 1981) in OpenCV's seeded implementation. A transform that
    mirrors the picture or changes its area more than 400-fold is no evidence.

    Raises:
        ValueError: `model` is unknown, or `ratio` or `tolerance` out of range.
    """
    if model not in MODELS:
        raise ValueError(f"model must be one of {', '.join(MODELS)}, not {model!r}")
    if not 0 < ratio <= 1 or not tolerance > 0:
        raise ValueError(f"ratio must be in (0, 1] and tolerance positive, not {ratio!r} and {tolerance!r}")
    left, right = _ratio_matches(a, b, ratio)
    none = np.zeros(0, dtype=np.int64)
    if len(left) < 4:
        return none, none
    matrix, mask = _fit(b.points[right], a.points[left], model, tolerance)
    if matrix is None or not 1 / 400 < np.linalg.det(matrix[:2, :2]) < 400:
        return none, none
    keep = mask.ravel().astype(bool)
    return left[keep], right[keep]


def nearest_neighbours(queries: np.ndarray, targets: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return distances in bits and indexes of the k nearest targets, each (n, k), by an exact search.

    Args:
        queries, targets: descriptors padded to 64 bytes, uint8 (n, 64) and (m, 64).
    """
    index = faiss.IndexBinaryFlat(8 * targets.shape[1])
    index.add(targets)
    threads = faiss.omp_get_max_threads()
    # a search of two pictures takes a millisecond: waking other threads costs more than they save
    faiss.omp_set_num_threads(1)
    try:
        return index.search(queries, k)
    finally:
        faiss.omp_set_num_threads(threads)


def strongest(keypoints: Keypoints, n: int) -> Keypoints:
    """Return the n keypoints of largest response, in their order of detection."""
    if len(keypoints.points) <= n:
        return keypoints
    keep = np.sort(np.argsort(-keypoints.responses, kind="stable")[:n])
    return Keypoints(*(column[keep] for column in keypoints))


def check_limits(max_side: int | None, max_keypoints: int | None, threshold: float) -> None:
    """Refuse limits out of range.

    Raises:
        ValueError: naming the limit.
    """
    if max_side is not None and max_side < MIN_SIDE:
        raise ValueError(f"max_side must be None or at least {MIN_SIDE} pixels, not {max_side!r}")
    if max_keypoints is not None and max_keypoints < 1:
        raise ValueError(f"max_keypoints must be None or at least 1, not {max_keypoints!r}")
    if not threshold > 0:
        raise ValueError(f"threshold must be positive, not {threshold!r}")


def _detector(threshold: float):
    # OpenCV 5 moved AKAZE to its contrib modules
    for module in (cv2, getattr(cv2, "xfeatures2d", None)):
        if hasattr(module, "AKAZE_create"):
            return module.AKAZE_create(threshold=threshold)
    raise ValueError(
        f"this OpenCV ({cv2.__version__}) has no AKAZE; install opencv-python-headless>=4.12,<5"
        " or opencv-contrib-python-headless"
    )


def _keypoints(detected, descriptors: np.ndarray | None, scale: float) -> Keypoints:
    points = np.array([point.pt for point in detected], dtype=np.float32).reshape(-1, 2)
    return Keypoints(
        points / np.float32(scale),
        np.zeros((0, 61), dtype=np.uint8) if descriptors is None else descriptors,
        np.array([point.size for point in detected], dtype=np.float32) / np.float32(scale),
        np.array([point.response for point in detected], dtype=np.float32),
    )


def _padded(descriptors: np.ndarray) -> np.ndarray:
    padded = np.zeros((len(descriptors), 64), dtype=np.uint8)  # whole 64-bit words: the fast path of the search
    padded[:, : descriptors.shape[1]] = descriptors
    return padded


def _ratio_matches(a: Keypoints, b: Keypoints, ratio: float) -> tuple[np.ndarray, np.ndarray]:
    """Matches from `b` into `a` that pass the ratio test, each point of `a` used once, by its nearest."""
    if len(a.points) < 2 or not len(b.points):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    distances, nearest = nearest_neighbours(_padded(b.descriptors), _padded(a.descriptors), 2)
    passed = np.flatnonzero(distances[:, 0] < ratio * distances[:, 1])
    by_distance = passed[np.argsort(distances[passed, 0], kind="stable")]
    left, first = np.unique(nearest[by_distance, 0], return_index=True)
    return left, by_distance[first]


def _fit(source: np.ndarray, target: np.ndarray, model: str, tolerance: float):
    if model == "affine":
        return cv2.estimateAffine2D(source, target, method=cv2.RANSAC, ransacReprojThreshold=tolerance)
    return cv2.findHomography(source, target, cv2.RANSAC, tolerance)
