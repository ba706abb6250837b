"""One picture laid on another, to the pixel: the frame in which two pictures are compared.

Read :func:`likely_transforms` (how one may lie on the other) and :func:`common_frame` first. The
transforms of matched keypoints are exact to a few pixels; patches that are looked for nearby bring
the rest.
"""

import functools
import math
import operator
from collections.abc import Iterable
from typing import NamedTuple

import cv2
import numpy as np
from numpy import ndarray

from simlab.methods import alignment
from simlab.methods.alignment import GOOD_FIT, HOPELESS, TOLERANCE, Looks
from simlab.methods.keypoints import is_plausible
from simlab.methods.orientations import MIRROR, TURNED, to_turned, turned

RELATED = 0.4
"""Pictures that correlate less, however they are laid, have no common frame."""

_ABOUT_AS_LIKELY = 0.1
"""Frames whose correlation is this much less than the best one's are tried too."""

_AS_GOOD_AS_CAN_BE = 0.97
"""Where the small greys correlate so much, no other transforms are tried."""

_MOST_SQUEEZED = 6
"""A picture that is squeezed more, one way against the other, is none that anyone made."""

_SURROUNDINGS = (17, 17)  # pixels of the small greys
_PATCH = 32  # pixels, of the patches that are looked for
_REACH = 7  # pixels, by which they may have moved
_MOST_PATCHES = 32
_SURE = 0.6  # correlation of a patch that was found
_ENOUGH = 5  # patches that agree
_MANY = 12  # patches for a homography
_NEARLY_ALL = 0.9  # share of the patches that an affine transform must fit
_MOST_CORRECTIONS = 3
_EVEN = (11, 11)  # pixels: what is coarser is no fine detail
_STILL = 0.5  # pixels: a correction that moves less is the last


class Frame(NamedTuple):
    """Two views, the second laid on the first, which is the coarser."""

    first: ndarray
    second: ndarray
    both: ndarray
    """bool: where both show something."""
    coarse: Looks
    fine: Looks
    to_first: ndarray
    """float (3, 3): from pixels of the second view, as it was, to those of the first."""
    swapped: bool
    """Whether the first is the query."""
    agreement: float
    """Correlation of fine detail, where both show something."""
    overlap: float
    """0 to 1: share of the smaller that both show."""

    @property
    def explained(self) -> float:
        """How much of the smaller is the same in both: less than 1."""
        return self.agreement * self.overlap


class _Guess(NamedTuple):
    """How one small grey may lie on the other, and how alike they then are."""

    likeness: float
    small: ndarray


_BY_LIKENESS = operator.attrgetter("likeness")


@functools.lru_cache(maxsize=4)
def likely_transforms(a: Looks, b: Looks, ratio: float, *, orientations: int) -> list[ndarray]:
    """Return how the second view may lie on the first, likeliest first; none if not related.

    Beside what matching keypoints say, the whole of one may be the whole of the other, or its
    mirror image. Where a part fits turned, the best one upright is among them: a part that is its
    own mirror image fits even better than two shots of one scene do.

    Args:
        orientations: 8 to try, where nothing fits well, the keypoints of the mirror image as well,
            and the whole in every orientation.
    """
    matched = alignment.best_alignment(a, b, ratio, TOLERANCE)
    guesses = _guesses(a, b, [matched.transform, _of_whole(a, b, 0)])
    if guesses[0].likeness < _AS_GOOD_AS_CAN_BE:
        guesses += _guesses(a, b, [_of_whole(a, b, MIRROR)])
        if max(map(_BY_LIKENESS, guesses)) > HOPELESS:
            guesses += _guesses(a, b, _of_fine_matches(matched))
    upright = max(map(_BY_LIKENESS, guesses))
    if orientations > 1 and upright < GOOD_FIT:
        guesses += _guesses(a, b, _of_turned(a, b, ratio))
    guesses.sort(key=_BY_LIKENESS, reverse=True)
    least = max(RELATED, guesses[0].likeness - _ABOUT_AS_LIKELY)
    likely = []
    for likeness, small in guesses:
        transform = resized(a.grey, a.view) @ small @ resized(b.view, b.grey)
        is_likely = likeness >= least or (likeness == upright and likeness >= RELATED)
        if is_likely and _is_new(transform, likely, b.view.shape):
            likely.append(transform)
    return likely


def _guesses(a: Looks, b: Looks, transforms: Iterable[ndarray]) -> list[_Guess]:
    return [_Guess(_alike(a, b, small), small) for small in transforms]


