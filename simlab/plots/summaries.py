"""Summaries by method: histograms of distances, one metric as a table or against severity."""

import itertools
import math
import re
from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.transforms import ScaledTranslation
from pandas import DataFrame

from simlab import perturb, specs
from simlab.messages import counted
from simlab.plots import style
from simlab.tables import check_table

_VALUES = "method, group, metric, value, n_positive, n_negative"


@style.styled
def plot_histograms(histogram: DataFrame, *, columns: int = 3, ax: Axes | None = None) -> Axes:
    """Draw the distances of copies (coloured by method) and non-copies (grey), a panel per method.

    Args:
        histogram: method, label (1 or 0), left, right, count, share, as from
            :func:`simlab.evaluation.distance_histogram`.
        columns: panels in a row.
    """
    specs.check_count("columns", columns)
    check_table(histogram, "histogram", "method, label, left, right, count, share")
    methods = histogram["method"].unique()
    ax = style.axes(ax, 8, 0.5 + 1.75 * style.n_rows(len(methods), columns))
    n_pairs = histogram.groupby(["method", "label"])["count"].sum()
    most = n_pairs.groupby("label").max()
    copies = counted(int(most.get(1, 0)), "copy", "copies")
    others = counted(int(most.get(0, 0)), "non-copy", "non-copies")
    aside = f"n = {copies} (colour), {others} (grey)"
    panels = style.panels(ax, len(methods), columns, head="Distances", aside=aside)
    for panel, method in zip(panels, methods, strict=True):
        bins = histogram[histogram["method"] == method].dropna(subset=["share"])
        _draw_bins(panel, bins[bins["label"] == 0], style.GREY)
        _draw_bins(panel, bins[bins["label"] == 1], style.method_style(method)["color"])
        panel.set(ylim=(0, None))
    for panel in panels[-columns:]:
        panel.set_xlabel("distance")
    names = [style.with_unit(method) for method in methods]
    _name_panels(panels, names, columns, "share of pairs", grid="y")
    return ax


def _draw_bins(ax: Axes, bins: DataFrame, colour: str) -> None:
    if len(bins):
        edges = [*bins["left"], bins["right"].iloc[-1]]
        ax.stairs(bins["share"], edges, fill=True, color=colour, alpha=0.65)


def _name_panels(
    panels: Sequence[Axes], names: Sequence[str], columns: int, y_name: str, *, grid: str = "both"
) -> None:
    """Give each panel its title, and the first of each row the name of the vertical axis."""
    for number, (panel, name) in enumerate(zip(panels, names, strict=True)):
        panel.set_title(style.label(name, limit=36), loc="left", fontsize=9, color=style.INK)
        panel.set_ylabel(y_name if number % columns == 0 else "")
        style.tidy(panel, grid)


@style.styled
def plot_heatmap(
    metrics: DataFrame, *, metric: str = "tpr@fpr=0.01", ax: Axes | None = None
) -> Axes:
    """Draw one metric as a table of perturbations (rows) and methods (columns).

    The values stand in the cells; one that cannot be measured is a hatched cell.

    Args:
        metrics: method, group, metric, value, n_positive, n_negative, as from
            :func:`simlab.evaluate` with ``by="perturbation"``.
    """
    specs.check_kind("metric", metric, str, "a name, as text")
    check_table(metrics, "metrics", _VALUES)
    rows = metrics[metrics["metric"] == metric]
    methods = rows["method"].unique()
    groups = rows["group"].unique()
    ax = style.axes(ax, 2.6 + 0.9 * len(methods), 1 + 0.27 * len(groups))
    if rows.empty:
        return style.nothing(ax, f"no values of {style.label(metric)}")
    cells = rows.set_index(["group", "method"])["value"].unstack()
    values = cells.reindex(index=groups, columns=methods)
    draw_table(ax, values.rename(index={group: spelled(group, groups) for group in groups}))
    _part_kinds(ax, rows.drop_duplicates("group"))
    style.title(ax, style.measure(metric), pad=8)
    counted = rows[rows["group"] != "all"] if len(groups) > 1 else rows
    ax.set_xlabel(style.counts(counted, " a row"), color=style.MUTED, fontsize=8, loc="left")
    return ax


