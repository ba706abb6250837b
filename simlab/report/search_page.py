"""The result of a search as a folder: found pairs and groups as tables, and a page that shows why."""

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from PIL import Image, ImageOps

from simlab import plots
from simlab.messages import counted
from simlab.methods import alignment, keypoints
from simlab.paths import expanded
from simlab.report.files import (
    passed_over,
    relative_root,
    thumbnail,
    versions,
    whole,
    write_csv,
    write_run,
)
from simlab.report.page import Figure, Section, write_report
from simlab.tables import root_of

_PAIRS, _GROUPS, _MEMBERS, _LINES = 12, 12, 8, 60  # most that the page shows
_COLUMNS = ["reference", "query", "identical", "probability", "agreed", "low_information", "frames"]
_LIMITS = (
    "Only pairs whose hashes are near, or whose keypoints vote for each other, were compared by every method: a copy"
    " that shares neither is not here. Heavily covered pictures, mirrored parts of a picture and pictures of very"
    " low resolution are the usual ones to be missed. Nothing was deleted or moved."
)


class _Found(NamedTuple):
    pairs: pd.DataFrame
    groups: pd.DataFrame
    root: Path
    folder: Path
    facts: Mapping[str, Any]


def found(
    pairs: pd.DataFrame,
    groups: pd.DataFrame,
    out: str | Path,
    *,
    root: str | Path | None = None,
    run: Mapping[str, Any] | None = None,
) -> Path:
    """Return the path of report.html, after it was written to `out` beside found.csv, groups.csv and run.json.

    Args:
        pairs: as from :func:`simlab.find_copies`. How many pictures there were, and which could not be read,
            is told where its ``attrs`` still say so.
        groups: as from :func:`simlab.group`.
        root: folder that the pictures' paths are relative to; by default ``pairs.attrs["root"]``.
        run: how it was made; the root and versions are added.

    Raises:
        ValueError: no picture of the pairs is there.
    """
    root = root_of(pairs, root)
    # a CSV knows no empty text
    pairs = pairs.assign(agreed=pairs["agreed"].astype(object).fillna(""))
    run = {**(run or {}), "root": relative_root(root, out), "versions": versions()}
    with whole(out) as folder:  # what was found is kept, whatever fails from here on
        write_csv(pairs, folder / "found.csv")
        write_csv(groups, folder / "groups.csv")
        write_run(run, folder)
    with whole(out) as folder:
        made = _Found(pairs, groups, root, folder, pairs.attrs)
        page = {
            "title": "Copies among these pictures",
            "lead": _lead(made),
            "facts": _numbers(made),
        }
        write_report(made.folder / "report.html", **page, sections=list(_sections(made)), run=run)
    return expanded(out) / "report.html"


def _numbers(made: _Found) -> dict[str, str]:
    several = made.groups[made.groups["size"] > 1]
    listed, errors = made.facts.get("pictures"), made.facts.get("errors")
    first = {"pictures": f"{len(listed['file']):,}"} if listed else {}
    last = {"unreadable": f"{len(errors):,}"} if errors is not None else {}
    return {
        **first,
        "pairs of identical files": f"{made.pairs['identical'].sum():,}",
        "pairs of other copies": f"{(~made.pairs['identical'].astype(bool)).sum():,}",
        "groups": f"{several['group'].nunique():,}",
        "pictures beside a better one": f"{len(several) - several['group'].nunique():,}",
        **last,
    }


def _lead(made: _Found) -> str:
    if not len(made.pairs):
        return "No two of these pictures are copies of each other, as far as this recipe can tell."
    prior, threshold = (
        made.pairs[name].iloc[0] if name in made.pairs else None for name in ("prior", "threshold")
    )
    text = "Each pair is listed with the probability that the two show the same picture, and the methods that say so."
    said = f" It assumes that 1 pair in {1 / prior:,.0f} is a copy." if prior else ""
    least = f" Pairs under {1 - threshold:.2g} are left out." if threshold is not None else ""
    return text + said + least


