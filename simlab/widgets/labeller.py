"""The labeller: one pair at a time, answered by key or click, and on disk before the next one is shown."""

import functools
import itertools
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import anywidget
import numpy as np
import pandas as pd
import traitlets
from matplotlib.figure import Figure
from PIL import Image, ImageChops

from simlab import perturb, plots
from simlab.images import read_bytes, read_image
from simlab.methods import keypoints
from simlab.pairs.labelling import KEY, LabelFile, cell, identity, read_labels
from simlab.plots import style
from simlab.tables import root_of
from simlab.widgets.panel import WORKING, Latest, Panel, jpeg, plain

SIDES = {"reference": "perturbation_reference", "query": "perturbation"}
VIEWS = ("side by side", "flicker", "difference")
"""How the two pictures are shown."""

QUESTION, THE_END = "Do both show the same picture?", "Every pair has its label."
_SIDE = 720  # pixels of a picture that is sent


def label(
    pairs: pd.DataFrame,
    path: str | Path,
    *,
    root: str | Path | None = None,
    annotator: str = "",
    names: bool = True,
) -> "Labeller":
    """Return a widget that asks of one pair after the other whether both show the same picture.

    Every answer is a row of the CSV at `path`, on disk before the next pair is shown, and :func:`simlab.read_pairs`
    reads that file at any time. A file that is there is gone on with; skipped pairs are kept in a second file beside it
    (``labels.skipped.csv``) and come back at the end. Labels that the pairs have are not looked at.

    Args:
        pairs: with reference and query, in the order in which to ask, such as :func:`simlab.labelling.choose` returns.
        path: of the CSV, one for each person.
        root: folder that the paths of the pairs are relative to; by default their ``attrs["root"]``.
        annotator: who labels.
        names: whether the names of the files are shown.

    Raises:
        ValueError: one line: no pairs, a pair that is there twice, or a file that is damaged, of another kind, of
            another person or about other pairs.
    """
    return Labeller(pairs, path, root=root, annotator=annotator, names=names)


class Stage(anywidget.AnyWidget):
    """What the page shows of a :class:`Labeller`: pictures, buttons, keys."""

    _esm, _css = (Path(__file__).with_name(f"label.{kind}") for kind in ("js", "css"))
    scene, lines = traitlets.Dict().tag(sync=True), traitlets.List().tag(sync=True)
    view, matched = traitlets.Enum(VIEWS, VIEWS[0]).tag(sync=True), traitlets.Bool().tag(sync=True)


class Shown(NamedTuple):
    """One of the two pictures: its pixels, small; the size of the file's; why it cannot be shown, or ""."""

    image: Image.Image
    size: tuple[int, int]
    error: str


