"""Methods against each other and against their cost; probabilities and groups."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import same_color
from scipy.cluster import hierarchy

from simlab import specs
from simlab.evaluation.paired import decided
from simlab.messages import counted
from simlab.plots import style
from simlab.plots.summaries import draw_table, spelled


@style.styled
def plot_forest(
    differences: pd.DataFrame, *, a: str = "a", b: str = "b", ax: Axes | None = None
) -> Axes:
    """Draw how much more method `a` reaches than `b`, overall and per group; a decided row has the winner's colour.

    Args:
        differences: group, metric, difference, low, high, n_positive, n_negative, as from
            :func:`simlab.evaluation.compare`. What is drawn decides: an interval that leaves out 0.
    """
    rows = differences.dropna(subset=["difference"]).iloc[::-1]
    ax = style.axes(ax, 8, 1.1 + 0.27 * len(rows))
    if rows.empty:
        return style.nothing(ax, "no difference could be measured")
    left, right = (
        (a, b) if rows["metric"].iloc[0] == "equal_error_rate" else (b, a)
    )  # the one in which less is more
    winners = {
        1: style.method_style(right)["color"],
        -1: style.method_style(left)["color"],
        0: style.GREY,
    }
    places, colours = np.arange(len(rows)), [winners[sign] for sign in decided(rows)]
    ax.axvline(0, color=style.INK, linewidth=0.8)
    ax.hlines(places, rows["low"], rows["high"], colors=colours, linewidth=1.6)
    ax.scatter(rows["difference"], places, c=colours, s=26, zorder=3)
    names = [style.label(spelled(group, rows["group"])) for group in rows["group"]]
    ax.set_yticks(places, names)
    a, b, left, right = map(style.label, (a, b, left, right))
    middle = f"difference in {style.measure(rows['metric'].iloc[0])}"
    ax.set(
        ylim=(-0.6, len(rows) - 0.4),
        xlabel=f"{left} is better   ←   {middle}   →   {right} is better",
    )
    return style.finish(ax, f"{a} minus {b}", style.counts(rows))


@style.styled
def plot_complementarity(shares: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw which share of the copies that one method (row) misses another (column) finds.

    Args:
        shares: method, other, share, n_misses, as from :func:`simlab.evaluation.complementarity`; intervals are
            written where low and high are given.
    """
    methods = shares["method"].unique()
    ax = style.axes(ax, 3 + 0.9 * len(methods), 1 + 0.42 * len(methods))
    if shares.empty:
        return style.nothing(ax, "it takes two methods for one to find what the other misses")
    cells, missed = (
        shares.set_index(["method", "other"]),
        shares.groupby("method")["n_misses"].max(),
    )
    given = [name for name in ("share", "low", "high") if name in cells]
    values, *ends = (
        cells[name].unstack().reindex(index=methods, columns=methods) for name in given
    )
    draw_table(
        ax,
        values.rename(index={name: f"{name} misses {missed[name]:,.0f}" for name in methods}),
        *ends,
    )
    style.title(ax, "Of these, the others find", pad=8)
    n_missed = style.span(missed, "missed copy", "missed copies")
    ax.set_xlabel(f"n = {n_missed} a row", color=style.MUTED, fontsize=8, loc="left")
    return ax


