"""The labeller: one pair at a time, answered by key or click, on disk before the next is shown."""

import functools
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import anywidget
import numpy as np
import traitlets
from matplotlib.figure import Figure
from pandas import DataFrame
from PIL import ImageChops

from simlab import perturb, plots
from simlab.cards import jpeg, no_picture, small_copy
from simlab.images import Picture, Size
from simlab.pairs.labelling import KEY, LabelFile, cell, identity, read_labels
from simlab.paths import AnyPath, Json
from simlab.plots import style
from simlab.tables import root_of
from simlab.widgets.panel import WORKING, Latest, Panel, plain
from simlab.widgets.quick_drawing import akaze_lines, akaze_words

SIDES = {"reference": "perturbation_reference", "query": "perturbation"}
VIEWS = ("side by side", "flicker", "difference", "wipe")
"""How the two pictures are shown."""

QUESTION = "Do both show the same picture?"
THE_END = "Every pair has its label."
_SIDE = 720  # pixels of a picture that is sent
_BUTTONS = ("same", "different", "skip", "undo")


class Stage(anywidget.AnyWidget):
    """What the page shows of a :class:`Label`: pictures, buttons, keys."""

    _esm = Path(__file__).with_name("labeller.js")
    _css = Path(__file__).with_name("labeller.css")
    scene = traitlets.Dict().tag(sync=True)
    lines = traitlets.List().tag(sync=True)
    view = traitlets.Enum(VIEWS, VIEWS[0]).tag(sync=True)
    matched = traitlets.Bool().tag(sync=True)


class Shown(NamedTuple):
    """One of the two pictures, small."""

    image: Picture
    size: Size
    """Of the variant in full."""
    error: str
    """Why it cannot be shown, or ""."""


