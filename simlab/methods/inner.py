"""The part of a picture that shows something.

Bars and borders of one colour are set aside; so is, where little is in a picture, the empty ground
around it.
"""

import cv2
import numpy as np
from numpy import ndarray

from simlab.images import Picture, is_flat

_SIDE = 320
"""Longer side in pixels of the grey copy in which bars are looked for."""

_SMOOTH = 1.0
"""Grey levels a pixel: along a bar neighbours differ less."""

_STEP = 8.0
"""Grey levels by which a bar ends."""

_STRAIGHT = 0.5
"""Share of its length along which a bar ends in one line."""

_STEEP = 3.0
"""There neighbours differ so many times as much as elsewhere."""

_LEAST_BAR = 5  # pixels of the grey copy
_LEAST_LEFT = 0.2
"""Share of a side that must be left."""

_SHOWN = 4.0
"""Grey levels by which neighbours differ where something is shown."""

_LITTLE = 0.03
"""Share of a picture: where less is shown, only the part around it counts."""

_LEAST_SIDE = 16
_LEAST_SHOWN = 8  # pixels of either side of what is shown


def inner_part(image: Picture, grey: Picture) -> Picture:
    """Return the part of a picture that shows something: itself, where that is all of it.

    Args:
        grey: the same picture as 8-bit grey.
    """
    pixels = np.asarray(grey)
    scale = min(1.0, _SIDE / max(grey.size))
    size = tuple(max(1, round(scale * side)) for side in grey.size)
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    left, top, right, bottom = _without_bars(small)
    shown = _shown(small[top:bottom, left:right])
    across = image.width / size[0]
    down = image.height / size[1]
    box = (round(left * across), round(top * down), round(right * across), round(bottom * down))
    if shown.any() and shown.mean() < _LITTLE:
        box = _around_what_stands_out(pixels, box)
    if box == (0, 0, *image.size):
        return image
    part = image.crop(box)
    return image if is_flat(part) else part


_Box = tuple[int, int, int, int]  # left, top, right, bottom, in pixels of the small grey copy


def _without_bars(grey: ndarray) -> _Box:
    """What is left when bars are taken off all sides; all where that would be next to nothing."""
    height, width = grey.shape
    left, top, right, bottom = 0, 0, width, height
    for _ in range(2):  # a border around bars
        part = grey[top:bottom, left:right]
        left += _bar(part)
        top += _bar(part.T)
        right -= _bar(part[:, ::-1])
        bottom -= _bar(part[::-1].T)
        if right - left < _LEAST_LEFT * width or bottom - top < _LEAST_LEFT * height:
            return 0, 0, width, height
    return left, top, right, bottom


def _bar(grey: ndarray) -> int:
    """How many columns at the left are a bar: without detail, and ended by a straight step."""
    if min(grey.shape) < _LEAST_SIDE:
        return 0
    detail = np.abs(np.diff(grey, axis=0)).mean(axis=0)
    detailed = np.flatnonzero(detail > _SMOOTH)
    if not len(detailed) or detailed[0] < _LEAST_BAR:
        return 0
    # what is beside the bar may be smooth, too: then the step comes before the first detail
    steps = np.abs(grey[:, 2:] - grey[:, :-2])
    usual = np.median(steps.mean(axis=0))
    beginning = steps[:, _LEAST_BAR - 1 : detailed[0] + 1]
    is_end = (beginning > _STEP).mean(axis=0) >= _STRAIGHT
    is_end &= beginning.mean(axis=0) > _STEEP * usual
    ends = np.flatnonzero(is_end)
    return int(ends[-1]) + _LEAST_BAR if len(ends) else 0


def _shown(grey: ndarray) -> ndarray:
    """Where neighbours differ: bool (height, width)."""
    shown = np.zeros(grey.shape, dtype=bool)
    shown[1:] |= np.abs(np.diff(grey, axis=0)) > _SHOWN
    shown[:, 1:] |= np.abs(np.diff(grey, axis=1)) > _SHOWN
    return shown


def _around_what_stands_out(grey: ndarray, box: _Box) -> _Box:
    """The box around what differs from the ground by half of what anything does.

    At half of it lie the edges in a larger or smaller copy, too.
    """
    left, top, right, bottom = box
    part = grey[top:bottom, left:right].astype(np.int16)
    apart = np.abs(part - np.median(part).astype(np.int16))
    stands_out = apart > apart.max() / 2
    columns = np.flatnonzero(stands_out.any(axis=0))
    rows = np.flatnonzero(stands_out.any(axis=1))
    if np.ptp(columns) < _LEAST_SHOWN or np.ptp(rows) < _LEAST_SHOWN:
        return box
    return (
        left + int(columns[0]),
        top + int(rows[0]),
        left + int(columns[-1]) + 1,
        top + int(rows[-1]) + 1,
    )
