"""Perturbations that put something on or around the picture: text, marks, frames, pictures."""

import functools
import hashlib
import math
import textwrap
import unicodedata
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageOps

from simlab.images import ImageError, Size, read_bytes, read_image
from simlab.paths import expanded
from simlab.perturb import fonts
from simlab.perturb.geometry import BICUBIC, Anchor, Color, corner, place, rgb, scaled
from simlab.perturb.registry import Picture, Rng, Share, Sweep, between, register

PUBLISHED_WIDTH = 512
FONT_SIZE = 40 / PUBLISHED_WIDTH
# steps that spread places evenly,
# http://extremelearning.com.au/unreasonable-effectiveness-of-quasirandom-sequences/
_ELSEWHERE = np.array([0.7548776662466927, 0.5698402909980532])
_TALL = "Åg"  # as tall as a line of letters gets
FULL = 600
"""Most characters of the usual size that a text shows: they hide a square picture about three times
over.
"""

Length = Annotated[int, between(0, 500)]


def _inked(length: int, content: str | None, size: float, opacity: float) -> float:
    characters = length if content is None else len(fonts.printing(content))
    return min(characters * (size / FONT_SIZE) ** 2, FULL) * opacity


@register(severity=_inked, resources=fonts.font_digest, sweep=Sweep("length", 0, 200, 41))
def text(  # noqa: PLR0913
    image: Picture,
    rng: Rng,
    *,
    length: Length = 20,
    content: str | None = None,
    size: Annotated[float, between(0.005, 1)] = FONT_SIZE,
    position: Anchor = "random",
    color: Color = "white",
    stroke: Annotated[int, between(0, 50)] = 2,
    stroke_color: Color = "black",
    opacity: Share = 1.0,
    wrap: Annotated[int, between(1, 500)] = 20,
    font: str | None = None,
) -> Picture:
    """Return the picture with text over it.

    Severity: characters x their area (1 by default, 600 in all) x opacity.

    Args:
        length: number of random letters and digits; a longer text begins with the shorter one.
        content: the text to write instead.
        size: of the font, share of the picture's width, at least a pixel. A line ends at the
            picture's edge at the latest; a text that has filled the picture goes on over itself,
            and ends where its area is 600.
        stroke: width of the outline in pixels of a picture 512 wide, in proportion in others.
        wrap: longest line in characters; a Chinese, Japanese or Korean character counts as two.
        font: a font file; by default DejaVu Sans, or an installed font that has the characters.

    Source: https://arxiv.org/abs/2206.00282 (white, 2-pixel black stroke, 40 px at width 512, lines
        of 20).
    """
    at = place(position, rng)
    longest = math.ceil(FULL * (FONT_SIZE / size) ** 2)
    written = _written(rng, length, content)[:longest]
    layer = image.copy()
    outline = stroke * image.width / PUBLISHED_WIDTH
    style = _style(written, max(1, size * image.width), font, outline)
    for number, page in enumerate(_pages(written, wrap, image.size, style)):
        start = (at + number * _ELSEWHERE) % 1 if number else at
        whole = (0, 0, *image.size)
        _draw(layer, page, whole, start, style, fill=color, stroke_fill=stroke_color)
    return layer if opacity == 1 else Image.blend(image, layer, opacity)


@register(
    severity=lambda opacity: opacity, resources=fonts.font_digest, sweep=Sweep("opacity", 0, 1, 21)
)
def watermark(
    image: Picture,
    rng: Rng,
    *,
    content: str = "SAMPLE",
    size: Annotated[float, between(0.02, 1)] = 0.3,
    opacity: Share = 0.3,
    degrees: Annotated[float, between(-90, 90)] = 30.0,
    color: Color = "white",
    font: str | None = None,
) -> Picture:
    """Return the picture with a text repeated all over it. Severity: `opacity`.

    Args:
        size: width of one text, share of the picture's width.
        degrees: slope of the text, counter-clockwise.
    """
    phase = rng.random(2)
    side = size * image.width
    stamp = Image.new("L", scaled((1, 1), side, side / 2))
    write(stamp, content, (0, 0, *stamp.size), size=stamp.height, font=font, fill="white")
    tile = np.asarray(stamp.rotate(degrees, BICUBIC, expand=True))
    rows = math.ceil(image.height / tile.shape[0])
    columns = math.ceil(image.width / tile.shape[1])
    shifted = np.roll(tile, (phase * tile.shape).astype(int), (0, 1))
    tiles = np.tile(shifted, (rows, columns))
    mask = Image.fromarray(tiles[: image.height, : image.width])
    return _pasted(image, rgb(color), (0, 0), mask, opacity)


