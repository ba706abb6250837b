"""Pictures: galleries, pairs, hashes as bits, keypoints and their matches."""

import math
import os
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import ListedColormap
from matplotlib.patches import Rectangle
from PIL import Image

from simlab import specs
from simlab.images import read_image
from simlab.messages import counted
from simlab.plots import style

Picture = Image.Image | np.ndarray | str | os.PathLike | bytes
"""What :func:`simlab.read_image` takes."""
Pair = tuple[Picture, Picture]


@style.styled
def plot_gallery(
    pictures: Sequence[Picture],
    captions: Sequence[str],
    *,
    columns: int = 4,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw the pictures in a grid, each under its caption.

    Args:
        captions: as many as pictures; a line break starts a second line.
        columns: pictures in a row.
    """
    return _grid(ax, [(picture,) for picture in pictures], captions, columns, title, 0.2)


@style.styled
def plot_pairs(
    pairs: Sequence[Pair],
    captions: Sequence[str],
    *,
    columns: int = 2,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw pairs of pictures, reference left and query right, each pair under its caption.

    Args:
        captions: as many as pairs; a line break starts a second line.
        columns: pairs in a row.
    """
    return _grid(ax, pairs, captions, columns, title, 0.35)


def _grid(
    ax: Axes | None,
    cells: Sequence[tuple],
    captions: Sequence[str],
    columns: int,
    title: str,
    extra: float,
) -> Axes:
    """Draw each cell's pictures side by side; a row is as high as its highest cell and `extra` inches of caption."""
    specs.check_number("columns", columns, 1, whole=True)
    cells = [tuple(map(read_image, cell)) for cell in cells]
    if len(cells) != len(captions):
        raise ValueError(
            f"captions must be as many as what is drawn, {len(cells)}, not {len(captions)}"
        )
    heights = [_height(*cell) for cell in cells]
    rows = [
        8 / columns * max(heights[at : at + columns]) + extra
        for at in range(0, len(cells), columns)
    ]
    ax = style.axes(ax, 8, (0.4 if title else 0.1) + sum(rows))
    panels = style.panels(ax, len(cells), columns, head=style.label(title, limit=90), heights=rows)
    for panel, cell, caption in zip(panels, cells, captions, strict=True):
        _side_by_side(panel, *cell)
        lines = [style.label(line, limit=120 // columns) for line in str(caption).split("\n")]
        panel.set_title("\n".join(lines), loc="left", fontsize=8, color=style.INK, pad=3)
    return ax


def _height(*pictures: Picture) -> float:
    """Return the height of pictures side by side that are 1 wide together, at most 1.1."""
    shapes = [np.asarray(picture).shape for picture in pictures]
    return min(1 / sum(shape[1] / shape[0] for shape in shapes), 1.1)


def _side_by_side(ax: Axes, *pictures: Picture) -> list[tuple[float, float]]:
    """Draw pictures at the height of the first; return where each starts, and its scale."""
    height, width = np.asarray(pictures[0]).shape[:2]
    places, right = [], -0.03 * max(width, height)
    for pixels in map(np.asarray, pictures):
        left, scale = right + 0.03 * max(width, height), height / pixels.shape[0]
        right = left + pixels.shape[1] * scale
        ax.imshow(
            pixels, cmap="gray" if pixels.ndim == 2 else None, extent=(left, right, height, 0)
        )
        places.append((left, scale))
    ax.set(xlim=(0, right), ylim=(height, 0), aspect="equal", anchor="NW")
    ax.set_axis_off()
    return places


@style.styled
def plot_hash(bits: np.ndarray, *, ax: Axes | None = None) -> Axes:
    """Draw a hash as a picture of its bits, 1 light and 0 dark, row by row."""
    ax, rows = style.axes(ax, 2.6, 2.8), bit_rows(bits)
    _draw_bits(ax, rows)
    style.title(ax, f"{rows.size} bits")
    return ax


@style.styled
def plot_hash_difference(bits_a: np.ndarray, bits_b: np.ndarray, *, ax: Axes | None = None) -> Axes:
    """Draw two hashes side by side with the bits that differ framed in both; their number is the distance.

    Raises:
        ValueError: the hashes have different lengths.
    """
    ax, first, second = style.axes(ax, 5, 2.75), bit_rows(bits_a), bit_rows(bits_b)
    if first.size != second.size:
        raise ValueError(
            f"bits_b must have as many bits as bits_a, {first.size}, not {second.size}"
        )
    start = first.shape[1] * 1.12
    _draw_bits(ax, first)
    _draw_bits(ax, second, start)
    differing = np.argwhere(first != second)
    for y, x in differing:
        for left in (x, start + x):
            ax.add_patch(
                Rectangle((left + 0.08, y + 0.08), 0.84, 0.84, fill=False, ec="#D55E00", lw=2)
            )
    style.title(ax, f"{len(differing)} of {first.size} bits differ")
    return ax


def bit_rows(bits: np.ndarray) -> np.ndarray:
    """Return the bits of a hash as rows of one length, as nearly square as they can be."""
    flat = np.asarray(bits, bool).ravel()
    rows = max((n for n in range(1, math.isqrt(flat.size) + 1) if flat.size % n == 0), default=1)
    return flat.reshape(rows, -1)


def _draw_bits(ax: Axes, rows: np.ndarray, left: float = 0.0) -> None:
    (height, width), colours = rows.shape, ListedColormap(["#303030", "#fafafa"])
    x, y = left + np.arange(width + 1), np.arange(height + 1)
    ax.pcolormesh(x, y, rows, cmap=colours, vmin=0, vmax=1, edgecolors="#b0b0b0", linewidth=0.4)
    ax.set(xlim=(-0.2, x[-1] + 0.2), ylim=(height + 0.2, -0.2), aspect="equal", anchor="NW")
    ax.set_axis_off()


@style.styled
def plot_keypoints(image: Picture, points: np.ndarray, *, ax: Axes | None = None) -> Axes:
    """Draw the picture with a circle at every keypoint.

    Args:
        points: (n, 2), x and y in pixels.
    """
    image = read_image(image)
    ax = style.axes(ax, 5, 0.3 + 5 * _height(image))
    _side_by_side(ax, image)
    ax.scatter(
        *np.reshape(points, (-1, 2)).T,
        s=14,
        facecolors="none",
        edgecolors=style.MARK,
        linewidths=0.8,
    )
    style.title(ax, counted(len(points), "keypoint"))
    return ax


@style.styled
def plot_matches(
    image_a: Picture,
    points_a: np.ndarray,
    image_b: Picture,
    points_b: np.ndarray,
    matches: np.ndarray,
    *,
    inliers: np.ndarray | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw two pictures side by side with a thin line for every match.

    Args:
        points_a: (n, 2), x and y in pixels; `points_b` alike.
        matches: (m, 2), which point of each.
        inliers: (m,) bool, which matches agree on one geometry; the others are drawn pale.
    """
    image_a = read_image(image_a)
    image_b = read_image(image_b)
    high = _height(image_a, image_b)
    ax = style.axes(ax, 8 * min(1, 0.6 / high), 0.3 + 8 * min(high, 0.6))
    places, matches = _side_by_side(ax, image_a, image_b), np.reshape(matches, (-1, 2)).astype(int)
    ends = [
        np.reshape(points, (-1, 2))[matches[:, side]] * scale + (left, 0)
        for side, (points, (left, scale)) in enumerate(
            zip((points_a, points_b), places, strict=True)
        )
    ]
    lines = np.stack(ends, axis=1)
    kept = np.ones(len(lines), bool) if inliers is None else np.asarray(inliers, bool)
    for chosen, colour in ((~kept, "white"), (kept, style.MARK)):
        drawn = LineCollection(lines[chosen], colors=colour, linewidths=0.6, alpha=0.65)
        ax.add_collection(drawn, autolim=False)
    agreeing = "" if inliers is None else f", {kept.sum():,} agree on one geometry"
    style.title(ax, f"{counted(len(lines), 'match', 'matches')}{agreeing}")
    return ax
