"""The eight orientations of a picture: as it is, mirrored, turned by quarters, and both.

An orientation is a number from 0 to 7, whose bits say what is done, in this order: 4, rows become
columns; 1, left and right change places; 2, top and bottom do.
"""

import numpy as np
from numpy import ndarray
from PIL import Image

from simlab.images import Size

MIRROR = 1
"""Left and right change places. With turns, which are nothing to keypoints, it makes all others."""

TURNED = (1, 2, 3, 4, 5, 6, 7)
"""All but the picture as it is."""

_COLUMNS = 4
_ACROSS = 1
_DOWN = 2

_TRANSPOSES = {
    1: Image.Transpose.FLIP_LEFT_RIGHT,
    2: Image.Transpose.FLIP_TOP_BOTTOM,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.TRANSPOSE,
    5: Image.Transpose.ROTATE_270,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
}


def turned_picture(image: Image.Image, orientation: int) -> Image.Image:
    """Return a picture in another orientation."""
    if not orientation:
        return image
    return image.transpose(_TRANSPOSES[orientation])


def turned(pixels: ndarray, orientation: int) -> ndarray:
    """Return pixels (height, width, …) in another orientation: a view.

    >>> turned(np.array([[1, 2], [3, 4]]), 5)
    array([[3, 1],
           [4, 2]])
    """
    if orientation & _COLUMNS:
        pixels = pixels.swapaxes(0, 1)
    if orientation & _ACROSS:
        pixels = pixels[:, ::-1]
    if orientation & _DOWN:
        pixels = pixels[::-1]
    return pixels


def turned_size(size: Size, orientation: int) -> Size:
    """Return the size of a picture in another orientation."""
    return size[::-1] if orientation & _COLUMNS else size


def to_turned(orientation: int, shape: tuple[int, ...]) -> ndarray:
    """Return what takes pixels x, y of a picture to those of the turned one: float (3, 3).

    Args:
        shape: of the picture, (height, width).
    """
    transform = np.eye(3)
    height, width = turned_size(shape, orientation)
    if orientation & _COLUMNS:
        transform[:2] = transform[[1, 0]]
    if orientation & _ACROSS:
        transform = np.array([[-1.0, 0, width - 1], [0, 1, 0], [0, 0, 1]]) @ transform
    if orientation & _DOWN:
        transform = np.array([[1.0, 0, 0], [0, -1, height - 1], [0, 0, 1]]) @ transform
    return transform
