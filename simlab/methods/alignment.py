"""Two pictures laid on each other and correlated: as they are, or as their matching keypoints say.

Correlation is taken after each pixel's surroundings are brought to the same mean and contrast, so
that brightness, contrast and a text over a part of the picture count little. Two methods:
``correlation``, of whole pictures, and ``aligned``; of each, first the distance of two features,
then how a feature is made.
"""

import functools
import math
import operator
from typing import Annotated, NamedTuple

import cv2
import numpy as np
from numpy import ndarray
from PIL import Image

from simlab.images import Size, read_grey, read_image
from simlab.methods import keypoints
from simlab.methods.keypoints import Keypoints, MaxSide, is_plausible, ratio_matches
from simlab.methods.orientations import MIRROR, turned
from simlab.methods.registry import Orientations, Seen, method
from simlab.specs import between, checked

SMALL = 160
"""Longer side of the small grey picture that is correlated after alignment."""

VIEW = 384
"""Longer side of the grey picture in which contradictions are looked for."""

COLOUR = 96
"""Longer side of the small colour picture."""

LEAST_OVERLAP = 200
"""Pixels of the small pictures that must lie on each other; less is no evidence of a copy."""

GOOD_FIT = 0.9
"""Where an affine transform brings less correlation than this, a homography may be fitted."""

HOPELESS = 0.25
"""Where pictures correlate less, however they are laid, nothing finer is tried."""

MANY_MATCHES = 12
"""It is fitted where so many matches agree on the affine transform (by chance, 4 to 6 do)."""

_BLOCK = 4096  # pairs at a time: 32 MB
_CONTRAST = 16.0  # grey levels squared: flatter surroundings are not blown up to noise


def uncorrelated(a: ndarray, b: ndarray) -> float:
    """Return 1 - correlation of two vectors: 0 the same, 1 unrelated, 2 the negative."""
    return float(uncorrelated_pairs(np.stack([a, b]), np.array([0]), np.array([1]))[0])


def uncorrelated_pairs(stack: ndarray, left: ndarray, right: ndarray) -> ndarray:
    """Return 1 - correlation of the rows `left` and `right` of float (n, d), to six digits."""
    vectors = stack.astype(np.float32)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    found = np.ones(len(left))
    for start in range(0, len(left), _BLOCK):
        rows = slice(start, start + _BLOCK)
        first = vectors[left[rows]]
        second = vectors[right[rows]]
        found[rows] -= np.einsum("nd,nd->n", first, second, dtype=np.float64)
    return np.maximum(found.round(6), 0.0)


def turned_vector(vector: ndarray, orientation: int) -> ndarray:
    """Return the vector of :func:`correlation` of the picture in another orientation."""
    side = math.isqrt(len(vector))
    return turned(vector.reshape(side, side), orientation).ravel()


@method(
    distance=uncorrelated,
    maximum=2.0,
    grey=True,
    compare_many=uncorrelated_pairs,
    feature_kind="vector",
    turn=turned_vector,
)
@checked
def correlation(image, *, side: Annotated[int, between(8, 128)] = 32) -> ndarray:
    """Return side² numbers, float16, of length 1: a small square grey copy, evened out.

    Two pictures, of whatever brightness and contrast, are alike as far as these vectors point the
    same way (normalised cross-correlation).
    """
    small = _shrunk(image, (side, side))
    [even] = _evened([small], np.ones_like(small), side / 8)
    even = even.ravel()
    return (even / max(float(np.linalg.norm(even)), 1e-9)).astype(np.float16)


TOLERANCE = 2.0
"""Pixels of the small grey picture by which a matched point may miss its place."""


class Looks(NamedTuple):
    """Keypoints of two looks at a picture, all in its own pixels, and a small grey copy of it.

    Two are equal where they hold the very same arrays: by that an answer about them is kept.
    """

    points: ndarray
    descriptors: ndarray
    sizes: ndarray
    responses: ndarray
    grey: ndarray
    """uint8 (height, width): at most :data:`SMALL` on the longer side."""
    scale: ndarray
    """float32 (1,): its longer side by the picture's."""
    view: ndarray
    """uint8 (height, width): the grey picture, at most :data:`VIEW` on the longer side."""
    colour: ndarray
    """uint8 (height, width, 3): the RGB picture, at most :data:`COLOUR` on the longer side."""

    def __hash__(self) -> int:
        return id(self.descriptors)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Looks) and all(map(operator.is_, self, other))


