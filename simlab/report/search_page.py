"""The result of a search as a folder: pairs, groups and a plan as tables, and a page for review.

The page is one file. Where its thumbnails would make that larger than 5 MB, they stand beside it.
"""

import contextlib
import hashlib
import itertools
import json
import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pandas import DataFrame

from simlab import specs
from simlab.cards import data_uri
from simlab.messages import counted, in_bytes
from simlab.moving import make_plan
from simlab.moving.plan import DROP, UNDECIDED
from simlab.paths import AnyPath, Json, expanded, relative_root
from simlab.report import review
from simlab.report.files import (
    Run,
    passed_over,
    unreadable,
    versions,
    whole,
    write_csv,
    write_run,
)
from simlab.report.page import Section, next_steps, write_report
from simlab.scoring.cache import Cache, Memory, opened
from simlab.scoring.features import Store
from simlab.search import group
from simlab.search.judging import LOOK_ALIKE
from simlab.tables import check_table, root_of

LARGE = 5_000_000
"""Bytes of thumbnails and data above which the thumbnails stand beside the page."""

THUMBNAILS = ".thumbnails"
"""The folder that they are in then: hidden, so that no search takes them for pictures."""

MATCHED = 500
"""Most pairs whose matches the page holds."""

_COLUMNS = ["reference", "query", "verdict", "same_file", "probability", "agreed"]
_LIMITS = (
    "Only pairs whose hashes are near, or whose keypoints vote for each other, were compared by"
    " every method: a copy that shares neither is not here. Heavily covered pictures, mirrored"
    " parts of a picture and pictures of very low resolution are the usual ones to be missed."
)


