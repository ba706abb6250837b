"""Curves with a line per method: ROC and DET on logarithmic axes, precision by recall and by share of copies."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import EngFormatter, FixedLocator, FuncFormatter, NullLocator

from simlab.plots import style

END = "#f4f4f4"  # what the pairs cannot show


@style.styled
def plot_roc(curves: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw ROC curves on a logarithmic FPR axis, from the smallest measurable FPR to 1.

    Args:
        curves: method, fpr, tpr, n_positive, n_negative, smallest_fpr, as from :func:`simlab.evaluation.roc_curve`; a
            band is drawn where low and high are given.
    """
    ax, curves = style.axes(ax, 8, 4.4), curves.dropna(subset=["fpr", "tpr"])
    if curves.empty:
        return style.nothing(ax, "no ROC curve: it takes copies and non-copies")
    floor = min(curves["smallest_fpr"].min(), 0.5)
    curves = _from_floor(curves, floor)
    lines(ax, curves, "fpr", "tpr", step="post")
    _name_starts(ax, curves.groupby("method", sort=False)["tpr"].first().to_dict(), floor)
    ax.set(xscale="log", ylim=(-0.02, 1.03))
    _end(ax, floor, floor**1.33, 0.07)  # above the name of a curve that starts at 0
    return style.finish(
        ax, "ROC", style.counts(curves), xlabel="false positive rate", ylabel="true positive rate"
    )


