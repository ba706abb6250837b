"""Perturbations that put something on or around the picture: text, marks, frames, other pictures."""

import string
import textwrap
import unicodedata
from typing import Annotated

import numpy as np
from PIL import Image, ImageDraw

from simlab.perturb import fonts
from simlab.perturb.geometry import Anchor, Color, corner, place
from simlab.perturb.registry import Share, between, register

LETTERS = np.array(list(string.ascii_letters + string.digits))


def _text_severity(length: int, content: str | None, size: float, opacity: float) -> float:
    return (length if content is None else len(content)) * (size * 512 / 40) ** 2 * opacity


@register(severity=_text_severity, resources=fonts.font_digest)
def text(
    image: Image.Image,
    rng: np.random.Generator,
    *,
    length: Annotated[int, between(0, 500)] = 20,
    content: str | None = None,
    size: Annotated[float, between(0.005, 1)] = 40 / 512,
    position: Anchor = "random",
    color: Color = "white",
    stroke: Annotated[int, between(0, 50)] = 2,
    stroke_color: Color = "black",
    opacity: Share = 1.0,
    wrap: Annotated[int, between(1, 500)] = 20,
    font: str | None = None,
) -> Image.Image:
    """Return the picture with text over it. Severity: characters, times opacity, times their area (1 by default).

    Args:
        length: number of random letters and digits; a longer text begins with the shorter one.
        content: the text to write instead.
        size: of the font, share of the picture's width; made smaller where the text would not fit.
        stroke: width of the outline in pixels.
        wrap: longest line in characters; a Chinese, Japanese or Korean character counts as two.
        font: a font file; by default DejaVu Sans, or an installed font that has the characters.

    Source: https://arxiv.org/abs/2206.00282: white, 2-pixel black stroke, 40 px at a width of 512, lines of 20.
    """
    at = place(position, rng)
    letters = LETTERS[(rng.random(length) * len(LETTERS)).astype(int)]
    written = wrapped("".join(letters) if content is None else content, wrap)
    layer = image.copy()
    style = {"font": font, "stroke": stroke, "fill": color, "stroke_fill": stroke_color}
    write(layer, written, (0, 0, *image.size), size=size * image.width, at=at, **style)
    return layer if opacity == 1 else Image.blend(image, layer, opacity)


def wrapped(content: str, columns: int) -> str:
    """Return a text broken into lines of at most `columns` columns; wide characters take two."""
    wide = any(unicodedata.east_asian_width(c) in "WF" for c in content)
    width = max(1, columns // 2) if wide else columns
    return "\n".join(textwrap.fill(line, width) for line in content.splitlines())


def write(
    canvas: Image.Image,
    content: str,
    box: tuple[int, int, int, int],
    *,
    size: float,
    at: tuple[float, float] = (0.5, 0.5),
    font: str | None = None,
    stroke: int = 0,
    **colors: str,
) -> None:
    """Draw a text on `canvas`, in place, inside the box (left, top, right, bottom) if it fits at any size.

    Args:
        size: of the font in pixels; made smaller until the text fits.
        at: shares of the free room that lie left of it and above it.
        colors: `fill` and `stroke_fill`.
    """
    draw, room = ImageDraw.Draw(canvas), (box[2] - box[0], box[3] - box[1])
    style = {"stroke_width": stroke, "align": "center"}
    style["font"], (left, top, right, bottom) = _fit(draw, content, room, max(1, round(size)), font, style)
    x, y = corner(room, (right - left, bottom - top), at)
    draw.multiline_text((box[0] + x - left, box[1] + y - top), content, **style, **colors)


def _fit(draw: ImageDraw.ImageDraw, content: str, room: tuple[int, int], size: int, font: str | None, style: dict):
    path, is_complex = fonts.find_font(content, font), fonts.is_complex(content)
    while True:
        loaded = fonts.load(path, size, is_complex)
        box = draw.multiline_textbbox((0, 0), content, font=loaded, **style)
        shrink = min(room[0] / max(1, box[2] - box[0]), room[1] / max(1, box[3] - box[1]))
        if shrink >= 1 or size == 1:
            return loaded, box
        size = max(1, min(size - 1, int(size * shrink)))
