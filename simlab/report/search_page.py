"""The result of a search as a folder: pairs and groups as tables, and a page that shows why."""

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from PIL import Image, ImageOps

from simlab import plots
from simlab.messages import counted
from simlab.methods import alignment, keypoints
from simlab.methods.places import places_between, sentence
from simlab.moving import make_plan
from simlab.paths import Folders, expanded
from simlab.report.files import (
    passed_over,
    relative_root,
    thumbnail,
    versions,
    whole,
    write_csv,
    write_run,
)
from simlab.report.page import Figure, Section, figure_of, write_report
from simlab.search import group
from simlab.search.judging import COPY, IDENTICAL, LOOK_ALIKE
from simlab.tables import check_table, root_of

# most that the page shows
_PAIRS = 12
_GROUPS = 12
_MEMBERS = 8
_LINES = 60
_COLUMNS = ["reference", "query", "verdict", "probability", "agreed", "low_information", "frames"]
_LIMITS = (
    "Only pairs whose hashes are near, or whose keypoints vote for each other, were compared by"
    " every method: a copy that shares neither is not here. Heavily covered pictures, mirrored"
    " parts of a picture and pictures of very low resolution are the usual ones to be missed."
    " Nothing was deleted or moved."
)


class _Found(NamedTuple):
    """What the page is told from."""

    pairs: pd.DataFrame
    groups: pd.DataFrame
    lookalikes: pd.DataFrame
    root: Path
    facts: Mapping[str, Any]

    def said_to_be(self, verdict: str) -> pd.DataFrame:
        """The pairs with this verdict."""
        return self.pairs[self.pairs["verdict"] == verdict]

    @property
    def grouped(self) -> pd.DataFrame:
        """The pictures that have a copy."""
        return self.groups[self.groups["size"] > 1]


def found(
    pairs: pd.DataFrame,
    groups: pd.DataFrame,
    out: str | Path,
    *,
    root: str | Path | None = None,
    run: Mapping[str, Any] | None = None,
    reference: Folders = (),
) -> Path:
    """Return the path of report.html, after it was written to `out`.

    Beside it: found.csv, groups.csv, lookalikes.csv, plan.csv (where the pairs say what files were
    judged) and run.json.

    Args:
        pairs: as from :func:`simlab.find_copies`. How many pictures there were, and which could
            not be read, and what looks wrong, is told where its ``attrs`` still say so.
        groups: as from :func:`simlab.group`.
        root: folder that the pictures' paths are relative to; by default ``pairs.attrs["root"]``.
        run: how it was made; the root and versions are added.
        reference: folder or folders whose pictures the plan keeps; see :func:`simlab.make_plan`.

    Raises:
        ValueError: a table lacks a column, or no picture of the pairs is there.
    """
    check_table(pairs, "pairs", _COLUMNS)
    check_table(groups, "groups", "file, group, size, chained")
    root = root_of(pairs, root)
    # a CSV knows no empty text
    pairs = pairs.assign(agreed=pairs["agreed"].astype(object).fillna(""))
    lookalikes = group(pairs, of=LOOK_ALIKE)
    warnings = list(pairs.attrs.get("warnings", []))
    made_by = {"root": relative_root(root, out), "versions": versions(), "warnings": warnings}
    run = {**(run or {}), **made_by}
    # what was found is kept, whatever fails from here on
    with whole(out, stale=["report.html"]) as folder:
        write_csv(pairs, folder / "found.csv")
        write_csv(groups, folder / "groups.csv")
        write_csv(lookalikes, folder / "lookalikes.csv")
        if "sha256_query" in pairs:
            plan = make_plan(pairs, groups, reference=reference, root=root)
            plan["root"] = plan["root"].map(lambda folder: relative_root(folder, out))
            write_csv(plan, folder / "plan.csv")
        write_run(run, folder)
    with whole(out) as folder:
        made = _Found(pairs, groups, lookalikes, root, pairs.attrs)
        write_report(
            folder / "report.html",
            title="Copies among these pictures",
            lead=_lead(pairs),
            facts=_numbers(made),
            sections=list(_sections(made)),
            run=run,
            warnings=warnings,
        )
    return expanded(out) / "report.html"