def _part_kinds(ax: Axes, groups: DataFrame) -> None:
    """Leave a gap between the rows of one kind of perturbation and those of the next."""
    kinds = groups["kind"] if "kind" in groups else groups["group"].str.partition("(")[0]
    for place, (above, below) in enumerate(itertools.pairwise(kinds)):
        if above != below:
            ax.axhline(place + 0.5, color="white", linewidth=5)


def draw_table(ax: Axes, values: DataFrame, *ends: DataFrame) -> None:
    """Draw fractions as a table of shaded cells, named by the index (rows) and the columns.

    Args:
        ends: the low and the high ends of intervals, of the same shape; or nothing.
    """
    shares = values.to_numpy(float)
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1.25, aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        interval = [end.iloc[row, column] for end in ends]
        _write_cell(ax, column, row, share, interval)
    for line in range(1, max(shares.shape)):
        ax.axhline(line - 0.5, color="white", linewidth=1.2)
        ax.axvline(line - 0.5, color="white", linewidth=1.2)
    n_rows, n_columns = shares.shape
    ax.set(xlim=(-0.5, n_columns - 0.5), ylim=(n_rows - 0.5, -0.5))
    _name_columns(ax, values.columns)
    ax.set_yticks(range(n_rows), [style.label(name) for name in values.index])
    ax.tick_params(
        length=0, top=False, bottom=False, labeltop=True, labelbottom=False, labelcolor=style.INK
    )
    ax.spines[:].set_visible(False)


def _name_columns(ax: Axes, names: Iterable[str]) -> None:
    """Write the names above the columns, on several lines, and aslant where they are crowded."""
    shown = []
    longest = 0
    for name in names:
        broken = re.sub(r"(?<=\w{5})(_|(?=\())", r"\1\n", style.label(name, limit=30))
        shown.append(broken)
        longest = max(longest, *map(len, broken.split("\n")))
    is_crowded = len(shown) > 1 and longest > 12
    turn = {"rotation": 25, "ha": "left"} if is_crowded else {"ha": "center"}
    ax.set_xticks(range(len(shown)), shown, fontsize=8.5, **turn)


def _write_cell(ax: Axes, x: int, y: int, value: float, interval: Sequence[float]) -> None:
    look = {"ha": "center", "va": "center"}
    if math.isnan(value):
        corner = (x - 0.5, y - 0.5)
        ax.add_patch(Rectangle(corner, 1, 1, fc="#f6f6f6", ec="#d4d4d4", hatch="////", lw=0))
        ax.text(x, y, "n/a", fontsize=8.5, color=style.MUTED, **look)
        return
    look["color"] = "white" if value > 0.72 else style.INK
    height = y - 0.16 if interval else y
    ax.text(x, height, f"{value:.2f}", fontsize=8.5, **look)
    if interval:
        low, high = interval
        ax.text(x, y + 0.24, f"{low:.2f} – {high:.2f}", fontsize=6.5, **look)


@style.styled
def plot_severity(
    metrics: DataFrame,
    *,
    metric: str = "tpr@fpr=0.01",
    breaks: DataFrame | None = None,
    columns: int = 3,
    ax: Axes | None = None,
) -> Axes:
    """Draw one metric against severity, a panel per curve of perturbations, a line per method.

    A curve is what moves one way with one argument: "brightness darker", "crop"; see
    :func:`simlab.perturb.curves`. Chains, which have no severity, are left out.

    Args:
        metrics: method, group, metric, value, n_positive, n_negative, kind, severity, as from
            :func:`simlab.evaluate` with ``by="perturbation"``. Whiskers are drawn where low and
            high are given.
        breaks: method, curve, break_point, low, high (severities), as from
            :func:`simlab.evaluation.break_points`: marked below the curves.
        columns: panels in a row.
    """
    specs.check_count("columns", columns)
    specs.check_kind("metric", metric, str, "a name, as text")
    if breaks is not None:
        check_table(breaks, "breaks", "method, curve, break_point, low, high")
    check_table(metrics, "metrics", f"{_VALUES}, kind, severity")
    rows = metrics[(metrics["metric"] == metric) & metrics["severity"].notna()]
    curves = _curves(rows)
    ax = style.axes(ax, 8, 0.7 + 1.9 * style.n_rows(len(curves), columns))
    if not curves:
        return style.nothing(ax, f"no values of {style.label(metric)} with a severity")
    aside = style.counts(rows, " a point") + ";  stripes: several at once"
    if breaks is not None:
        aside += ";  ◆ break point"
    panels = style.panels(
        ax,
        len(curves),
        columns,
        head=f"{style.measure(metric)}, milder to harsher",
        aside=aside,
        legend_of=rows["method"].unique(),
    )
    for panel, (name, points) in zip(panels, curves.items(), strict=True):
        _draw_lines(panel, points)
        _name_severities(panel, points.drop_duplicates("group"))
        if breaks is not None:
            _mark_breaks(panel, breaks[breaks["curve"] == name])
    _name_panels(panels, list(curves), columns, style.measure(metric))
    return ax