@checked
def aligned_distance(
    a: Looks,
    b: Looks,
    *,
    ratio: Annotated[float, between(0.01, 1)] = 0.85,
    tolerance: Annotated[float, between(0.1, 1000)] = TOLERANCE,
    orientations: Orientations = 1,
) -> float:
    """Return 1 - correlation of two pictures once one is laid on the other; 1 if nothing says how.

    An affine transform is fitted to the matches (Lowe's ratio test, RANSAC); then the pictures
    themselves decide, where they overlap: a wrong transform, which a few chance matches may agree
    on, does not bring them to correlate. Where many matches agree and the pictures yet differ, one
    may be seen from aside: then a homography is tried as well.

    Not symmetric: matches go from `b` into `a`, and RANSAC draws from them in their order.

    Args:
        ratio: as in :func:`simlab.keypoints.inlier_distance`.
        tolerance: by how many pixels of the small grey picture a matched point may miss its place:
            2 of 160 are a share of .0125 of the longer side, whatever the size of the picture.
        orientations: 8 to look at the mirror image of `b` too, where `b` does not fit well.
    """
    found = best_alignment(a, b, ratio, tolerance).likeness
    if orientations > 1 and found < GOOD_FIT:
        of_mirror = mirrored_alignment(a, b, ratio, tolerance)
        found = max(found, of_mirror.likeness)
    return round(1.0 - found, 6)


class Alignment(NamedTuple):
    """How a picture is laid on another by matching keypoints, in pixels of the small greys."""

    likeness: float
    """0 to 1: how well they correlate then."""
    transform: ndarray
    """float (3, 3): from pixels of the second to those of the first."""
    source: ndarray
    """float32 (n, 2): the matched keypoints of the second."""
    target: ndarray
    """float32 (n, 2): those of the first."""


@functools.lru_cache(maxsize=4)
def best_alignment(a: Looks, b: Looks, ratio: float, tolerance: float) -> Alignment:
    """Return how the second is laid on the first, and how well two pictures correlate at best.

    What two methods ask of a pair is worked out once.
    """
    left, right = ratio_matches(Keypoints._make(a[:4]), Keypoints._make(b[:4]), ratio)
    source = _in_small(b).points[right]
    target = _in_small(a).points[left]
    nothing = Alignment(0.0, np.eye(3), source, target)
    if len(source) < 4:
        return nothing
    affine, agree = cv2.estimateAffine2D(
        source, target, method=cv2.RANSAC, ransacReprojThreshold=tolerance
    )
    if affine is None:
        return nothing
    transform = np.vstack([affine, [0, 0, 1]])
    best = likeness(a.grey, b.grey, transform)
    if best < GOOD_FIT and agree.sum() >= MANY_MATCHES:
        is_near = near_to(transform, source, target)
        homography, _ = cv2.findHomography(source[is_near], target[is_near], cv2.RANSAC, tolerance)
        if homography is not None:
            of_homography = likeness(a.grey, b.grey, homography)
            if of_homography > best:
                return Alignment(of_homography, homography, source, target)
    return Alignment(best, transform, source, target)


def mirrored_alignment(a: Looks, b: Looks, ratio: float, tolerance: float) -> Alignment:
    """Return the same of the mirror image of the second, which few are.

    So half of its keypoints are asked first, which takes half the time; only where the pictures
    correlate at all by these, all are.
    """
    half, image = _mirror_images(b)
    found = best_alignment(a, half, ratio, tolerance)
    if found.likeness <= HOPELESS:
        return found
    return best_alignment(a, image, ratio, tolerance)


@functools.lru_cache(maxsize=2)
def _mirror_images(looks: Looks) -> tuple[Looks, Looks]:
    """The mirror image with half of its keypoints, and with all."""
    image = mirrored(looks)
    half = [column[::2] for column in image[:4]]
    return Looks(*half, *image[4:]), image


def mirrored(looks: Looks) -> Looks:
    """Return about the same as of the mirror image of the picture, made in a millisecond."""
    small_width = looks.grey.shape[1]
    right = small_width / float(looks.scale[0]) - 1
    points = looks.points * np.float32([-1, 1]) + np.float32([right, 0])
    descriptors = keypoints.mirrored_bits(looks.descriptors)
    pictures = {}
    for name in ("grey", "view", "colour"):
        pictures[name] = np.ascontiguousarray(turned(getattr(looks, name), MIRROR))
    return looks._replace(points=points, descriptors=descriptors, **pictures)


def near_to(transform: ndarray, source: ndarray, target: ndarray) -> ndarray:
    """Return which matches a transform brings near to their places: bool (n,).

    A homography is fitted to these: all matches would take RANSAC many times as long.
    """
    moved = cv2.perspectiveTransform(source[:, None], transform)[:, 0]
    return np.abs(moved - target).max(axis=1) < SMALL / 10


def _in_small(looks: Looks) -> Keypoints:
    """The keypoints, in pixels of the small grey picture."""
    return keypoints.scaled(Keypoints._make(looks[:4]), float(looks.scale[0]))


