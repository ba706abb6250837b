"""Two pictures laid on each other and correlated: as they are, or as their matching keypoints say.

Correlation is taken after each pixel's surroundings are brought to the same mean and contrast, so that brightness,
contrast and a text over a part of the picture count little.
"""

from typing import Annotated, NamedTuple

import cv2
import numpy as np
from PIL import Image

from simlab.images import read_image, to_grey
from simlab.methods import keypoints
from simlab.methods.keypoints import Keypoints, MaxSide
from simlab.specs import between, checked

SMALL = 160
"""Longer side of the small grey picture that is correlated after alignment."""

LEAST_OVERLAP = 200
"""Pixels of the small pictures that must lie on each other; less is no evidence of a copy."""

PLAIN, MANY = 0.9, 12
"""Where an affine transform brings less correlation than this, but so many matches agree on it (chance: 4 to 6), a
homography is fitted."""

_BLOCK = 4096  # pairs at a time: 32 MB
_CONTRAST = 16.0  # grey levels squared: flatter surroundings are not blown up to noise


class Looks(NamedTuple):
    """Keypoints of two looks at a picture, all in its own pixels, and a small grey copy of it."""

    points: np.ndarray
    descriptors: np.ndarray
    sizes: np.ndarray
    responses: np.ndarray
    grey: np.ndarray
    """uint8 (height, width): at most :data:`SMALL` on the longer side."""
    scale: np.ndarray
    """float32 (1,): its longer side by the picture's."""


@checked
def correlation(image, *, side: Annotated[int, between(8, 128)] = 32) -> np.ndarray:
    """Return side² numbers, float16, of length 1: a small square grey copy, evened out in brightness and contrast.

    Two pictures are alike as far as these vectors point the same way (normalised cross-correlation).
    """
    small = _shrunk(_grey(image), (side, side))
    even = _evened(small, np.ones_like(small), side / 8).ravel()
    return (even / max(float(np.linalg.norm(even)), 1e-9)).astype(np.float16)


def uncorrelated(a: np.ndarray, b: np.ndarray) -> float:
    """Return 1 - correlation of two vectors: 0 the same, 1 unrelated, 2 the negative."""
    return float(uncorrelated_pairs(np.stack([a, b]), np.array([0]), np.array([1]))[0])


