"""Where the one picture lies in the other: a transform, the part that both show, and its shares.

Read :func:`overlap` first. One picture is laid on the other, to the pixel
(:mod:`~simlab.methods.frames`), as it is, turned or mirrored. What both show is where their
outlines overlap; where much of that is something else, as around a detail in a collage, it is the
rectangle in which they agree.

Points are given by their distances from the left and the upper edge: a picture reaches from (0, 0)
to its width and height.
"""

from typing import Any, NamedTuple

import cv2
import numpy as np
import pandas as pd
from numpy import ndarray

from simlab.images import Size, read_image
from simlab.methods import alignment, registry
from simlab.methods.alignment import Looks
from simlab.methods.frames import Frame, common_frame, likely_transforms, resized
from simlab.methods.packing import unpack
from simlab.tables import SIDES, Row

CONTAINED = 0.97
"""A picture of whose area so much is shown by the other is contained in it."""

EDGES = ("left", "top", "right", "bottom")

COLUMNS = ["overlap", "overlap_reference", "overlap_query", "contains"]
for _side in SIDES:
    COLUMNS += [f"{edge}_{_side}" for edge in EDGES]
COLUMNS += ["transform"]

_CONTAINS = ("neither", "query", "reference", "both")

_WELL = 0.6
_LEAST = 0.35
_LEAST_GAIN = 300.0
"""Pictures that agree less, or in fewer places of the frame, are not said to overlap."""

_RATIO = 0.85
_MOSTLY = 0.9
"""Where the outlines gain so much of what the best rectangle gains, they are taken."""

_AROUND = 1.5  # sigma of what is around a place, in pixels of the frame
_FLAT = 30.0  # grey levels squared: less contrast says little
_HALFWAY = 0.45  # correlation of a place that neither agrees nor disagrees
_PLAIN = 0.3  # what a place without contrast is worth, if both are equally light there
_LEVELS = 16.0  # grey levels that are halfway from equally light to not
_UNCHANGED = (1.0, 0.0)  # the line by which levels of grey are as they were
_GRID = 200  # places on the longer side of the grid in which the rectangle is looked for


class Overlap(NamedTuple):
    """Where two pictures show the same."""

    to_reference: ndarray
    """float (3, 3): from points of the query to those of the reference."""
    box_reference: ndarray
    """float (4,): left, top, right, bottom of what both show; where it is turned, it is within."""
    box_query: ndarray
    """float (4,): the same, in the query."""
    share_reference: float
    """0 to 1: of the reference's area, what both show."""
    share_query: float
    agreement: float
    """Correlation of what both show, -1 to 1, from places that have some contrast."""


def overlap(image_a, image_b) -> pd.DataFrame:
    """Return one row: where two pictures show the same; NaN if nothing says how they lie.

    Args:
        image_a, image_b: the reference and the query: what :func:`simlab.read_image` takes.

    Returns:
        Columns overlap (of the area that either shows, the share that both show), overlap_reference
        and overlap_query (the same of the area of one); contains ("reference" contains the query,
        "query" contains the reference, "both" show the same, or "neither"); the box of what both
        show in either picture (left_reference, top_reference, right_reference, bottom_reference,
        left_query and so on), from the left and upper edge, in pixels; and transform, from points
        of the query to those of the reference: nine numbers of a 3 x 3 matrix, row by row, in
        brackets. What both show is where the one box, so moved, lies in the other
        (:func:`outlines`).
    """
    reference = read_image(image_a)
    query = read_image(image_b)
    looks = [feature().extract(picture) for picture in (reference, query)]
    return pd.DataFrame([row_of(between(*looks, reference.size, query.size))])


def feature() -> registry.Feature:
    """Return what is needed of pictures: their looks."""
    return registry.get("aligned").feature


def row_of(found: Overlap | None) -> dict[str, Any]:
    """Return the columns of :func:`overlap`, for a CSV too: numbers, and texts without commas."""
    row = dict.fromkeys(COLUMNS, np.nan)
    if found is None:
        return row | {"contains": "", "transform": ""}
    shares = (found.share_reference, found.share_query)
    boxes = (found.box_reference, found.box_query)
    row["overlap"] = round(1 / (1 / shares[0] + 1 / shares[1] - 1), 4)
    for side, share, box in zip(SIDES, shares, boxes):
        row[f"overlap_{side}"] = round(share, 4)
        for edge, value in zip(EDGES, box):
            row[f"{edge}_{side}"] = round(float(value), 1)
    is_all_of_reference = found.share_reference >= CONTAINED
    is_all_of_query = found.share_query >= CONTAINED
    row["contains"] = _CONTAINS[is_all_of_reference + 2 * is_all_of_query]
    numbers = " ".join(f"{value:.9g}" for value in found.to_reference.ravel())
    # not a minus in front, which a spreadsheet takes for a formula
    row["transform"] = f"[{numbers}]"
    return row


