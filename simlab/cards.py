"""How results look in a notebook: cards of objects, and tables that are read at a glance.

They are plain HTML in the colours of whoever shows it, dark or light. What they show is untrusted
text, and escaped.
"""

import base64
import functools
import html
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ParamSpec

import pandas as pd
from pandas import DataFrame
from PIL import Image

from simlab.images import Picture, read_image
from simlab.paths import AnyPath

P = ParamSpec("P")

ROWS = 60
"""Most rows of a table that are all shown; of more, the first ten are."""

COLUMNS = 20
"""Most columns that are shown, the first."""

PICTURED = 8
"""Most rows that are shown with their pictures, which are read for it."""

_SIDE = 96
_PNG = b"\x89PNG"
_FILES = ("file", "reference", "query")
_CARD = (
    "display:inline-block;max-width:46em;padding:.6em 1em;border:1px solid #8888;"
    "border-left:4px solid #0072b2;border-radius:4px"
)
_TYPED = "margin:.4em 0 0;padding:.3em .6em;background:#8882;color:inherit;white-space:pre-wrap"


class Shown(DataFrame):
    """A plain table that shows well in a notebook, and so do its rows and columns.

    Numbers are rounded, a value stands with its interval, as "0.93 [0.88, 0.97]", files of the
    first rows with their pictures, and no text is cut.
    """

    @property
    def _constructor(self) -> type[DataFrame]:
        return Shown

    def __repr__(self) -> str:
        with pd.option_context("display.max_colwidth", None):
            return super().__repr__()

    def _repr_html_(self) -> str:
        if max(self.columns.nlevels, self.index.nlevels) > 1 or not self.columns.is_unique:
            return super()._repr_html_()
        return table(self)


def shown(function: Callable[P, DataFrame]) -> Callable[P, DataFrame]:
    """Return the function, with a result that is :class:`Shown`."""

    @functools.wraps(function)
    def decorated(*args: P.args, **options: P.kwargs) -> DataFrame:
        result = function(*args, **options)
        return Shown(result).__finalize__(result)

    return decorated


def card(title: str, *lines: str, rows: DataFrame | None = None, typed: Sequence[str]) -> str:
    """Return the card of an object: what it is, and what one may type next.

    Args:
        rows: a table below the lines.
        typed: lines of Python.
    """
    parts = [f"<strong>{escaped(title)}</strong>"]
    parts += [f'<div style="margin:.3em 0">{escaped(line)}</div>' for line in lines]
    if rows is not None:
        parts.append(table(rows))
    code = escaped("\n".join(typed))
    parts.append(f'<pre style="{_TYPED}">{code}</pre>')
    return f'<div style="{_CARD}">{"".join(parts)}</div>'


def table(given: DataFrame) -> str:
    """Return a table as HTML: the first rows of a long one, and a line that says so."""
    rows = given if len(given) <= ROWS else given.head(10)
    rows = rows.iloc[:, :COLUMNS]
    ends = _ends([str(name) for name in rows])
    hidden = {end for pair in ends.values() for end in pair}
    cells = {}
    for name in rows:
        if name in hidden:
            continue
        if name in ends:
            low, high = ends[name]
            heading = f"{name} [{low}, {high}]" if low == "low" else f"{name} [low, high]"
            triples = zip(rows[name], rows[low], rows[high])
            cells[escaped(heading)] = [_interval(*triple) for triple in triples]
        else:
            cells[escaped(name)] = [_text(value) for value in rows[name]]
    root = given.attrs.get("root")
    if root is not None:
        for name in set(_FILES).intersection(cells):
            with_pictures = [_picture(Path(root, str(file))) for file in rows[name][:PICTURED]]
            for number, picture in enumerate(with_pictures):
                cells[name][number] = picture + cells[name][number]
    body = DataFrame(cells, index=rows.index.map(_text), dtype=object)
    with pd.option_context("display.max_colwidth", None):
        text = body.to_html(escape=False)
    n_rows, n_columns = given.shape
    if rows.shape != given.shape:
        all_columns = f"{rows.shape[1]} of {n_columns} columns"
        text += f"<p>{len(rows)} of {n_rows:,} rows, {all_columns}</p>"
    return f"<div>{text}</div>"


def escaped(text: object) -> str:
    """Return a text that is safe in HTML, within quotes too; bytes that are no UTF-8 spelled out.

    >>> escaped('<b>"海"</b>')
    '&lt;b&gt;&quot;海&quot;&lt;/b&gt;'
    """
    return html.escape(plain(text))


def plain(text: object) -> str:
    """Return a text as a page or a widget can be sent it: bytes that are no UTF-8 are spelled out.

    File names may hold them, as code points that JSON refuses.

    >>> plain("a\\udcff.jpg")
    'a\\\\udcff.jpg'
    """
    return str(text).encode("utf-8", "backslashreplace").decode()


def number(value: float) -> str:
    """Return a number to three digits, a large one in full.

    >>> number(0.92649), number(12345.6), number(-0.00001)
    ('0.926', '12,346', '-1e-05')
    """
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def data_uri(data: bytes) -> str:
    """Return the bytes of a PNG or JPEG as a page holds them."""
    kind = "png" if data.startswith(_PNG) else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def jpeg(image: Picture, quality: int = 88, **options: int) -> bytes:
    """Return a picture as a JPEG."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality, **options)
    return file.getvalue()


def small_copy(image: Picture, side: int) -> Picture:
    """Return a copy of a picture whose longer side has so many pixels at most."""
    copy = image.copy()
    copy.thumbnail((side, side))
    return copy


def no_picture() -> Picture:
    """Return the grey picture that stands for one that cannot be read."""
    return Image.new("RGB", (240, 180), "#d0d0d0")


def _ends(columns: Sequence[str]) -> dict[str, tuple[str, str]]:
    """By column the two that hold the ends of its interval."""
    ends = {}
    for before, name in zip(["", *columns], columns):
        if before and name == "low" and "high" in columns:
            ends[before] = ("low", "high")
        both = (f"{name}_low", f"{name}_high")
        if set(both).issubset(columns):
            ends[name] = both
    return ends


def _interval(value: Any, low: Any, high: Any) -> str:
    if pd.isna(low) or pd.isna(high):
        return _text(value)
    return f"{_text(value)}&nbsp;[{_text(low)},&nbsp;{_text(high)}]"


def _text(value: Any) -> str:
    if isinstance(value, float):
        return "" if pd.isna(value) else number(value)
    return "" if value is None or value is pd.NA else escaped(value)


def _picture(path: AnyPath) -> str:
    """The picture of a file, small; nothing of a file that shows none."""
    try:
        image = read_image(path)
    except (ValueError, OSError):
        return ""
    source = data_uri(jpeg(small_copy(image, _SIDE), quality=75))
    return f'<img src="{source}" alt="" style="display:block;margin:0 0 2px auto">'
