"""The failure browser: from a point of a curve, a bin or a cell to the pairs behind it."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from simlab import evaluation, perturb, plots
from simlab.evaluation.sample import read
from simlab.methods import keypoints
from simlab.pairs.labelling import LabelFile, identity
from simlab.paths import expanded
from simlab.plots.summaries import draw_table, spelled
from simlab.tables import root_of
from simlab.widgets import workbench
from simlab.widgets.panel import Latest, plain

VERDICTS = ("missed", "false alarms", "found", "rejected", "all")
"""Copies and non-copies that a method gets wrong, then those that it gets right."""

PER_PAGE = 6

_NOTES = {
    (True, False): "Caught",
    (False, False): "Rejected",
    (True, True): "Missed",
    (False, True): "Called a copy",
}
"""By label and whether the method is right: what the pair is by those that say otherwise."""


class Failures(workbench.Bench):
    """A point of the ROC, a bin of distances or a cell of the heat map, and the pairs behind it.

    The choice: method; fpr, at which every method has a threshold of its own; kind of perturbation (None for all);
    verdict, one of :data:`VERDICTS`; distance, for the pairs in its bin of the histogram only (None for all); page.

    Args:
        scores: as from :func:`simlab.score_pairs`; its index must not repeat.
        methods: columns of distances; None for all.
        root: folder of the pictures; by default ``scores.attrs["root"]``.
        marks: CSV for the pairs that are marked as mislabelled, with the label that they should have.

    Raises:
        ValueError: an unknown method, an index with repeats, or copies or non-copies are missing.
    """

    def __init__(
        self,
        scores: pd.DataFrame,
        methods: Sequence[str] | None = None,
        *,
        root: str | Path | None = None,
        marks: str | Path = "mislabelled.csv",
    ):
        sample = read(scores, methods)
        if sample.label.all() or not sample.label.any():
            raise ValueError(
                f"scores must hold copies and non-copies; {sample.label.sum():,} are copies"
            )
        if not sample.table.index.is_unique:
            raise ValueError(
                "the index of scores must name each row once; scores.reset_index(drop=True) does"
            )
        self._scores, self._methods, self._marks = sample.table, sample.methods, expanded(marks)
        self._root = root_of(scores, root)
        specs = sample.table.get("perturbation", pd.Series("", sample.table.index)).astype(str)
        self._kind = specs.map({spec: perturb.kind(spec) for spec in specs.unique()})
        self._kinds = [None, *self._kind[sample.label].unique()]
        self._judge = lru_cache(8)(
            lambda fpr: evaluation.judge(sample.table, sample.methods, fpr=fpr)
        )
        self._rivals = lru_cache(8)(lambda method: evaluation.rivals(sample.table, method))
        self._matching = Latest(self._match, self._show, self.say)
        self._curves = evaluation.roc_curve(sample.table, sample.methods)
        names = ["all", *(spelled(kind, []) for kind in self._kinds[1:])]
        data = {
            "methods": sample.methods,
            "kinds": self._kinds,
            "names": names,
            "verdicts": VERDICTS,
        }
        data["curves"] = workbench.curves(self._curves)
        choice = {
            "method": sample.methods[0],
            "kind": None,
            "verdict": VERDICTS[0],
            "distance": None,
            "page": 0,
        }
        allowed = {
            "method": sample.methods,
            "kind": self._kinds,
            "verdict": VERDICTS,
            "distance": None,
            "page": None,
        }
        allowed["fpr"] = pd.Interval(0, 1, closed="neither")
        super().__init__(
            "failures", data, {**choice, "fpr": max(0.01, data["curves"]["floor"])}, allowed
        )

    def choose_point(self, *, fpr: float, method: str | None = None) -> None:
        """Look at this false positive rate; one below 1 / non-copies, which cannot be measured, is raised to that."""
        fpr = max(fpr, self._page.data["curves"]["floor"])
        self.choose(
            method=method or self.choice["method"], fpr=fpr, verdict=VERDICTS[0], distance=None
        )

    def choose_bin(self, distance: float, *, method: str | None = None) -> None:
        """Look at all pairs in the bin of the histogram that holds this distance."""
        self.choose(method=method or self.choice["method"], verdict="all", distance=distance)

    def choose_cell(self, method: str, kind: str | None) -> None:
        """Look at the copies of a kind of perturbation (None: of all) that a method misses."""
        self.choose(method=method, kind=kind, verdict=VERDICTS[0], distance=None)

    def choose(self, **changes: Any) -> None:
        """Change parts of the choice, and return when the first page of what they lead to, or the given one, is shown.

        Raises:
            ValueError: an unknown name, or a value that is not allowed.
        """
        elsewhere = {"distance": None} if "method" in changes else {}
        super().choose(**{"page": 0, **elsewhere, **changes})

    @property
    def rows(self) -> pd.DataFrame:
        """The rows of the score table that are looked at, the most wrong first."""
        self._latest.wait()
        return self._rows

    def mark(self, row: Hashable) -> None:
        """Mark a pair (an index of the scores) as mislabelled, on disk at once; a marked one is taken back."""
        file, pair = LabelFile(self._marks, root=self._root), self._scores.loc[row]
        file.remove(pair) if identity(pair) in file.rows else file.add(pair, 1 - int(pair["label"]))
        self._latest(self.choice)

    def matches(self, row: Hashable) -> None:
        """Draw the AKAZE matches of a pair over its pictures; where they are drawn, take them away."""
        if str(row) in self._page.matches:
            self._page.matches = {}
        else:
            self._matching(row)

    def figure(self) -> Figure:
        """Return the three figures, the choice marked in them, and the page of pairs."""
        rows, view, choice = self.rows, self._page.view, self.choice
        page = _page(rows, choice["page"])
        height = 2.5 * -(-max(len(page), 1) // 3)
        figure = Figure(figsize=(14, 4 + height), layout="constrained")
        grid = figure.add_gridspec(2, 3, width_ratios=[1.7, 1.3, 0.9], height_ratios=[4, height])
        roc, histogram, heat = (figure.add_subplot(grid[0, at]) for at in range(3))
        figure.suptitle(
            plots.label(*view["words"], limit=200),
            x=0.01,
            ha="left",
            fontfamily=plots.style.families(),
        )
        plots.plot_roc(self._curves, ax=roc).axvline(
            choice["fpr"], color="black", linestyle=":", linewidth=1
        )
        plots.plot_histograms(pd.DataFrame(view["histogram"]), columns=1, ax=histogram)
        panel = next(ax for ax in figure.axes if ax.get_ylabel() == "share of pairs")
        panel.axvline(
            view["thresholds"][choice["method"]] or 0, color="black", linestyle=":", linewidth=1
        )
        plots.style.title(heat, f"Copies found at FPR {choice['fpr']:.2g}", pad=8)
        draw_table(
            heat, pd.DataFrame(view["cells"]["values"], view["cells"]["rows"], self._methods)
        )
        corner = (
            self._methods.index(choice["method"]) - 0.5,
            self._kinds.index(choice["kind"]) - 0.5,
        )
        heat.add_patch(Rectangle(corner, 1, 1, fill=False, ec=plots.style.MARK, lw=2.5))
        workbench.drawn(self._page.cards, page, self._root, "", figure, grid[1, :])
        return figure

    def _work(self, choice: dict[str, Any]) -> Iterator[dict[str, Any]]:
        method, right = choice["method"], self._judge(choice["fpr"])
        table = self._scores[self._kind.eq(choice["kind"]) | (choice["kind"] is None)]
        histogram = evaluation.distance_histogram(table, [method])
        rows = select(table, right, histogram, choice)
        view = {
            "words": [self._words(right, len(rows), choice)],
            "pages": -(-len(rows) // PER_PAGE),
        }
        view |= {
            "cells": self._cells(right),
            "histogram": histogram.to_dict("list"),
            "method": method,
        }
        yield {
            "view": view | {"thresholds": workbench.numbers(right.attrs["thresholds"])},
            "_rows": rows,
        }
        shown = _page(rows, choice["page"]).iterrows()
        yield {
            "cards": [self._card(row, pair, right, method) for row, pair in shown],
            "matches": {},
        }

    def _words(self, right: pd.DataFrame, n: int, choice: dict[str, Any]) -> str:
        """Return what is looked at in a sentence."""
        wrong, copy = ~right[choice["method"]], self._scores["label"].eq(1)
        lost, false = (f"{(wrong & rows).sum():,} of {rows.sum():,}" for rows in (copy, ~copy))
        threshold, first = right.attrs["thresholds"][choice["method"]], PER_PAGE * choice["page"]
        at = f"{choice['method']} at FPR {choice['fpr']:.2g}, threshold {threshold:.4g}"
        near = "" if choice["distance"] is None else f"distances around {choice['distance']:.4g}"
        which = ", ".join(filter(None, [choice["verdict"], choice["kind"], near]))
        pairs = f"{min(first + 1, n):,} to {min(first + PER_PAGE, n):,} of {n:,}"
        return (
            f"{at}: {lost} copies missed, {false} non-copies called copies. Pairs {pairs}: {which}."
        )

    def _cells(self, right: pd.DataFrame) -> dict[str, Any]:
        """Return the share of copies that each method finds, by kind."""
        copies = self._scores[self._scores["label"] == 1]
        kinds, weight = self._kind[copies.index], copies.get("weight", pd.Series(1.0, copies.index))
        groups = [copies.index[kinds.eq(kind) | (kind is None)] for kind in self._kinds]
        found = [
            np.average(right.loc[rows], axis=0, weights=weight[rows]).tolist() for rows in groups
        ]
        names = {"rows": self._page.data["names"], "columns": self._methods}
        return {**names, "values": found, "counts": [len(rows) for rows in groups]}

    def _card(
        self, row: Hashable, pair: pd.Series, right: pd.DataFrame, method: str
    ) -> dict[str, Any]:
        copy, good = bool(pair["label"] == 1), bool(right.loc[row, method])
        others = ", ".join(name for name in self._methods if right.loc[row, name] != good)
        marked = (
            self._marks.exists() and identity(pair) in LabelFile(self._marks, root=self._root).rows
        )
        card = workbench.card(row, pair, self._root, self._methods)
        card |= {
            "marked": marked,
            "rival": None,
            "note": f"{_NOTES[copy, good]} by {others or 'no other method'}.",
        }
        if row in (rivals := self._rivals(method)).index:
            other, distance = (
                self._scores.loc[rivals.loc[row, "rival"]],
                rivals.loc[row, "distance"],
            )
            words = f"{'Nearest wrong' if copy else 'The right'} picture for this query: {plain(other['reference'])}"
            text = f"{words}, {distance:.4g} by {method}"
            card["rival"] = {"text": text, "pictures": workbench.pictures(other, self._root)[:1]}
        return card

    def _match(self, row: Hashable) -> Iterator[dict[str, Any]]:
        images = workbench.full(self._scores.loc[row], self._root)
        a, b = map(keypoints.akaze, images)
        left, right, agree = keypoints.verify(a, b)
        ends = np.column_stack(
            [a.points[left] / images[0].size, b.points[right] / images[1].size, agree]
        )
        text = f"{len(left):,} AKAZE matches, {agree.sum():,} agree on one geometry"
        yield {"matches": {str(row): {"lines": ends.round(4).tolist(), "text": text}}}

    def _act(self, action: str, row: str) -> None:
        index = next(index for index in self._rows.index if str(index) == row)
        self.matches(index) if action == "matches" else self.mark(index)


def select(
    rows: pd.DataFrame, right: pd.DataFrame, histogram: pd.DataFrame, choice: Mapping[str, Any]
) -> pd.DataFrame:
    """Return the rows of a choice, by how far each is on the wrong side of the threshold, the most wrong first.

    Args:
        rows: of a score table, of the kind of perturbation that is chosen.
        right: as from :func:`simlab.evaluation.judge`.
        histogram: of these rows, as from :func:`simlab.evaluation.distance_histogram`.
    """
    method, copy = choice["method"], rows["label"].eq(1)
    good, distance, kept = right.loc[rows.index, method], rows[method], copy | ~copy
    if choice["verdict"] != "all":
        kept = copy.eq(choice["verdict"] in ("missed", "found")) & good.eq(
            choice["verdict"] in ("found", "rejected")
        )
    if choice["distance"] is not None:
        edges = [-np.inf, *histogram["left"].unique()[1:], np.inf]
        at = np.searchsorted(edges, choice["distance"], "right")
        kept &= distance.ge(edges[at - 1]) & distance.lt(edges[at])
    beyond = (distance - np.nan_to_num(right.attrs["thresholds"][method])) * np.where(copy, 1, -1)
    return rows.loc[beyond[kept].sort_values(ascending=False, kind="stable").index]


def _page(rows: pd.DataFrame, page: int) -> pd.DataFrame:
    return rows.iloc[PER_PAGE * page : PER_PAGE * (page + 1)]
