"""What all figures share: safe text, fonts, a style per method, places for panels, and a file."""

import contextlib
import functools
import itertools
import math
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import colors, font_manager
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec, GridSpecBase
from matplotlib.lines import Line2D
from matplotlib.text import Text
from numpy import ndarray
from pandas import DataFrame

from simlab import specs
from simlab.messages import counted
from simlab.methods import registry as methods
from simlab.paths import AnyPath, file_to_write

INK = "#1a1a1a"
MUTED = "#666666"
PALE = "#e6e6e6"
GREY = "#9a9a9a"
MARK = "#E69F00"

# matplotlib's okabe_ito without its yellow, which is too pale for a line on white
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_ALTERNATIVE = 500  # characters of alternative text, at most
_STRIPE = 2.2  # of lines that lie on each other, in widths of the line
_DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1)), (0, (6, 1.5, 1.5, 1.5)), (0, (9, 2)))
# the methods that take the first colours, and the dash of each
_FIRST = {
    "akaze": 0,
    "phash": 0,
    "dhash": 1,
    "average_hash": 3,
    "whash": 2,
    "akaze_inliers": 1,
    "ensemble": 0,
}
_FONTS = (
    "DejaVu Sans",
    "Noto Sans CJK JP",
    "Noto Sans JP",
    "IPAexGothic",
    "IPAGothic",
    "Hiragino Sans",
    "Yu Gothic",
    "Meiryo",
    "MS Gothic",
    "Noto Sans CJK SC",
    "PingFang SC",
    "Microsoft YaHei",
    "Malgun Gothic",
    "Arial Unicode MS",
)


