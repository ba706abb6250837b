"""The failure browser: from a point of a curve, a bin or a cell to the pairs behind it."""

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from pandas import DataFrame, Series

from simlab import evaluation, perturb, plots
from simlab.evaluation.sample import check_index, read
from simlab.pairs.labelling import LabelFile, identity
from simlab.paths import AnyPath, Json, expanded
from simlab.plots.summaries import draw_table, spelled
from simlab.tables import check_both, root_of
from simlab.widgets import workbench
from simlab.widgets.panel import Latest, plain
from simlab.widgets.quick_drawing import akaze_lines, akaze_words

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

_LINE = {"color": "black", "linestyle": ":", "linewidth": 1}


class Failures(workbench.Workbench):
    """A point of the ROC, a bin of distances or a cell of the heat map, and the pairs behind it.

    The choice: method; fpr, at which every method has a threshold of its own; kind of perturbation
    (None for all); verdict, one of :data:`VERDICTS`; distance, for the pairs in its bin of the
    histogram only (None for all); page.

    Args:
        scores: as from :func:`simlab.score_pairs`; its index must not repeat.
        methods: columns of distances; None for all.
        root: folder of the pictures; by default ``scores.attrs["root"]``.
        marks: CSV for the pairs that are marked as mislabelled, with the label that they should
            have.

    Raises:
        ValueError: an unknown method, an index with repeats, or copies or non-copies are missing.
    """

    def __init__(
        self,
        scores: DataFrame,
        methods: Sequence[str] | None = None,
        *,
        root: AnyPath | None = None,
        marks: AnyPath = "mislabelled.csv",
    ):
        sample = read(scores, methods)
        check_both(sample.label)
        check_index(sample.table)
        self._scores = sample.table
        self._methods = sample.methods
        self._marks = expanded(marks)
        self._root = root_of(scores, root)
        self._kind = _kind_of(sample.table)
        self._kinds = [None, *self._kind[sample.label].unique()]
        self._judge = lru_cache(8)(
            lambda fpr: evaluation.judge(sample.table, sample.methods, fpr=fpr)
        )
        self._rivals = lru_cache(8)(lambda method: evaluation.rivals(sample.table, method))
        self._matching = Latest(self._match, self._show, self.say)
        self._curves = evaluation.roc_curve(sample.table, sample.methods)
        data = {
            "methods": sample.methods,
            "kinds": self._kinds,
            "names": ["all"] + [spelled(kind, []) for kind in self._kinds[1:]],
            "verdicts": VERDICTS,
            "curves": workbench.curves(self._curves),
        }
        choice = {
            "method": sample.methods[0],
            "kind": None,
            "verdict": VERDICTS[0],
            "distance": None,
            "page": 0,
            "fpr": max(0.01, data["curves"]["floor"]),
        }
        allowed = {
            "method": sample.methods,
            "kind": self._kinds,
            "verdict": VERDICTS,
            "distance": None,
            "page": None,
            "fpr": pd.Interval(0, 1, closed="neither"),
        }
        super().__init__("failures", "failure_browser.js", data, choice, allowed)

    def choose_point(self, *, fpr: float, method: str | None = None) -> None:
        """Look at this false positive rate.

        One below 1 / non-copies, which cannot be measured, is raised to that.
        """
        method = method or self.choice["method"]
        fpr = max(fpr, self._page.data["curves"]["floor"])
        self.choose(method=method, fpr=fpr, verdict=VERDICTS[0], distance=None)

    def choose_bin(self, distance: float, *, method: str | None = None) -> None:
        """Look at all pairs in the bin of the histogram that holds this distance."""
        self.choose(method=method or self.choice["method"], verdict="all", distance=distance)

    def choose_cell(self, method: str, kind: str | None) -> None:
        """Look at the copies of a kind of perturbation (None: of all) that a method misses."""
        self.choose(method=method, kind=kind, verdict=VERDICTS[0], distance=None)

    def choose(self, **changes: Any) -> None:
        """Change parts of the choice, and return when what they lead to is shown.

        Its first page is, unless another is given.

        Raises:
            ValueError: an unknown name, or a value that is not allowed.
        """
        fresh = {"page": 0}
        if "method" in changes:
            fresh["distance"] = None
        super().choose(**(fresh | changes))

    @property
    def rows(self) -> DataFrame:
        """The rows of the score table that are looked at, the most wrong first."""
        self._latest.wait()
        return self._rows

    def mark(self, row: Hashable) -> None:
        """Mark a pair (an index of the scores) as mislabelled, on disk at once.

        A marked one is taken back.
        """
        file = LabelFile(self._marks, root=self._root)
        pair = self._scores.loc[row]
        if identity(pair) in file.rows:
            file.remove(pair)
        else:
            file.add(pair, 1 - int(pair["label"]))
        self._latest(self.choice)

    def matches(self, row: Hashable) -> None:
        """Draw the AKAZE matches of a pair over its pictures, or take them away again."""
        if str(row) in self._page.matches:
            self._page.matches = {}
        else:
            self._matching(row)

    def figure(self) -> Figure:
        """Return the three figures, the choice marked in them, and the page of pairs."""
        page = _page(self.rows, self.choice["page"])
        height = 2.5 * math.ceil(max(len(page), 1) / 3)
        figure = Figure(figsize=(14, 4 + height), layout="constrained")
        grid = figure.add_gridspec(2, 3, width_ratios=[1.7, 1.3, 0.9], height_ratios=[4, height])
        roc = figure.add_subplot(grid[0, 0])
        histogram = figure.add_subplot(grid[0, 1])
        heat = figure.add_subplot(grid[0, 2])
        words = plots.label(*self._page.view["words"], limit=200)
        figure.suptitle(words, x=0.01, ha="left", fontfamily=plots.style.families())
        plots.plot_roc(self._curves, ax=roc)
        roc.axvline(self.choice["fpr"], **_LINE)
        self._draw_histogram(histogram)
        self._draw_heat_map(heat)
        workbench.draw_cards(self._page.cards, page, self._root, "", figure, grid[1, :])
        return figure

    def _draw_histogram(self, ax: Axes) -> None:
        view = self._page.view
        plots.plot_histograms(DataFrame(view["histogram"]), columns=1, ax=ax)
        panel = next(one for one in ax.figure.axes if one.get_ylabel() == "share of pairs")
        panel.axvline(view["thresholds"][self.choice["method"]] or 0, **_LINE)

    def _draw_heat_map(self, ax: Axes) -> None:
        choice = self.choice
        cells = self._page.view["cells"]
        plots.style.title(ax, f"Copies found at FPR {choice['fpr']:.2g}", pad=8)
        draw_table(ax, DataFrame(cells["values"], cells["rows"], self._methods))
        column = self._methods.index(choice["method"])
        row = self._kinds.index(choice["kind"])
        frame = Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, ec=plots.style.MARK, lw=2.5)
        ax.add_patch(frame)

    def _work(self, choice: Json) -> Iterator[Json]:
        method = choice["method"]
        right = self._judge(choice["fpr"])
        table = self._scores
        if choice["kind"] is not None:
            table = table[self._kind.eq(choice["kind"])]
        histogram = evaluation.distance_histogram(table, [method])
        rows = select(table, right, histogram, choice)
        view = {
            "words": [self._words(right, len(rows), choice)],
            "pages": math.ceil(len(rows) / PER_PAGE),
            "cells": self._cells(right),
            "histogram": histogram.to_dict("list"),
            "method": method,
            "thresholds": workbench.json_numbers(right.attrs["thresholds"]),
        }
        yield {"view": view, "_rows": rows}
        shown = _page(rows, choice["page"])
        cards = [self._card(row, pair, right, method) for row, pair in shown.iterrows()]
        yield {"cards": cards, "matches": {}}

    def _words(self, right: DataFrame, n_rows: int, choice: Json) -> str:
        """Return what is looked at in a sentence."""
        method = choice["method"]
        wrong = ~right[method]
        copy = self._scores["label"].eq(1)
        missed = f"{(wrong & copy).sum():,} of {copy.sum():,}"
        alarms = f"{(wrong & ~copy).sum():,} of {(~copy).sum():,}"
        threshold = right.attrs["thresholds"][method]
        which = [choice["verdict"]]
        if choice["kind"]:
            which.append(choice["kind"])
        if choice["distance"] is not None:
            which.append(f"distances around {choice['distance']:.4g}")
        first = PER_PAGE * choice["page"]
        pairs = f"{min(first + 1, n_rows):,} to {min(first + PER_PAGE, n_rows):,} of {n_rows:,}"
        return (
            f"{method} at FPR {choice['fpr']:.2g}, threshold {threshold:.4g}: "
            f"{missed} copies missed, {alarms} non-copies called copies. "
            f"Pairs {pairs}: {', '.join(which)}."
        )

    def _cells(self, right: DataFrame) -> Json:
        """Return the share of copies that each method finds, by kind."""
        copies = self._scores[self._scores["label"] == 1]
        kinds = self._kind[copies.index]
        weight = copies.get("weight", Series(1.0, copies.index))
        shares = []
        counts = []
        for kind in self._kinds:
            rows = copies.index if kind is None else copies.index[kinds.eq(kind)]
            shares.append(np.average(right.loc[rows], axis=0, weights=weight[rows]).tolist())
            counts.append(len(rows))
        return {
            "rows": self._page.data["names"],
            "columns": self._methods,
            "values": shares,
            "counts": counts,
        }

    def _card(self, row: Hashable, pair: Series, right: DataFrame, method: str) -> Json:
        is_copy = bool(pair["label"] == 1)
        is_right = bool(right.loc[row, method])
        others = [name for name in self._methods if right.loc[row, name] != is_right]
        by = ", ".join(others) or "no other method"
        card = workbench.card(row, pair, self._root, self._methods)
        card["marked"] = self._marked(pair)
        card["rival"] = self._rival(row, is_copy, method)
        card["note"] = f"{_NOTES[is_copy, is_right]} by {by}."
        return card

    def _marked(self, pair: Series) -> bool:
        if not self._marks.exists():
            return False
        return identity(pair) in LabelFile(self._marks, root=self._root).rows

    def _rival(self, row: Hashable, is_copy: bool, method: str) -> Json | None:
        """Return the picture that wins or loses the query against that of a pair, if there is one.

        Of a copy it is the nearest wrong picture, of a pair of different ones the right one.
        """
        rivals = self._rivals(method)
        if row not in rivals.index:
            return None
        rival = self._scores.loc[rivals.loc[row, "rival"]]
        distance = rivals.loc[row, "distance"]
        which = "Nearest wrong" if is_copy else "The right"
        name = plain(rival["reference"])
        return {
            "text": f"{which} picture for this query: {name}, {distance:.4g} by {method}",
            "pictures": workbench.small_pictures(rival, self._root)[:1],
        }

    def _match(self, row: Hashable) -> Iterator[Json]:
        lines = akaze_lines(workbench.full_pictures(self._scores.loc[row], self._root))
        drawn = {"lines": lines.tolist(), "text": akaze_words(lines)}
        yield {"matches": {str(row): drawn}}

    def _act(self, action: str, row: str) -> None:
        index = next(index for index in self._rows.index if str(index) == row)
        if action == "matches":
            self.matches(index)
        else:
            self.mark(index)


