"""Perturbations that move pixels: crop, resize, rotate and their kin."""

import math
from typing import Annotated, Any, Literal

import cv2
import numpy as np
from PIL import Image, ImageColor

from simlab.images import Size
from simlab.perturb.registry import Picture, Rng, Rule, Sweep, between, register

BICUBIC = Image.Resampling.BICUBIC

ANCHORS = {
    "center": (0.5, 0.5),
    "top": (0.5, 0.0),
    "bottom": (0.5, 1.0),
    "left": (0.0, 0.5),
    "right": (1.0, 0.5),
    "top-left": (0.0, 0.0),
    "top-right": (1.0, 0.0),
    "bottom-left": (0.0, 1.0),
    "bottom-right": (1.0, 1.0),
}
"""Named places as (x, y), shares of the free room."""

Anchor = Literal["random", "edge", *ANCHORS]
"""Where a part lies: a named place, "random" anywhere, or "edge": at random along one of the four
edges.
"""

Degrees = Annotated[float, between(-180, 180)]


def _is_color(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(ImageColor.getrgb(value))
    except ValueError:
        return False


Color = Annotated[str, Rule("a colour such as 'white' or '#ff8800'", _is_color)]


def rgb(color: str) -> tuple[int, int, int]:
    """Return the levels of a colour that is given by name or as ``#rrggbb``."""
    return ImageColor.getrgb(color)[:3]


def place(anchor: str, rng: Rng) -> tuple[float, float]:
    """Return (x, y), shares of the free room, of an :data:`Anchor`; two numbers are drawn whatever
    it is.
    """
    x, y = rng.random(2)
    if anchor == "edge":
        return (round(x), y) if abs(x - 0.5) > abs(y - 0.5) else (x, round(y))
    return ANCHORS.get(anchor, (x, y))


def scaled(size: Size, x: float, y: float) -> Size:
    """Return a size multiplied by (x, y), rounded: no side under 1, and none as before where its
    factor is not 1.
    """
    return _scaled(size[0], x), _scaled(size[1], y)


def _scaled(side: int, factor: float) -> int:
    rounded = round(side * factor)
    if rounded == side and factor > 1:
        return side + 1
    if rounded == side and factor < 1:
        return max(1, side - 1)
    return max(1, rounded)


def corner(outer: Size, inner: Size, at: tuple[float, float]) -> Size:
    """Return the upper left corner of a box of size `inner` placed in one of size `outer`."""
    return round((outer[0] - inner[0]) * at[0]), round((outer[1] - inner[1]) * at[1])


def _kept(area: float, side: float | None) -> float:
    if side is not None and area != 0.5:
        raise ValueError("'crop' takes area or side, not both")
    return math.sqrt(area) if side is None else 1 - side


@register(severity=lambda area, side: 1 - _kept(area, side) ** 2, sweep=Sweep("area", 1, 0.05, 20))
def crop(
    image: Picture,
    rng: Rng,
    *,
    area: Annotated[float, between(0.001, 1)] = 0.5,
    side: Annotated[float, between(0, 0.99)] | None = None,
    anchor: Anchor = "random",
    resize_back: bool = False,
) -> Picture:
    """Return a part of the picture with its proportions. Severity: share of the area removed.

    Args:
        area: share of the area kept.
        side: share of each side removed, instead of `area`.
        anchor: where the part lies.
        resize_back: scale it to the size of the picture.

    Source: ``crop(side=0.1, anchor="center", resize_back=True)`` is as in
        https://arxiv.org/abs/2206.00282.
    """
    kept = _kept(area, side)
    size = scaled(image.size, kept, kept)
    x, y = corner(image.size, size, place(anchor, rng))
    part = image.crop((x, y, x + size[0], y + size[1]))
    return part.resize(image.size, BICUBIC) if resize_back else part


@register(
    severity=lambda scale: math.log2(scale),
    directions=("smaller", "larger"),
    sweep=Sweep("scale", 1, 0.1, 19),
)
def resize(
    image: Picture,
    rng: Rng,
    *,
    scale: Annotated[float, between(0.01, 4)] = 0.5,
    resample: Literal["nearest", "bilinear", "bicubic", "lanczos"] = "bicubic",
) -> Picture:
    """Return the picture with both sides multiplied by `scale`.

    Severity: octaves, ``|log2 scale|``.

    Args:
        resample: Pillow's filter; all but "nearest" are antialiased.
    """
    return image.resize(scaled(image.size, scale, scale), Image.Resampling[resample.upper()])


@register(
    severity=lambda ratio: math.log2(ratio),
    directions=("taller", "wider"),
    sweep=Sweep("ratio", 1, 3, 21),
)
def aspect(image: Picture, rng: Rng, *, ratio: Annotated[float, between(0.1, 10)] = 1.2) -> Picture:
    """Return the picture made wider (`ratio` over 1) or taller, its area kept.

    Severity: ``|log2 ratio|``.
    """
    return image.resize(scaled(image.size, math.sqrt(ratio), 1 / math.sqrt(ratio)), BICUBIC)


@register(severity=lambda: 1)
def mirror(
    image: Picture, rng: Rng, *, axis: Literal["horizontal", "vertical"] = "horizontal"
) -> Picture:
    """Return the picture with left and right exchanged, or "vertical": top and bottom.

    Severity: 1.
    """
    flips = {
        "horizontal": Image.Transpose.FLIP_LEFT_RIGHT,
        "vertical": Image.Transpose.FLIP_TOP_BOTTOM,
    }
    return image.transpose(flips[axis])


@register(
    severity=lambda degrees: degrees,
    directions=("clockwise", "counter-clockwise"),
    sweep=Sweep("degrees", 0, 90, 91),
)
def rotate(
    image: Picture,
    rng: Rng,
    *,
    degrees: Degrees = 5.0,
    expand: bool = True,
    resize_back: bool = False,
    fill: Color = "black",
) -> Picture:
    """Return the picture turned counter-clockwise. Severity: degrees.

    Args:
        expand: enlarge the canvas to show all of it; else the corners are cut off.
        resize_back: scale the result to the size of the picture.
        fill: colour of the corners.
    """
    cos = math.cos(math.radians(degrees))
    sin = math.sin(math.radians(degrees))
    box = np.abs([[cos, sin], [sin, cos]]) @ image.size
    size = scaled(box, 1, 1) if expand else image.size
    matrix = _about_center([[cos, sin], [-sin, cos]], image.size, size)
    turned = _warp(image, matrix, size, fill)
    return turned.resize(image.size, BICUBIC) if resize_back else turned


@register(
    severity=lambda degrees: degrees,
    directions=("negative", "positive"),
    sweep=Sweep("degrees", 0, 40, 41),
)
def shear(
    image: Picture,
    rng: Rng,
    *,
    degrees: Annotated[float, between(-60, 60)] = 5.0,
    fill: Color = "black",
) -> Picture:
    """Return the picture sheared along both axes about its centre, corners cut off.

    Severity: degrees.

    Source: torchvision's ``affine`` with shear ``(-degrees, -degrees)``, as in
        https://arxiv.org/abs/2206.00282.
    """
    slope = math.tan(math.radians(degrees))
    matrix = _about_center([[1, slope], [slope, 1 + slope**2]], image.size, image.size)
    return _warp(image, matrix, image.size, fill)


@register(severity=lambda amount: amount, sweep=Sweep("amount", 0, 0.4, 21))
def perspective(
    image: Picture,
    rng: Rng,
    *,
    amount: Annotated[float, between(0, 0.4)] = 0.2,
    fill: Color = "black",
) -> Picture:
    """Return the picture as seen from aside, its corners moved inwards at random.

    Severity: `amount`.

    Args:
        amount: the most that a corner moves, share of each side.

    Source: the homography through four points,
        https://docs.opencv.org/4.x/da/d54/group__imgproc__transform.html.
    """
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], dtype=np.float32)
    moved = corners + amount * rng.random((4, 2), dtype=np.float32) * (1 - 2 * corners)
    # pixel centres are whole numbers, so the picture's corners lie half a pixel outside of them
    before = corners * np.float32(image.size) - 0.5
    after = moved * np.float32(image.size) - 0.5
    return _warp(image, cv2.getPerspectiveTransform(before, after), image.size, fill)


def _about_center(linear: list[list[float]], before: Size, after: Size) -> np.ndarray:
    """Return the 3 x 3 matrix of a linear map that takes the centre of one canvas to the centre of
    another.
    """
    matrix = np.eye(3)
    matrix[:2, :2] = linear
    matrix[:2, 2] = (np.array(after) - 1) / 2 - matrix[:2, :2] @ ((np.array(before) - 1) / 2)
    return matrix


def _warp(image: Picture, matrix: np.ndarray, size: Size, fill: str) -> Picture:
    # OpenCV's bicubic takes half the time of Pillow's, but its coordinates have 16 bits
    if max(*image.size, *size) > 32766:
        raise ValueError(
            f"only sides up to 32,766 pixels can be warped, not {image.width} x {image.height}"
        )
    options = {"flags": cv2.INTER_CUBIC, "borderValue": rgb(fill)}
    return Image.fromarray(cv2.warpPerspective(np.asarray(image), matrix, size, **options))