def _is_new(transform: ndarray, known: list[ndarray], shape: tuple[int, ...]) -> bool:
    """Whether it moves a corner of the picture elsewhere than each that is known."""
    corners = _corners(transform, shape)
    apart = [np.abs(corners - _corners(one, shape)).max() for one in known]
    return min(apart, default=math.inf) > _REACH / 2


def _of_turned(a: Looks, b: Looks, ratio: float) -> list[ndarray]:
    """Transforms of the small greys where one is turned or mirrored.

    What is out of the question is not worked out.
    """
    found = []
    one = _small_vector(a.grey.tobytes(), a.grey.shape)
    other = _small_vector(b.grey.tobytes(), b.grey.shape)
    for orientation in TURNED:
        if one @ alignment.turned_vector(other, orientation) > HOPELESS:
            found.append(_of_whole(a, b, orientation))
    matched = alignment.mirrored_alignment(a, b, ratio, TOLERANCE)
    if matched.likeness > HOPELESS:
        to_mirrored = to_turned(MIRROR, b.grey.shape)
        of_mirrored = [matched.transform, *_of_fine_matches(matched)]
        found.extend(small @ to_mirrored for small in of_mirrored)
    return found


@functools.lru_cache(maxsize=64)
def _small_vector(pixels: bytes, shape: tuple[int, int]) -> ndarray:
    """What :func:`alignment.correlation` makes of a small grey: of many pairs one is the same."""
    grey = np.frombuffer(pixels, dtype=np.uint8).reshape(shape)
    return alignment.correlation(grey).astype(np.float32)


def _of_whole(a: Looks, b: Looks, orientation: int) -> ndarray:
    """What lays the whole of one, in an orientation, on the whole of the other."""
    whole = resized(turned(b.grey, orientation), a.grey)
    return whole @ to_turned(orientation, b.grey.shape)


def _of_fine_matches(matched: alignment.Alignment) -> list[ndarray]:
    """Transforms by matches that are held to one pixel: turn, shift and scale alone; from aside."""
    source, target = matched.source, matched.target
    found = []
    if len(source) < 4:
        return found
    similarity, _ = cv2.estimateAffinePartial2D(source, target, ransacReprojThreshold=1.0)
    if similarity is not None:
        found.append(np.vstack([similarity, [0, 0, 1]]))
    is_near = alignment.near_to(matched.transform, source, target)
    if is_near.sum() >= _MANY:
        homography, _ = cv2.findHomography(source[is_near], target[is_near], cv2.RANSAC, 1.0)
        if homography is not None:
            found.append(homography)
    return found


def _alike(a: Looks, b: Looks, to_a: ndarray) -> float:
    """About what :func:`alignment.likeness` says of two small greys, in a third of its time.

    A mirror image is allowed.
    """
    linear = to_a[:2, :2] / to_a[2, 2]
    area = abs(np.linalg.det(linear))
    if not is_plausible(area) or np.linalg.cond(linear) > _MOST_SQUEEZED:
        return 0.0
    coarse, fine, to_coarse = a.grey, b.grey, to_a
    if area > 1:
        coarse, fine, to_coarse = b.grey, a.grey, np.linalg.inv(to_a)
    laid = warped(fine, to_coarse, coarse.shape)
    there = warped(np.ones_like(fine), to_coarse, coarse.shape, flags=cv2.INTER_NEAREST)
    if there.sum() < alignment.LEAST_OVERLAP:
        return 0.0
    mask = there.astype(np.float32)
    known = cv2.blur(mask, _SURROUNDINGS) + 1e-6
    one = _evened(coarse, mask, known)
    other = _evened(laid, mask, known)
    alike = (one @ other) / math.sqrt((one @ one) * (other @ other) + 1e-9)
    return max(0.0, float(alike))


def _evened(grey: ndarray, mask: ndarray, known: ndarray) -> ndarray:
    """Local mean 0 and contrast 1 within the mask, 0 outside, smoothed: (n,)."""
    inside = grey.astype(np.float32) * mask
    mean = cv2.blur(inside, _SURROUNDINGS) / known
    variance = cv2.blur(inside * inside, _SURROUNDINGS) / known - mean * mean
    even = (inside - mean) * mask / np.sqrt(np.maximum(variance, 0) + 16.0)
    return (cv2.GaussianBlur(even, (0, 0), 1.0) * mask).ravel()