def found(
    pairs: DataFrame,
    groups: DataFrame,
    out: AnyPath,
    *,
    root: AnyPath | None = None,
    run: Run | None = None,
    plan: DataFrame | None = None,
    cache: Cache | Memory | AnyPath | None = None,
    page: bool = True,
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
        plan: as from :func:`simlab.make_plan`, which makes it of the groups by default.
        cache: of the search, where thumbnails are kept, and what is needed to show the matches of
            a pair; without one the page shows none.
        page: whether the page is written; the tables always are.

    Raises:
        ValueError: a table lacks a column, or no picture of the pairs is there.
    """
    check_table(pairs, "pairs", _COLUMNS)
    check_table(groups, "groups", "file, group, size, chained")
    root = root_of(pairs, root)
    lookalikes = group(pairs, of=LOOK_ALIKE)
    warnings = list(pairs.attrs.get("warnings", []))
    made_by = {"root": relative_root(root, out), "versions": versions(), "warnings": warnings}
    run = {**specs.by_name("run", run or {}), **made_by}
    is_known = "sha256_query" in pairs
    if plan is None:
        judged = pairs if is_known else pairs.assign(sha256_reference="", sha256_query="")
        plan = make_plan(judged, groups, root=root)
    # what was found is kept, whatever fails from here on
    with whole(out, stale=["report.html", *_thumbnails_in(out)]) as folder:
        write_csv(pairs, folder / "found.csv")
        write_csv(groups, folder / "groups.csv")
        write_csv(lookalikes, folder / "lookalikes.csv")
        if is_known:
            beside = plan["root"].map(lambda folder: relative_root(folder, out))
            write_csv(plan.assign(root=beside), folder / "plan.csv")
        write_run(run, folder)
    path = expanded(out) / "report.html"
    if not page:
        return path
    data = review.review_data(pairs, groups, lookalikes, plan, root)
    data["key"] = hashlib.sha256(json.dumps(data["groups"]).encode()).hexdigest()[:16]
    data["base"] = f"{quote(relative_root(data['root'], out))}/"
    with whole(out) as folder:
        with opened(cache) as kept:
            store = Store(data["root"], kept, progress=False)
            _add_pictures(data, store, folder)
            # of what is not kept, looks would be made for the page alone
            _add_details(data, store, n_pairs=0 if cache is None else MATCHED)
        write_report(
            folder / path.name,
            title=answer(plan) or "No two of these pictures are copies of each other",
            lead=_lead(data),
            facts=_numbers(data, pairs.attrs),
            sections=[_left_out(pairs), _next(plan, expanded(out), run.get("command", ""))],
            run=run,
            warnings=warnings,
            review=data,
        )
    return path


def answer(plan: DataFrame) -> str:
    """Return in a line what a plan says: groups of copies, files that could go and their bytes.

    It is "" where there are no copies.
    """
    if plan.empty:
        return ""
    dropped = plan[plan["decision"] == DROP]
    n_bytes = 0
    for root, file in zip(dropped["root"], dropped["file"]):
        with contextlib.suppress(OSError):
            n_bytes += os.path.getsize(os.path.join(root, file))
    groups = counted(plan["group"].nunique(), "group")
    return f"{groups} of copies: {counted(len(dropped), 'file')} could go, {in_bytes(n_bytes)}"


def _thumbnails_in(out: AnyPath) -> list[str]:
    """What an earlier page had beside it."""
    beside = (expanded(out) / THUMBNAILS).glob("*.jpg")
    return [
        f"{THUMBNAILS}/{path.name}" for path in beside if re.match(r"[0-9a-f]{32}\.", path.name)
    ]


def _add_pictures(data: Json, store: Store, folder: Path) -> None:
    """Add sizes and thumbnails, each once, to the data; or to a folder, where they are many."""
    made = list(review.thumbnails(store, data["files"]["name"]))
    number = {}
    data["files"]["thumb"] = [number.setdefault(jpeg, len(number)) for jpeg, _ in made]
    data["files"]["width"] = [width for _, (width, _) in made]
    data["files"]["height"] = [height for _, (_, height) in made]
    data["thumbs"] = [data_uri(jpeg) for jpeg in number]
    if sum(map(len, data["thumbs"])) + len(json.dumps(data["files"])) <= LARGE:
        return
    (folder / THUMBNAILS).mkdir()
    data["thumbs"] = []
    for jpeg in number:
        name = f"{THUMBNAILS}/{hashlib.sha256(jpeg).hexdigest()[:32]}.jpg"
        (folder / name).write_bytes(jpeg)
        data["thumbs"].append(name)


def _add_details(data: Json, store: Store, n_pairs: int) -> None:
    """Add what joins and what parts the pairs that a click shows first, by their numbers."""
    names = data["files"]["name"]
    shown = review.compared_pairs(data)[:n_pairs]
    pairs = [(names[a], names[b]) for a, b in shown]
    data["matches"] = {}
    data["places"] = {}
    found = zip(shown, review.matches(store, pairs), review.places(store, pairs))
    for (a, b), lines, places in found:
        if len(lines):
            data["matches"][f"{a},{b}"] = lines.tolist()
        if places is not None:
            data["places"][f"{a},{b}"] = places


def _lead(data: Json) -> str:
    if not data["groups"]:
        return ""
    return (
        "Nothing was deleted or moved. Look through the groups below, decide what stays, and"
        " download plan.csv; the first command under What to do now then shows what a plan would"
        " move, and moves nothing before you say so."
    )


def _numbers(data: Json, facts: Mapping[str, Any]) -> dict[str, str]:
    """What stands at the top of the page; only where it is known, how many pictures there were."""
    numbers = {}
    if listed := facts.get("pictures"):
        numbers["pictures"] = len(listed["file"])
    values = list(itertools.chain.from_iterable(group["values"] for group in data["groups"]))
    n_alike = sum(group["alike"] for group in data["groups"])
    numbers |= {
        "groups of copies": len(data["groups"]) - n_alike,
        "files that could go": values.count(DROP),
        "files left to you": values.count(UNDECIDED),
        "groups of look-alikes": n_alike,
    }
    errors = facts.get("errors")
    if errors is not None:
        numbers["unreadable"] = len(errors)
    return {name: f"{number:,}" for name, number in numbers.items()}


def _next(plan: DataFrame, out: Path, command: str) -> Section:
    if plan.empty:
        words = "Nothing needs to go. When pictures come, the same search reads the new ones only."
        return next_steps(words, [command or "simlab find FOLDER --out found"])
    words = (
        "Decide above and download plan.csv, which then holds what you decided; the one beside this"
        " page holds what is proposed. The first command says what would move, the second moves it,"
        " the third brings all of it back."
    )
    program, _, _ = command.partition(" find ")
    if not program.endswith(("simlab", "simlab'")):
        program = "simlab"
    move = f"{program} move {shlex.quote(str(out / 'plan.csv'))} --to DROPPED"
    undo = f"{program} move --undo DROPPED/journal-1.csv"
    return next_steps(words, [move, f"{move} --yes", undo])


def _left_out(pairs: DataFrame) -> Section:
    facts = pairs.attrs
    parts = [_LIMITS]
    if len(pairs) and "prior" in pairs and "threshold" in pairs:
        first = pairs.iloc[0]
        parts.append(
            f"Probabilities assume that 1 pair in {1 / first['prior']:,.0f} is a copy; pairs under"
            f" {1 - first['threshold']:.2g} are not called copies."
        )
    if passed := passed_over(facts):
        parts.append(passed)
    parts.append("Every pair, with every distance, stands in found.csv.")
    return Section("What this leaves out", " ".join(parts), tables=unreadable(facts))