@style.styled
def plot_det(curves: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the share of missed copies (1 - TPR) against FPR, both logarithmic, each down to one pair: low is good.

    Args:
        curves: as for :func:`plot_roc`.
    """
    ax, curves = style.axes(ax, 8, 4.4), curves.dropna(subset=["fpr", "tpr"])
    if curves.empty:
        return style.nothing(ax, "no DET curve: it takes copies and non-copies")
    floor, lowest = min(curves["smallest_fpr"].min(), 0.5), min(1 / curves["n_positive"].max(), 0.5)
    missed = _from_floor(curves, floor).rename(columns={"low": "high", "high": "low"})
    rates = missed.columns.intersection(["tpr", "low", "high"])
    missed[rates] = (1 - missed[rates]).clip(lower=lowest)
    lines(ax, missed, "fpr", "tpr", step="post")
    ax.set(xscale="log", yscale="log", ylim=(lowest, 1.03))
    _end(ax, floor, floor**1.08, lowest**0.97)
    decades(ax.yaxis, lowest)
    style.legend(ax, curves["method"].unique(), loc="center left", bbox_to_anchor=(1.02, 0.5))
    names = {"xlabel": "false positive rate", "ylabel": "share of copies missed"}
    return style.finish(ax, "Detection error trade-off", style.counts(curves), **names)


@style.styled
def plot_pr(curves: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw precision against recall; a dotted line shows the share of copies, which guessing would reach.

    In the grey corner there would be less than one false alarm: such a precision cannot be measured.

    Args:
        curves: method, precision, recall, n_positive, n_negative, as from :func:`simlab.evaluation.pr_curve`; a band
            is drawn where low and high are given.
    """
    ax, curves = style.axes(ax, 8, 4.2), curves.dropna(subset=["precision", "recall"])
    if curves.empty:
        return style.nothing(ax, "no precision-recall curve: it takes copies")
    rising = curves.sort_values(["recall", "precision"], ascending=[True, False], kind="stable")
    starts = rising.drop_duplicates("method").assign(recall=0.0)
    lines(ax, pd.concat([starts, rising]), "recall", "precision", step="pre")
    share = curves.groupby("method")["precision"].last().min()  # that of calling every pair a copy
    ax.axhline(share, color=style.MUTED, linewidth=1, linestyle=":")
    ax.text(
        0.005, share, f"share of copies {share:.2g}", va="bottom", color=style.MUTED, fontsize=7.5
    )
    recall, one = np.linspace(0, 1.005, 200), curves["smallest_fpr"].min() * (1 - share)
    ax.fill_between(
        recall, share * recall / (share * recall + one), 1.03, color=END, linewidth=0, zorder=0
    )
    style.legend(ax, curves["method"].unique(), loc="center left", bbox_to_anchor=(1.02, 0.5))
    ax.set(xlim=(0, 1.005), ylim=(0, 1.03), xlabel="recall", ylabel="precision")
    return style.finish(ax, "Precision and recall", style.counts(curves))


@style.styled
def plot_prevalence(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the precision of each method's threshold against the share of copies among the pairs, rarer to the right.

    Args:
        table: method, share, precision, as from :func:`simlab.evaluation.prevalence_table`; a band is drawn where low
            and high are given.
    """
    ax, table = (
        style.axes(ax, 8, 4.2),
        table.dropna(subset=["precision"]).sort_values("share", kind="stable"),
    )
    if table.empty:
        return style.nothing(ax, "no precision: no threshold could be chosen")
    lines(ax, table, "share", "precision")
    rarest, lowest = table["share"].min(), max(table["precision"].min() / 2, 1e-9)
    ax.set(xscale="log", yscale="log", xlim=(table["share"].max(), rarest), ylim=(lowest, 1.1))
    decades(ax.xaxis, rarest)
    decades(ax.yaxis, lowest)
    style.legend(ax, table["method"].unique(), loc="center left", bbox_to_anchor=(1.02, 0.5))
    names = {"xlabel": "share of copies among the pairs compared", "ylabel": "precision"}
    return style.finish(ax, "Precision where copies are rarer", **names)


@style.styled
def plot_collection(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the false alarms of each method's threshold against the size of the collection, all pairs compared.

    Args:
        table: method, n_pictures, false_alarms, as from :func:`simlab.evaluation.collection_table`; a band is drawn
            where low and high are given.
    """
    ax, table = style.axes(ax, 8, 4.2), table[table["false_alarms"] > 0]
    if table.empty:
        return style.nothing(ax, "no false alarms: none was seen, or no threshold could be chosen")
    lines(ax, table, "n_pictures", "false_alarms")
    ax.set(xscale="log", yscale="log", xlim=(table["n_pictures"].min(), table["n_pictures"].max()))
    for axis in (ax.xaxis, ax.yaxis):
        axis.set(minor_locator=NullLocator(), major_formatter=EngFormatter(sep=""))
    style.legend(ax, table["method"].unique(), loc="center left", bbox_to_anchor=(1.02, 0.5))
    names = {"xlabel": "pictures, each compared with each", "ylabel": "false alarms to expect"}
    return style.finish(ax, "False alarms in a collection", **names)


def lines(ax: Axes, table: pd.DataFrame, x: str, y: str, *, step: str | None = None) -> None:
    """Draw a line per method, and a band where low and high are given.

    A rate between two thresholds cannot be had, so curves of thresholds are steps ("post" or "pre"), not slopes.
    """
    for method, rows in table.groupby("method", sort=False):
        look = style.method_style(method)
        ax.plot(
            rows[x],
            rows[y],
            drawstyle=f"steps-{step}" if step else "default",
            linewidth=1.7,
            **look,
        )
        if style.has_interval(rows):
            band = {
                "color": look["color"],
                "alpha": min(0.15, 0.4 / table["method"].nunique()),
                "linewidth": 0,
            }
            ax.fill_between(rows[x], rows["low"], rows["high"], step=step, **band)


def decades(axis: Axis, floor: float) -> None:
    """Mark the powers of ten from 1 down to `floor`, in plain numbers."""
    axis.set(
        major_locator=FixedLocator(10.0 ** np.arange(0, np.log10(floor) - 0.01, -1)),
        minor_locator=NullLocator(),
    )
    axis.set_major_formatter(FuncFormatter(lambda rate, _: f"{rate:.9f}".rstrip("0").rstrip(".")))


def _end(ax: Axes, floor: float, left: float, bottom: float) -> None:
    """Let the FPR axis begin at `left`, and show that nothing can be measured below the smallest FPR, `floor`."""
    ax.axvspan(left, floor, color=END, linewidth=0, zorder=0)
    note = {"rotation": 90, "va": "bottom", "color": style.MUTED, "fontsize": 7.5}
    ax.text(left**0.985, bottom, f"below 1/{1 / floor:,.0f}: not measurable", **note)
    ax.set_xlim(left, 1)
    decades(ax.xaxis, floor)


def _from_floor(curves: pd.DataFrame, floor: float) -> pd.DataFrame:
    """Return the curves from `floor` on; they start there, at the highest TPR reached at or below it."""
    parts = []
    for _, curve in curves.sort_values(["fpr", "tpr"]).groupby("method", sort=False):
        below = curve["fpr"] <= floor * (1 + 1e-9)
        none_yet = curve.head(1).assign(
            **{name: 0.0 for name in ("tpr", "low", "high") if name in curve}
        )
        parts += [
            (curve[below].tail(1) if below.any() else none_yet).assign(fpr=floor),
            curve[~below],
        ]
    return pd.concat(parts)


def _name_starts(ax: Axes, starts: Mapping[str, float], x: float) -> None:
    """Write each method's name left of where its curve starts, with a hair line between the two."""
    heights = apart(list(starts.values()), min(0.055, 1 / len(starts)))
    for (method, start), height in zip(starts.items(), heights, strict=True):
        hair = {
            "arrowstyle": "-",
            "color": style.method_style(method)["color"],
            "lw": 0.7,
            "shrinkA": 1,
            "shrinkB": 0,
        }
        look = {**style.name_look(method), "ha": "right", "va": "center"}
        ax.annotate(
            style.label(method, limit=22), (x, start), (x**1.06, height), arrowprops=hair, **look
        )


def apart(heights: list[float], gap: float) -> np.ndarray:
    """Return the heights moved up, then down from 1, until they lie `gap` apart."""
    order = np.argsort(heights, kind="stable")
    steps = gap * np.arange(len(order))
    places = np.empty(len(order))
    places[order] = (
        np.maximum.accumulate(np.asarray(heights, float)[order] - steps).clip(max=1 - steps[-1])
        + steps
    )
    return places
