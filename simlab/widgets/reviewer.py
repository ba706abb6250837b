"""The review of a search: which file of each group stays, which may go, which is no copy.

It is what the page of ``simlab find`` shows, with the files behind it: every decision is in the
plan and in the labels before the next.
"""

import contextlib
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anywidget
import pandas as pd
import traitlets
from matplotlib.figure import Figure
from pandas import DataFrame

from simlab import plots
from simlab.images import ImageError
from simlab.methods import alignment
from simlab.moving import make_plan
from simlab.moving.plan import DROP, KEEP, PLAN_COLUMNS, UNDECIDED
from simlab.pairs.labelling import LabelFile
from simlab.paths import AnyPath, file_to_write, relative_root, replace_file
from simlab.plots.pictures import thumbnail
from simlab.report import files, review
from simlab.search import group
from simlab.search.judging import LOOK_ALIKE
from simlab.tables import check_table, root_of, without_apostrophe
from simlab.widgets.panel import Panel
from simlab.widgets.quick_drawing import akaze_lines

NOT = "not"
"""A file that is no copy of the one that is kept: it stays, and a label says so."""

CHOICES = {False: (KEEP, DROP, UNDECIDED, NOT), True: ("", "copy", NOT)}
"""What may be decided of a file, by whether its group is one of look-alikes."""

_LARGE = 1600  # pixels of a picture that is compared
_SHARED = Path(files.__file__).with_name("templates")


class Stage(anywidget.AnyWidget):
    """What the page shows of a :class:`Review`."""

    _esm = traitlets.Unicode().tag(sync=True)
    _css = _SHARED / "review.css"
    data = traitlets.Dict().tag(sync=True)