def common_frame(a: Looks, b: Looks, to_a: ndarray) -> Frame:
    """Return both views in the frame of the coarser, laid on each other to the pixel.

    Args:
        to_a: about how the second view lies on the first.
    """
    return _common_frame(a, b, tuple(to_a.ravel().tolist()))


@functools.lru_cache(maxsize=4)
def _common_frame(a: Looks, b: Looks, numbers: tuple[float, ...]) -> Frame:
    to_a = np.array(numbers).reshape(3, 3)
    swapped = abs(np.linalg.det(to_a[:2, :2] / to_a[2, 2])) > 1
    coarse, fine = (b, a) if swapped else (a, b)
    to_coarse = np.linalg.inv(to_a) if swapped else to_a
    first = coarse.view.astype(np.float32)
    sharp_second = _as_coarse(fine.view, to_coarse)
    detail = _detail(first)
    laid = _laid(sharp_second, to_coarse, first.shape)
    agreement = _agreement(detail, laid)
    for _ in range(_MOST_CORRECTIONS):
        correction = _correction(first, *laid)
        if correction is None:
            break
        moved = _laid(sharp_second, correction @ to_coarse, first.shape)
        better = _agreement(detail, moved)
        if better <= agreement:
            break
        to_coarse = correction @ to_coarse
        laid = moved
        agreement = better
        if _largest_move(correction, first.shape) < _STILL:
            break
    second, both = laid
    inner = cv2.erode(both, np.ones((7, 7), np.uint8), borderValue=0) > 0
    area_of_fine = fine.view.size * abs(np.linalg.det(to_coarse[:2, :2] / to_coarse[2, 2]))
    overlap = min(1.0, float(both.sum()) / min(first.size, area_of_fine))
    return Frame(first, second, inner, coarse, fine, to_coarse, swapped, agreement, overlap)


def resized(given: ndarray, wanted: ndarray) -> ndarray:
    """Return what takes pixels of a picture to those of the same at another size.

    The centres of pixels are half a pixel in.
    """
    across = wanted.shape[1] / given.shape[1]
    down = wanted.shape[0] / given.shape[0]
    return np.array(
        [[across, 0, (across - 1) / 2], [0, down, (down - 1) / 2], [0, 0, 1]], dtype=float
    )


def warped(picture: ndarray, transform: ndarray, shape: tuple[int, ...], **options) -> ndarray:
    """Return a picture through a transform, in half the time where this keeps parallels."""
    size = shape[1::-1]
    last_row = transform[2] / transform[2, 2]
    if np.abs(last_row[:2]).max() > 1e-9:
        return cv2.warpPerspective(picture, transform, size, **options)
    return cv2.warpAffine(picture, transform[:2] / transform[2, 2], size, **options)


def _as_coarse(view: ndarray, transform: ndarray) -> ndarray:
    """A view without the detail that is lost when a transform shrinks it: float32."""
    fine = view.astype(np.float32)
    shrunk = math.sqrt(abs(np.linalg.det(transform[:2, :2] / transform[2, 2])))
    if shrunk < 0.9:
        return cv2.GaussianBlur(fine, (0, 0), 0.5 / shrunk)
    return fine


def _laid(fine: ndarray, transform: ndarray, shape: tuple[int, ...]) -> tuple[ndarray, ndarray]:
    """A view as it lies in another frame, and where it does (uint8)."""
    laid = warped(fine, transform, shape, borderMode=cv2.BORDER_REPLICATE)
    whole = np.ones(fine.shape, np.uint8)
    return laid, warped(whole, transform, shape, flags=cv2.INTER_NEAREST)


def _detail(grey: ndarray) -> ndarray:
    return grey - cv2.blur(grey, _EVEN)


def _agreement(detail: ndarray, laid: tuple[ndarray, ndarray]) -> float:
    """Correlation of the fine detail of two pictures, where both show something."""
    second, both = laid
    one = cv2.copyTo(detail, both).ravel()
    other = cv2.copyTo(_detail(second), both).ravel()
    lengths = math.sqrt(float(one @ one) * float(other @ other)) + 1e-9
    return float(one @ other) / lengths