def label(text: object, *, limit: int = 48) -> str:
    """Return the text as a figure can show it: one line of at most `limit` characters.

    The middle of a longer one is left out. Control characters are escaped, those that no font here
    has become a box, and ``$`` starts no formula.

    >>> print(label("a_$x$.jpg"), label("0123456789abcdef.jpg", limit=12))
    a_\\$x\\$.jpg 01234…ef.jpg
    """
    specs.check_count("limit", limit)
    text = str(text)
    if len(text) > limit:
        start = text[: (limit - 1) // 2]
        end = text[-(limit // 2) :]
        text = f"{start}…{end}"
    return "".join(map(_safe, text)).replace("$", r"\$")


def _safe(character: str) -> str:
    if not character.isprintable():
        return ascii(character)[1:-1]
    if ord(character) not in _drawable():
        _find_newer_fonts()
    return character if ord(character) in _drawable() else "\u25a1"


@functools.cache
def _drawable() -> frozenset[int]:
    """The code points that some font of ours has."""
    drawable = set()
    for name in families():
        font = font_manager.get_font(font_manager.findfont(name))
        drawable.update(font.get_charmap())
    return frozenset(drawable)


@functools.cache
def families() -> list[str]:
    """Return the font families to draw with, best first, of those that are installed."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return [name for name in _FONTS if name in installed]


@functools.cache
def _find_newer_fonts() -> None:
    """Add the fonts that were installed after matplotlib made its list; once a process.

    Matplotlib keeps that list for good.
    """
    known = {font.fname for font in font_manager.fontManager.ttflist}
    for path in sorted(set(font_manager.findSystemFonts()) - known):
        with contextlib.suppress(OSError, RuntimeError):  # no font, whatever its name says
            font_manager.fontManager.addfont(path)
    families.cache_clear()
    _drawable.cache_clear()


def method_style(method: str) -> dict:
    """Return a method's colour and line style: the same in every figure, whatever else is drawn.

    The colour belongs to the name: with other arguments a method keeps it, in another line style.

    >>> method_style("phash")["color"] == method_style("phash(hash_size=16)")["color"]
    True
    """
    specs.check_kind("method", method, str, "a name, as text")
    name, _, arguments = method.partition("(")
    order = list(dict.fromkeys([*_FIRST, *methods.REGISTRY]))
    rank = order.index(name) if name in order else _digest(name)
    dash = _FIRST.get(name, rank // len(COLOURS))
    if arguments:
        dash += 1 + _digest(arguments) % (len(_DASHES) - 1)
    return {"color": COLOURS[rank % len(COLOURS)], "linestyle": _DASHES[dash % len(_DASHES)]}


class Stretch(NamedTuple):
    """A part of a method's line, and how many methods lie on each other there."""

    x: ndarray
    y: ndarray
    n_methods: int
    turn: int
    """The methods take turns along it, from 0."""

    def look(self, method: str) -> dict:
        """Return the look of its turns, in stripes of the methods' colours."""
        # as matplotlib counts them, in widths of the line
        period = _STRIPE * self.n_methods
        # one with other arguments has the colour of its name: half as long, it is told from it
        length = _STRIPE / 2 if "(" in method else _STRIPE
        dashes = (period - _STRIPE * self.turn, (length, period - length))
        return {
            "color": method_style(method)["color"],
            "linestyle": dashes,
            "linewidth": 3.4,
            "dash_capstyle": "butt",
            "zorder": 2.1,  # above the lines of others
        }


def stretches(
    rows: DataFrame, x: str, y: str, step: str | None = None, near: float = 0.02
) -> dict[str, list[Stretch]]:
    """Return the parts of each method's line that others lie on: all are to be seen there.

    Args:
        step: "post" or "pre" for lines of steps.
        near: by which share of them values of lines differ that lie on each other.
    """
    grid = np.unique(rows[x])
    on_grid = {}
    for method, line in rows.sort_values(x, kind="stable").groupby("method", sort=False):
        on_grid[method] = _on_grid(grid, line[x], line[y], step)
    values = np.array(list(on_grid.values()))
    is_near = np.isclose(values[:, None], values[None], rtol=near, atol=0)
    from_start = is_near[:, :, :-1]
    to_end = is_near[:, :, 1:]
    together = {"post": from_start, "pre": to_end}.get(step, from_start & to_end)
    parts = {}
    for place, method in enumerate(on_grid):
        # cut where the line meets others, or they part
        companions = together[place]
        cuts = np.flatnonzero((companions[:, 1:] != companions[:, :-1]).any(axis=0)) + 1
        parts[method] = []
        for start, end in itertools.pairwise([0, *cuts, len(grid) - 1]):
            part = slice(start, end + 1)
            mates = np.flatnonzero(companions[:, start : start + 1])
            if len(mates) > 1:
                turn = int(np.sum(mates < place))
                parts[method].append(Stretch(grid[part], values[place, part], len(mates), turn))
    return parts


def _on_grid(grid: ndarray, x: pd.Series, y: pd.Series, step: str | None) -> ndarray:
    """The values of a line at the places of a grid; NaN where it has none."""
    between = np.interp(grid, x, y, left=np.nan, right=np.nan)
    if step is None:
        return between
    last = step == "post"
    at = np.searchsorted(x, grid, side="right" if last else "left") - last
    return np.where(np.isnan(between), np.nan, y.to_numpy().take(at, mode="clip"))


def _digest(text: str) -> int:
    return zlib.crc32(text.encode("utf-8", "surrogatepass"))


def name_style(method: str) -> dict:
    """Return how a method's name is written in a figure: its colour, dark enough to be read."""
    dark = tuple(0.72 * part for part in colors.to_rgb(method_style(method)["color"]))
    return {"color": dark, "fontsize": 8.5, **heavy(method)}


def heavy(text: str) -> dict:
    """Return what makes a text bold, where it is ASCII.

    Fonts of other scripts may have no bold, and matplotlib logs that it looks for one.
    """
    return {"fontweight": "bold", "fontfamily": "DejaVu Sans"} if text.isascii() else {}


def styled(draw: Callable[..., Axes]) -> Callable[..., Axes]:
    """Return the function with our fonts, without TeX, and with alternative text in notebooks.

    TeX would run the commands in a hostile name.
    """

    @functools.wraps(draw)
    def drawn(*arguments, **options):
        # a backend that loads within the context would lose the settings it makes
        plt.draw_if_interactive()
        settings = {
            "font.family": families(),
            "font.size": 9,
            "text.usetex": False,
            "text.parse_math": True,
        }
        with mpl.rc_context(settings):
            ax = draw(*arguments, **options)
        _name_fonts(ax)
        # asked by Jupyter for what it displays; of a figure that was made elsewhere, too
        ax.figure._repr_mimebundle_ = functools.partial(_alternative, ax.figure)
        return ax

    return drawn


def _alternative(figure: Figure, **_: object) -> tuple[dict, dict]:
    """No other form of a figure, but what is noted with its picture: the text for who sees none.

    It is read aloud from what nbconvert and nbviewer make of a notebook, and by Sphinx and MyST;
    JupyterLab 4 leaves pictures without one, whatever is noted.
    """
    noted = {"alt": alternative_text(figure)}
    return {}, {"image/png": noted, "image/jpeg": noted}


def alternative_text(figure: Figure) -> str:
    """Return in words what a figure shows: titles, axes, legends and notes, each once.

    >>> ax = plt.subplots()[1]
    >>> finish(ax, "ROC", "n = 3 copies", xlabel="false alarms").figure is ax.figure
    True
    >>> alternative_text(ax.figure)
    'ROC; n = 3 copies; across: false alarms'
    """
    words = []
    for ax in figure.axes:
        words.extend(ax.get_title(loc=place) for place in ("left", "center", "right"))
        for direction, text in (("across", ax.get_xlabel()), ("up", ax.get_ylabel())):
            words.append(text and f"{direction}: {text}")
        named = list(ax.texts)
        if ax.get_legend():
            named.extend(ax.get_legend().get_texts())
        words.extend(text.get_text() for text in named)
    shown = [" ".join(word.replace(r"\$", "$").split()) for word in dict.fromkeys(words)]
    return "; ".join(word for word in shown if word)[:_ALTERNATIVE]


def _name_fonts(ax: Axes) -> None:
    """Give what the caller's axes had before, and the ticks that are made later, our fonts too."""
    ax.tick_params(labelfontfamily=families())
    for text in ax.findobj(Text):
        if not text.get_text().isascii():
            text.set_fontfamily(families())


def axes(ax: Axes | None, width: float, height: float) -> Axes:
    """Return `ax`, or the axes of a new figure of this size in inches.

    Raises:
        ValueError: `ax` is something else.
    """
    if ax is not None:
        return drawn(ax)
    _, new = plt.subplots(figsize=(width, height), layout="constrained")
    return new


def drawn(ax: Axes) -> Axes:
    """Return `ax` itself.

    Raises:
        ValueError: it is something else, such as a figure or an array of axes.
    """
    specs.check_kind("ax", ax, Axes, "matplotlib's Axes, as from plt.subplots()[1]")
    return ax


def title(ax: Axes, text: str, aside: str = "", **options: object) -> None:
    """Set a title, left, and what it is drawn from, right; below it, where there is no room."""
    # in inches; long names beside the axes take from them
    longest = max((len(label.get_text()) for label in ax.get_yticklabels()), default=0)
    room = ax.figure.get_figwidth() - 0.068 * max(0, longest - 7)
    if aside and 0.085 * len(text) + 0.06 * len(aside) > room:
        text += "\n"
    ax.set_title(text, loc="left", color=INK, fontsize=10, **heavy(text), **options)
    if aside:
        ax.set_title(aside, loc="right", color=MUTED, fontsize=8, **options)


def finish(ax: Axes, head: str, aside: str = "", *, grid: str = "both", **settings: object) -> Axes:
    """Return `ax` with a title, an aside, a tidy frame and whatever `Axes.set` takes."""
    ax.set(**settings)
    tidy(ax, grid)
    title(ax, head, aside)
    return ax


def tidy(ax: Axes, grid: str) -> None:
    """Leave two spines and a pale grid."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(GREY)
    ax.tick_params(color=GREY, labelcolor=INK, length=3)
    ax.set_axisbelow(True)
    ax.grid(axis=grid, color=PALE, linewidth=0.8)


def legend_beside(ax: Axes, table: DataFrame) -> None:
    """Name the methods of a table right of the axes."""
    _legend(ax, table["method"].unique(), loc="center left", bbox_to_anchor=(1.02, 0.5))


def _legend(ax: Axes, methods: Iterable[str], **options: object) -> None:
    """Name the methods beside a sample of their lines."""
    handles = []
    for name in methods:
        handles.append(Line2D([], [], label=label(name, limit=30), **method_style(name)))
    ax.legend(
        handles=handles,
        frameon=False,
        handlelength=2.6,
        borderaxespad=0,
        borderpad=0,
        labelcolor=INK,
        **options,
    )


def panels(
    ax: Axes,
    n_panels: int,
    columns: int,
    *,
    head: str,
    aside: str = "",
    legend_of: Sequence[str] = (),
    heights: Sequence[float] | None = None,
) -> list[Axes]:
    """Return axes in a grid in the place of `ax`, under one title and legend."""
    ax.set_axis_off()
    if heights is None:
        heights = [1] * n_rows(n_panels, columns)
        if ax.figure.axes == [ax]:  # of a figure for charts alone, which grows to hold them all
            ax.figure.set_figheight(max(ax.figure.get_figheight(), 0.7 + 1.9 * len(heights)))
    grid = _grid(ax, columns, heights)
    header = ax.figure.add_subplot(grid[0, :])
    header.set_axis_off()
    title(header, head, aside)
    if len(legend_of):
        _legend(
            header,
            legend_of,
            loc="upper left",
            bbox_to_anchor=(0, 0),
            ncols=_legend_columns(legend_of, 14.4 * ax.figure.get_figwidth()),
            columnspacing=1.4,
        )
    places = [divmod(number, columns) for number in range(n_panels)]
    return [ax.figure.add_subplot(grid[1 + row, column]) for row, column in places]


def n_rows(n_panels: int, columns: int) -> int:
    """Return how many rows it takes."""
    return math.ceil(n_panels / columns)


def _grid(ax: Axes, columns: int, heights: Sequence[float]) -> GridSpecBase:
    """A grid in the place of `ax`, whose first row is for the title."""
    # constrained layout keeps no room for the title of `ax` itself: a row without height carries it
    shape = {"nrows": len(heights) + 1, "ncols": columns, "height_ratios": [0.001, *heights]}
    place = ax.get_subplotspec()
    if place:
        return place.subgridspec(**shape)
    box = ax.get_position()
    return GridSpec(**shape, left=box.x0, right=box.x1, bottom=box.y0, top=box.y1, figure=ax.figure)


def _legend_columns(names: Sequence[str], room: float) -> int:
    """How many names fit side by side, counted in letters."""
    widths = [min(len(name), 30) + 7 for name in names]
    if sum(widths) < room:
        return len(widths)
    return max(1, int(room / max(widths)))


def rows_of(name: str, value: object, width: int) -> ndarray:
    """Return the argument `name` as numbers, (n, width).

    Raises:
        ValueError: it is something else.
    """
    rows = np.asarray(value)
    if rows.size == 0:
        return np.zeros((0, width))
    if rows.dtype.kind not in "iuf" or rows.ndim != 2 or rows.shape[1] != width:
        raise ValueError(f"{name} must be an array of numbers, (n, {width}), not {rows.shape}")
    return rows


def nothing(ax: Axes, why: str) -> Axes:
    """Say on `ax` why there is nothing to draw."""
    ax.set_axis_off()
    ax.text(
        0.5,
        0.5,
        why,
        ha="center",
        va="center",
        color=MUTED,
        transform=ax.transAxes,
        in_layout=False,
    )
    return ax


def counts(table: DataFrame, each: str = "") -> str:
    """Return how many pairs stand behind a table, in words."""
    copies = span(table["n_positive"], "copy", "copies")
    others = span(table["n_negative"], "non-copy", "non-copies")
    return f"n = {copies}, {others}{each}"


def span(numbers: pd.Series, word: str, plural: str) -> str:
    """Return the range of counts in words, such as "1 copy" or "3 to 9 copies"."""
    low = int(numbers.min())
    high = int(numbers.max())
    if low == high:
        return counted(low, word, plural)
    return f"{low:,} to {high:,} {plural}"


def measure(metric: str) -> str:
    """Return a metric's name in words."""
    name, _, place = metric.partition("@")
    words = {"roc_auc": "ROC AUC", "tpr": "TPR"}.get(name, label(name).replace("_", " "))
    if not place:
        return words
    where = place.replace("fpr", "FPR").replace("=", " ")
    return f"{words} at {where}"


def with_unit(method: str) -> str:
    """Return a method's name with the unit of its distances, where it is registered and has one."""
    try:
        unit = methods.get(method).unit
    except ValueError:  # a column that no registered method made
        unit = ""
    return f"{method}, {unit}" if unit else method


def has_interval(table: DataFrame) -> bool:
    """Return whether the table carries intervals."""
    return {"low", "high"} <= set(table) and bool(table[["low", "high"]].notna().any(axis=None))


def save(ax: Axes, path: AnyPath, *, dpi: int = 150) -> Path:
    """Return the path, after the figure of `ax` was written there.

    The same figure gives the same bytes.

    Args:
        path: its suffix chooses the format: .png, .svg or .pdf.

    Raises:
        ValueError: another suffix, or no such folder.
    """
    specs.check_number("dpi", dpi, 1)
    path = file_to_write(path)
    undated = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}, ".png": {"Software": None}}
    if path.suffix.lower() not in undated:
        raise ValueError(f"path must end in one of {', '.join(undated)}, not {path.name!r}")
    _settle(drawn(ax).figure, dpi)
    with mpl.rc_context({"svg.hashsalt": "simlab"}):
        ax.figure.savefig(path, dpi=dpi, metadata=undated[path.suffix.lower()])
    return path


def _settle(figure: Figure, dpi: int) -> None:
    """Fix the places that the layout finds.

    Finding them is slow, and the solver's last digits vary from run to run.
    """
    engine = figure.get_layout_engine()
    if engine is None:
        return
    before = figure.dpi
    figure.dpi = dpi  # hinting makes text wider or narrower by the resolution
    engine.execute(figure)
    figure.dpi = before
    # "none" would leave a stand-in for an engine, for the sake of which savefig draws twice
    with mpl.rc_context({"figure.autolayout": False, "figure.constrained_layout.use": False}):
        figure.set_layout_engine(None)
    for ax in figure.axes:
        bounds = ax.get_position(original=True).bounds
        ax.set_position([round(number, 5) for number in bounds])