class Label(Panel):
    """A widget that asks of one pair after the other whether both show the same picture.

    Every answer is a row of the CSV at `path`, on disk before the next pair is shown, and
    :func:`simlab.read_pairs` reads that file at any time. A file that is there is gone on with;
    skipped pairs are kept in a second file beside it (``labels.skipped.csv``) and come back at the
    end. Labels that the pairs have are not looked at. The methods do what the buttons do.

    Args:
        pairs: with reference and query, in the order in which to ask, such as
            :func:`simlab.labelling.choose` returns.
        path: of the CSV, one for each person.
        root: folder that the paths of the pairs are relative to; by default their
            ``attrs["root"]``.
        annotator: who labels.
        names: whether the names of the files are shown, which may give the answer away.

    Attributes:
        view: one of :data:`VIEWS`.
        matched: whether the AKAZE matches of the two pictures are drawn; False again with each new
            pair.

    Raises:
        ValueError: one line: no pairs, a pair that is there twice, or a file that is damaged, of
            another kind, of another person or about other pairs.
    """

    view = traitlets.Enum(VIEWS, VIEWS[0])
    matched = traitlets.Bool()

    def __init__(
        self,
        pairs: DataFrame,
        path: AnyPath,
        *,
        root: AnyPath | None = None,
        annotator: str = "",
        names: bool = False,
    ):
        self._root = root_of(pairs, root)
        self._names = names
        self._rows = _by_identity(pairs)
        self._labels = self._opened(path, annotator)
        self._skips = self._opened(
            self._labels.path.with_suffix(".skipped.csv"), annotator, words={"skip": "skip"}
        )
        files = [self._labels, self._skips]
        self._told = _in_time(files)
        repaired = [f"{file.path.name}: {file.repaired}" for file in files if file.repaired]
        self._note = "; ".join(repaired)
        self._shown = functools.lru_cache(maxsize=64)(self._read)
        self._stage = Stage()
        self._number = 0
        self._latest = Latest(self._work, self._show, self._heard_of_pair)
        self._matching = Latest(self._match, self._draw, self._heard)
        super().__init__("label", self._stage)
        for trait in ("view", "matched"):
            traitlets.link((self, trait), (self._stage, trait))
        self._stage.on_msg(self._receive)
        self.observe(self._ask_matches, "matched")
        self._ask(self._next())

    @property
    def pair(self) -> dict[str, Any] | None:
        """The row that is asked about; None when every pair has its label."""
        return None if self._key is None else self._rows[self._key]

    @property
    def n_left(self) -> int:
        """How many pairs have no label yet."""
        return len(self._rows) - len(self._labels.rows)

    def answer(self, word: str) -> None:
        """Write the answer about the pair that is shown, and show the next one.

        It is "same", "different" or "skip".

        Raises:
            ValueError: another word, no pair left, a picture that cannot be shown, or a file that
                cannot be written to.
        """
        if self._key is None:
            raise ValueError(THE_END)
        row = self._rows[self._key]
        file = self._labels
        if word != "skip":
            self._refuse_unseen()
        else:
            file = self._skips
            if self._key in file.rows:
                file.remove(row)  # once more to the end
        file.add(row, word)
        self._told.append((file, self._key))
        self._note = f"{word}: saved in {file.path.name}"
        self._ask(self._next())

    def undo(self) -> None:
        """Take back the last answer, of this session or an earlier one, and ask again.

        Raises:
            ValueError: there is none, or the file cannot be written to.
        """
        while self._told:
            file, key = self._told[-1]
            if key in file.rows:
                file.remove(self._rows[key])
                self._note = f"taken back from {file.path.name}"
                self._ask(key)
                return
            self._told.pop()
        raise ValueError("there is no answer to take back")

    def labels(self) -> DataFrame:
        """Return the labelled pairs so far, with the weights that fit them.

        They are as from :func:`simlab.labelling.read_labels`.
        """
        return read_labels(self._labels.path, root=self._root).pairs

    def figure(self) -> Figure:
        """Return what is shown as a figure.

        That is the pair, with its difference or matches where they are wanted.
        """
        self._latest.wait()
        self._matching.wait()
        scene = self._stage.scene
        title = f"{scene['question']}  {scene['count']}"
        if self._key is None:
            return style.nothing(style.axes(None, 8, 0.6), title).figure
        images = [shown.image for shown in self._pictures(self._key)]
        if self.matched:
            return self._figure_of_matches(images, title)
        captions = [picture["caption"] for picture in scene["pictures"]]
        if self.view == "difference":
            images.append(ImageChops.difference(images[0], images[1].resize(images[0].size)))
            captions.append("difference: black where they are equal")
        return plots.plot_gallery(images, captions, columns=len(images), title=title).figure

    def _figure_of_matches(self, images: list[Picture], title: str) -> Figure:
        lines = np.reshape(self._stage.lines, (-1, 5))
        first = lines[:, :2] * images[0].size
        second = lines[:, 2:4] * images[1].size
        pairs = np.stack([np.arange(len(lines))] * 2, axis=1)
        ax = plots.plot_matches(images[0], first, images[1], second, pairs, inliers=lines[:, 4])
        style.title(ax, title)
        return ax.figure

    def _refuse_unseen(self) -> None:
        errors = [shown.error for shown in self._pictures(self._key) if shown.error]
        if errors:
            raise ValueError(
                f"a picture that cannot be shown gets no label, skip the pair: {errors[0]}"
            )

    def _opened(self, path: AnyPath, annotator: str, **options: Any) -> LabelFile:
        """Return a file of answers about these pairs, by this annotator."""
        file = LabelFile(path, root=self._root, annotator=annotator, **options)
        strangers = [row for key, row in file.rows.items() if key not in self._rows]
        if strangers:
            pair = f"{strangers[0]['reference']!r}, {strangers[0]['query']!r}"
            raise ValueError(
                f"{file.path.name}: begun with other pairs, such as {pair}; "
                "give those, or another name"
            )
        others = {row["annotator"] for row in file.rows.values()} - {annotator}
        if others and annotator:
            raise ValueError(
                f"{file.path.name}: labelled by {min(others)!r}; "
                "each person needs a file of their own"
            )
        if others:
            file.annotator = max(others)
        return file

    def _next(self, besides: Hashable = None) -> Hashable | None:
        """Return the pair to ask about, None if no other than `besides` is left.

        It is the first without an answer, then those that were skipped, longest ago first.
        """
        new = [key for key in self._rows if key not in self._skips.rows]
        for key in [*new, *self._skips.rows]:
            if key not in self._labels.rows and key != besides:
                return key
        return None

    def _ask(self, key: Hashable | None) -> None:
        self._key = key
        self._number += 1
        self.matched = False
        labels = [row["label"] for row in self._labels.rows.values()]
        facts = {
            "number": self._number,
            "question": THE_END if key is None else QUESTION,
            "count": self._count(labels),
            "labelled": len(labels),
            "total": len(self._rows),
            "done": key is None,
            "undo": bool(self._told),
        }
        self._latest(facts, key, self._next(besides=key))

    def _count(self, labels: list[int]) -> str:
        """Return in words how many pairs have which answer."""
        skipped = self._skips.rows.keys() - self._labels.rows.keys()
        n_same = sum(labels)
        counts = {
            "same": n_same,
            "different": len(labels) - n_same,
            "skipped": len(skipped),
        }
        words = ", ".join(f"{count:,} {word}" for word, count in counts.items() if count)
        labelled = f"{len(labels):,} of {len(self._rows):,} labelled"
        return f"{labelled}: {words}" if words else labelled

    def _work(
        self, facts: Json, key: Hashable | None, following: Hashable | None
    ) -> Iterator[Json]:
        pictures = self._pictures(key)
        described = [
            self._described(side, shown, self._rows[key]) for side, shown in zip(SIDES, pictures)
        ]
        unseen = any(shown.error for shown in pictures)
        yield facts | {"pictures": described, "unseen": unseen}
        self._pictures(following)  # ready before they are asked for

    def _pictures(self, key: Hashable | None) -> list[Shown]:
        if key is None:
            return []
        row = self._rows[key]
        seed = int(row["seed"])
        return [self._shown(row[side], row[spec], seed) for side, spec in SIDES.items()]

    def _read(self, path: str, perturbation: str, seed: int) -> Shown:
        try:
            image = perturb.apply_to_file(self._root / path, perturbation, seed)
        except (ValueError, OSError) as error:
            return Shown(no_picture(), (0, 0), str(error))
        return Shown(small_copy(image, _SIDE), image.size, "")

    def _described(self, side: str, shown: Shown, row: dict[str, Any]) -> Json:
        name = f"{side} picture"
        if self._names:
            change = row[SIDES[side]]
            name = plain(f"{row[side]}, {change}" if change else row[side])
        about = f"{shown.size[0]} × {shown.size[1]}"
        if shown.error:
            about = f"cannot be shown: {plain(shown.error)}"
        return {"data": jpeg(shown.image), "alt": f"{side}: {name}", "caption": f"{name} · {about}"}

    def _show(self, scene: Json) -> None:
        self._stage.scene = scene

    def _heard(self, text: str) -> None:
        self.say(text or self._note)

    def _heard_of_pair(self, text: str) -> None:
        if text != WORKING:  # the next pair is there at once: the note stays readable
            self._heard(text)

    def _receive(self, _: Any, content: Json, __: Any) -> None:
        """Do what a button says, if it is about the pair that is asked about."""
        what = content.get("what")
        self._note = ""
        if content.get("number") != self._number or what not in _BUTTONS:
            return
        try:
            if what == "undo":
                self.undo()
            else:
                self.answer(what)
        except ValueError as error:
            self.say(str(error))
            self._stage.send({"refused": what})

    def _ask_matches(self, change: dict[str, Any]) -> None:
        self._stage.lines = []
        if change["new"] and self._key is not None:
            self._matching(self._key)

    def _match(self, key: Hashable) -> Iterator[tuple[Hashable, np.ndarray]]:
        yield key, akaze_lines([shown.image for shown in self._pictures(key)])

    def _draw(self, found: tuple[Hashable, np.ndarray]) -> None:
        key, lines = found
        if not self.matched or key != self._key:
            return
        self._stage.lines = lines.tolist()
        self._note = akaze_words(lines)


def _by_identity(pairs: DataFrame) -> dict[Hashable, dict[str, Any]]:
    """Return the rows in their order, by what makes each the pair that it is."""
    rows = {}
    for record in pairs.to_dict("records"):
        row = record | {name: cell(record, name) for name in KEY}
        rows[identity(row)] = row
    if not 0 < len(rows) == len(pairs):
        raise ValueError(
            f"pairs must be one or more, each once, not {len(pairs)}, {len(rows)} of them different"
        )
    return rows


def _in_time(files: list[LabelFile]) -> list[tuple[LabelFile, Hashable]]:
    """Return every answer, its file and its pair, in the order in which they were given."""
    told = []
    for file in files:
        for key, row in file.rows.items():
            told.append((row["time"], file, key))
    told.sort(key=lambda answer: answer[0])
    return [(file, key) for _, file, key in told]