class Review(Panel):
    """A widget in which a person goes through the groups of a search, as in the page of a search.

    Every decision is on the disk at once: in the plan, which ``simlab move`` takes, and what is
    "not a copy", or of look-alikes "a copy", in the labels, which ``tune`` and the next search
    take. Where these files are there, it is gone on with them.

    Args:
        found: as from :func:`simlab.find_copies`.
        plan: the CSV of decisions.
        labels: the CSV of labels.
        root: folder that the paths are relative to; by default ``found.attrs["root"]``.

    Raises:
        ValueError: a file cannot be written, or one of another kind is there.
    """

    def __init__(
        self,
        found: DataFrame,
        plan: AnyPath = "plan.csv",
        labels: AnyPath = "labels.csv",
        *,
        root: AnyPath | None = None,
    ):
        root = root_of(found, root)
        groups = group(found)
        proposed = make_plan(found, groups, root=root)
        lookalikes = group(found, of=LOOK_ALIKE)
        data = review.review_data(found, groups, lookalikes, proposed, root)
        self._same = data["same"]
        self._copies = {
            self._contents(*pair[:2]) for pair in data["pairs"] if pair[2] != LOOK_ALIKE
        }
        self._names = data["files"]["name"]
        self._sha256 = data["files"]["sha256"]
        self._groups = data["groups"]
        self._folder = Path(data["root"])
        self._path = file_to_write(plan).absolute()
        self._labels = LabelFile(labels, root=self._folder)
        self._shown = functools.lru_cache(maxsize=512)(review.shown)
        self._go_on()
        scripts = [_SHARED / "review.js", _SHARED / "compare.js", Path(__file__).with_suffix(".js")]
        script = "\n".join(path.read_text(encoding="utf-8") for path in scripts)
        self._stage = Stage(_esm=script, data=data)
        self._stage.on_msg(self._receive)
        super().__init__("review", self._stage)
        self.say(f"Every decision is saved in {self._path.name} and {self._labels.path.name}.")

    def decide(self, file: str, choice: str) -> None:
        """Decide on a file, and return when that is on the disk.

        Args:
            file: its name, as the plan has it.
            choice: "keep", "drop", "undecided", or "not" (a copy of the one that is kept); of a
                look-alike "copy", "not" or "".

        Raises:
            ValueError: no such file or choice; a drop of what was not found to be a copy of a file
                that is kept; or a file that cannot be written.
        """
        for at, one in enumerate(self._groups):
            names = [self._names[number] for number in one["files"]]
            if file in names and choice in CHOICES[one["alike"]]:
                self._take({at: _decided(one, names.index(file), choice)})
                self._tell([at])
                return
        raise ValueError(
            "file must be one of a group, and choice keep, drop, undecided or not, or of a"
            f" look-alike copy, not or an empty text; given {file!r} and {choice!r}"
        )

    @property
    def plan(self) -> DataFrame:
        """What is decided, as plan.csv has it."""
        rows = []
        for one in self._groups:
            for place, number in enumerate([] if one["alike"] else one["files"]):
                decision = one["values"][place]
                reason = one["reasons"][place]
                if decision == NOT:
                    decision = KEEP
                    reason = f"no copy of {self._names[one['against'][place]]}, by hand"
                name = self._names[number]
                sha256 = self._sha256[number]
                rows.append((name, one["number"], decision, reason, sha256))
        table = DataFrame(rows, columns=list(PLAN_COLUMNS[1:]))
        table.insert(0, "root", relative_root(self._folder, self._path.parent))
        return table

    def figure(self) -> Figure:
        """Return the first groups as they stand."""
        table = self.plan
        return plots.plot_groups(
            table.assign(keep=table["decision"] == KEEP), root=self._folder
        ).figure

    def _go_on(self) -> None:
        """Take up what the two files say."""
        decided = {}
        if self._path.exists():
            rows = pd.read_csv(self._path, dtype=str, keep_default_na=False)
            check_table(rows, f"plan {str(self._path)!r}, a file that is there,", PLAN_COLUMNS)
            for row in rows.to_dict("records"):
                decided[without_apostrophe(row["file"]), row["sha256"]] = row
        labels = {}
        for row in self._labels.rows.values():
            labels[row["reference"], row["query"]] = row["label"]
        for one in self._groups:
            for place, number in enumerate(one["files"]):
                key = (self._names[number], self._sha256[number])
                if not one["alike"] and key in decided:
                    one["values"][place] = decided[key]["decision"]
                    one["reasons"][place] = without_apostrophe(decided[key]["reason"])
                self._go_on_with_labels(one, place, labels)

    def _go_on_with_labels(self, one: dict, place: int, labels: Mapping) -> None:
        name = self._names[one["files"][place]]
        for other in one["files"]:
            label = labels.get((self._names[other], name))
            if label == 0 or (label == 1 and one["alike"]):
                one["values"][place] = "copy" if label else NOT
                one["against"][place] = other

    def _take(self, changes: Mapping[int, dict]) -> None:
        """Write what is decided of some groups, by their places, and then believe it."""
        for at, change in changes.items():
            self._check(self._groups[at], change["values"])
        said_before = self._said(changes)
        before = {}
        for at, change in changes.items():
            before[at] = {name: self._groups[at][name] for name in change}
        self._put(changes)
        try:
            replace_file(self._path, files.csv_bytes(self.plan))
            self._write_labels(said_before, self._said(changes))
        except (OSError, ValueError):
            self._put(before)
            raise

    def _put(self, changes: Mapping[int, dict]) -> None:
        for at, change in changes.items():
            self._groups[at] |= change

    def _check(self, one: dict, values: list[str]) -> None:
        """Raise where a file would be dropped that is no copy of one that is kept."""
        decisions = list(zip(one["files"], values, strict=True))
        kept = [number for number, value in decisions if value == KEEP]
        for number, value in decisions:
            if value == DROP and not any(self._is_copy(number, other) for other in kept):
                raise ValueError(
                    f"{self._names[number]!r} was not found to be a copy of a file that is kept"
                )

    def _contents(self, first: int, second: int) -> frozenset[int]:
        return frozenset((self._same[first], self._same[second]))

    def _is_copy(self, first: int, second: int) -> bool:
        contents = self._contents(first, second)
        return len(contents) == 1 or contents in self._copies

    def _said(self, places: Mapping[int, Any]) -> dict[tuple[str, str], int]:
        """What some groups say of pairs: reference, query → label."""
        said = {}
        for at in places:
            one = self._groups[at]
            for number, other, value in zip(one["files"], one["against"], one["values"]):
                if value in ("copy", NOT):
                    pair = (self._names[other], self._names[number])
                    said[pair] = int(value == "copy")
        return said

    def _write_labels(self, before: Mapping, after: Mapping) -> None:
        for (reference, query), _ in before.items() - after.items():
            self._labels.remove({"reference": reference, "query": query})
        for (reference, query), label in sorted(after.items() - before.items()):
            self._labels.add({"reference": reference, "query": query}, label)

    def _tell(self, places: list[int], refused: str = "") -> None:
        """Tell the page that all is saved, or how some groups really stand."""
        groups = [[at, self._groups[at]] for at in places]
        self._stage.send({"what": "saved", "refused": refused, "groups": groups})

    def _receive(self, _: Any, content: dict[str, Any], __: Any) -> None:
        """Do what the page asks for."""
        what = content.get("what")
        if what == "decided":
            self._receive_decisions(dict(content["groups"]))
            return
        paths = [self._folder / self._names[number] for number in content["files"]]
        if what == "matches":
            lines = akaze_lines([thumbnail(path, side=720) for path in paths])
            agreeing = lines[lines[:, 4] == 1, :4][:80]
            self._stage.send(content | {"lines": agreeing.tolist()})
            return
        if what == "places":
            places = None
            with contextlib.suppress(ImageError):
                places = review.places_of_two(*[alignment.looks(path) for path in paths])
            self._stage.send(content | {"places": places})
            return
        side = _LARGE if what == "large" else review.SIDE
        data, size = self._shown(paths[0], side)
        self._stage.send(content | {"size": size}, [data])

    def _receive_decisions(self, changes: Mapping[int, dict]) -> None:
        try:
            self._take(changes)
        except (OSError, ValueError) as error:
            self._tell(list(changes), f"Not saved: {error}")
        else:
            self._tell([])


def _decided(one: Mapping[str, Any], place: int, choice: str) -> dict[str, list]:
    """What changes in a group with a decision."""
    change = {name: [*one[name]] for name in ("values", "reasons", "against")}
    change["values"][place] = choice
    change["reasons"][place] = "by hand"
    others = [at for at in range(len(one["files"])) if at != place]
    kept = [at for at in others if one["values"][at] == KEEP]
    change["against"][place] = one["files"][(kept or others)[0]]
    return change
