"""Curves: ROC on a logarithmic FPR axis, precision and recall."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from simlab.plots import style


@style.styled
def plot_roc(curves: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw ROC curves on a logarithmic FPR axis, from the smallest measurable FPR (1 / non-copies) to 1.

    Args:
        curves: method, fpr, tpr, n_positive, n_negative, as from :func:`simlab.evaluation.roc_curve`; a band
            is drawn where low and high are given.
    """
    ax, curves = style.axes(ax, 8, 4.4), curves.dropna(subset=["fpr", "tpr"])
    if curves.empty:
        return style.nothing(ax, "no ROC curve: it takes copies and non-copies")
    floor = min(1 / curves["n_negative"].max(), 0.5)
    left = floor**1.33
    starts = {name: _draw_roc(ax, name, curve, floor) for name, curve in curves.groupby("method", sort=False)}
    _name_starts(ax, starts, floor, floor**1.06)
    ax.axvspan(left, floor, color="#f4f4f4", linewidth=0, zorder=0)
    note = {"rotation": 90, "va": "bottom", "color": style.MUTED, "fontsize": 7.5}
    ax.text(left * 1.05, 0, f"below 1/{1 / floor:,.0f}: not measurable", **note)
    ax.set(xscale="log", xlim=(left, 1), ylim=(-0.02, 1.03))
    ax.set(xlabel="false positive rate", ylabel="true positive rate")
    _decades(ax, floor)
    style.tidy(ax)
    style.title(ax, "ROC", style.counts(curves))
    return ax


def _decades(ax: Axes, floor: float) -> None:
    decades = 10.0 ** np.arange(0, np.log10(floor) - 0.01, -1)
    ax.xaxis.set(major_locator=FixedLocator(decades), minor_locator=NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{rate:g}"))


def _draw_roc(ax: Axes, method: str, curve: pd.DataFrame, floor: float) -> float:
    """Draw the steps from `floor` on; return where they start: the highest TPR reached at or below it."""
    curve = curve.sort_values(["fpr", "tpr"])
    below = curve["fpr"] <= floor * (1 + 1e-9)
    first = curve[below].tail(1) if below.any() else curve.head(1).assign(tpr=0.0, low=0.0, high=0.0)
    curve = pd.concat([first.assign(fpr=floor), curve[~below]])
    # rates between two thresholds cannot be had, so the line is a step, not a slope
    ax.step(curve["fpr"], curve["tpr"], where="post", linewidth=1.7, **style.method_style(method))
    _band(ax, curve, "fpr", method, "post")
    return curve["tpr"].iloc[0]


def _band(ax: Axes, curve: pd.DataFrame, x: str, method: str, step: str) -> None:
    if style.has_interval(curve):
        look = {"color": style.method_style(method)["color"], "alpha": 0.15, "linewidth": 0}
        ax.fill_between(curve[x], curve["low"], curve["high"], step=step, **look)


def _name_starts(ax: Axes, starts: Mapping[str, float], x: float, x_name: float) -> None:
    """Write each method's name left of its curve, with a hair line to where the curve starts."""
    heights = _apart(list(starts.values()), min(0.055, 1 / len(starts)))
    for (method, start), height in zip(starts.items(), heights, strict=True):
        hair = {"arrowstyle": "-", "color": style.method_style(method)["color"], "lw": 0.7, "shrinkA": 1}
        look = {"fontsize": 8.5, "fontweight": "bold", "color": style.text_colour(method), "ha": "right"}
        name = style.label(method, limit=22)
        ax.annotate(name, (x, start), (x_name, height), va="center", arrowprops=hair | {"shrinkB": 0}, **look)


def _apart(heights: list[float], gap: float) -> np.ndarray:
    """Return the heights moved up, then down from 1, until they lie `gap` apart."""
    order = np.argsort(heights, kind="stable")
    steps = gap * np.arange(len(order))
    raised = np.maximum.accumulate(np.asarray(heights, float)[order] - steps)
    places = np.empty(len(order))
    places[order] = raised.clip(max=1 - steps[-1]) + steps
    return places


@style.styled
def plot_pr(curves: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw precision against recall; a dotted line shows the share of copies, which guessing would reach.

    Args:
        curves: method, precision, recall, n_positive, n_negative, as from
            :func:`simlab.evaluation.pr_curve`; a band is drawn where low and high are given.
    """
    ax, curves = style.axes(ax, 8, 4.2), curves.dropna(subset=["precision", "recall"])
    if curves.empty:
        return style.nothing(ax, "no precision-recall curve: it takes copies")
    for method, curve in curves.groupby("method", sort=False):
        curve = curve.sort_values(["recall", "precision"], ascending=[True, False])
        curve = pd.concat([curve.head(1).assign(recall=0.0), curve])
        ax.step(curve["recall"], curve["precision"], where="pre", linewidth=1.7, **style.method_style(method))
        _band(ax, curve, "recall", method, "pre")
    share = curves["n_positive"].max() / (curves["n_positive"].max() + curves["n_negative"].max())
    ax.axhline(share, color=style.MUTED, linewidth=1, linestyle=":")
    ax.text(0.005, share, f"share of copies {share:.2g}", va="bottom", color=style.MUTED, fontsize=7.5)
    style.legend(ax, curves["method"].unique(), loc="center left", bbox_to_anchor=(1.02, 0.5))
    ax.set(xlim=(0, 1.005), ylim=(0, 1.03), xlabel="recall", ylabel="precision")
    style.tidy(ax)
    style.title(ax, "Precision and recall", style.counts(curves))
    return ax