def _sections(made: _Found) -> Iterator[Section]:
    copies = made.pairs[~made.pairs["identical"].astype(bool)]
    if len(copies):
        doubtful = copies.tail(_PAIRS // 2)
        sure = copies.drop(doubtful.index).drop_duplicates("reference")
        varied = sure.assign(again=sure.duplicated("agreed")).sort_values("again", kind="stable")
        text = "Lines join keypoints that match and agree on one geometry. Where there are none, the hashes decided."
        if len(sure):
            shown = _rows(varied.head(_PAIRS - len(doubtful)))
            yield Section("Why: some of the surest", text, [_why(made, row) for row in shown])
        text = (
            "The least certain of all that were found: look at these before you trust the others."
        )
        yield Section("Why: the least certain", text, [_why(made, row) for row in _rows(doubtful)])
    several = made.groups[made.groups["size"] > 1]
    if len(several):
        yield Section("Groups", _about_groups(several), list(_galleries(made, several)))
    if len(made.pairs):
        pairs = made.pairs[_COLUMNS].assign(agreed=made.pairs["agreed"].map(_short))
        table = pairs, "Found pairs, surest first; with every distance in found.csv"
        yield Section("All pairs", tables=[table])
    errors = pd.DataFrame(list(made.facts.get("errors", {}).items()), columns=["file", "reason"])
    tables = [(errors, "Files that could not be read, and why")] if len(errors) else []
    text = f"{_LIMITS} {passed_over(made.facts)}".strip()
    yield Section("What this leaves out", text, tables=tables)


def _rows(pairs: pd.DataFrame) -> list[dict]:
    return pairs.to_dict("records")


def _about_groups(several: pd.DataFrame) -> str:
    n, chained = several["group"].nunique(), several.loc[several["chained"], "group"].nunique()
    text = f"{counted(n, 'group')}; the first picture of each is the largest, and of equally large ones the sharpest."
    if chained:
        text += (
            f" In {chained:,} of them some pictures are no copies of each other and are joined only through others,"
            " as two crops of one picture may be. Complete linkage (--linkage complete) makes no such groups."
        )
    return text


def _why(made: _Found, row: Mapping[str, Any]) -> Figure:
    first, second = (thumbnail(made.root / row[side], side=400) for side in ("reference", "query"))
    a, ways = (
        _keypoints(first),
        [(picture, _keypoints(picture)) for picture in (second, ImageOps.mirror(second))],
    )
    found = [np.stack(keypoints.inliers(a, b), axis=1) for _, b in ways]
    mirrored = len(found[1]) > 3 * len(found[0])
    (shown, b), matches = ways[mirrored], found[mirrored]
    step = max(1, len(matches) // _LINES)
    names = f"{row['reference']} and {row['query']}"
    warning = " One of the two is low in information." if row["low_information"] else ""
    warning += " The second is shown mirrored." if mirrored else ""
    warning += f" Of {len(matches):,} matches, 1 in {step} is drawn." if step > 1 else ""
    chance = f"{row['probability']:.4f}" if row["probability"] < 0.9999 else "over 0.9999"
    caption = f"{names}: probability {chance}; for it speak {_short(row['agreed'])}.{warning}"
    return _draw(
        made, plots.plot_matches(first, a.points, shown, b.points, matches[::step]), names, caption
    )


def _keypoints(picture: Image.Image) -> keypoints.Keypoints:
    """Those of both looks, as the method ``aligned`` takes them."""
    return keypoints.Keypoints(*alignment.looks(picture)[:4])


def _short(agreed: str) -> str:
    """The methods without their arguments, where these are not needed to tell them apart."""
    names = agreed.split(";")
    short = [name.partition("(")[0] for name in names]
    return ", ".join(short if len(set(short)) == len(short) else names) or "no single method"


def _galleries(made: _Found, several: pd.DataFrame) -> Iterator[Figure]:
    for _, members in itertools.islice(several.groupby("group"), _GROUPS):
        shown, more = members["file"].head(_MEMBERS), len(members) - _MEMBERS
        ax = plots.plot_gallery(
            [thumbnail(made.root / file, side=240) for file in shown], list(shown)
        )
        caption = counted(len(members), "picture") + (
            f", {more} of them not shown" if more > 0 else ""
        )
        caption += ", joined in a chain" if members["chained"].any() else ""
        yield _draw(made, ax, f"Copies of {shown.iloc[0]}", caption)


def _draw(made: _Found, ax: Axes, alt: str, caption: str) -> Figure:
    file = plots.save(ax, made.folder / "figure.png", dpi=140)
    plt.close(ax.figure)
    png = file.read_bytes()
    file.unlink()
    return Figure(png, alt, caption, width=round(80 * ax.figure.get_figwidth()))
