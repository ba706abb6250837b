"""Perturbations that move pixels: crop, resize, rotate and their kin."""

import math
from typing import Annotated, Literal

import numpy as np
from PIL import Image, ImageColor

from simlab.perturb.registry import Rule, between, register

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
"""Where a part lies: a named place, "random" anywhere, or "edge": at random along one of the four edges."""


def _is_color(value: str) -> bool:
    try:
        return bool(ImageColor.getrgb(value))
    except (ValueError, AttributeError):
        return False


Color = Annotated[str, Rule("a colour such as 'white' or '#ff8800'", _is_color)]


def place(anchor: str, rng: np.random.Generator) -> tuple[float, float]:
    """Return (x, y), shares of the free room, of an :data:`Anchor`; two numbers are drawn whatever it is."""
    x, y = rng.random(2)
    if anchor == "random":
        return x, y
    if anchor == "edge":
        return (round(x), y) if abs(x - 0.5) > abs(y - 0.5) else (x, round(y))
    return ANCHORS[anchor]


def scaled(size: tuple[int, int], x: float, y: float) -> tuple[int, int]:
    """Return a size multiplied by (x, y), rounded, no side under 1."""
    return max(1, round(size[0] * x)), max(1, round(size[1] * y))


def corner(outer: tuple[int, int], inner: tuple[int, int], at: tuple[float, float]) -> tuple[int, int]:
    """Return the upper left corner of a box of size `inner` placed in one of size `outer`."""
    return round((outer[0] - inner[0]) * at[0]), round((outer[1] - inner[1]) * at[1])


def _kept(area: float, side: float | None) -> float:
    if side is None:
        return math.sqrt(area)
    if area != 0.5:
        raise ValueError("'crop' takes area or side, not both")
    return 1 - side


@register(severity=lambda area, side: 1 - (area if side is None else _kept(area, side) ** 2))
def crop(
    image: Image.Image,
    rng: np.random.Generator,
    *,
    area: Annotated[float, between(0.001, 1)] = 0.5,
    side: Annotated[float, between(0, 0.99)] | None = None,
    anchor: Anchor = "random",
    resize_back: bool = False,
) -> Image.Image:
    """Return a part of the picture with its proportions. Severity: share of the area removed.

    Args:
        area: share of the area kept.
        side: share of each side removed, instead of `area`.
        anchor: where the part lies.
        resize_back: scale it to the size of the picture.

    Source: the crops of https://arxiv.org/abs/2206.00282 are ``side=0.1, anchor="center", resize_back=True``.
    """
    kept = _kept(area, side)
    size = scaled(image.size, kept, kept)
    x, y = corner(image.size, size, place(anchor, rng))
    part = image.crop((x, y, x + size[0], y + size[1]))
    return part.resize(image.size, BICUBIC) if resize_back else part


@register(severity=lambda scale: abs(math.log2(scale)))
def resize(
    image: Image.Image,
    rng: np.random.Generator,
    *,
    scale: Annotated[float, between(0.01, 4)] = 0.5,
    resample: Literal["nearest", "bilinear", "bicubic", "lanczos"] = "bicubic",
) -> Image.Image:
    """Return the picture with both sides multiplied by `scale`. Severity: octaves, ``|log2 scale|``.

    Args:
        resample: Pillow's filter; all but "nearest" are antialiased.
    """
    return image.resize(scaled(image.size, scale, scale), Image.Resampling[resample.upper()])


@register(severity=lambda degrees: abs(degrees))
def rotate(
    image: Image.Image,
    rng: np.random.Generator,
    *,
    degrees: Annotated[float, between(-180, 180)] = 5.0,
    expand: bool = True,
    resize_back: bool = False,
    fill: Color = "black",
) -> Image.Image:
    """Return the picture turned counter-clockwise. Severity: degrees.

    Args:
        expand: enlarge the canvas to show all of it; else the corners are cut off.
        resize_back: scale the result to the size of the picture.
        fill: colour of the corners.
    """
    turned = image.rotate(degrees, BICUBIC, expand=expand, fillcolor=fill)
    return turned.resize(image.size, BICUBIC) if resize_back else turned


@register(severity=lambda: 1.0)
def mirror(
    image: Image.Image,
    rng: np.random.Generator,
    *,
    axis: Literal["horizontal", "vertical"] = "horizontal",
) -> Image.Image:
    """Return the picture with left and right exchanged, or "vertical": top and bottom. Severity: 1."""
    horizontal, vertical = Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.FLIP_TOP_BOTTOM
    return image.transpose(horizontal if axis == "horizontal" else vertical)
