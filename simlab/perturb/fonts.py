"""Fonts for drawn text: matplotlib's DejaVu Sans where it has the characters, else an installed
font.
"""

import functools
import hashlib
import importlib.util
import re
import string
import unicodedata
from pathlib import Path

from PIL import ImageFont

from simlab.images import ImageError, read_bytes
from simlab.paths import expanded

LETTERS = string.ascii_letters + string.digits


@functools.cache
def dejavu() -> str:
    """Return the path of the DejaVu Sans that comes with matplotlib, which is not imported."""
    package = Path(importlib.util.find_spec("matplotlib").origin).parent
    return str(package / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf")


@functools.cache
def find_font(content: str, font: str | None = None) -> str:
    """Return the path of the first font that has all characters of a text: `font` alone where it is
    named.

    Raises:
        ValueError: with the characters that no font has, and what to install.
    """
    if content.isascii() and font is None:
        return dejavu()
    needed = set(printing(content))
    missing = needed
    candidates = [dejavu(), *system_fonts()] if font is None else [str(expanded(font))]
    for path in candidates:
        lacks = needed - characters(path)
        if not lacks:
            return path
        missing = min(missing, lacks, key=len)
    raise ValueError(
        f"no font here has {''.join(sorted(missing))!r}; install one (on Debian fonts-noto-cjk "
        "for Chinese, Japanese, Korean, else fonts-noto-core; Windows and macOS bring theirs) "
        'or name a file: font="…"'
    )


def printing(content: str) -> list[str]:
    """Return the characters of a text that leave ink: no spaces, no controls.

    >>> printing("a\\n b")
    ['a', 'b']
    """
    return [c for c in content if not c.isspace() and unicodedata.category(c) not in ("Cc", "Cf")]


def system_fonts() -> tuple[str, ...]:
    """Return the installed fonts that can be drawn at any size; regular weights first, then by
    name.

    They are looked for anew each time: whoever is told that a font is missing installs one and
        tries again.
    """
    from matplotlib.font_manager import findSystemFonts  # slow to import, rarely needed

    # colour emoji come as bitmaps of one size; "last resort" fonts claim every character and draw
    # boxes
    paths = [
        path
        for path in findSystemFonts()
        if not re.search("emoji|lastresort", Path(path).name.lower())
    ]
    return tuple(
        sorted(paths, key=lambda path: ("regular" not in path.lower(), Path(path).name, path))
    )


@functools.cache
def characters(path: str) -> frozenset[str]:
    """Return the characters that a font file has glyphs for; none where it cannot be read."""
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(map(chr, FT2Font(path).get_charmap()))
    except (OSError, RuntimeError):
        return frozenset()


@functools.cache
def _digest(path: str) -> str:
    return "font:" + hashlib.sha256(read_bytes(path)).hexdigest()[:16]


def font_digest(content: str | None, font: str | None) -> str:
    """Return a digest of the font file that a text is drawn with; None stands for random letters
    and digits.

    Raises:
        ValueError: no font has the characters, or the named file cannot be read.
    """
    try:
        if font is not None:
            _digest(str(expanded(font)))  # a file that cannot be read is said before what it lacks
        return _digest(find_font(LETTERS if content is None else content, font))
    except ImageError as error:
        raise ValueError(f"font {font!r}: {error}") from error


@functools.lru_cache(maxsize=64)
def load(path: str, size: float, content_is_complex: bool) -> ImageFont.FreeTypeFont:
    """Return a font at a size in pixels.

    Raqm shapes Arabic or Devanagari but is not on every machine; simple scripts do without, alike
    everywhere.
    """
    layout = ImageFont.Layout.RAQM if content_is_complex else ImageFont.Layout.BASIC
    return ImageFont.truetype(path, size, layout_engine=layout)


def is_complex(content: str) -> bool:
    """Return whether a text is written right to left or with combining marks."""
    return any(
        unicodedata.bidirectional(c) in ("R", "AL") or unicodedata.combining(c) for c in content
    )