def _lead(pairs: pd.DataFrame) -> str:
    none = "No two of these pictures are copies of each other, as far as this recipe can tell."
    if pairs.empty:
        return none
    first = pairs.iloc[0]
    text = (
        "Each pair is listed with the probability that the two are copies, and the methods that say"
        " so. Look-alikes, which share much and contradict each other, stand apart."
    )
    if (pairs["verdict"] == LOOK_ALIKE).all():
        text = f"{none} {text}"
    if first.get("prior"):
        text += f" It assumes that 1 pair in {1 / first['prior']:,.0f} is a copy."
    if "threshold" in pairs:
        text += f" Pairs under {1 - first['threshold']:.2g} are not called copies."
    return text


def _numbers(made: _Found) -> dict[str, str]:
    """What stands at the top of the page; only where it is known, how many pictures there were."""
    numbers = {}
    if listed := made.facts.get("pictures"):
        numbers["pictures"] = len(listed["file"])
    n_groups = made.grouped["group"].nunique()
    numbers |= {
        "pairs of identical pictures": len(made.said_to_be(IDENTICAL)),
        "pairs of other copies": len(made.said_to_be(COPY)),
        "groups of copies": n_groups,
        "pictures beside a better one": len(made.grouped) - n_groups,
        "pairs of look-alikes": len(made.said_to_be(LOOK_ALIKE)),
        "groups of look-alikes": made.lookalikes["group"].nunique(),
    }
    errors = made.facts.get("errors")
    if errors is not None:
        numbers["unreadable"] = len(errors)
    return {name: f"{number:,}" for name, number in numbers.items()}


