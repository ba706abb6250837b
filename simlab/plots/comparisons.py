"""Methods against each other and against their cost; probabilities and groups."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import same_color
from pandas import DataFrame, Series
from scipy.cluster import hierarchy

from simlab import specs
from simlab.evaluation.paired import decided
from simlab.messages import counted
from simlab.plots import style
from simlab.plots.summaries import draw_table, spelled
from simlab.tables import check_table


@style.styled
def plot_forest(
    differences: DataFrame, *, a: str = "a", b: str = "b", ax: Axes | None = None
) -> Axes:
    """Draw how much more method `a` reaches than `b`, overall and per group.

    A decided row has the winner's colour. What is drawn decides: an interval that leaves out 0.

    Args:
        differences: group, metric, difference, low, high, n_positive, n_negative, as from
            :func:`simlab.evaluation.compare`.
    """
    columns = "group, metric, difference, low, high, n_positive, n_negative"
    check_table(differences, "differences", columns)
    rows = differences.dropna(subset=["difference"]).iloc[::-1]
    ax = style.axes(ax, 8, 1.1 + 0.27 * len(rows))
    if rows.empty:
        return style.nothing(ax, "no difference could be measured")
    metric = rows["metric"].iloc[0]
    is_loss = metric == "equal_error_rate"  # in which less is more
    left, right = (a, b) if is_loss else (b, a)
    winners = {
        1: style.method_style(right)["color"],
        -1: style.method_style(left)["color"],
        0: style.GREY,
    }
    colours = [winners[sign] for sign in decided(rows)]
    places = np.arange(len(rows))
    ax.axvline(0, color=style.INK, linewidth=0.8)
    ax.hlines(places, rows["low"], rows["high"], colors=colours, linewidth=1.6)
    ax.scatter(rows["difference"], places, c=colours, s=26, zorder=3)
    names = [style.label(spelled(group, rows["group"])) for group in rows["group"]]
    ax.set_yticks(places, names)
    sides = [
        f"{style.label(left)} is better   ←",
        f"difference in {style.measure(metric)}",
        f"→   {style.label(right)} is better",
    ]
    # in inches, of text of this size; long names have a line each
    needed = 0.068 * (len("   ".join(sides)) + max(map(len, names), default=0))
    gap = "   " if needed < ax.figure.get_figwidth() else "\n"
    ax.set(ylim=(-0.6, len(rows) - 0.4), xlabel=gap.join(sides))
    return style.finish(ax, f"{style.label(a)} minus {style.label(b)}", style.counts(rows))


@style.styled
def plot_complementarity(shares: DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw which share of the copies that one method (row) misses another (column) finds.

    Args:
        shares: method, other, share, n_misses, as from
            :func:`simlab.evaluation.complementarity`; intervals are written where low and high
            are given.
    """
    check_table(shares, "shares", "method, other, share, n_misses")
    methods = shares["method"].unique()
    ax = style.axes(ax, 3 + 0.9 * len(methods), 1 + 0.42 * len(methods))
    if shares.empty:
        return style.nothing(ax, "it takes two methods for one to find what the other misses")
    cells = shares.set_index(["method", "other"])
    given = {}
    for name in ("share", "low", "high"):
        if name in cells:
            given[name] = cells[name].unstack().reindex(index=methods, columns=methods)
    missed = shares.groupby("method")["n_misses"].max()
    named = given.pop("share").rename(
        index={name: f"{name} misses {missed[name]:,.0f}" for name in methods}
    )
    draw_table(ax, named, *given.values())
    style.title(ax, "Of these, the others find", pad=8)
    note = f"n = {style.span(missed, 'missed copy', 'missed copies')} a row"
    ax.set_xlabel(note, color=style.MUTED, fontsize=8, loc="left")
    return ax


