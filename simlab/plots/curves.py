"""Curves with a line per method: ROC and DET on logarithmic axes, precision, false alarms."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import EngFormatter, FixedLocator, FuncFormatter, NullLocator
from pandas import DataFrame

from simlab.plots import style
from simlab.tables import check_table

UNMEASURABLE = "#f4f4f4"
"""The colour of what the pairs cannot show."""
_NEAR_IN_DECADES = 0.1
"""By which share values differ that lie on each other where an axis spans several powers of ten."""
_ROC = "method, fpr, tpr, n_positive, n_negative, smallest_fpr"
_PR = "method, precision, recall, n_positive, n_negative, smallest_fpr"


@style.styled
def plot_roc(curves: DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw ROC curves on a logarithmic FPR axis, from the smallest measurable FPR to 1.

    Args:
        curves: method, fpr, tpr, n_positive, n_negative, smallest_fpr, as from
            :func:`simlab.evaluation.roc_curve`; a band is drawn where low and high are given.
    """
    check_table(curves, "curves", _ROC)
    ax = style.axes(ax, 8, 4.4)
    measured = curves.dropna(subset=["fpr", "tpr"])
    if measured.empty:
        return style.nothing(ax, "no ROC curve: it takes copies and non-copies")
    floor = _smallest_fpr(measured)
    shown = _from_floor(measured, floor)
    lines(ax, shown, "fpr", "tpr", step="post")
    starts = shown.groupby("method", sort=False)["tpr"].first()
    _name_starts(ax, starts.to_dict(), floor)
    ax.set(xscale="log", ylim=(-0.02, 1.03))
    # the note stands above the name of a curve that starts at 0
    _end(ax, floor, left=floor**1.33, bottom=0.07)
    return style.finish(
        ax,
        "ROC",
        style.counts(shown),
        xlabel="false positive rate",
        ylabel="true positive rate",
    )


