"""One self-contained HTML file, which opens offline and loads nothing.

It runs no script but its own, and escapes every text.
"""

import base64
import functools
import hashlib
import io
import json
import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import pandas as pd
from markupsafe import Markup
from PIL import Image

from simlab import __version__, specs
from simlab.cards import data_uri, jpeg
from simlab.paths import AnyPath, expanded
from simlab.report.files import Run, whole, write_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROWS_SHOWN = 500
"""Rows of a table that the page shows; the rest is counted."""

LARGE = 200_000
"""Bytes of a PNG above which the page holds it as a JPEG: it shows photographs."""


@dataclass(frozen=True)
class Figure:
    """A picture in the page.

    Attributes:
        png: the bytes of a PNG.
        alt: what it shows, for those who cannot see it.
        width: that in the page, in pixels, by default the PNG's own; enlarged, it shows all that
            the PNG has.
    """

    png: bytes
    alt: str
    caption: str
    width: int | None = None


@dataclass(frozen=True)
class Section:
    """A part of the page: paragraphs parted by empty lines, commands, figures, captioned tables."""

    heading: str
    text: str = ""
    figures: Sequence[Figure] = ()
    tables: Sequence[tuple[pd.DataFrame, str]] = ()
    commands: Sequence[str] = ()


def next_steps(text: str, commands: Sequence[str]) -> Section:
    """Return the section that ends a report: what to do now, with what can be typed for it."""
    return Section("What to do now", text, commands=commands)


def write_report(
    path: AnyPath,
    *,
    title: str,
    lead: str,
    sections: Sequence[Section],
    run: Run,
    facts: Mapping[str, str] | None = None,
    warnings: Sequence[str] = (),
    review: Mapping[str, Any] | None = None,
) -> Path:
    """Return the path, after the page was written there, whole or not at all.

    Args:
        lead: paragraphs below the title.
        run: how it was made; "command" is shown as such, the rest as a table.
        facts: a few numbers for the top of the page, by what they count.
        warnings: what looks wrong, and what to do, above all else.
        review: what a person decides on, as from :func:`simlab.report.review.review_data`.
    """
    specs.check_kind("lead", lead, str, "a text")
    for section in specs.listed("sections", sections):
        specs.check_kind("each of sections", section, Section, "a Section")
    run = specs.by_name("run", run)
    html = _template().render(
        title=title,
        lead=lead,
        facts=specs.by_name("facts", facts or {}),
        warnings=warnings,
        sections=sections,
        review=None if review is None else json.dumps(review),
        command=run.get("command"),
        run=_run_text(run),
        version=__version__,
    )
    path = expanded(path)
    with whole(path.parent) as folder:
        write_text(folder / path.name, html)
    return path


def figure_of(
    ax: "Axes",
    alt: str,
    caption: str,
    *,
    dpi: int,
    page_dpi: float | None = None,
    svg: Path | None = None,
) -> Figure:
    """Return the figure of `ax` for a page, and close it, also where it cannot be drawn.

    Args:
        page_dpi: pixels of the page for an inch of the figure; None leaves the PNG's own width.
        svg: where the figure is written to as well.
    """
    # slow to import, and most of a search's time where all comes from the cache
    from matplotlib import pyplot as plt

    from simlab import plots

    try:
        if svg:
            plots.save(ax, svg, dpi=dpi)
        with tempfile.TemporaryDirectory() as folder:
            png = plots.save(ax, Path(folder, "figure.png"), dpi=dpi).read_bytes()
    finally:
        plt.close(ax.figure)
    width = round(page_dpi * ax.figure.get_figwidth()) if page_dpi else None
    return Figure(png, alt, caption, width)


@functools.cache
def _template() -> jinja2.Template:
    loader = jinja2.PackageLoader("simlab.report")
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {
        "source": _source,
        "sha256": _sha256,
        "paragraphs": _paragraphs,
        "cells": _cells,
        "in_script": _in_script,
    }
    return environment.get_template("report.html")


def _source(png: bytes) -> str:
    """Return the address under which the page holds a picture: its bytes."""
    if len(png) < LARGE:
        return data_uri(png)
    picture = Image.open(io.BytesIO(png), formats=["PNG"]).convert("RGB")
    return data_uri(jpeg(picture, quality=85, subsampling=0))


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _in_script(text: str) -> Markup:
    """A JSON text as it may stand in a script element: nothing in it ends that."""
    return Markup(text.replace("<", "\\u003c"))


def _paragraphs(text: str) -> list[str]:
    return [part.strip() for part in text.split("\n\n") if part.strip()]


def _cells(table: pd.DataFrame) -> dict[str, Any]:
    """What the template needs of a table: (name, whether numeric) of each column, rows of text."""
    numeric = [dtype.kind in "iuf" for dtype in table.dtypes]
    rows = []
    for row in table.head(ROWS_SHOWN).itertuples(index=False, name=None):
        rows.append(list(zip(map(_cell, row), numeric, row, strict=True)))
    return {
        "columns": list(zip(map(str, table), numeric, strict=True)),
        "rows": rows,
        "hidden": max(0, len(table) - ROWS_SHOWN),
    }


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return _decimal(value)
    if isinstance(value, Integral) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


def _decimal(value: float) -> str:
    if math.isnan(value):
        return "n/a"
    if value.is_integer() and abs(value) != 1:
        return f"{value:,.0f}"
    digits = 1 if abs(value) > 10 else 3
    return f"{value:,.{digits}f}"


def _run_text(run: Run) -> str:
    """How a page was made as JSON, without what is too long to be read."""
    shown = {}
    for name, value in run.items():
        is_long = len(str(value)) > 1000
        shown[name] = f"{len(value):,} entries, in run.json" if is_long else value
    shown.pop("command", None)
    return json.dumps(shown, indent=2, default=str, ensure_ascii=False)