@style.styled
def plot_reliability(bins: DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the share of copies observed against the probability predicted: alike on the diagonal.

    Args:
        bins: predicted, observed (fractions), n (pairs), as from
            :meth:`simlab.Ensemble.reliability`; whiskers are drawn where low and high are given.
    """
    check_table(bins, "bins", "predicted, observed, n")
    ax = style.axes(ax, 4.4, 4.2)
    shown = bins.dropna(subset=["predicted", "observed"])
    ax.plot([0, 1], [0, 1], color=style.GREY, linewidth=1, linestyle=":")
    if style.has_interval(shown):
        ax.vlines(shown["predicted"], shown["low"], shown["high"], color=style.GREY, linewidth=1.4)
    sizes = 14 + 8 * np.log1p(shown["n"])
    ax.scatter(shown["predicted"], shown["observed"], s=sizes, color=style.INK, zorder=3)
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    return style.finish(
        ax,
        "Reliability",
        f"n = {counted(int(shown['n'].sum()), 'pair')}",
        xlabel="probability predicted",
        ylabel="share of copies observed",
    )


@style.styled
def plot_dendrogram(
    linkage: np.ndarray,
    names: Sequence[str],
    *,
    threshold: float | None = None,
    log: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Draw the tree in which pictures join into groups, each in a colour below `threshold`.

    Args:
        linkage: (n - 1, 4), as from :func:`scipy.cluster.hierarchy.linkage`.
        log: draw distances on a logarithmic axis, on which 1e-9 and 1e-3 stay apart, as those
            of sure copies do. Those at 0 join near the left edge.

    Raises:
        ValueError: `linkage` is none, or there is not one name for each picture.
    """
    names = specs.listed("names", names)
    merges = style.rows_of("linkage", linkage, 4).astype(float)
    if len(names) != len(merges) + 1:
        raise ValueError(f"names must be one more than merges, {len(merges)}, not {len(names)}")
    if threshold is not None:
        specs.check_number("threshold", threshold, 0)
    ax = style.axes(ax, 8, 0.9 + 0.17 * len(names))
    if not len(merges):
        return style.nothing(ax, "one picture: there is nothing to join")
    heights = merges[:, 2]
    joined = heights[heights > 0] if heights.any() else np.ones(1)
    if log:
        merges[:, 2] = heights.clip(joined.min() / 2.5)
    _draw_tree(ax, merges, names, threshold)
    if log:
        ax.set(xscale="log", xlim=(joined.min() / 3, 2 * joined.max()))
    aside = f"n = {counted(len(names), 'picture')}"
    return style.finish(ax, "Groups", aside, grid="x", xlabel="distance at which groups join")


def _draw_tree(ax: Axes, merges: np.ndarray, names: Sequence[str], threshold: float | None) -> None:
    hierarchy.dendrogram(
        merges,
        labels=[style.label(name, limit=40) for name in names],
        orientation="right",
        leaf_font_size=7.5,
        above_threshold_color=style.GREY,
        color_threshold=threshold or 0,
        ax=ax,
    )
    for number, links in enumerate(ax.collections):
        if not same_color(links.get_color()[0], style.GREY):
            links.set_color(style.COLOURS[number % len(style.COLOURS)])
    if threshold is not None:
        ax.axvline(threshold, color=style.MUTED, linewidth=1, linestyle=":")


@style.styled
def plot_distances(table: DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw two pictures' distances as shares of each method's threshold: a short bar says copy.

    Args:
        table: by method: distance, threshold (NaN: none known), maximum, says (as a word).
    """
    check_table(table, "table", "distance, threshold, maximum, says")
    ax = style.axes(ax, 5, 0.7 + 0.24 * len(table))
    full = table["threshold"].where(table["threshold"] > 0, table["maximum"])
    _draw_bars(ax, (table["distance"] / full).clip(upper=2), is_copy=table["says"] == "copy")
    ax.axvline(1, color=style.INK, linewidth=1)
    for place, (distance, says) in enumerate(zip(table["distance"], table["says"])):
        ax.text(2.05, place, f"{distance:.3g}  {says}", va="center", fontsize=8, color=style.INK)
    ax.set(xlim=(0, 2), xticks=[])
    return style.finish(ax, "Distances; the line is the threshold", grid="x")


@style.styled
def plot_evidence(evidence: Series, *, probability: float, ax: Axes | None = None) -> Axes:
    """Draw what each method says for a copy (right) and against it (left), and what comes of it.

    Args:
        evidence: nats by method, and whatever else is added to them.
        probability: that the two are copies.
    """
    specs.check_kind("evidence", evidence, Series, "a pandas Series, nats by method")
    specs.check_number("probability", probability, 0, 1)
    ax = style.axes(ax, 5, 0.9 + 0.24 * len(evidence))
    _draw_bars(ax, evidence, is_copy=evidence >= 0)
    ax.axvline(0, color=style.INK, linewidth=1)
    ax.set_xlabel("evidence for a copy, in nats", loc="right")
    return style.finish(ax, f"Probability {_probability_in_words(probability)}", grid="x")


def _draw_bars(ax: Axes, lengths: Series, *, is_copy: Series) -> None:
    """Draw a bar per method, from top to bottom: in colour those that speak for a copy."""
    places = np.arange(len(lengths))
    colours = np.where(is_copy, style.COLOURS[0], style.GREY)
    ax.barh(places, lengths, color=colours)
    ax.set_yticks(places, [style.label(name, limit=28) for name in lengths.index], fontsize=8)
    ax.set(ylim=(len(lengths) - 0.4, -0.6))


def _probability_in_words(probability: float) -> str:
    if probability > 0.999:
        return "over 0.999"
    if probability < 0.001:
        return "under 0.001"
    return f"{probability:.3f}"
