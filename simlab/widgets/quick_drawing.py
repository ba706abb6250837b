"""Pictures drawn as quickly as a slider moves: hashes as squares, matches as lines."""

import functools

import cv2
import numpy as np
from PIL import Image

from simlab.plots.pictures import bit_rows
from simlab.scoring.comparison import Matches
from simlab.scoring.one_pair import LazyPicture
from simlab.widgets.panel import jpeg, png

FLIPPED, AGREEING, ASTRAY, GAP = (213, 94, 0), (230, 159, 0), (255, 255, 255), (136, 136, 136)


@functools.lru_cache(maxsize=4)
def small(picture: LazyPicture, side: int = 560) -> bytes:
    """Return a picture of at most `side` pixels as JPEG; that of the reference is made once while a slider moves."""
    image = picture.image.copy()
    image.thumbnail((side, side))
    return jpeg(image)


def bits(a: np.ndarray, b: np.ndarray, *, side: int = 88) -> bytes:
    """Return two hashes side by side as PNG: 1 is light and 0 dark; bits that differ are framed in both."""
    first, second = bit_rows(a), bit_rows(b)
    cell = max(4, side // max(first.shape))
    halves = [_squares(rows, first != second, cell) for rows in (first, second)]
    halves.insert(1, np.zeros((len(halves[0]), cell, 4), np.uint8))  # see-through
    return png(Image.fromarray(np.concatenate(halves, axis=1)))


def _squares(rows: np.ndarray, flipped: np.ndarray, cell: int) -> np.ndarray:
    x, y = np.meshgrid(np.arange(cell), np.arange(cell))
    line = np.maximum(x, y) == cell - 1
    frame = (np.minimum(x, y) < cell // 6) | (np.maximum(x, y) >= cell - 1 - cell // 6)
    grey = np.kron(np.where(rows, 250, 48).astype(np.uint8), np.ones((cell, cell), np.uint8))
    grey[np.tile(line, rows.shape)] = 176
    pixels = np.dstack([grey, grey, grey, np.full_like(grey, 255)])
    pixels[np.kron(flipped, frame), :3] = FLIPPED
    return pixels


def lines(
    first: Image.Image,
    second: Image.Image,
    matches: Matches,
    *,
    width: int = 1100,
    height: int = 420,
) -> bytes:
    """Return two pictures side by side as JPEG, a line for each match: those that agree are orange and on top.

    Args:
        width, height: the most that both take together.
    """
    high = min(
        height, round((width - 8) / (first.width / first.height + second.width / second.height))
    )
    left, right = (
        image.resize((max(1, round(image.width * high / image.height)), high))
        for image in (first, second)
    )
    canvas = np.concatenate(
        [np.asarray(left), np.full((high, 8, 3), GAP, np.uint8), np.asarray(right)], axis=1
    )
    starts = np.rint(matches.first * (high / first.height)).astype(int)
    ends = np.rint(matches.second * (high / second.height) + (left.width + 8, 0)).astype(int)
    for chosen, colour in ((~matches.agree, ASTRAY), (matches.agree, AGREEING)):
        for start, end in zip(starts[chosen].tolist(), ends[chosen].tolist()):
            if colour == ASTRAY:  # white would not be seen on a page
                cv2.line(canvas, start, end, GAP, 2, cv2.LINE_AA)
            cv2.line(canvas, start, end, colour, 1, cv2.LINE_AA)
    return jpeg(Image.fromarray(canvas))