@register(
    severity=lambda height: height, resources=fonts.font_digest, sweep=Sweep("height", 0, 0.5, 21)
)
def caption(
    image: Picture,
    rng: Rng,
    *,
    height: Share = 0.15,
    content: str | None = None,
    length: Length = 20,
    position: Literal["bottom", "top"] = "bottom",
    color: Color = "black",
    background: Color = "white",
    font: str | None = None,
) -> Picture:
    """Return the picture with a bar of text above or below it. Severity: `height`.

    Args:
        height: of the bar, share of the picture's; the picture grows by it.
        content: the text; by default `length` random letters and digits.
    """
    written = _written(rng, length, content)
    bar = max(1, round(height * image.height))
    canvas = Image.new("RGB", (image.width, image.height + bar), background)
    if position == "bottom":
        picture_top = 0
        bar_top = image.height
    else:
        picture_top = bar
        bar_top = 0
    canvas.paste(image, (0, picture_top))
    box = (0, bar_top, image.width, bar_top + bar)
    write(canvas, written, box, size=0.6 * bar, font=font, fill=color)
    return canvas


@register(severity=lambda width: width, sweep=Sweep("width", 0, 0.5, 21))
def border(image: Picture, rng: Rng, *, width: Share = 0.1, color: Color = "white") -> Picture:
    """Return the picture in a frame of one colour.

    Severity: its width, share of the shorter side.
    """
    return ImageOps.expand(image, max(1, round(width * min(image.size))), rgb(color))


@register(severity=lambda frame: frame, sweep=Sweep("frame", 0, 1, 21))
def screenshot(image: Picture, rng: Rng, *, frame: Share = 0.3) -> Picture:
    """Return the picture as shown on a telephone: the clock above, lines of comments below.

    Severity: `frame`.

    Args:
        frame: height of what is added, share of the picture's.
    """
    draws = rng.random(3)
    added = max(4, round(frame * image.height))
    head = added // 3
    unit = added / 12
    canvas = Image.new("RGB", (image.width, image.height + added), "white")
    clock = f"{int(draws[0] * 24):02}:{int(draws[1] * 60):02}"
    bar = (0, 0, image.width, head)
    write(canvas, clock, bar, size=2 * unit, at=(0.03, 0.5), fill="#202124")
    canvas.paste(image, (0, head))
    draw = ImageDraw.Draw(canvas)
    left = 0.03 * image.width
    for row, share in enumerate(draws):
        top = head + image.height + (1 + 2 * row) * unit
        right = (0.3 + 0.6 * share) * image.width
        draw.rectangle((left, top, right, top + unit), fill="#bdc1c6")
    return canvas


def _picture_digest(picture: str | None) -> str:
    if picture is None:
        return ""
    try:
        data = read_bytes(expanded(picture))
    except ImageError as error:
        raise ValueError(f"picture {picture!r}: {error}") from error
    return f"picture:{hashlib.sha256(data).hexdigest()[:16]}"