class Labeller(Panel):
    """The widget that :func:`label` returns; its methods do what its buttons do.

    Attributes:
        view: one of :data:`VIEWS`.
        matched: whether the AKAZE matches of the two pictures are drawn; False again with each new pair.
    """

    view, matched = traitlets.Enum(VIEWS, VIEWS[0]), traitlets.Bool()

    def __init__(
        self,
        pairs: pd.DataFrame,
        path: str | Path,
        *,
        root: str | Path | None,
        annotator: str,
        names: bool,
    ):
        self._root, self._names = (
            root_of(pairs, root),
            names,
        )
        rows = [row | {name: cell(row, name) for name in KEY} for row in pairs.to_dict("records")]
        self._rows = {identity(row): row for row in rows}
        if not 0 < len(self._rows) == len(pairs):
            raise ValueError(
                f"pairs must be one or more, each once, not {len(pairs)} of which {len(self._rows)} differ"
            )
        self._labels = self._opened(path, annotator)
        self._skips = self._opened(
            self._labels.path.with_suffix(".skipped.csv"), annotator, words={"skip": "skip"}
        )
        files = self._labels, self._skips
        told = [(row["time"], file, key) for file in files for key, row in file.rows.items()]
        self._told = [(file, key) for _, file, key in sorted(told, key=lambda one: one[0])]
        self._note = "; ".join(
            f"{file.path.name}: {file.repaired}" for file in files if file.repaired
        )
        self._look = functools.lru_cache(maxsize=64)(self._read)
        self._stage, self._number = Stage(), 0
        self._latest = Latest(
            self._work, self._show, lambda text: None if text == WORKING else self._heard(text)
        )
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
        """Write the answer about the pair that is shown, "same", "different" or "skip", and show the next one.

        Raises:
            ValueError: another word, no pair left, a picture that cannot be shown, or a file that cannot be written to.
        """
        if self._key is None:
            raise ValueError(THE_END)
        file, row = self._skips if word == "skip" else self._labels, self._rows[self._key]
        if errors := [
            shown.error for shown in self._pictures(self._key) if shown.error and word != "skip"
        ]:
            raise ValueError(
                f"a picture that cannot be shown gets no label, skip the pair: {errors[0]}"
            )
        if word == "skip" and self._key in file.rows:
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

    def labels(self) -> pd.DataFrame:
        """Return the labelled pairs so far, with the weights that fit them: :func:`simlab.labelling.read_labels`."""
        return read_labels(self._labels.path, root=self._root).pairs

    def figure(self) -> Figure:
        """Return what is shown as a figure: the pair, with its difference or matches where they are wanted."""
        self._latest.wait()
        self._matching.wait()
        scene, title = self._stage.scene, "{question}  {count}".format(**self._stage.scene)
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

    def _figure_of_matches(self, images: list[Image.Image], title: str) -> Figure:
        lines = np.reshape(self._stage.lines, (-1, 5))
        first, second = lines[:, :2] * images[0].size, lines[:, 2:4] * images[1].size
        pairs = np.stack([np.arange(len(lines))] * 2, axis=1)
        ax = plots.plot_matches(images[0], first, images[1], second, pairs, inliers=lines[:, 4])
        style.title(ax, title)
        return ax.figure

    def _opened(self, path: str | Path, annotator: str, **options: Any) -> LabelFile:
        file = LabelFile(path, root=self._root, annotator=annotator, **options)
        if others := [row for key, row in file.rows.items() if key not in self._rows]:
            pair = f"{others[0]['reference']!r}, {others[0]['query']!r}"
            raise ValueError(
                f"{file.path.name}: begun with other pairs, such as {pair}; give those, or another name"
            )
        if others := {row["annotator"] for row in file.rows.values()} - {annotator}:
            if annotator:
                raise ValueError(
                    f"{file.path.name}: labelled by {min(others)!r}; each person needs a file of their own"
                )
            file.annotator = max(others)
        return file

    def _next(self, besides: Hashable = None) -> Hashable | None:
        """The pair to ask about: the first without an answer, then those that were skipped, longest ago first."""
        left = (
            key
            for key in self._rows
            if key not in self._labels.rows and key not in self._skips.rows
        )
        again = (key for key in self._skips.rows if key not in self._labels.rows)
        return next((key for key in itertools.chain(left, again) if key != besides), None)

    def _ask(self, key: Hashable | None) -> None:
        self._key, self._number, self.matched = key, self._number + 1, False
        said = [row["label"] for row in self._labels.rows.values()]
        skipped = self._skips.rows.keys() - self._labels.rows.keys()
        counts = {"same": sum(said), "different": len(said) - sum(said), "skipped": len(skipped)}
        words = ", ".join(f"{n:,} {word}" for word, n in counts.items() if n)
        count = f"{len(said):,} of {len(self._rows):,} labelled{': ' * bool(words)}{words}"
        facts = {
            "number": self._number,
            "question": THE_END if key is None else QUESTION,
            "count": count,
        }
        facts |= {
            "labelled": len(said),
            "total": len(self._rows),
            "done": key is None,
            "undo": bool(self._told),
        }
        self._latest(facts, key, self._next(besides=key))

    def _work(
        self, facts: dict[str, Any], key: Hashable | None, following: Hashable | None
    ) -> Iterator[dict[str, Any]]:
        pictures = self._pictures(key)
        seen = [
            self._described(side, shown, self._rows[key]) for side, shown in zip(SIDES, pictures)
        ]
        yield facts | {"pictures": seen, "unseen": any(shown.error for shown in pictures)}
        self._pictures(following)  # ready before they are asked for

    def _pictures(self, key: Hashable | None) -> list[Shown]:
        row = {} if key is None else self._rows[key]
        return [
            self._look(row[side], row[spec], int(row["seed"]))
            for side, spec in SIDES.items()
            if row
        ]

    def _read(self, path: str, perturbation: str, seed: int) -> Shown:
        try:
            image = perturb.apply(
                read_image(read_bytes(self._root / path)), perturbation, seed=seed
            )
        except (ValueError, OSError) as error:
            return Shown(Image.new("RGB", (240, 180), "#d0d0d0"), (0, 0), str(error))
        small = image.copy()
        small.thumbnail((_SIDE, _SIDE))
        return Shown(small, image.size, "")

    def _described(self, side: str, shown: Shown, row: dict[str, Any]) -> dict[str, Any]:
        name = (
            plain(", ".join(filter(None, [row[side], row[SIDES[side]]])))
            if self._names
            else f"{side} picture"
        )
        about = (
            f"cannot be shown: {plain(shown.error)}"
            if shown.error
            else "{} × {}".format(*shown.size)
        )
        return {"data": jpeg(shown.image), "alt": f"{side}: {name}", "caption": f"{name} · {about}"}

    def _show(self, scene: dict[str, Any]) -> None:
        self._stage.scene = scene

    def _heard(self, text: str) -> None:
        self.say(text or self._note)

    def _receive(self, _: Any, content: dict[str, Any], __: Any) -> None:
        """Do what a button says, if it is about the pair that is asked about."""
        what, self._note = content.get("what"), ""
        if content.get("number") != self._number or what not in (
            "same",
            "different",
            "skip",
            "undo",
        ):
            return
        try:
            self.undo() if what == "undo" else self.answer(what)
        except ValueError as error:
            self.say(str(error))
            self._stage.send({"refused": what})

    def _ask_matches(self, change: dict[str, Any]) -> None:
        self._stage.lines = []
        if change["new"] and self._key is not None:
            self._matching(self._key)

    def _match(self, key: Hashable) -> Iterator[tuple[Hashable, np.ndarray]]:
        images = [shown.image for shown in self._pictures(key)]
        first, second = map(keypoints.akaze, images)
        left, right, agree = keypoints.verify(first, second)
        yield (
            key,
            np.hstack(
                [
                    first.points[left] / images[0].size,
                    second.points[right] / images[1].size,
                    agree[:, None],
                ]
            ),
        )

    def _draw(self, found: tuple[Hashable, np.ndarray]) -> None:
        key, lines = found
        if self.matched and key == self._key:
            self._stage.lines = lines.round(4).tolist()
            self._note = f"{len(lines):,} AKAZE matches, of which {int(lines[:, 4].sum()):,} agree on one geometry"