def _kind_of(table: DataFrame) -> Series:
    """Return the kind of perturbation of each row of a score table."""
    unchanged = Series("", table.index)
    return table.get("perturbation", unchanged).astype(str).map(perturb.kind)


def select(
    rows: DataFrame, right: DataFrame, histogram: DataFrame, choice: Mapping[str, Any]
) -> DataFrame:
    """Return the rows of a choice, the most wrong first.

    That is how far each is on the wrong side of the threshold.

    Args:
        rows: of a score table, of the kind of perturbation that is chosen.
        right: as from :func:`simlab.evaluation.judge`.
        histogram: of these rows, as from :func:`simlab.evaluation.distance_histogram`.
    """
    method = choice["method"]
    copy = rows["label"].eq(1)
    distance = rows[method]
    kept = Series(True, rows.index)
    if choice["verdict"] != "all":
        kept &= copy.eq(choice["verdict"] in ("missed", "found"))
        kept &= right.loc[rows.index, method].eq(choice["verdict"] in ("found", "rejected"))
    if choice["distance"] is not None:
        edges = [-np.inf, *histogram["left"].unique()[1:], np.inf]
        place = np.searchsorted(edges, choice["distance"], "right")
        kept &= distance.ge(edges[place - 1]) & distance.lt(edges[place])
    threshold = np.nan_to_num(right.attrs["thresholds"][method])
    beyond = (distance - threshold) * np.where(copy, 1, -1)
    return rows.loc[beyond[kept].sort_values(ascending=False, kind="stable").index]


def _page(rows: DataFrame, page: int) -> DataFrame:
    return rows.iloc[PER_PAGE * page : PER_PAGE * (page + 1)]
