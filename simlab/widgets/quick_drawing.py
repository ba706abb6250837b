"""Pictures drawn as quickly as a slider moves: hashes as squares, matches as lines."""

import functools
from collections.abc import Sequence

import cv2
import numpy as np
import pandas as pd
from numpy import ndarray
from PIL import Image

from simlab.cards import jpeg, small_copy
from simlab.images import Picture
from simlab.methods import keypoints
from simlab.methods.overlap import box_in
from simlab.plots.pictures import bit_rows
from simlab.scoring.comparison import Matches
from simlab.scoring.one_pair import LazyPicture
from simlab.widgets.panel import png

FLIPPED = (213, 94, 0)
AGREEING = (230, 159, 0)
ASTRAY = (255, 255, 255)
GAP = (136, 136, 136)
GAP_WIDTH = 8
WIDTH = 1100
HEIGHT = 420
"""The most that two pictures side by side take together, in pixels."""


@functools.lru_cache(maxsize=4)
def small(picture: LazyPicture) -> bytes:
    """Return a picture of at most 560 pixels as JPEG.

    That of the reference is made once while a slider moves.
    """
    return jpeg(small_copy(picture.image, 560))


def bits(hash_a: ndarray, hash_b: ndarray) -> bytes:
    """Return two hashes side by side as PNG, each about 88 pixels high.

    1 is light and 0 dark; bits that differ are framed in both.
    """
    first = bit_rows(hash_a)
    second = bit_rows(hash_b)
    flipped = first != second
    cell = max(4, 88 // max(first.shape))
    left = _squares(first, flipped, cell)
    right = _squares(second, flipped, cell)
    see_through = np.zeros((len(left), cell, 4), np.uint8)
    return png(Image.fromarray(np.concatenate([left, see_through, right], axis=1)))


def _squares(rows: ndarray, flipped: ndarray, cell: int) -> ndarray:
    """Return a square of `cell` pixels for each bit, as RGBA."""
    x, y = np.meshgrid(np.arange(cell), np.arange(cell))
    line = np.maximum(x, y) == cell - 1
    frame = (np.minimum(x, y) < cell // 6) | (np.maximum(x, y) >= cell - 1 - cell // 6)
    grey = np.kron(np.where(rows, 250, 48).astype(np.uint8), np.ones((cell, cell), np.uint8))
    grey[np.tile(line, rows.shape)] = 176
    pixels = np.dstack([grey, grey, grey, np.full_like(grey, 255)])
    pixels[np.kron(flipped, frame), :3] = FLIPPED
    return pixels


def lines(first: Picture, second: Picture, matches: Matches) -> bytes:
    """Return two pictures side by side as JPEG, a line for each match.

    Those that agree are orange and on top.
    """
    canvas, beside = _side_by_side(first, second)
    high = len(canvas)
    starts = np.rint(matches.first * (high / first.height)).astype(int)
    ends = np.rint(matches.second * (high / second.height) + beside).astype(int)
    for chosen, colour in ((~matches.agree, ASTRAY), (matches.agree, AGREEING)):
        for start, end in zip(starts[chosen].tolist(), ends[chosen].tolist()):
            if colour == ASTRAY:  # white would not be seen on a page
                cv2.line(canvas, start, end, GAP, 2, cv2.LINE_AA)
            cv2.line(canvas, start, end, colour, 1, cv2.LINE_AA)
    return jpeg(Image.fromarray(canvas))


def outlined(first: Picture, second: Picture, places: pd.DataFrame) -> bytes:
    """Return two pictures side by side as JPEG, with a frame around each place in both.

    It is thick where something is, and thin where it is missing.

    Args:
        places: as from :func:`simlab.methods.places.places_between`.
    """
    canvas, beside = _side_by_side(first, second)
    for row in places.to_dict("records"):
        for side, image, shift in (("reference", first, (0, 0)), ("query", second, beside)):
            corners = box_in(row, side) * (len(canvas) / image.height) + shift
            left_top, right_bottom = np.rint(corners).astype(int).tolist()
            is_there = row["kind"] in ("both", "colour", side)
            cv2.rectangle(canvas, left_top, right_bottom, FLIPPED, 2 if is_there else 1)
    return jpeg(Image.fromarray(canvas))


def _side_by_side(first: Picture, second: Picture) -> tuple[ndarray, tuple[int, int]]:
    """The pixels of both at one height, and where the second begins."""
    ratios = first.width / first.height + second.width / second.height
    high = min(HEIGHT, round((WIDTH - GAP_WIDTH) / ratios))
    left = _of_height(first, high)
    right = _of_height(second, high)
    gap = np.full((high, GAP_WIDTH, 3), GAP, np.uint8)
    canvas = np.concatenate([np.asarray(left), gap, np.asarray(right)], axis=1)
    return canvas, (left.width + GAP_WIDTH, 0)


def _of_height(image: Picture, high: int) -> Picture:
    return image.resize((max(1, round(image.width * high / image.height)), high))


def akaze_lines(images: Sequence[Picture]) -> ndarray:
    """Return the AKAZE matches of two pictures as a page draws them.

    (n, 5): x and y in the first and in the second picture, as shares of their sides, and 1 where
    the match agrees with the others on one geometry.
    """
    first, second = images
    features_a = keypoints.akaze(first)
    features_b = keypoints.akaze(second)
    left, right, agree = keypoints.verify(features_a, features_b)
    starts = features_a.points[left] / first.size
    ends = features_b.points[right] / second.size
    return np.column_stack([starts, ends, agree]).round(4)


def akaze_words(lines: ndarray) -> str:
    """Return how many of these lines agree, in words."""
    n_agreeing = int(lines[:, 4].sum())
    return f"AKAZE matches that agree on one geometry: {n_agreeing:,} of {len(lines):,}"