def _correction(first: ndarray, second: ndarray, both: ndarray) -> ndarray | None:
    """The transform that moves the second to the first by the last pixels, if any is found.

    Patches of the first are looked for in the second nearby, by correlation.
    """
    moved = [_moved(first, second, x, y) for x, y in _patches(first, both)]
    pairs = [pair for pair in moved if pair is not None]
    if len(pairs) <= _ENOUGH:
        return None
    here = np.array([pair[0] for pair in pairs], dtype=np.float32)
    there = np.array([pair[1] for pair in pairs], dtype=np.float32)
    affine, agree = cv2.estimateAffine2D(there, here, method=cv2.RANSAC, ransacReprojThreshold=1.0)
    if affine is None or agree.sum() < _ENOUGH:
        return None
    correction = np.vstack([affine, [0, 0, 1]])
    if agree.sum() < _NEARLY_ALL * len(pairs) and len(pairs) >= _MANY:
        # seen from aside: no affine transform fits all of it
        homography, agree_too = cv2.findHomography(there, here, cv2.RANSAC, 1.0)
        fits_more = homography is not None and agree_too.sum() > agree.sum()
        if fits_more and _largest_move(homography, first.shape) <= 2 * _REACH:
            return homography
    if _largest_move(correction, first.shape) > 2 * _REACH:
        return None
    return correction


def _largest_move(transform: ndarray, shape: tuple[int, ...]) -> float:
    """By how many pixels a transform moves the corners at most."""
    return float(np.abs(_corners(transform, shape) - _corners(np.eye(3), shape)).max())


def _corners(transform: ndarray, shape: tuple[int, ...]) -> ndarray:
    """Where the corners of a picture come to lie, float (4, 2)."""
    height, width = shape
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]])
    moved = corners @ transform.T
    return moved[:, :2] / moved[:, 2:]


def _patches(first: ndarray, both: ndarray) -> list[tuple[int, int]]:
    """Left upper corners of patches with contrast, those with most of it first."""
    height, width = first.shape
    half = _PATCH // 2
    rows = slice(_REACH + half, height - half - _REACH, half)
    columns = slice(_REACH + half, width - half - _REACH, half)
    covered = cv2.erode(both, np.ones((_PATCH, _PATCH), np.uint8), borderValue=0)
    mean = cv2.blur(first, (_PATCH, _PATCH))[rows, columns]
    variance = cv2.blur(first * first, (_PATCH, _PATCH))[rows, columns] - mean * mean
    contrast = np.where(covered[rows, columns] > 0, variance, 0.0)
    strongest = np.argsort(-contrast, axis=None, kind="stable")[:_MOST_PATCHES]
    y, x = np.unravel_index(strongest, contrast.shape)
    is_usable = contrast[y, x] > 25
    corners = np.column_stack([x, y])[is_usable] * half + _REACH
    return [(left, top) for left, top in corners.tolist()]


def _moved(first: ndarray, second: ndarray, x: int, y: int):
    """The centre of a patch of the first, and where in the second it is, to parts of a pixel."""
    patch = first[y : y + _PATCH, x : x + _PATCH]
    around = second[y - _REACH : y + _PATCH + _REACH, x - _REACH : x + _PATCH + _REACH]
    found = cv2.matchTemplate(around, patch, cv2.TM_CCOEFF_NORMED)
    _, best, _, (across, down) = cv2.minMaxLoc(found)
    on_the_rim = across in (0, 2 * _REACH) or down in (0, 2 * _REACH)
    if best < _SURE or on_the_rim:
        return None
    left, right = found[down, across - 1], found[down, across + 1]
    above, below = found[down - 1, across], found[down + 1, across]
    here = (x + _PATCH / 2, y + _PATCH / 2)
    there = (
        here[0] + across - _REACH + _peak(left, best, right),
        here[1] + down - _REACH + _peak(above, best, below),
    )
    return here, there


def _peak(before: float, best: float, after: float) -> float:
    """Where between -.5 and .5 the parabola through three values has its peak."""
    bend = before - 2 * best + after
    return 0.5 * (before - after) / (bend - 1e-9)


def to_pixels(frame: Frame) -> tuple[ndarray, ndarray]:
    """Return what takes the frame to pixels of the first, and of the second, as they were given."""
    to_second = np.linalg.inv(frame.to_first)
    first = _resized_to_given(frame.coarse)
    return first, _resized_to_given(frame.fine) @ to_second


def _resized_to_given(looks: Looks) -> ndarray:
    """From pixels of the view to those of the picture that was given."""
    factor = max(looks.grey.shape) / float(looks.scale[0]) / max(looks.view.shape)
    return np.array([[factor, 0, (factor - 1) / 2], [0, factor, (factor - 1) / 2], [0, 0, 1]])