@style.styled
def plot_det(curves: DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the share of missed copies (1 - TPR) against FPR: low is good.

    Both axes are logarithmic, and each goes down to one pair.

    Args:
        curves: as for :func:`plot_roc`.
    """
    check_table(curves, "curves", _ROC)
    ax = style.axes(ax, 8, 4.4)
    measured = curves.dropna(subset=["fpr", "tpr"])
    if measured.empty:
        return style.nothing(ax, "no DET curve: it takes copies and non-copies")
    floor = _smallest_fpr(measured)
    lowest = min(1 / measured["n_positive"].max(), 0.5)
    # what is missed least where most is found: the ends of the interval change places
    missed = _from_floor(measured, floor).rename(columns={"low": "high", "high": "low"})
    rates = missed.columns.intersection(["tpr", "low", "high"])
    missed[rates] = (1 - missed[rates]).clip(lower=lowest)
    lines(ax, missed, "fpr", "tpr", step="post")
    ax.set(xscale="log", yscale="log", ylim=(lowest, 1.03))
    _end(ax, floor, left=floor**1.08, bottom=lowest**0.97)
    decades(ax.yaxis, lowest)
    style.legend_beside(ax, measured)
    return style.finish(
        ax,
        "Detection error trade-off",
        style.counts(measured),
        xlabel="false positive rate",
        ylabel="share of copies missed",
    )


@style.styled
def plot_pr(curves: DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw precision against recall, above the share of copies, which guessing would reach.

    In the grey corner there would be less than one false alarm: such a precision cannot be
    measured.

    Args:
        curves: method, precision, recall, n_positive, n_negative, smallest_fpr, as from
            :func:`simlab.evaluation.pr_curve`; a band is drawn where low and high are given.
    """
    check_table(curves, "curves", _PR)
    ax = style.axes(ax, 8, 4.2)
    measured = curves.dropna(subset=["precision", "recall"])
    if measured.empty:
        return style.nothing(ax, "no precision-recall curve: it takes copies")
    rising = measured.sort_values(["recall", "precision"], ascending=[True, False], kind="stable")
    starts = rising.drop_duplicates("method").assign(recall=0.0)
    lines(ax, pd.concat([starts, rising]), "recall", "precision", step="pre")
    # the last precision of a curve is that of calling every pair a copy
    share = measured.groupby("method")["precision"].last().min()
    _mark_guessing(ax, share)
    _shade_unmeasurable(ax, share, measured["smallest_fpr"].min())
    style.legend_beside(ax, measured)
    ax.set(xlim=(0, 1.005), ylim=(0, 1.03), xlabel="recall", ylabel="precision")
    return style.finish(ax, "Precision and recall", style.counts(measured))


def _mark_guessing(ax: Axes, share: float) -> None:
    """Draw the share of copies as a dotted line."""
    ax.axhline(share, color=style.MUTED, linewidth=1, linestyle=":")
    note = f"share of copies {share:.2g}"
    ax.text(0.005, share, note, va="bottom", color=style.MUTED, fontsize=7.5)


def _shade_unmeasurable(ax: Axes, share: float, smallest_fpr: float) -> None:
    """Shade the precisions that take less than one false alarm."""
    recall = np.linspace(0, 1.005, 200)
    found = share * recall
    one_false_alarm = smallest_fpr * (1 - share)
    highest = found / (found + one_false_alarm)
    ax.fill_between(recall, highest, 1.03, color=UNMEASURABLE, linewidth=0, zorder=0)


@style.styled
def plot_prevalence(table: DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw each threshold's precision against the share of copies, rarer to the right.

    Args:
        table: method, share, precision, as from :func:`simlab.evaluation.prevalence_table`; a
            band is drawn where low and high are given.
    """
    check_table(table, "table", "method, share, precision")
    ax = style.axes(ax, 8, 4.2)
    shown = table.dropna(subset=["precision"]).sort_values("share", kind="stable")
    if shown.empty:
        return style.nothing(ax, "no precision: no threshold could be chosen")
    lines(ax, shown, "share", "precision", near=_NEAR_IN_DECADES)
    rarest = shown["share"].min()
    commonest = shown["share"].max()
    lowest = max(shown["precision"].min() / 2, 1e-9)
    ax.set(xscale="log", yscale="log", xlim=(commonest, rarest), ylim=(lowest, 1.1))
    decades(ax.xaxis, rarest)
    decades(ax.yaxis, lowest)
    style.legend_beside(ax, shown)
    return style.finish(
        ax,
        "Precision where copies are rarer",
        xlabel="share of copies among the pairs compared",
        ylabel="precision",
    )


@style.styled
def plot_collection(table: DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw each threshold's false alarms against the size of the collection, all pairs compared.

    Args:
        table: method, n_pictures, false_alarms, as from
            :func:`simlab.evaluation.collection_table`; a band is drawn where low and high are
            given.
    """
    check_table(table, "table", "method, n_pictures, false_alarms")
    ax = style.axes(ax, 8, 4.2)
    shown = table[table["false_alarms"] > 0]
    if shown.empty:
        return style.nothing(ax, "no false alarms: none was seen, or no threshold could be chosen")
    lines(ax, shown, "n_pictures", "false_alarms", near=_NEAR_IN_DECADES)
    sizes = shown["n_pictures"]
    ax.set(xscale="log", yscale="log", xlim=(sizes.min(), sizes.max()))
    for axis in (ax.xaxis, ax.yaxis):
        axis.set(minor_locator=NullLocator(), major_formatter=EngFormatter(sep=""))
    style.legend_beside(ax, shown)
    return style.finish(
        ax,
        "False alarms in a collection",
        xlabel="pictures, each compared with each",
        ylabel="false alarms to expect",
    )


def lines(
    ax: Axes, table: DataFrame, x: str, y: str, *, step: str | None = None, near: float = 0.02
) -> None:
    """Draw a line per method, and a band where low and high are given.

    Where lines lie on each other, but for `near` of their values, their colours take turns.

    A rate between two thresholds cannot be had, so curves of thresholds are steps ("post" or
    "pre"), not slopes.
    """
    n_methods = table["method"].nunique()
    parts = style.stretches(table, x, y, step, near)
    drawstyle = f"steps-{step}" if step else "default"
    for method, rows in table.groupby("method", sort=False):
        method_style = style.method_style(method)
        ax.plot(rows[x], rows[y], drawstyle=drawstyle, linewidth=1.7, **method_style)
        for part in parts[method]:
            ax.plot(part.x, part.y, drawstyle=drawstyle, **part.look(method))
        if style.has_interval(rows):
            ax.fill_between(
                rows[x],
                rows["low"],
                rows["high"],
                step=step,
                color=method_style["color"],
                alpha=min(0.15, 0.4 / n_methods),  # bands lie upon each other
                linewidth=0,
            )


def decades(axis: Axis, floor: float) -> None:
    """Mark the powers of ten from 1 down to `floor`, in plain numbers."""
    exponents = np.arange(0, np.log10(floor) - 0.01, -1)
    axis.set(major_locator=FixedLocator(10.0**exponents), minor_locator=NullLocator())
    axis.set_major_formatter(FuncFormatter(_plain_number))


def _plain_number(rate: float, _: int) -> str:
    return f"{rate:.9f}".rstrip("0").rstrip(".")


def _smallest_fpr(curves: DataFrame) -> float:
    """Where the FPR axis begins to mean something; of a handful of pairs, at 0.5."""
    return min(curves["smallest_fpr"].min(), 0.5)


def _from_floor(curves: DataFrame, floor: float) -> DataFrame:
    """The curves from `floor` on: they start there, at the highest TPR reached at or below it."""
    rates = curves.columns.intersection(["tpr", "low", "high"])
    parts = []
    for _, curve in curves.sort_values(["fpr", "tpr"]).groupby("method", sort=False):
        below = curve["fpr"] <= floor * (1 + 1e-9)
        start = curve[below].tail(1)
        if start.empty:  # nothing is found there yet
            start = curve.head(1).assign(**dict.fromkeys(rates, 0.0))
        parts.append(start.assign(fpr=floor))
        parts.append(curve[~below])
    return pd.concat(parts)


def _end(ax: Axes, floor: float, *, left: float, bottom: float) -> None:
    """Let the FPR axis begin at `left`, and show that nothing can be measured below `floor`."""
    ax.axvspan(left, floor, color=UNMEASURABLE, linewidth=0, zorder=0)
    note = f"below 1/{1 / floor:,.0f}: not measurable"
    look = {"rotation": 90, "va": "bottom", "color": style.MUTED, "fontsize": 7.5}
    ax.text(left**0.985, bottom, note, **look)
    ax.set_xlim(left, 1)
    decades(ax.xaxis, floor)


def _name_starts(ax: Axes, starts: Mapping[str, float], x: float) -> None:
    """Write each method's name left of where its curve starts, a hair line between the two."""
    heights = apart(list(starts.values()), min(0.055, 1 / len(starts)))
    for (method, start), height in zip(starts.items(), heights, strict=True):
        colour = style.method_style(method)["color"]
        hair = {"arrowstyle": "-", "color": colour, "lw": 0.7, "shrinkA": 1, "shrinkB": 0}
        ax.annotate(
            style.label(method, limit=22),
            (x, start),
            (x**1.06, height),
            arrowprops=hair,
            ha="right",
            va="center",
            **style.name_style(method),
        )


def apart(heights: list[float], gap: float) -> np.ndarray:
    """Return the heights moved up, then down from 1, until they lie `gap` apart."""
    order = np.argsort(heights, kind="stable")
    steps = gap * np.arange(len(order))
    rising = np.asarray(heights, float)[order]
    raised = np.maximum.accumulate(rising - steps)
    places = np.empty(len(order))
    places[order] = raised.clip(max=1 - steps[-1]) + steps
    return places