def outlines(row: Row) -> tuple[ndarray, ndarray] | None:
    """Return the outline of what both show, float (n, 2), in the reference and in the query.

    None where nothing says it.

    Args:
        row: with the columns of :func:`overlap`, also as read from a CSV.
    """
    transform = transform_of(row)
    if transform is None:
        return None
    corners = []
    for side in SIDES:
        corners.append(_corners(box_in(row, side).ravel()))
    return _regions(transform, *corners)


def box_in(row: Row, side: str) -> ndarray:
    """Return where a row's box lies in a picture, float (2, 2): left and top, right and bottom."""
    edges = [row[f"{edge}_{side}"] for edge in EDGES]
    return np.array(edges, dtype=float).reshape(2, 2)


def transform_of(row: Row) -> ndarray | None:
    """Return what takes points of the query to those of the reference, float (3, 3).

    None where the row of a found pair does not say it.
    """
    text = row.get("transform")
    if not isinstance(text, str) or not text:  # a CSV knows no empty text
        return None
    return np.array(text.strip("[]").split(), dtype=float).reshape(3, 3)


def between(
    reference: bytes, query: bytes, size_reference: Size, size_query: Size
) -> Overlap | None:
    """Return where two pictures show the same, from each one's packed :func:`feature`.

    None where nothing says it.

    Args:
        size_reference, size_query: width and height.
    """
    if not reference or not query:
        return None
    sizes = (size_reference, size_query)
    if reference == query:
        boxes = [np.array([0.0, 0.0, *size]) for size in sizes]
        return Overlap(np.eye(3), *boxes, 1.0, 1.0, 1.0)
    a = Looks._make(unpack(reference))
    b = Looks._make(unpack(query))
    found = None
    for transform in _transforms(a, b):
        other = _in_frame(common_frame(a, b, transform), sizes)
        if found is None or (other is not None and other.agreement > found.agreement):
            found = other
        if found is not None and found.agreement >= _WELL:
            break
    return found


def _transforms(a: Looks, b: Looks) -> list[ndarray]:
    """How the second view may lie on the first; of a small detail only its keypoints say it."""
    likely = likely_transforms(a, b, _RATIO, orientations=8)
    if likely:
        return likely
    matched = alignment.best_alignment(a, b, _RATIO, alignment.TOLERANCE)
    if not matched.likeness:
        return []
    return [resized(a.grey, a.view) @ matched.transform @ resized(b.view, b.grey)]


def _in_frame(frame: Frame, sizes: tuple[Size, Size]) -> Overlap | None:
    """Where two pictures show the same, once they are laid on each other in one frame."""
    part = _part(frame)
    if part.gain < _LEAST_GAIN or part.agreement < _LEAST:
        return None
    size_first, size_second = sizes[::-1] if frame.swapped else sizes
    from_view = np.linalg.inv(_to_view(size_first, frame.first))
    to_first = from_view @ _of_edges(frame.to_first) @ _to_view(size_second, frame.fine.view)
    box_first = part.box_first * np.tile(size_first, 2)
    box_second = part.box_second * np.tile(size_second, 2)
    regions = _regions(to_first, _corners(box_first), _corners(box_second))
    if regions is None:
        return None
    to_reference = to_first
    if frame.swapped:
        regions = regions[::-1]
        to_reference = np.linalg.inv(to_first)
    boxes = []
    shares = []
    for region, (width, height) in zip(regions, sizes):
        inside = np.clip(region, 0, [width, height])
        boxes.append(np.concatenate([inside.min(axis=0), inside.max(axis=0)]))
        area = cv2.contourArea(region.astype(np.float32))
        shares.append(min(1.0, area / (width * height)))
    return Overlap(to_reference / to_reference[2, 2], *boxes, *shares, part.agreement)


class _Part(NamedTuple):
    """A part of a frame: where a box of either view, in shares of its sides, lies in the other."""

    gain: float
    agreement: float
    box_first: ndarray
    box_second: ndarray


def _part(frame: Frame) -> _Part:
    """What both pictures of a frame show."""
    maps = _maps(frame)
    everything = np.array([0.0, 0.0, 1.0, 1.0])
    gain, agrees, weight = maps.sum(axis=(0, 1))
    whole = _Part(gain, agrees / (weight + 1e-6), everything, everything)
    if gain >= _MOSTLY * maps[..., 0].clip(0).sum():
        return whole
    gain, agreement, box = _rectangle(maps)
    best = _Part(gain, agreement, box, everything)
    if not _keeps_upright(frame.to_first):
        # one that is turned in the first may be upright in the second
        to_second = np.linalg.inv(frame.to_first)
        height, width = frame.fine.view.shape
        gain, agreement, box = _rectangle(cv2.warpPerspective(maps, to_second, (width, height)))
        area = abs(np.linalg.det(frame.to_first[:2, :2] / frame.to_first[2, 2]))
        turned = _Part(gain * area, agreement, everything, box)
        best = max(best, turned, key=lambda part: part.gain)
    if whole.gain >= _MOSTLY * best.gain:
        return whole
    return best


