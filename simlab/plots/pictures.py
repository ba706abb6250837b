"""Pictures: galleries, pairs, hashes as bits, keypoints and their matches."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import ListedColormap
from matplotlib.image import AxesImage
from matplotlib.patches import Polygon, Rectangle
from numpy import ndarray
from pandas import DataFrame
from PIL import Image

from simlab import perturb, specs
from simlab.cards import no_picture, small_copy
from simlab.evaluation.curves import hardest
from simlab.images import read_image
from simlab.messages import counted
from simlab.methods.hashes import from_imagehash
from simlab.methods.overlap import box_in, outlines
from simlab.methods.registry import columns
from simlab.paths import AnyPath
from simlab.plots import style
from simlab.tables import SIDES, Row, check_table, root_of

Picture = Image.Image | ndarray | AnyPath | bytes
"""What :func:`simlab.read_image` takes."""


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
    cells = [(picture,) for picture in specs.listed("pictures", pictures)]
    return _draw_cells(ax, cells, captions, columns, title, caption_inches=0.2)


@style.styled
def plot_pairs(
    pairs: Sequence[tuple[Picture, Picture]],
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
    return _draw_cells(ax, pairs, captions, columns, title, caption_inches=0.42)


@style.styled
def plot_groups(
    groups: DataFrame,
    *,
    root: AnyPath | None = None,
    n: int = 8,
    ax: Axes | None = None,
) -> Axes:
    """Draw the pictures of the first groups, the one to keep first and framed.

    Args:
        groups: file, group and keep, as from :func:`simlab.group`.
        root: folder that the files are relative to; by default ``groups.attrs["root"]``.
        n: most groups that are drawn, with four pictures each at most; how many are not is said.

    Raises:
        ValueError: a column is missing, or not one of the files is there.
    """
    specs.check_count("n", n)
    check_table(groups, "groups", "file, group, keep")
    folder = root_of(groups, root, columns=["file"])
    sizes = groups.groupby("group").size()
    several = sizes.index[sizes > 1]
    cells = []
    captions = []
    for which in several[:n]:
        members = groups[groups["group"] == which]
        members = members.sort_values("keep", ascending=False, kind="stable")["file"].tolist()
        cells.append(tuple(folder / file for file in members[:4]))
        hidden = f", {len(members) - 4:,} not shown" if len(members) > 4 else ""
        captions.append(f"keep {members[0]}\n{counted(len(members), 'picture')}{hidden}")
    title = f"{len(cells):,} of {counted(len(several), 'group')}"
    return _draw_cells(ax, cells, captions, 2, title, caption_inches=0.4, framed=True)


@style.styled
def plot_hardest(
    scores: DataFrame,
    method: str,
    *,
    n: int = 3,
    root: AnyPath | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the pairs that a method gets most wrong, each with names, distance and the truth.

    First the copies that it finds farthest apart, then the non-copies that it finds nearest, as
    :func:`simlab.evaluation.hardest` has them.

    Args:
        scores: pairs with the column of distances `method`.
        n: most pairs of either kind.
        root: folder that the paths are relative to; by default ``scores.attrs["root"]``.

    Raises:
        ValueError: `method` has no column in `scores`, or not one of the files is there.
    """
    method = columns(scores, method)[0]
    rows = hardest(scores, method, n)
    folder = root_of(rows, root)
    notes = []
    for row in rows.to_dict("records"):
        truth = "a miss: a copy" if row["error_kind"] == "miss" else "a false alarm: no copy"
        change = row.get("perturbation") or "as it is"
        notes.append(f"{truth}, {change}, distance {row[method]:.4g}")
    n_misses = int(rows["error_kind"].eq("miss").sum())
    title = f"{method}: {n_misses} farthest copies, {len(rows) - n_misses} nearest non-copies"
    return plot_rows(folder, rows, notes, title=title, ax=ax)


