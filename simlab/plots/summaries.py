"""Summaries by method: histograms of distances, one metric as a table, one metric against severity."""

import math
import re
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from simlab import perturb, specs
from simlab.messages import counted
from simlab.plots import style


@style.styled
def plot_histograms(histogram: pd.DataFrame, *, columns: int = 3, ax: Axes | None = None) -> Axes:
    """Draw the distances of copies (in the method's colour) and of non-copies (grey), a panel per method.

    Args:
        histogram: method, label (1 or 0), left, right, count, share, as from
            :func:`simlab.evaluation.distance_histogram`.
        columns: panels in a row.
    """
    specs.check_number("columns", columns, 1, whole=True)
    methods = histogram["method"].unique()
    ax = style.axes(ax, 8, 0.5 + 1.75 * -(-len(methods) // columns))
    n = histogram.groupby(["method", "label"])["count"].sum().groupby("label").max()
    aside = (
        f"n = {counted(int(n.get(1, 0)), 'copy', 'copies')} (colour),"
        f" {counted(int(n.get(0, 0)), 'non-copy', 'non-copies')} (grey)"
    )
    panels = style.panels(ax, len(methods), columns, head="Distances", aside=aside)
    for panel, method in zip(panels, methods, strict=True):
        bins = histogram[histogram["method"] == method].dropna(subset=["share"])
        for value, colour in ((0, style.GREY), (1, style.method_style(method)["color"])):
            part = bins[bins["label"] == value]
            edges = [*part["left"], *part["right"].tail(1)]
            if edges:
                panel.stairs(part["share"], edges, fill=True, color=colour, alpha=0.65)
        panel.set(ylim=(0, None))
    for panel in panels[-columns:]:
        panel.set_xlabel("distance")
    _name_panels(
        panels, [style.with_unit(method) for method in methods], columns, "share of pairs", grid="y"
    )
    return ax


def _name_panels(
    panels: Sequence[Axes], names: Sequence[str], columns: int, y: str, *, grid: str = "both"
) -> None:
    for at, (panel, name) in enumerate(zip(panels, names, strict=True)):
        panel.set_title(style.label(name, limit=36), loc="left", fontsize=9, color=style.INK)
        panel.set_ylabel(y if at % columns == 0 else "")
        style.tidy(panel, grid=grid)


@style.styled
def plot_heatmap(
    metrics: pd.DataFrame, *, metric: str = "tpr@fpr=0.01", ax: Axes | None = None
) -> Axes:
    """Draw one metric as a table of perturbations (rows) and methods (columns), the values in the cells.

    Args:
        metrics: method, group, metric, value, n_positive, n_negative, as from :func:`simlab.evaluate` with
            ``by="perturbation"``. A value that cannot be measured is a hatched cell.
    """
    rows = metrics[metrics["metric"] == metric]
    methods, groups = rows["method"].unique(), rows["group"].unique()
    ax = style.axes(ax, 2.6 + 0.9 * len(methods), 1 + 0.27 * len(groups))
    if rows.empty:
        return style.nothing(ax, f"no values of {style.label(metric)}")
    values = (
        rows.set_index(["group", "method"])["value"]
        .unstack()
        .reindex(index=groups, columns=methods)
    )
    draw_table(ax, values.rename(index={group: spelled(group, groups) for group in groups}))
    first = rows.drop_duplicates("group")
    kinds = (first["kind"] if "kind" in rows else first["group"].str.partition("(")[0]).tolist()
    for at in range(1, len(kinds)):
        if kinds[at] != kinds[at - 1]:
            ax.axhline(at - 0.5, color="white", linewidth=5)
    style.title(ax, style.measure(metric), pad=8)
    each = rows[rows["group"] != "all"] if len(groups) > 1 else rows
    ax.set_xlabel(style.counts(each, " a row"), color=style.MUTED, fontsize=8, loc="left")
    return ax


def draw_table(ax: Axes, values: pd.DataFrame, *ends: pd.DataFrame) -> None:
    """Draw fractions as a table of shaded cells, named by the index (rows) and the columns; `ends` are low and high."""
    ax.imshow(values.to_numpy(float), cmap="Blues", vmin=0, vmax=1.25, aspect="auto")
    for (row, column), value in np.ndenumerate(values.to_numpy(float)):
        _cell(ax, column, row, value, [end.iloc[row, column] for end in ends])
    for at in range(1, max(values.shape)):
        ax.axhline(at - 0.5, color="white", linewidth=1.2)
        ax.axvline(at - 0.5, color="white", linewidth=1.2)
    ax.set(xlim=(-0.5, values.shape[1] - 0.5), ylim=(values.shape[0] - 0.5, -0.5))
    names = [
        re.sub(r"(?<=\w{5})(_|(?=\())", r"\1\n", style.label(name, limit=30))
        for name in values.columns
    ]
    crowded = len(names) > 1 and max(len(line) for name in names for line in name.split("\n")) > 12
    turn = {"rotation": 25, "ha": "left"} if crowded else {"ha": "center"}
    ax.set_xticks(range(len(names)), names, fontsize=8.5, **turn)
    ax.set_yticks(range(len(values)), [style.label(name) for name in values.index])
    ax.tick_params(
        length=0, top=False, bottom=False, labeltop=True, labelbottom=False, labelcolor=style.INK
    )
    ax.spines[:].set_visible(False)


def _cell(ax: Axes, x: int, y: int, value: float, ends: Sequence[float] = ()) -> None:
    absent = math.isnan(value)
    if absent:
        ax.add_patch(
            Rectangle((x - 0.5, y - 0.5), 1, 1, fc="#f6f6f6", ec="#d4d4d4", hatch="////", lw=0)
        )
    colour = style.MUTED if absent else "white" if value > 0.72 else style.INK
    look, told = {"ha": "center", "va": "center", "color": colour}, len(ends) > 0 and not absent
    ax.text(x, y - 0.16 * told, "n/a" if absent else f"{value:.2f}", fontsize=8.5, **look)
    if told:
        ax.text(x, y + 0.24, "{:.2f} – {:.2f}".format(*ends), fontsize=6.5, **look)


@style.styled
def plot_severity(
    metrics: pd.DataFrame,
    *,
    metric: str = "tpr@fpr=0.01",
    breaks: pd.DataFrame | None = None,
    columns: int = 3,
    ax: Axes | None = None,
) -> Axes:
    """Draw one metric against severity, a panel per curve of perturbations, a line per method.

    A curve is what moves one way with one argument: "brightness darker", "crop"; see :func:`simlab.perturb.curves`.

    Args:
        metrics: method, group, metric, value, n_positive, n_negative, kind, severity, as from :func:`simlab.evaluate`
            with ``by="perturbation"``; chains, which have no severity, are left out. Whiskers are drawn where low and
            high are given.
        breaks: method, curve, break_point, low, high (severities), as from :func:`simlab.evaluation.break_points`:
            marked below the curves.
        columns: panels in a row.
    """
    specs.check_number("columns", columns, 1, whole=True)
    rows = metrics[(metrics["metric"] == metric) & metrics["severity"].notna()]
    curves = _curves(rows)
    ax = style.axes(ax, 8, 0.7 + 1.9 * -(-len(curves) // columns))
    if not curves:
        return style.nothing(ax, f"no values of {style.label(metric)} with a severity")
    head = f"{style.measure(metric)}, milder to harsher"
    aside = style.counts(rows, " a point") + ("" if breaks is None else ";  ◆ break point")
    panels = style.panels(
        ax, len(curves), columns, head=head, aside=aside, legend_of=rows["method"].unique()
    )
    for panel, (name, part) in zip(panels, curves.items(), strict=True):
        for method, line in part.groupby("method", sort=False):
            look = style.method_style(method)
            panel.plot(
                line["severity"], line["value"], marker="o", markersize=3.5, linewidth=1.6, **look
            )
            if style.has_interval(line):
                panel.vlines(
                    line["severity"],
                    line["low"],
                    line["high"],
                    color=look["color"],
                    lw=0.9,
                    alpha=0.7,
                )
        _severity_axis(panel, part)
        if breaks is not None:
            _mark_breaks(panel, breaks[breaks["curve"] == name])
    _name_panels(panels, list(curves), columns, style.measure(metric))
    return ax


def _curves(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the rows of each curve by its name, mildest first; perturbations that are not known here by kind."""
    known = rows["group"].map(_is_known).astype(bool)
    found = {curve.name: curve.specs for curve in perturb.curves(rows["group"][known])}
    strange = rows[~known].sort_values(["severity", "group"])
    found |= {kind: part["group"].unique() for kind, part in strange.groupby("kind", sort=False)}
    by_spec = rows.set_index("group", drop=False).rename_axis(None)
    return {name: by_spec.loc[list(specs)] for name, specs in found.items()}


def _is_known(spec: str) -> bool:
    try:
        return not math.isnan(perturb.severity(spec))
    except ValueError:  # arguments of another version
        return False


def _mark_breaks(ax: Axes, breaks: pd.DataFrame) -> None:
    for place, row in enumerate(breaks.to_dict("records"), start=1):
        colour = style.method_style(row["method"])["color"]
        ax.hlines(-0.07 * place, row["low"], row["high"], color=colour, linewidth=1.2)
        ax.plot(row["break_point"], -0.07 * place, marker="d", markersize=4, color=colour)
    ax.set_ylim(bottom=-0.07 * (len(breaks) + 1))


def _severity_axis(ax: Axes, rows: pd.DataFrame) -> None:
    """Name the severities by the argument that makes them, where there is one."""
    places = rows.drop_duplicates("group")
    name, values = _varying(places["group"].tolist())
    ax.set(ylim=(-0.04, 1.04), xlabel=style.label(name) or "severity")
    if len(places) == 1:
        ax.set_xticks(places["severity"], [f"{severity:g}" for severity in places["severity"]])
    elif values and len(values) <= 6:
        ax.set_xticks(places["severity"], [_short(value) for value in values])
    ax.margins(x=0.08)


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else style.label(value, limit=10)


def _varying(groups: Sequence[str]) -> tuple[str, list]:
    """Return the argument in which specs of one kind differ and its values; ("", []) where it is not one."""
    try:
        given = [perturb.parse(group).steps[0].arguments for group in groups]
    except (ValueError, IndexError):  # a perturbation that this session has not registered
        return "", []
    differing = [
        name for name in given[0] if len({str(arguments.get(name)) for arguments in given}) > 1
    ]
    return (
        (differing[0], [each[differing[0]] for each in given]) if len(differing) == 1 else ("", [])
    )


def spelled(group: str, groups: Iterable[str]) -> str:
    """Return a spec to be read, with the default written out where its neighbours differ in just that argument.

    >>> spelled("crop", ["crop(area=0.8)", "crop"])
    'crop(area=0.5)'
    """
    alike = [other for other in groups if other.startswith(f"{group}(") and "+" not in other]
    name, values = _varying([group, *alike]) if alike else ("", [])
    return f"{group}({name}={_short(values[0])})" if values else group or "unchanged"