def _keeps_upright(transform: ndarray) -> bool:
    """Whether a rectangle stays one, but for less than half a degree."""
    linear = np.abs(transform[:2, :2])
    return bool(linear[[0, 1], [1, 0]].max() < 0.005 * linear.max())


def _maps(frame: Frame) -> ndarray:
    """Of each place of a frame, float32 (height, width, 3): its gain, what agrees, and its weight.

    The gain is above 0 where the pictures agree, and below 0 where they do not.
    """

    first, second = frame.first, frame.second
    levels = np.dstack([first, second, first * first, second * second, first * second])
    around = cv2.GaussianBlur(levels, (0, 0), _AROUND)
    mean_first, mean_second, square_first, square_second, product = cv2.split(around)
    variance_first = np.maximum(square_first - mean_first**2, 0)
    variance_second = np.maximum(square_second - mean_second**2, 0)
    # where only one has contrast, as under a text, the levels of grey tell
    shared = np.sqrt(variance_first * variance_second)
    of_contrast = shared / (shared + _FLAT)
    correlation = (product - mean_first * mean_second) / (shared + _FLAT / 4)
    contrast = np.maximum(variance_first, variance_second)
    weight = contrast / (contrast + _FLAT)
    agrees = weight * np.maximum(correlation, 0)
    by_contrast = of_contrast * (correlation - _HALFWAY)
    known = np.sqrt(agrees * frame.both) + 1e-3
    fitted = np.polyfit(mean_second.ravel(), mean_first.ravel(), 1, w=known.ravel())
    # the rim of black corners may bend the fitted line: levels may be as they were, too
    gains = []
    for line in (fitted, _UNCHANGED):
        apart = np.abs(np.polyval(line, mean_second) - mean_first) / _LEVELS
        by_level = _PLAIN * (1 - np.minimum(apart, 2))
        gains.append(by_contrast + (1 - of_contrast) * by_level)
    gain = max(gains, key=lambda values: values[frame.both].clip(0).sum())
    return np.dstack([gain, weight * correlation, weight]) * frame.both[..., None]


def _rectangle(maps: ndarray) -> tuple[float, float, ndarray]:
    """The rectangle with the largest gain: this, how well it agrees, and its box."""
    height, width = maps.shape[:2]
    scale = min(1.0, _GRID / max(height, width))
    rows = max(1, round(scale * height))
    columns = max(1, round(scale * width))
    grid = cv2.resize(maps, (columns, rows), interpolation=cv2.INTER_AREA).astype(float)
    gain = grid[..., 0]
    sums = np.vstack([np.zeros(columns), gain.cumsum(axis=0)])
    top, bottom = np.triu_indices(rows + 1, k=1)
    # of every band of rows the best run of columns: J. Kadane's algorithm, on all bands at once
    bands = (sums[bottom] - sums[top]).cumsum(axis=1)
    bands = np.hstack([np.zeros((len(bands), 1)), bands])
    before = np.minimum.accumulate(bands, axis=1)
    band, right = np.unravel_index(np.argmax(bands - before), bands.shape)
    left = int(np.argmin(bands[band, : right + 1]))
    chosen = grid[top[band] : bottom[band], left:right]
    gained, agrees, weight = chosen.sum(axis=(0, 1))
    box = np.array([left / columns, top[band] / rows, right / columns, bottom[band] / rows])
    area = height * width / (rows * columns)
    return gained * area, agrees / (weight + 1e-6), box


def _regions(to_first: ndarray, first: ndarray, second: ndarray) -> tuple[ndarray, ndarray] | None:
    """The part of two convex outlines that lies in both, as points of the first and the second.

    None where they do not overlap.
    """
    moved = cv2.convexHull(_through(to_first, second).astype(np.float32))
    area, shared = cv2.intersectConvexConvex(first.astype(np.float32), moved)
    if area <= 0:
        return None
    region = shared.reshape(-1, 2).astype(float)
    return region, _through(np.linalg.inv(to_first), region)


def _through(transform: ndarray, points: ndarray) -> ndarray:
    """Where points (n, 2) come to lie."""
    return cv2.perspectiveTransform(points[None].astype(float), transform)[0]


def _corners(box: ndarray) -> ndarray:
    """The corners of left, top, right, bottom, (4, 2), in a round."""
    return box[[[0, 1], [2, 1], [2, 3], [0, 3]]]


def _to_view(size: Size, view: ndarray) -> ndarray:
    """From points of a picture of this size to those of its view."""
    height, width = view.shape
    return np.diag([width / size[0], height / size[1], 1.0])


def _of_edges(transform: ndarray) -> ndarray:
    """A transform of pixels, whose centres are whole numbers, as one of points."""
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    return half @ transform @ np.linalg.inv(half)