def plot_rows(root: Path, rows: DataFrame, notes: Iterable[str], **options: Any) -> Axes:
    """Draw the pairs of a table; where nothing is said of it a picture is drawn as it is."""
    shown = []
    captions = []
    said = rows.astype(object).fillna({"perturbation_reference": "", "perturbation": "", "seed": 0})
    for row, note in zip(said.to_dict("records"), notes):
        reference = row["reference"]
        query = row["query"]
        seed = row.get("seed", 0)
        left = thumbnail(root / reference, row.get("perturbation_reference", ""), seed)
        right = thumbnail(root / query, row.get("perturbation", ""), seed)
        shown.append((left, right))
        names = reference if reference == query else f"{reference}  ·  {query}"
        captions.append(f"{names}\n{note}" if note else names)
    return plot_pairs(shown, captions, **options)


def thumbnail(path: Path, spec: str = "", seed: int = 0, *, side: int = 360) -> Image.Image:
    """Return the variant of the picture at `path`, small; a grey one where it cannot be read."""
    try:
        image = perturb.apply_to_file(path, spec, int(seed))
    except (ValueError, OSError):
        return no_picture()
    return small_copy(image, side)


def _draw_cells(
    ax: Axes | None,
    cells: Sequence[tuple[Picture, ...]],
    captions: Sequence[str],
    columns: int,
    title: str,
    *,
    caption_inches: float,
    framed: bool = False,
) -> Axes:
    """Draw each cell's pictures side by side under its caption; a row fits its highest cell.

    Where they are framed, the first of each cell is.
    """
    specs.check_count("columns", columns)
    specs.check_kind("title", title, str, "a text")
    captions = specs.listed("captions", captions)
    decoded = []
    for cell in specs.listed("pairs", cells):
        decoded.append(tuple(map(read_image, specs.listed("each of pairs", cell))))
    if len(decoded) != len(captions):
        raise ValueError(
            f"captions must be as many as what is drawn, {len(decoded)}, not {len(captions)}"
        )
    rows = []
    for start in range(0, len(decoded), columns):
        highest = max(_height(*cell) for cell in decoded[start : start + columns])
        rows.append(8 / columns * highest + caption_inches)
    ax = style.axes(ax, 8, (0.4 if title else 0.1) + sum(rows))
    head = style.label(title, limit=90)
    panels = style.panels(ax, len(decoded), columns, head=head, heights=rows)
    for panel, cell, caption in zip(panels, decoded, captions, strict=True):
        places = _draw_side_by_side(panel, *cell)
        if framed:
            size = (cell[0].width * places[0].scale, cell[0].height * places[0].scale)
            panel.add_patch(Rectangle((0, 0), *size, fill=False, ec="#0072B2", lw=5))
        lines = [style.label(line, limit=120 // columns) for line in str(caption).split("\n")]
        panel.set_title("\n".join(lines), loc="left", fontsize=8, color=style.INK, pad=3)
    return ax


def _height(*pictures: Image.Image) -> float:
    """The height of pictures side by side that are 1 wide together, at most 1.1."""
    width = sum(picture.width / picture.height for picture in pictures)
    return min(1 / width, 1.1)


class _Place(NamedTuple):
    """Where a picture lies in axes: its left edge, and how much it was enlarged."""

    left: float
    scale: float

    def of(self, points: ndarray) -> ndarray:
        """Where (n, 2) points of the picture lie."""
        return points * self.scale + (self.left, 0)


def _draw_side_by_side(ax: Axes, *pictures: Image.Image) -> list[_Place]:
    """Draw pictures at the height of the first."""
    width, height = pictures[0].size
    gap = 0.03 * max(width, height)
    places = []
    right = -gap
    for picture in pictures:
        place = _Place(left=right + gap, scale=height / picture.height)
        right = place.left + picture.width * place.scale
        ax.imshow(np.asarray(picture), extent=(place.left, right, height, 0))
        places.append(place)
    ax.set(xlim=(0, right), ylim=(height, 0), aspect="equal", anchor="NW")
    ax.set_axis_off()
    return places


@style.styled
def plot_hash(bits: ndarray, *, ax: Axes | None = None) -> Axes:
    """Draw a hash as a picture of its bits, 1 light and 0 dark, row by row."""
    rows = bit_rows(bits)
    ax = style.axes(ax, 2.6, 2.8)
    _draw_bits(ax, rows)
    style.title(ax, f"{rows.size} bits")
    return ax


@style.styled
def plot_hash_difference(bits_a: ndarray, bits_b: ndarray, *, ax: Axes | None = None) -> Axes:
    """Draw two hashes side by side with the bits that differ framed in both.

    Their number is the distance.

    Raises:
        ValueError: the hashes have different lengths.
    """
    first = bit_rows(bits_a)
    second = bit_rows(bits_b)
    if first.size != second.size:
        raise ValueError(
            f"bits_b must have as many bits as bits_a, {first.size}, not {second.size}"
        )
    ax = style.axes(ax, 5, 2.75)
    start = first.shape[1] * 1.12
    _draw_bits(ax, first)
    _draw_bits(ax, second, start)
    differing = np.argwhere(first != second)
    for y, x in differing:
        for left in (x, start + x):
            corner = (left + 0.08, y + 0.08)
            ax.add_patch(Rectangle(corner, 0.84, 0.84, fill=False, ec="#D55E00", lw=2))
    style.title(ax, f"{len(differing)} of {first.size} bits differ")
    return ax


def bit_rows(bits: ndarray) -> ndarray:
    """Return the bits of a hash as rows of one length, as nearly square as they can be."""
    flat = from_imagehash(bits).ravel()
    widest = math.isqrt(flat.size)
    n_rows = max((n for n in range(1, widest + 1) if flat.size % n == 0), default=1)
    return flat.reshape(n_rows, -1)


def _draw_bits(ax: Axes, rows: ndarray, left: float = 0.0) -> None:
    height, width = rows.shape
    colours = ListedColormap(["#303030", "#fafafa"])
    x = left + np.arange(width + 1)
    y = np.arange(height + 1)
    ax.pcolormesh(x, y, rows, cmap=colours, vmin=0, vmax=1, edgecolors="#b0b0b0", linewidth=0.4)
    ax.set(xlim=(-0.2, x[-1] + 0.2), ylim=(height + 0.2, -0.2), aspect="equal", anchor="NW")
    ax.set_axis_off()


@style.styled
def plot_keypoints(image: Picture, points: ndarray, *, ax: Axes | None = None) -> Axes:
    """Draw the picture with a circle at every keypoint.

    Args:
        points: (n, 2), x and y in pixels.
    """
    places = style.rows_of("points", points, 2)
    decoded = read_image(image)
    ax = style.axes(ax, 5, 0.3 + 5 * _height(decoded))
    _draw_side_by_side(ax, decoded)
    ax.scatter(*places.T, s=14, facecolors="none", edgecolors=style.MARK, linewidths=0.8)
    style.title(ax, counted(len(places), "keypoint"))
    return ax


@style.styled
def plot_matches(
    image_a: Picture,
    points_a: ndarray,
    image_b: Picture,
    points_b: ndarray,
    matches: ndarray,
    *,
    inliers: ndarray | None = None,
    places: DataFrame | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw two pictures side by side with a thin line for every match.

    Args:
        points_a: (n, 2), x and y in pixels; `points_b` alike.
        matches: (m, 2), which point of each.
        inliers: (m,) bool, which matches agree on one geometry; the others are drawn pale.
        places: where they contradict each other, as from
            :func:`simlab.methods.places.places_between`; these are outlined.
    """
    at_a, at_b = style.rows_of("matches", matches, 2).astype(int).T
    starts = _picked("points_a", points_a, at_a)
    ends = _picked("points_b", points_b, at_b)
    given = np.ones(len(at_a)) if inliers is None else np.asarray(inliers)
    agree = given == 1
    if given.shape != at_a.shape or not (agree | (given == 0)).all():
        raise ValueError(f"inliers must be True or False for each of {len(at_a)} matches")
    first = read_image(image_a)
    second = read_image(image_b)
    high = _height(first, second)
    ax = style.axes(ax, 8 * min(1, 0.6 / high), 0.3 + 8 * min(high, 0.6))
    place_a, place_b = _draw_side_by_side(ax, first, second)
    lines = np.stack([place_a.of(starts), place_b.of(ends)], axis=1)
    # many lines would hide the pictures: the more there are, the paler is each
    alpha = float(np.clip(45 / max(1, len(lines)), 0.2, 0.65))
    for chosen, colour in ((~agree, "white"), (agree, style.MARK)):
        drawn = LineCollection(lines[chosen], colors=colour, linewidths=0.6, alpha=alpha)
        ax.add_collection(drawn, autolim=False)
    told = []
    if len(lines) or places is None:
        told.append(counted(len(lines), "match", "matches"))
    if inliers is not None:
        told.append(f"{agree.sum():,} on one geometry")
    if places is not None:
        _outline(ax, places, {"reference": place_a, "query": place_b})
        told.append(f"{counted(len(places), 'place')} where they differ")
    style.title(ax, ", ".join(told))
    return ax


def _picked(name: str, points: ndarray, numbers: ndarray) -> ndarray:
    """The points of these numbers."""
    rows = style.rows_of(name, points, 2)
    if len(numbers) and not 0 <= numbers.min() <= numbers.max() < len(rows):
        raise ValueError(f"matches must number the {len(rows)} {name}, from 0")
    return rows[numbers]


def _outline(ax: Axes, places: DataFrame, drawn_at: dict[str, _Place]) -> None:
    """Draw a frame around each place, in both pictures: a full line where something is."""
    check_table(places, "places", "kind, left_reference, left_query")
    for row in places.to_dict("records"):
        for side, drawn in drawn_at.items():
            (left, top), (right, bottom) = drawn.of(box_in(row, side))
            is_there = row["kind"] in ("both", "colour", side)
            frame = Rectangle(
                (left, top),
                right - left,
                bottom - top,
                fill=False,
                edgecolor="#D55E00",
                linewidth=1.4 if is_there else 0.9,
                linestyle="solid" if is_there else "dotted",
            )
            ax.add_patch(frame)


@style.styled
def plot_overlap(
    reference: Picture,
    query: Picture,
    row: Row,
    *,
    names: tuple[str, str] = SIDES,
    ax: Axes | None = None,
) -> Axes:
    """Draw two pictures side by side, with an outline around what both show; the rest is pale.

    Args:
        row: of found pairs, or of :func:`simlab.overlap`: where the one lies in the other.
        names: what stands above the two.
    """
    pictures = [read_image(reference), read_image(query)]
    high = _height(*pictures)
    ax = style.axes(ax, 8 * min(1, 0.6 / high), 0.6 + 8 * min(high, 0.6))
    places = _draw_side_by_side(ax, *pictures)
    shown = outlines(row)
    for side, place in enumerate(places):
        caption = style.label(names[side], limit=32)
        if shown is not None:
            _show_only(ax, ax.images[side], place.of(shown[side]))
            caption += f": {row[f'overlap_{SIDES[side]}']:.0%} of it"
        above = {"xytext": (0, 4), "textcoords": "offset points", "va": "bottom", "fontsize": 8}
        ax.annotate(caption, (place.left, 0), color=style.INK, **above)
    words = _CONTAINED.get(row["contains"], "Nothing says how one lies on the other")
    style.title(ax, words, pad=18)
    return ax


_CONTAINED = {
    "reference": "The query is a part of the reference",
    "query": "The reference is a part of the query",
    "both": "Both show the same",
    "neither": "Each shows more than the other",
}


def _show_only(ax: Axes, image: AxesImage, inside: ndarray) -> None:
    """Outline a part of a picture, and lay a veil on the rest."""
    left, right, bottom, top = image.get_extent()
    veil = Rectangle((left, top), right - left, bottom - top, facecolor="white", alpha=0.65)
    ax.add_patch(veil)
    part = ax.imshow(image.get_array(), extent=image.get_extent(), zorder=2)
    part.set_clip_path(Polygon(inside, transform=ax.transData))
    for width, colour in ((3.4, "white"), (1.8, "#D55E00")):
        line = Polygon(inside, fill=False, edgecolor=colour, linewidth=width, zorder=3)
        ax.add_patch(line)
