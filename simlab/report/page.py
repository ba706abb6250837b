"""One self-contained HTML file: it opens offline, loads nothing, runs no script but its own, and escapes every text."""

import base64
import functools
import hashlib
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from PIL import Image

from simlab import __version__
from simlab.paths import expanded
from simlab.report.files import whole, write_text

ROWS_SHOWN = 500
"""Rows of a table that the page shows; the rest is counted."""

LARGE = 200_000
"""Bytes of a PNG above which the page holds it as a JPEG: it shows photographs."""


@dataclass(frozen=True)
class Figure:
    """A picture in the page: the bytes of a PNG, what it shows for those who cannot see it, and its caption.

    `width` is that in the page, in pixels; enlarged, it shows all that the PNG has. By default, the PNG's own.
    """

    png: bytes
    alt: str
    caption: str
    width: int | None = None


@dataclass(frozen=True)
class Section:
    """A part of the page: paragraphs separated by empty lines, figures, and tables with their captions."""

    heading: str
    text: str = ""
    figures: Sequence[Figure] = ()
    tables: Sequence[tuple[pd.DataFrame, str]] = ()


def write_report(
    path: str | Path,
    *,
    title: str,
    lead: str,
    sections: Sequence[Section],
    run: Mapping[str, Any],
    facts: Mapping[str, str] | None = None,
) -> Path:
    """Return the path, after the page was written there; it is whole or, where writing fails, as it was before.

    Args:
        lead: paragraphs below the title.
        run: how it was made; "command" is shown as such, the rest as a table.
        facts: a few numbers for the top of the page, by what they count.
    """
    html = _template().render(
        title=title,
        lead=lead,
        facts=facts or {},
        sections=sections,
        command=run.get("command"),
        run=_run_text(run),
        version=__version__,
    )
    path = expanded(path)
    with whole(path.parent) as folder:
        write_text(folder / path.name, html)
    return path


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
    }
    return environment.get_template("report.html")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _source(png: bytes) -> str:
    """Return the address under which the page holds a picture: its bytes."""
    if len(png) < LARGE:
        return f"data:image/png;base64,{_base64(png)}"
    jpeg = io.BytesIO()
    Image.open(io.BytesIO(png), formats=["PNG"]).convert("RGB").save(
        jpeg, "JPEG", quality=85, subsampling=0
    )
    return f"data:image/jpeg;base64,{_base64(jpeg.getvalue())}"


def _sha256(text: str) -> str:
    return _base64(hashlib.sha256(text.encode()).digest())


def _paragraphs(text: str) -> list[str]:
    return [part.strip() for part in text.split("\n\n") if part.strip()]


def _cells(table: pd.DataFrame) -> dict[str, Any]:
    """Return what the template needs of a table: (name, whether numeric) of each column, rows of text."""
    numeric = [
        kind in "iuf" for kind in (table.iloc[:, at].dtype.kind for at in range(table.shape[1]))
    ]
    shown = table.head(ROWS_SHOWN).itertuples(index=False, name=None)
    return {
        "columns": list(zip(map(str, table), numeric, strict=True)),
        "rows": [list(zip(map(_cell, row), numeric, row, strict=True)) for row in shown],
        "hidden": max(0, len(table) - ROWS_SHOWN),
    }


def _cell(value: Any) -> str:
    if isinstance(value, float):
        whole = value.is_integer() and abs(value) != 1
        return (
            "n/a"
            if math.isnan(value)
            else f"{value:,.0f}"
            if whole
            else f"{value:,.{1 if abs(value) > 10 else 3}f}"
        )
    return (
        f"{value:,}" if isinstance(value, Integral) and not isinstance(value, bool) else str(value)
    )


def _run_text(run: Mapping[str, Any]) -> str:
    """Return how a page was made as JSON, without what is too long to be read."""
    shown = {name: value for name, value in run.items() if name != "command"}
    long = {
        name: f"{len(value):,} entries, in run.json"
        for name, value in shown.items()
        if len(str(value)) > 1000
    }
    return json.dumps(shown | long, indent=2, default=str, ensure_ascii=False)