def _curves(rows: DataFrame) -> dict[str, DataFrame]:
    """The rows of each curve by its name, mildest first; specs that are not known here by kind."""
    known = rows["group"].map(_is_known).astype(bool)
    specs_of = {curve.name: list(curve.specs) for curve in perturb.curves(rows["group"][known])}
    unknown = rows[~known].sort_values(["severity", "group"])
    for kind, part in unknown.groupby("kind", sort=False):
        specs_of[kind] = part["group"].unique()
    by_spec = rows.set_index("group", drop=False).rename_axis(None)
    return {name: by_spec.loc[curve_specs] for name, curve_specs in specs_of.items()}


def _is_known(spec: str) -> bool:
    try:
        return not math.isnan(perturb.severity(spec))
    except ValueError:  # arguments of another version
        return False


def _draw_lines(ax: Axes, points: DataFrame) -> None:
    parts = style.stretches(points, "severity", "value")
    for place, (method, rows) in enumerate(points.groupby("method", sort=False)):
        method_style = style.method_style(method)
        colour = method_style["color"]
        ax.plot(rows["severity"], rows["value"], linewidth=1.6, **method_style)
        for part in parts[method]:
            ax.plot(part.x, part.y, **part.look(method))
        ax.plot(rows["severity"], rows["value"], "o", markersize=3.5, color=colour, zorder=1.9)
        if style.has_interval(rows):
            # side by side: whiskers at one severity would hide each other
            aside = ScaledTranslation(
                (place - (len(parts) - 1) / 2) / 40, 0, ax.figure.dpi_scale_trans
            )
            whiskers = {"color": colour, "lw": 0.9, "alpha": 0.7, "transform": ax.transData + aside}
            ax.vlines(rows["severity"], rows["low"], rows["high"], **whiskers)


def _name_severities(ax: Axes, groups: DataFrame) -> None:
    """Name the severities by the argument that makes them, where there is one."""
    severities = groups["severity"]
    name, values = _varying(groups["group"].tolist())
    ax.set(ylim=(-0.04, 1.04), xlabel=style.label(name) or "severity")
    if len(groups) == 1:
        ax.set_xticks(severities, [f"{severity:g}" for severity in severities])
    elif values and len(values) <= 6:
        ax.set_xticks(severities, [_short(value) for value in values])
    ax.margins(x=0.08)


def _mark_breaks(ax: Axes, breaks: DataFrame) -> None:
    for place, row in enumerate(breaks.to_dict("records"), start=1):
        height = -0.07 * place
        colour = style.method_style(row["method"])["color"]
        ax.hlines(height, row["low"], row["high"], color=colour, linewidth=1.2)
        ax.plot(row["break_point"], height, marker="d", markersize=4, color=colour)
    ax.set_ylim(bottom=-0.07 * (len(breaks) + 1))


def spelled(group: str, groups: Iterable[str]) -> str:
    """Return a spec to be read, with its default where its neighbours differ in that argument.

    >>> spelled("crop", ["crop(area=0.8)", "crop"])
    'crop(area=0.5)'
    """
    alike = [other for other in groups if other.startswith(f"{group}(") and "+" not in other]
    if alike:
        name, values = _varying([group, *alike])
        if values:
            return f"{group}({name}={_short(values[0])})"
    return group or "unchanged"


def _varying(groups: Sequence[str]) -> tuple[str, list]:
    """The one argument in which specs of one kind differ and its values, else ("", [])."""
    try:
        given = [perturb.parse(group).steps[0].arguments for group in groups]
    except (ValueError, IndexError):  # a perturbation that this session has not registered
        return "", []
    differing = []
    for name in given[0]:
        values = [arguments.get(name) for arguments in given]
        if len(set(map(str, values))) > 1:
            differing.append((name, values))
    return differing[0] if len(differing) == 1 else ("", [])


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else style.label(value, limit=10)