def likeness(grey: ndarray, other: ndarray, to_grey: ndarray) -> float:
    """Return the correlation, 0 to 1, of two small pictures once the other is laid on the first.

    It is taken where they overlap, in the frame of the coarser: the finer is shrunk to it.
    """
    area = np.linalg.det(to_grey[:2, :2] / to_grey[2, 2])
    if not is_plausible(area):
        return 0.0
    if area > 1:
        return _overlap_correlation(other, grey, np.linalg.inv(to_grey))
    return _overlap_correlation(grey, other, to_grey)


def _overlap_correlation(coarse: ndarray, fine: ndarray, to_coarse: ndarray) -> float:
    size = coarse.shape[::-1]
    laid = cv2.warpPerspective(fine.astype(np.float32), to_coarse, size)
    whole = np.ones(fine.shape, np.float32)
    mask = cv2.warpPerspective(whole, to_coarse, size, flags=cv2.INTER_NEAREST)
    if mask.sum() < LEAST_OVERLAP:
        return 0.0
    smooth = []
    for even in _evened([laid, coarse.astype(np.float32)], mask, SMALL / 32):
        # so smooth that a pixel's miss counts little
        smooth.append(cv2.GaussianBlur(even, (0, 0), 1.0) * mask)
    first, second = smooth
    lengths = np.sqrt((first**2).sum() * (second**2).sum() + 1e-9)
    alike = (first * second).sum() / lengths
    return max(0.0, min(1.0, float(alike)))


OF_LOOKS = {
    "maximum": 1.0,
    "restore": Looks._make,
    "feature": "looks",
    "feature_kind": "keypoints",
    "symmetric": False,
    "of_seen": True,
}
"""What the methods that compare looks have in common."""


@method("aligned", distance=aligned_distance, **OF_LOOKS)
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
    """Return AKAZE keypoints of two looks at a picture, as it is and at half size, and a grey copy.

    The half-size look is for pictures that were enlarged, such as a crop scaled back to full size:
    AKAZE's own scales begin at one pixel. So a picture of 100 pixels has next to no keypoints, and
    is looked at in double size too. Looks are always a factor of two apart: at nearly the same
    scale every keypoint would have a twin, and the ratio test would reject the matches of both. So
    all of them are of the working picture, which `max_side` bounds.

    Args:
        max_side: a larger picture is first scaled down to this side; None keeps it.
        max_keypoints: of each look: the strongest. The threshold is low, so that smooth pictures
            have some too.
        threshold: least detector response.
        half: take the second look, at half the size of the working picture; without it a query
            costs a fifth less.
        enlarge: a working picture whose longer side is under this is looked at in double size too.
    """
    seen = image
    if not isinstance(image, Seen):
        seen = Seen(read_image(image))
    working, working_scale = keypoints.at_most(seen.image, max_side, seen.reduced.image)
    detector = keypoints.akaze_detector(threshold, max_points=max_keypoints)
    found = [keypoints.detect(working, detector)]
    if half and min(working.size) >= 2 * keypoints.MIN_SIDE:
        found.append(keypoints.scaled(keypoints.detect(working.reduce(2), detector), 2.0))
    if max(working.size) < enlarge:
        double_size = (2 * working.width, 2 * working.height)
        double = working.resize(double_size, Image.Resampling.BICUBIC)
        found.append(keypoints.scaled(keypoints.detect(double, detector), 0.5))
    joined = Keypoints._make([np.concatenate(columns) for columns in zip(*found)])
    small_scale = min(1.0, SMALL / max(working.size))
    size = tuple(max(1, round(small_scale * side)) for side in working.size)
    grey = np.rint(_shrunk(working, size)).astype(np.uint8)
    # of the longer side: the shorter one of a narrow picture is rounded to a few pixels
    scale = np.array([max(size) / max(seen.image.size)], dtype=np.float32)
    view, _ = keypoints.at_most(read_grey(working), VIEW)
    colour, _ = keypoints.at_most(working, COLOUR)
    in_given = keypoints.scaled(joined, 1 / working_scale)
    return Looks(*in_given, grey, scale, np.asarray(view), np.asarray(colour))


def _shrunk(image, size: Size) -> ndarray:
    """A small grey copy: float32 (height, width)."""
    grey = np.asarray(read_grey(image), dtype=np.float32)
    return cv2.resize(grey, size, interpolation=cv2.INTER_AREA)


def _evened(greys: list[ndarray], mask: ndarray, sigma: float) -> list[ndarray]:
    """Local mean 0 and contrast 1 within the mask, 0 outside; surroundings are Gaussian."""

    def near(values):
        return cv2.GaussianBlur(values, (0, 0), sigma)

    weight = near(mask) + 1e-6
    evened = []
    for grey in greys:
        mean = near(grey * mask) / weight
        variance = near(grey * grey * mask) / weight - mean * mean
        evened.append((grey - mean) / np.sqrt(np.maximum(variance, 0) + _CONTRAST) * mask)
    return evened