def _sections(made: _Found) -> Iterator[Section]:
    copies = made.said_to_be(COPY)
    doubtful = copies.tail(_PAIRS // 2)
    sure = copies.drop(doubtful.index)
    if len(sure):
        text = (
            "Lines join keypoints that match and agree on one geometry. Where there are none, the"
            " hashes decided."
        )
        shown = _varied(sure).head(_PAIRS - len(doubtful))
        yield Section("Why: some of the surest", text, _why(made, shown))
    if len(doubtful):
        text = (
            "The least certain of all that were found: look at these before you trust the others."
        )
        yield Section("Why: the least certain", text, _why(made, doubtful))
    if len(made.grouped):
        yield Section("Groups", _about_groups(made.grouped), list(_galleries(made)))
    lookalikes = made.said_to_be(LOOK_ALIKE)
    if len(lookalikes):
        shown = _varied(lookalikes).head(_PAIRS)
        yield Section("Look-alikes", _about_look_alikes(made), _why(made, shown))
    if len(made.pairs):
        table = made.pairs[_COLUMNS].assign(agreed=made.pairs["agreed"].map(_short))
        note = "Found pairs, surest first; with every distance in found.csv"
        yield Section("All pairs", tables=[(table, note)])
    yield _left_out(made)


def _varied(pairs: pd.DataFrame) -> pd.DataFrame:
    """One pair of each reference, first those that other methods speak for than before."""
    rows = pairs.drop_duplicates("reference")
    return rows.assign(again=rows.duplicated("agreed")).sort_values("again", kind="stable")


def _left_out(made: _Found) -> Section:
    text = f"{_LIMITS} {passed_over(made.facts)}".strip()
    errors = pd.DataFrame(list(made.facts.get("errors", {}).items()), columns=["file", "reason"])
    tables = [(errors, "Files that could not be read, and why")] if len(errors) else []
    return Section("What this leaves out", text, tables=tables)


def _about_groups(grouped: pd.DataFrame) -> str:
    n_groups = grouped["group"].nunique()
    n_chained = grouped.loc[grouped["chained"], "group"].nunique()
    text = (
        f"{counted(n_groups, 'group')}; the first picture of each is the largest, and of equally"
        " large ones the sharpest."
    )
    if n_chained:
        text += (
            f" In {n_chained:,} of them some pictures are no copies of each other and are joined"
            " only through others, as two crops of one picture may be. Complete linkage (--linkage"
            " complete) makes no such groups."
        )
    return text


def _about_look_alikes(made: _Found) -> str:
    n_groups = made.lookalikes["group"].nunique()
    text = (
        "Much speaks for a copy in these pairs, and something contradicts it: two fills of a form,"
        " two shots of a scene, now and then a copy that was changed very much. As far as this"
        " recipe can tell they are no copies, and no group above is made by them."
        f" lookalikes.csv has {counted(n_groups, 'group')} of them, with their pictures' copies."
    )
    if made.lookalikes["partial"].any():
        text += (
            " The largest may be partial: of more than 50 pictures only those were compared whose"
            " hashes are near, or whose keypoints vote for each other."
        )
    return text


def _why(made: _Found, pairs: pd.DataFrame) -> list[Figure]:
    return [_why_copy(made.root, row) for row in pairs.to_dict("records")]


def _why_copy(root: Path, row: Mapping[str, Any]) -> Figure:
    """The two pictures of a pair, joined where they agree, and what speaks for a copy."""
    reference = thumbnail(root / row["reference"], side=400)
    query = thumbnail(root / row["query"], side=400)
    found = _keypoints(reference)
    upright = _matched(found, query)
    mirrored = _matched(found, ImageOps.mirror(query))
    is_mirrored = len(mirrored.matches) > 3 * len(upright.matches)
    shown = mirrored if is_mirrored else upright
    step = max(1, len(shown.matches) // _LINES)
    names = f"{row['reference']} and {row['query']}"
    chance = f"{row['probability']:.4f}" if row["probability"] < 0.9999 else "over 0.9999"
    caption = f"{names}: probability {chance}; for a copy speak {_short(row['agreed'])}."
    if row["low_information"]:
        caption += " One of the two is low in information."
    if is_mirrored:
        caption += " The second is shown mirrored."
    if step > 1:
        caption += f" Of {len(shown.matches):,} matches, 1 in {step} is drawn."
    matches = shown.matches[::step]
    places = places_between(reference, shown.picture)
    caption += f" {sentence(places)}"
    ax = plots.plot_matches(
        reference, found.points, shown.picture, shown.points, matches, places=places
    )
    return _figure(ax, names, caption)


class _Matched(NamedTuple):
    """A picture, its keypoints, and which of them match the reference's on one geometry, (n, 2)."""

    picture: Image.Image
    points: np.ndarray
    matches: np.ndarray


def _matched(reference: keypoints.Keypoints, picture: Image.Image) -> _Matched:
    found = _keypoints(picture)
    matches = np.stack(keypoints.inliers(reference, found), axis=1)
    return _Matched(picture, found.points, matches)


def _keypoints(picture: Image.Image) -> keypoints.Keypoints:
    """Those of both looks, as the method ``aligned`` takes them."""
    return keypoints.Keypoints(*alignment.looks(picture)[:4])


def _short(agreed: str) -> str:
    """The methods without their arguments, where these are not needed to tell them apart."""
    names = agreed.split(";")
    short = [name.partition("(")[0] for name in names]
    is_clear = len(set(short)) == len(short)
    return ", ".join(short if is_clear else names) or "no single method"


def _galleries(made: _Found) -> Iterator[Figure]:
    for _, members in itertools.islice(made.grouped.groupby("group"), _GROUPS):
        shown = members["file"].head(_MEMBERS).tolist()
        thumbnails = [thumbnail(made.root / file, side=240) for file in shown]
        n_hidden = len(members) - len(shown)
        caption = counted(len(members), "picture")
        if n_hidden:
            caption += f", {n_hidden} of them not shown"
        if members["chained"].any():
            caption += ", joined in a chain"
        yield _figure(plots.plot_gallery(thumbnails, shown), f"Copies of {shown[0]}", caption)


def _figure(ax: Axes, alt: str, caption: str) -> Figure:
    return figure_of(ax, alt, caption, dpi=140, page_dpi=80)