@register(
    severity=lambda size, opacity: size**2 * opacity,
    resources=_picture_digest,
    sweep=Sweep("size", 0, 1, 21),
)
def overlay(
    image: Picture,
    rng: Rng,
    *,
    picture: str | None = None,
    size: Share = 0.3,
    position: Anchor = "random",
    opacity: Share = 1.0,
) -> Picture:
    """Return the picture with a logo or sticker on it.

    Severity: the most it covers of the area, times opacity.

    Args:
        picture: a file, its transparency respected; by default a badge in random colours is drawn.
        size: sides of the box that the logo fills with its proportions, shares of the picture's
            sides.
    """
    at = place(position, rng)
    disc, star = rng.integers(0, 256, (2, 3)).tolist()
    if picture is None:
        light, mask = _badge(tuple(disc), tuple(star))
    else:
        light, mask = _cut_out(picture)
    fit = size * min(image.width / light.width, image.height / light.height)
    light = light.resize(scaled(light.size, fit, fit), BICUBIC)
    mask = mask.resize(scaled(mask.size, fit, fit), BICUBIC)
    x, y = corner(image.size, mask.size, at)
    result = _pasted(image, (0, 0, 0), (x, y), mask, opacity)
    shaded = result.crop((x, y, x + mask.width, y + mask.height))
    faded = light.point(lambda level: round(level * opacity))
    result.paste(ImageChops.add(shaded, faded), (x, y))
    return result


@register(
    severity=lambda area: 1 - area, resources=_picture_digest, sweep=Sweep("area", 1, 0.05, 20)
)
def embed(
    image: Picture,
    rng: Rng,
    *,
    picture: str | None = None,
    area: Annotated[float, between(0.01, 1)] = 0.5,
    position: Anchor = "random",
) -> Picture:
    """Return the picture, made smaller, within another one of its size.

    Severity: share of the area taken away.

    Args:
        picture: the file of the other picture; by default patches of random colours are drawn.
        area: share of the area that the picture keeps.
    """
    at = place(position, rng)
    draws = rng.random((24, 7))
    side = math.sqrt(area)
    part = image.resize(scaled(image.size, side, side), BICUBIC)
    if picture is None:
        other = _patches(image.size, draws)
    else:
        other = _decoded(read_bytes(expanded(picture)), picture, 255)
    other = ImageOps.fit(other, image.size, BICUBIC)
    return _pasted(other, part, corner(image.size, part.size, at))


