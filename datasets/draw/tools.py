"""What the drawings share: seeded randomness, smooth noise, colour ramps, fonts."""

import hashlib
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageFont

FONTS = Path(matplotlib.get_data_path(), "fonts", "ttf")


def random(*words) -> np.random.Generator:
    """Return a generator seeded by the words, the same on every machine."""
    digest = hashlib.sha256(" ".join(map(str, words)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "little"))


@cache
def font(name: str, size: int) -> ImageFont.FreeTypeFont:
    """Return one of the fonts that matplotlib ships, in the layout that every build of
    Pillow has.
    """
    return ImageFont.truetype(FONTS / f"{name}.ttf", size, layout_engine=ImageFont.Layout.BASIC)


def noise(
    generator: np.random.Generator, size: tuple[int, int], cells: int, octaves: int = 5
) -> np.ndarray:
    """Return smooth noise, (h, w) about -1 to 1, with `cells` bumps across and finer ones upon
    them.
    """
    width, height = size
    total = np.zeros((height, width))
    for octave in range(octaves):
        across = cells * 2**octave
        down = max(2, round(across * height / width))
        grid = Image.fromarray(generator.uniform(-1, 1, (down, across)).astype(np.float32))
        total += np.asarray(grid.resize(size, Image.Resampling.BICUBIC)) / 2**octave
    return total


def ramp(
    position: np.ndarray, colours: list[str | tuple], stops: list[float] | None = None
) -> np.ndarray:
    """Return RGB floats (0 to 255) for positions on a ramp of colours."""
    table = np.array([rgb(colour) for colour in colours], dtype=float)
    stops = np.linspace(0, 1, len(table)) if stops is None else stops
    return np.stack(
        [np.interp(position, stops, table[:, channel]) for channel in range(3)], axis=-1
    )


def rgb(colour: str | tuple) -> tuple[int, int, int]:
    """Return (r, g, b) of "#rrggbb"."""
    return tuple(colour) if not isinstance(colour, str) else tuple(bytes.fromhex(colour[1:]))


def mix(below: np.ndarray, above, share: np.ndarray | float) -> np.ndarray:
    """Return `above` laid on `below` with an opacity of `share` (0 to 1), per pixel."""
    share = np.asarray(share)[..., None]
    return below * (1 - share) + np.asarray(above, dtype=float) * share


def picture(pixels: np.ndarray) -> Image.Image:
    """Return RGB floats (0 to 255) as a picture."""
    return Image.fromarray(np.clip(np.round(pixels), 0, 255).astype(np.uint8))


def shrink(image: Image.Image, factor: int) -> Image.Image:
    """Return the picture reduced by a whole factor: how the drawings get smooth edges."""
    return image.reduce(factor)