def uncorrelated_pairs(stack: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Return 1 - correlation of rows i and j of float (n, d), rounded to six digits."""
    stack = stack.astype(np.float32)
    stack /= np.maximum(np.linalg.norm(stack, axis=1, keepdims=True), 1e-9)
    found = np.ones(len(i))
    for start in range(0, len(i), _BLOCK):
        rows = slice(start, start + _BLOCK)
        found[rows] -= np.einsum("nd,nd->n", stack[i[rows]], stack[j[rows]], dtype=np.float64)
    return np.maximum(found.round(6), 0.0)


@checked
def looks(
    image,
    *,
    max_side: MaxSide = 800,
    max_keypoints: Annotated[int, between(1, 100_000)] = 800,
    threshold: Annotated[float, between(1e-6, 1)] = 0.0001,
    half: bool = True,
    enlarge: Annotated[int, between(0, 100_000)] = 200,
) -> Looks:
    """Return AKAZE keypoints of two looks at a picture, as it is and at half size, with a small grey copy.

    The half-size look is for pictures that were enlarged, such as a crop scaled back to full size: AKAZE's own scales
    begin at one pixel. So a picture of 100 pixels has next to no keypoints, and is looked at in double size too.
    Looks are always a factor of two apart: at nearly the same scale every keypoint would have a twin, and the ratio
    test would reject the matches of both. So all of them are of the working picture, which `max_side` bounds.

    Args:
        max_side: a larger picture is first scaled down to this side; None keeps it.
        max_keypoints: of each look: the strongest. The threshold is low, so that smooth pictures have some too.
        threshold: least detector response.
        half: take the second look, at half the size of the working picture; without it a query costs a fifth less.
        enlarge: a working picture whose longer side is under this is looked at in double size too.
    """
    image = read_image(image)
    working, scale = keypoints.at_most(image, max_side)
    detector = keypoints.akaze_detector(threshold, max_points=max_keypoints)
    found = [keypoints.detect(working, detector)]
    if half and min(working.size) >= 2 * keypoints.MIN_SIDE:
        found.append(keypoints.scaled(keypoints.detect(working.reduce(2), detector), 2.0))
    if max(working.size) < enlarge:
        double_size = (2 * working.width, 2 * working.height)
        double = working.resize(double_size, Image.Resampling.BICUBIC)
        found.append(keypoints.scaled(keypoints.detect(double, detector), 0.5))
    joined = Keypoints(*(np.concatenate(columns) for columns in zip(*found)))
    small_scale = min(1.0, SMALL / max(working.size))
    size = tuple(max(1, round(small_scale * side)) for side in working.size)
    grey = np.rint(_shrunk(_grey(working), size)).astype(np.uint8)
    # of the longer side: the shorter one of a narrow picture is rounded to a few pixels
    ratio = np.array([max(size) / max(image.size)], dtype=np.float32)
    return Looks(*keypoints.scaled(joined, 1 / scale), grey, ratio)


@checked
def aligned_distance(
    a: Looks,
    b: Looks,
    *,
    ratio: Annotated[float, between(0.01, 1)] = 0.85,
    tolerance: Annotated[float, between(0.1, 1000)] = 2.0,
) -> float:
    """Return 1 - correlation of two pictures once one is laid on the other; 1 where nothing says how.

    An affine transform is fitted to the matches (Lowe's ratio test, RANSAC); then the pictures themselves decide, where
    they overlap: a wrong transform, which a few chance matches may agree on, does not bring them to correlate. Where
    many matches agree and the pictures yet differ, one may be seen from aside: then a homography is tried as well.

    Not symmetric: matches go from `b` into `a`, and RANSAC draws from them in their order.

    Args:
        ratio: as in :func:`simlab.keypoints.inlier_distance`.
        tolerance: by how many pixels of the small grey picture a matched point may miss its place: 2 of 160 are a
            share of .0125 of the longer side, whatever the size of the picture.
    """
    first, second = _in_small(a), _in_small(b)
    left, right = keypoints.ratio_matches(first, second, ratio)
    if len(left) < 4:
        return 1.0
    source = second.points[right]
    target = first.points[left]
    affine, agree = cv2.estimateAffine2D(
        source, target, method=cv2.RANSAC, ransacReprojThreshold=tolerance
    )
    likeness = 0.0 if affine is None else _likeness(a, b, np.vstack([affine, [0, 0, 1]]))
    if likeness < PLAIN and agree is not None and agree.sum() >= MANY:
        homography, _ = cv2.findHomography(source, target, cv2.RANSAC, tolerance)
        likeness = max(likeness, 0.0 if homography is None else _likeness(a, b, homography))
    return round(1.0 - likeness, 6)


def _likeness(a: Looks, b: Looks, to_a: np.ndarray) -> float:
    """Correlation, 0 to 1, where the small pictures overlap, in the frame of the coarser: the finer is shrunk to it."""
    area = np.linalg.det(to_a[:2, :2] / to_a[2, 2])
    if not 1 / 400 < area < 400:
        return 0.0
    if area > 1:
        a, b, to_a = b, a, np.linalg.inv(to_a)
    size = a.grey.shape[::-1]
    laid = cv2.warpPerspective(b.grey.astype(np.float32), to_a, size)
    mask = cv2.warpPerspective(
        np.ones(b.grey.shape, np.float32), to_a, size, flags=cv2.INTER_NEAREST
    )
    if mask.sum() < LEAST_OVERLAP:
        return 0.0
    first, second = (
        cv2.GaussianBlur(_evened(grey, mask, SMALL / 32), (0, 0), 1.0) * mask
        for grey in (laid, a.grey.astype(np.float32))
    )
    likeness = (first * second).sum() / np.sqrt((first**2).sum() * (second**2).sum() + 1e-9)
    return max(0.0, min(1.0, float(likeness)))


def _evened(grey: np.ndarray, mask: np.ndarray, sigma: float) -> np.ndarray:
    """Local mean 0 and contrast 1 within the mask, 0 outside; surroundings are Gaussian."""
    near = lambda values: cv2.GaussianBlur(values, (0, 0), sigma)  # noqa: E731
    weight = near(mask) + 1e-6
    mean = near(grey * mask) / weight
    variance = near(grey * grey * mask) / weight - mean * mean
    return (grey - mean) / np.sqrt(np.maximum(variance, 0) + _CONTRAST) * mask


def _in_small(looks: Looks) -> Keypoints:
    """The keypoints, in pixels of the small grey picture."""
    return keypoints.scaled(Keypoints(*looks[:4]), float(looks.scale[0]))


def _grey(image) -> np.ndarray:
    given = isinstance(image, Image.Image) and image.mode == "L"
    return np.asarray(image if given else to_grey(read_image(image)), dtype=np.float32)


def _shrunk(grey: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