def wrapped(content: str, columns: int) -> str:
    """Return a text broken into lines of at most `columns` columns; wide characters take two.

    >>> wrapped("日本語の文字", 6).splitlines()
    ['日本語', 'の文字']
    """
    wide = any(unicodedata.east_asian_width(c) in "WF" for c in content)
    width = max(1, columns // 2) if wide else columns
    return "\n".join(textwrap.fill(line, width) for line in content.splitlines())


def write(
    canvas: Picture,
    content: str,
    box: tuple[int, int, int, int],
    *,
    size: float,
    at: tuple[float, float] = (0.5, 0.5),
    font: str | None = None,
    stroke: int = 0,
    **colors: str,
) -> None:
    """Draw a text on `canvas`, in place, inside the box (left, top, right, bottom) if it fits at
    any size.

    Args:
        size: of the font in pixels; made smaller until the text fits.
        at: shares of the free room that lie left of it and above it.
        colors: `fill` and `stroke_fill`.
    """
    room = (box[2] - box[0], box[3] - box[1])
    style = _fit(content, room, max(1, round(size)), font, stroke)
    _draw(canvas, content, box, at, style, **colors)


def _draw(
    canvas: Picture, content: str, box: tuple, at: tuple[float, float], style: dict, **colors: str
) -> None:
    left, top, right, bottom = _box(content, style)
    room = (box[2] - box[0], box[3] - box[1])
    x, y = corner(room, (right - left, bottom - top), at)
    start = (box[0] + x - left, box[1] + y - top)
    ImageDraw.Draw(canvas).multiline_text(start, content, **style, **colors)


def _pages(content: str, wrap: int, room: Size, style: dict) -> Iterator[str]:
    """Yield the parts of a text that fill a picture one after the other, their lines no wider than
    it.
    """
    room_width, room_height = room
    columns = wrap
    width, _ = _size(wrapped(content, columns), style)
    while width > room_width and columns > 1:
        columns = max(1, min(columns - 1, int(columns * room_width / width)))
        width, _ = _size(wrapped(content, columns), style)
    lines = wrapped(content, columns).split("\n")
    _, first_line = _size(_TALL, style)
    _, two_lines = _size(f"{_TALL}\n{_TALL}", style)
    n_lines = 1 + max(0, room_height - first_line) // (two_lines - first_line)
    for start in range(0, len(lines), n_lines):
        yield "\n".join(lines[start : start + n_lines])


def _fit(content: str, room: Size, size: int, font: str | None, stroke: int) -> dict:
    """Return the style, its font the largest up to `size` in which the text fits."""
    while True:
        style = _style(content, size, font, stroke)
        width, height = _size(content, style)
        shrink = min(room[0] / max(1, width), room[1] / max(1, height))
        if shrink >= 1 or size == 1:
            return style
        size = max(1, min(size - 1, int(size * shrink)))


def _style(content: str, size: float, font: str | None, stroke: float) -> dict:
    path = fonts.find_font(content, font)
    is_complex = fonts.is_complex(content)
    # the spacing is between lines; Pillow's 4 pixels suit only its usual sizes
    return {
        "font": fonts.load(path, size, is_complex),
        "stroke_width": stroke,
        "align": "center",
        "spacing": int(size) // 10,
    }


def _box(content: str, style: dict) -> tuple:
    return ImageDraw.Draw(Image.new("RGB", (1, 1))).multiline_textbbox((0, 0), content, **style)


def _size(content: str, style: dict) -> Size:
    left, top, right, bottom = _box(content, style)
    return math.ceil(right - left), math.ceil(bottom - top)


def _written(rng: Rng, length: int, content: str | None) -> str:
    # one draw a letter, in order: a longer text begins with the shorter one
    places = (rng.random(length) * len(fonts.LETTERS)).astype(int)
    letters = "".join(fonts.LETTERS[place] for place in places)
    return letters if content is None else content


def _pasted(
    image: Picture, pasted: Any, at: tuple, mask: Picture | None = None, opacity: float = 1
) -> Picture:
    result = image.copy()
    faded = mask and mask.point(lambda level: round(level * opacity))
    result.paste(pasted, at, faded)
    return result


@functools.lru_cache(maxsize=4)
def _decoded(data: bytes, path: str, level: int) -> Picture:
    # by content too, not by path alone: the file may be replaced while a notebook is open
    return read_image(data, background=(level,) * 3, name=path)


def _cut_out(path: str) -> tuple[Picture, Picture]:
    """Return the light of a picture (it on black) and its opacity, as the one decoder shows it on
    two grounds.
    """
    data = read_bytes(expanded(path))
    on_white = _decoded(data, path, 255)
    on_black = _decoded(data, path, 0)
    shining_through = ImageChops.difference(on_white, on_black).getchannel("G")
    return on_black, ImageOps.invert(shining_through)


def _badge(disc: tuple[int, ...], star: tuple[int, ...]) -> tuple[Picture, Picture]:
    badge = Image.new("RGB", (256, 256))
    opaque = Image.new("L", (256, 256))
    for layer in (badge, opaque):
        ImageDraw.Draw(layer).ellipse((2, 2, 253, 253), fill="white")
    ImageDraw.Draw(badge).ellipse((16, 16, 239, 239), fill=disc)
    for rotation in (0, 45):
        ImageDraw.Draw(badge).regular_polygon((128, 128, 90), 4, rotation=rotation, fill=star)
    return badge, opaque


def _patches(size: Size, draws: np.ndarray) -> Picture:
    """A background of smooth colours with rectangles: something foreign for hashes and for
    keypoints.
    """
    colors = (60 + 140 * draws[:, :3]).astype(np.uint8)
    smooth = Image.fromarray(colors.reshape(4, 6, 3)).resize(size, BICUBIC)
    starts = draws[:, 3:5] * size
    ends = starts + draws[:, 5:] * size / 4
    boxes = np.hstack([starts, ends]).tolist()
    for color, box in zip(colors[::-1].tolist(), boxes):
        ImageDraw.Draw(smooth).rectangle(box, fill=tuple(color))
    return smooth