@style.styled
def plot_reliability(bins: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the share of copies observed against the probability predicted; on the diagonal the two agree.

    Args:
        bins: predicted, observed (fractions), n (pairs), as from :meth:`simlab.Ensemble.reliability`; whiskers are
            drawn where low and high are given.
    """
    ax, bins = style.axes(ax, 4.4, 4.2), bins.dropna(subset=["predicted", "observed"])
    ax.plot([0, 1], [0, 1], color=style.GREY, linewidth=1, linestyle=":")
    if style.has_interval(bins):
        ax.vlines(bins["predicted"], bins["low"], bins["high"], color=style.GREY, linewidth=1.4)
    ax.scatter(
        bins["predicted"],
        bins["observed"],
        s=14 + 8 * np.log1p(bins["n"]),
        color=style.INK,
        zorder=3,
    )
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    names = {"xlabel": "probability predicted", "ylabel": "share of copies observed"}
    n = f"n = {counted(int(bins['n'].sum()), 'pair')}"
    return style.finish(ax, "Reliability", n, **names)


@style.styled
def plot_dendrogram(
    linkage: np.ndarray,
    names: Sequence[str],
    *,
    threshold: float | None = None,
    log: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Draw the tree in which pictures join into groups, those nearer than `threshold` in a colour for each group.

    Args:
        linkage: (n - 1, 4), as from :func:`scipy.cluster.hierarchy.linkage`.
        log: draw distances on a logarithmic axis, on which 1e-9 and 1e-3 stay apart, as those of sure copies do.
    """
    ax = style.axes(ax, 8, 0.9 + 0.17 * len(names))
    shown = [style.label(name, limit=40) for name in names]
    look = {"above_threshold_color": style.GREY, "color_threshold": threshold or 0}
    hierarchy.dendrogram(
        linkage, labels=shown, orientation="right", leaf_font_size=7.5, ax=ax, **look
    )
    for at, links in enumerate(ax.collections):
        if not same_color(links.get_color()[0], style.GREY):
            links.set_color(style.COLOURS[at % len(style.COLOURS)])
    if threshold is not None:
        ax.axvline(threshold, color=style.MUTED, linewidth=1, linestyle=":")
    if log:
        joined = linkage[:, 2][linkage[:, 2] > 0] if linkage[:, 2].any() else np.ones(1)
        ax.set(xscale="log", xlim=(joined.min() / 3, 2 * joined.max()))
    return style.finish(
        ax,
        "Groups",
        f"n = {counted(len(names), 'picture')}",
        grid="x",
        xlabel="distance at which groups join",
    )


@style.styled
def plot_distances(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the distances of two pictures as shares of each method's threshold; a bar short of the line says copy.

    Args:
        table: by method: distance, threshold (NaN: none known), maximum, says (as a word).
    """
    ax, places = style.axes(ax, 5, 0.7 + 0.24 * len(table)), np.arange(len(table))
    full = table["threshold"].where(table["threshold"] > 0, table["maximum"])
    colours = [style.COLOURS[0] if says == "copy" else style.GREY for says in table["says"]]
    ax.barh(places, (table["distance"] / full).clip(upper=2), color=colours)
    ax.axvline(1, color=style.INK, linewidth=1)
    for place, (distance, says) in enumerate(zip(table["distance"], table["says"])):
        ax.text(2.05, place, f"{distance:.3g}  {says}", va="center", fontsize=8, color=style.INK)
    ax.set_yticks(places, [style.label(name, limit=28) for name in table.index])
    ax.set(ylim=(len(table) - 0.4, -0.6), xlim=(0, 2), xticks=[])
    return style.finish(ax, "Distances; the line is the threshold", grid="x")


@style.styled
def plot_evidence(evidence: pd.Series, *, probability: float, ax: Axes | None = None) -> Axes:
    """Draw what each method says for a copy (right) and against it (left), and the probability that comes of it.

    Args:
        evidence: nats by method, and whatever else is added to them.
    """
    specs.check_number("probability", probability, 0, 1)
    ax, places = style.axes(ax, 5, 0.9 + 0.24 * len(evidence)), np.arange(len(evidence))
    ax.barh(
        places, evidence, color=[style.COLOURS[0] if nats >= 0 else style.GREY for nats in evidence]
    )
    ax.axvline(0, color=style.INK, linewidth=1)
    ax.set_yticks(places, [style.label(name, limit=28) for name in evidence.index])
    ax.set(ylim=(len(evidence) - 0.4, -0.6), xlabel="evidence for a copy, in nats")
    sure = (
        "over 0.999"
        if probability > 0.999
        else "under 0.001"
        if probability < 0.001
        else f"{probability:.3f}"
    )
    return style.finish(ax, f"Probability {sure}", grid="x")
