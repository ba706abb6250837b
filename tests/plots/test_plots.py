"""Figures: each draws every kind of table without a warning and says n; no picture is compared."""

import hashlib
import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib import font_manager
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image
from scipy.cluster import hierarchy

from simlab import plots
from simlab.plots import style

HOSTILE = [
    "日本語.jpg",
    "a$b$.jpg",
    "$\\alpha",
    "<img src=x onerror=alert(1)>",
    "a\nb\x1b[31m",
    "\ud800",
    "%s\\frac{",
    "_^{}",
]
NAMES = {
    "normal": ["phash", "average_hash", "dhash", "whash", "akaze", "akaze_inliers"],
    "single": ["akaze"],
    "many": [f"method_{i}(hash_size={i})" for i in range(20)],
    "hostile": HOSTILE,
}
SEVERITY = {
    "text(length=10)": 10,
    "text": 20,
    "crop(area=0.8)": 0.2,
    "crop": 0.5,
    "crop(area=0.25)": 0.75,
}
GROUPS = ["", *SEVERITY, "mine(a=1)", "crop+mirror"]


def curve_table(methods, interval):
    rates = np.array([0, 0.0005, 0.001, 0.001, 0.01, 0.2, 1])
    found = np.linspace(0.4, 1, 7)
    rows = {
        "threshold": np.arange(7.0),
        "fpr": rates,
        "tpr": found,
        "recall": found,
        "precision": found[::-1],
    }
    rows |= {"n_positive": 90, "n_negative": 1000, "smallest_fpr": 1 / 1000}
    rows |= {"low": rows["tpr"] - 0.05, "high": rows["tpr"] + 0.05} if interval else {}
    return pd.concat(
        [pd.DataFrame({"method": name, **rows}) for name in methods], ignore_index=True
    )


def metric_table(methods, interval=False, value=0.5):
    rows = [
        {
            "method": method,
            "group": group,
            "metric": metric,
            "value": value,
            "kind": group.partition("(")[0],
            "low": value - 0.1 if interval else np.nan,
            "high": value + 0.1 if interval else np.nan,
            "n_positive": 30,
            "n_negative": 1000,
            "severity": SEVERITY.get(group, np.nan),
            "note": "",
        }
        for method in methods
        for group in GROUPS
        for metric in ("roc_auc", "tpr@fpr=0.01")
    ]
    return pd.DataFrame(rows)


def histogram_table(methods):
    count = np.arange(1, 5)
    bins = {"left": count - 1.0, "right": count + 0.0, "count": count, "share": count / 10}
    parts = [
        pd.DataFrame({"method": name, "label": value, **bins})
        for name in methods
        for value in (1, 0)
    ]
    return pd.concat(parts, ignore_index=True)


def difference_table(names, interval):
    rows = metric_table(names[:1], interval).query("metric == 'roc_auc'")
    difference = np.linspace(-0.5, 0.5, len(rows))
    return rows.assign(difference=difference, low=difference - 0.2, high=difference + 0.2)


def share_table(names, interval):
    rows = [(a, b, 0.3, 12) for a in names[:8] for b in names[:8] if a != b]
    table = pd.DataFrame(rows, columns=["method", "other", "share", "n_misses"])
    return table.assign(low=0.2, high=0.4) if interval else table


TABLES = {
    plots.plot_roc: curve_table,
    plots.plot_pr: curve_table,
    plots.plot_det: curve_table,
    plots.plot_histograms: lambda methods, interval: histogram_table(methods),
    plots.plot_heatmap: metric_table,
    plots.plot_severity: metric_table,
    plots.plot_forest: difference_table,
    plots.plot_complementarity: share_table,
}


@pytest.fixture
def ax():
    yield plt.subplots(layout="constrained")[1]
    plt.close("all")


def drawn(ax):
    """The text of all that stands in the figure of `ax`, after drawing it."""
    ax.figure.canvas.draw()
    return "\n".join(text.get_text() for text in ax.figure.findobj(Text) if text.get_visible())


def name_of(value):
    return getattr(value, "__name__", str(value))


@pytest.mark.parametrize(
    ("names", "interval"),
    [("normal", True), ("single", False), ("many", False), ("hostile", False)],
)
@pytest.mark.parametrize("plot", TABLES, ids=name_of)
def test_returns_the_ax_it_was_given_and_says_n(plot, names, interval, ax):
    table = TABLES[plot](NAMES[names], interval)
    assert plot(table, ax=ax) is ax
    assert "n = " in drawn(ax) or table.empty


@pytest.mark.parametrize("plot", TABLES, ids=name_of)
def test_makes_a_figure_of_its_own_and_leaves_the_table_as_it_was(plot):
    table = TABLES[plot](NAMES["normal"], False)
    before = table.copy(deep=True)
    ax = plot(table)
    drawn(ax)
    pd.testing.assert_frame_equal(table, before)
    plt.close(ax.figure)


@pytest.mark.parametrize("plot", TABLES, ids=name_of)
def test_an_empty_table_and_nan_values_are_drawn_too(plot, ax):
    table = TABLES[plot](["phash", "akaze"], False)
    known = ("value", "tpr", "fpr", "precision", "recall", "share", "difference", "low", "high")
    numbers = [name for name in known if name in table]
    for number in numbers:
        table[number] = table[number].mask(table["method"] == "phash")
    plot(table, ax=ax)
    drawn(ax)
    for rows in (table.assign(**dict.fromkeys(numbers, np.nan)), table.iloc[:0]):
        drawn(plot(rows))
    plt.close("all")


def test_one_class_only_is_said_in_words(ax):
    copies_only = curve_table(["akaze"], False).assign(fpr=np.nan, n_negative=0)
    assert "no ROC curve" in drawn(plots.plot_roc(copies_only, ax=ax))


def test_nothing_is_drawn_below_the_smallest_measurable_fpr(ax):
    curves = curve_table(["akaze", "phash"], False)
    plots.plot_roc(curves, ax=ax)
    lines = [line for line in ax.lines if len(line.get_xdata()) > 2]
    starts = {line.get_color(): [] for line in lines}
    for line in lines:  # where the two lie on each other, each has pieces
        starts[line.get_color()].append((line.get_xdata()[0], line.get_ydata()[0]))
    # the highest TPR among the points at or below 1/1000
    assert [min(pieces) for pieces in starts.values()] == 2 * [pytest.approx((1 / 1000, 0.7))]
    assert "1/1,000" in drawn(ax)
    other = plots.plot_det(curves)
    assert min(line.get_xdata().min() for line in other.lines) == pytest.approx(1 / 1000)
    assert "below 1/1,000: not measurable" in drawn(other)


def test_the_roc_of_a_handful_of_pairs_is_drawn(ax):
    drawn(
        plots.plot_roc(curve_table(["akaze"], False).assign(n_negative=1, smallest_fpr=1.0), ax=ax)
    )


def test_a_method_looks_the_same_whatever_else_is_drawn():
    alone = plots.plot_pr(curve_table(["dhash"], False))
    among = plots.plot_pr(curve_table(NAMES["normal"], False))
    looks = [
        (to_hex(line.get_color()), line.get_linestyle(), line._unscaled_dash_pattern)
        for figure in (alone, among)
        for line in figure.lines
        if len(line.get_xdata()) > 2
    ]
    assert looks[0] in looks[1:]
    assert len({to_hex(style.method_style(name)["color"]) for name in NAMES["normal"]}) == 6
    plt.close("all")


def test_values_stand_in_the_cells_and_those_not_measurable_are_na(ax):
    table = metric_table(["phash", "akaze"], value=0.123)
    table.loc[(table["method"] == "akaze") & (table["group"] == "crop"), "value"] = np.nan
    text = drawn(plots.plot_heatmap(table, ax=ax))
    assert text.count("0.12") == 2 * len(GROUPS) - 1
    assert text.count("n/a") == 1
    assert "crop(area=0.5)" in text  # a default is written out beside its neighbours


def test_severities_are_named_by_the_argument_that_makes_them(ax):
    text = drawn(plots.plot_severity(metric_table(["phash"]), ax=ax))
    assert "area" in text
    assert "length" in text
    assert "mirror" not in text  # chains have no severity


def test_each_direction_and_each_other_argument_has_its_own_panel(ax):
    rows = {
        "brightness(factor=0.5)": 1,
        "brightness(factor=2)": 1,
        "brightness(factor=4)": 2,
        'noise(kind="speckle")': 0.01,
        "theirs(a=1)": 1,
        "theirs(a=2)": 2,
    }
    table = pd.DataFrame({"group": list(rows), "severity": list(rows.values())})
    table["kind"] = table["group"].str.partition("(")[0]
    table = table.assign(method="phash", metric="tpr@fpr=0.01", value=0.5)
    table = table.assign(n_positive=9, n_negative=99)
    plots.plot_severity(table, ax=ax)
    titles = [panel.get_title(loc="left") for panel in ax.figure.axes[2:]]
    assert titles == ["brightness darker", "brightness brighter", 'noise(kind="speckle")', "theirs"]


def test_break_points_are_marked_below_the_curves(ax):
    table = metric_table(["phash", "akaze"])
    breaks = {
        "curve": "crop",
        "break_point": [0.4, np.nan],
        "low": [0.3, 0.2],
        "high": [np.nan, np.nan],
    }
    plots.plot_severity(table, breaks=pd.DataFrame({"method": ["phash", "akaze"], **breaks}), ax=ax)
    assert "break point" in drawn(ax)


def test_a_decided_difference_has_the_winners_colour(ax):
    table = difference_table(["phash"], True).assign(
        difference=[-0.3] + [0.3] * 7,
        low=[-0.5, 0.1] + [-0.1] * 6,
        high=[-0.1] + [0.5] * 7,
        p_adjusted=0.5,  # what is drawn decides: the interval
    )
    plots.plot_forest(table, a="akaze", b="phash", ax=ax)
    colours = [to_hex(colour) for colour in ax.collections[-1].get_facecolor()]
    looks = [to_hex(plots.method_style(name)["color"]) for name in ("akaze", "phash")]
    assert colours == [to_hex(style.GREY)] * 6 + looks


def prevalence_table(names):
    shares = np.array([1e-2, 1e-3, 1e-4])
    rows = {
        "share": shares,
        "precision": [0.9, 0.4, np.nan],
        "low": [0.8, 0.2, np.nan],
        "high": [0.95, 0.6, np.nan],
    }
    return pd.concat([pd.DataFrame({"method": name, **rows}) for name in names])


def test_the_better_side_of_a_difference_is_named(ax):
    rows = difference_table(["akaze"], True)
    assert "phash is better   ←" in drawn(plots.plot_forest(rows, a="akaze", b="phash", ax=ax))
    less = plots.plot_forest(rows.assign(metric="equal_error_rate"), a="akaze", b="phash")
    assert "akaze is better   ←" in drawn(less)
    colours = [
        to_hex(figure.collections[1].get_facecolor()[-1]) for figure in (ax, less)
    ]  # of the row "all"
    assert colours == [to_hex(plots.method_style(name)["color"]) for name in ("phash", "akaze")]


@pytest.mark.parametrize("names", NAMES)
def test_what_is_rare_and_what_it_costs(names):
    table = prevalence_table(NAMES[names])
    drawn(plots.plot_prevalence(table))
    drawn(plots.plot_prevalence(table.assign(precision=np.nan)))
    table = table.assign(n_pictures=1 / table["share"], false_alarms=5e6)
    drawn(plots.plot_collection(table))
    assert "none was seen" in drawn(plots.plot_collection(table.assign(false_alarms=0.0)))
    plt.close("all")


def test_reliability_and_dendrogram(ax):
    bins = pd.DataFrame(
        {"predicted": [0.1, 0.9, np.nan], "observed": [0.2, 0.8, np.nan], "n": [10, 5, 0]}
    )
    assert plots.plot_reliability(bins, ax=ax) is ax
    assert "n = 15 pairs" in drawn(ax)
    distances = np.abs(np.subtract.outer(range(8), [0, 1, 2, 30, 31, 60, 61, 90]))[
        np.triu_indices(8, 1)
    ]
    tree = hierarchy.linkage(distances, "average")
    other = plt.subplots(layout="constrained")[1]
    assert plots.plot_dendrogram(tree, HOSTILE, threshold=10, ax=other) is other
    assert "n = 8 pictures" in drawn(other)
    drawn(plots.plot_dendrogram(tree, HOSTILE))
    wide = plots.plot_dendrogram(tree, HOSTILE, threshold=10, log=True)
    assert wide.get_xlim()[0] == pytest.approx(1 / 3) and "n = 8 pictures" in drawn(wide)
    tree[0, 2] = 0  # two pictures that are equal
    equal = plots.plot_dendrogram(tree, HOSTILE, threshold=10, log=True)
    paths = itertools.chain.from_iterable(links.get_paths() for links in equal.collections)
    nearest = min(path.vertices[:, 0].max() for path in paths)
    assert nearest == pytest.approx(1.2 * equal.get_xlim()[0]), "they join within the axes"
    assert tree[0, 2] == 0
    plt.close("all")


def test_panels_fit_an_ax_without_a_grid():
    figure = plt.figure()
    ax = figure.add_axes([0.1, 0.1, 0.8, 0.8])
    assert plots.plot_histograms(histogram_table(["a", "b"]), ax=ax) is ax
    drawn(ax)
    plt.close(figure)


@pytest.mark.parametrize("name", HOSTILE)
def test_labels_are_text_and_nothing_else(name):
    shown = plots.label(name)
    assert "\n" not in shown
    assert "\x1b" not in shown
    figure, ax = plt.subplots()  # with the fonts of matplotlib's own settings
    style.styled(lambda: style.finish(ax, shown, shown, xlabel=shown, ylabel=shown))()
    assert ax.xaxis.label._preprocess_math(shown)[1] is False
    figure.canvas.draw()
    plt.close(figure)


@pytest.fixture
def fresh_fonts():
    caches = (style.families, style._drawable, style._find_newer_fonts)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


def test_a_font_newer_than_matplotlibs_list_is_found(tmp_path, monkeypatch, fresh_fonts):
    manager = font_manager.fontManager
    sans = manager.findfont("DejaVu Sans")
    monkeypatch.setattr(manager, "ttflist", [])
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [str(tmp_path / "new.ttf")])
    (tmp_path / "new.ttf").write_bytes(Path(sans).read_bytes())
    assert plots.label("é☃.jpg") == "é☃.jpg"
    assert style.families() == ["DejaVu Sans"]
    assert manager.findfont("DejaVu Sans") == str(tmp_path / "new.ttf")


def test_a_file_that_is_no_font_is_passed_over(tmp_path, monkeypatch, fresh_fonts):
    (tmp_path / "new.ttf").write_text("not a font")
    looks = []
    monkeypatch.setattr(
        font_manager, "findSystemFonts", lambda: looks.append(1) or [str(tmp_path / "new.ttf")]
    )
    assert plots.label("\U0001f995\U0001f996.jpg") == "□□.jpg" and len(looks) == 1


def test_characters_without_a_font_become_a_box(monkeypatch):
    monkeypatch.setattr(style, "_drawable", lambda: frozenset(range(256)))
    monkeypatch.setattr(style, "_find_newer_fonts", lambda: None)
    assert plots.label("a日.jpg") == "a□.jpg"


def test_long_names_lose_their_middle():
    assert plots.label("x" * 60 + "end.jpg", limit=20) == "x" * 9 + "…" + "xxxend.jpg"


def picture(width, height, seed=0):
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(noise)


@pytest.mark.parametrize("n", [0, 1, 3])
def test_galleries_and_pairs(n, ax):
    names = HOSTILE[:n]
    pictures = [picture(40 + 10 * i, 60 - 5 * i) for i in range(n)]
    assert plots.plot_gallery(pictures, names, title="$t$", ax=ax) is ax
    drawn(ax)
    other = plt.subplots(layout="constrained")[1]
    assert plots.plot_pairs([(p, picture(20, 90)) for p in pictures], names, ax=other) is other
    drawn(other)
    drawn(plots.plot_gallery([np.zeros((9, 9), np.uint8)], ["grey"]))
    row = plots.plot_gallery(4 * [np.zeros((40, 60), np.uint8)], list("abcd"))
    assert row.figure.get_figheight() < 2  # no more than one row of pictures takes
    drawn(plots.plot_pairs([(p, p) for p in pictures], names))


def test_hashes_are_drawn_bit_by_bit(ax):
    bits = np.arange(64) % 3 == 0
    assert plots.plot_hash(bits, ax=ax) is ax
    assert np.array_equal(ax.collections[0].get_array().ravel(), bits)
    assert "64 bits" in drawn(ax)
    drawn(plots.plot_hash(np.ones(42, bool)))
    plt.close("all")


def test_differing_bits_are_framed_in_both_hashes(ax):
    first = np.zeros((8, 8), bool)
    second = first.copy()
    second[0, 0] = second[3, 4] = True
    assert plots.plot_hash_difference(first, second, ax=ax) is ax
    corners = [frame.get_xy() for frame in ax.patches]
    assert np.allclose(corners, [(0.08, 0.08), (9.04, 0.08), (4.08, 3.08), (13.04, 3.08)])
    assert "2 of 64 bits differ" in drawn(ax)
    with pytest.raises(ValueError, match="bits_b must have as many bits as bits_a, 64, not 16"):
        plots.plot_hash_difference(first, second[:2])


SIDES = ("reference", "query")


def test_keypoints_and_matches(ax):
    points = np.array([[5.0, 5], [20, 10], [30, 30]])
    assert plots.plot_keypoints(picture(50, 40), points, ax=ax) is ax
    assert "3 keypoints" in drawn(ax)
    other = plt.subplots()[1]
    matches = np.array([[0, 1], [2, 2]])
    pair = picture(50, 40), points, picture(80, 80), points
    plots.plot_matches(*pair, matches, inliers=[True, False], ax=other)
    assert "2 matches, 1 on one" in drawn(other)
    drawn(plots.plot_matches(*pair, np.empty((0, 2))))
    many = plots.plot_matches(*pair, np.zeros((400, 2), int))
    assert {lines.get_alpha() for lines in many.collections} == {0.2}, "many lines are pale"
    edges = [f"{edge}_{side}" for edge in ("left", "top", "right", "bottom") for side in SIDES]
    differing = pd.DataFrame([dict.fromkeys(edges, 5.0) | {"kind": "both"}])
    outlined = plots.plot_matches(*pair, np.empty((0, 2)), places=differing)
    assert outlined.get_title("left") == "1 place where they differ"
    drawn(plots.plot_keypoints(picture(50, 40), np.empty((0, 2))))
    plt.close("all")


def test_an_overlap_is_outlined_in_both_pictures(ax):
    row = {"contains": "reference", "transform": "[2 0 10 0 2 5 0 0 1]"}
    row |= {"overlap_reference": 0.25, "overlap_query": 1.0}
    for side, box in (("reference", (10, 5, 50, 35)), ("query", (0, 0, 20, 15))):
        row |= {f"{edge}_{side}": at for edge, at in zip(("left", "top", "right", "bottom"), box)}
    pair = picture(80, 60), picture(20, 15)
    assert plots.plot_overlap(*pair, row, names=("whole.jpg", "part.jpg"), ax=ax) is ax
    text = drawn(ax)
    assert "whole.jpg: 25%" in text and "part.jpg: 100%" in text and "query is a part" in text
    outlines = [patch.get_xy() for patch in ax.patches if hasattr(patch, "set_closed")]
    assert np.allclose(outlines[0].min(axis=0), (10, 5))
    assert np.allclose(outlines[0].max(axis=0), (50, 35))
    unsaid = dict.fromkeys(row, np.nan)
    assert "Nothing says" in drawn(plots.plot_overlap(*pair, unsaid))
    plt.close("all")


def test_lines_that_lie_on_each_other_take_turns_and_part_where_they_do():
    columns = {"method": [*"aaabbbcc"], "x": [0, 1, 2, 0, 1, 2, 0, 2]}
    rows = pd.DataFrame(columns | {"y": [1.0, 1, 0.5, 1, 0.99, 0.9, 0.1, 0.1]})
    parts = style.stretches(rows, "x", "y")
    told = {}
    for method, stretches in parts.items():
        told[method] = [(part.x.tolist(), part.n_methods, part.turn) for part in stretches]
    assert told == {
        "a": [([0, 1], 2, 0)],
        "b": [([0, 1], 2, 1)],
        "c": [],
    }
    offsets = [parts[method][0].look(method)["linestyle"] for method in "ab"]
    assert offsets[0][1] == offsets[1][1] and offsets[0][0] != offsets[1][0]
    alone = pd.DataFrame({"method": ["a"], "x": [1.0], "y": [0.5]})
    assert style.stretches(alone, "x", "y") == {"a": []}


@pytest.mark.parametrize(("step", "together"), [("post", [0, 1]), ("pre", [1, 2])])
def test_steps_lie_on_each_other_up_to_the_place_where_they_part(step, together):
    heights = [1, 0.8, 0.6, 1, 0.5, 0.6]
    rows = pd.DataFrame({"method": [*"aaabbb"], "x": [0, 1, 2] * 2, "y": heights})
    parts = style.stretches(rows, "x", "y", step)
    assert [[part.x.tolist() for part in parts[name]] for name in "ab"] == [[together]] * 2


def test_curves_that_lie_on_each_other_are_striped():
    curves = pd.DataFrame({"fpr": [0.01, 0.1, 1], "tpr": [0.5, 0.5, 1]})
    counted = {"n_positive": 10, "n_negative": 100, "smallest_fpr": 0.01}
    both = pd.concat([curves.assign(method=name, **counted) for name in ("phash", "dhash")])
    ax = plots.plot_roc(both)
    striped = [line for line in ax.lines if line.get_zorder() > 2]
    assert [line.get_drawstyle() for line in striped] == ["steps-post"] * 2
    assert len({line.get_color() for line in striped}) == 2
    alarms = pd.DataFrame({"n_pictures": [1e3, 1e6], "false_alarms": [4e3, 4e9]})
    nearly = alarms.assign(method="dhash", false_alarms=alarms["false_alarms"] * 1.07)
    # of seven decades a fiftieth of a value is nothing to see
    ax = plots.plot_collection(pd.concat([alarms.assign(method="phash"), nearly]))
    assert len([line for line in ax.lines if line.get_zorder() > 2]) == 2
    plt.close("all")


def test_long_names_of_methods_neither_leave_the_figure_nor_meet():
    method = "correlation(orientations=8)"
    row = {"metric": "tpr@fpr=0.01", "difference": 0.1, "low": -0.1, "high": 0.2}
    rows = pd.DataFrame([row | {"group": f"{method}{at}"} for at in (1, 2)])
    rows[["n_positive", "n_negative"]] = 50, 200
    ax = plots.plot_forest(rows, a=method, b=method.replace("8", "4"))
    ax.figure.canvas.draw()
    box = ax.xaxis.label.get_window_extent()
    assert box.x0 >= 0 and box.x1 <= ax.figure.bbox.x1
    assert ax.get_title(loc="left").endswith("\n")
    plt.close("all")


def test_many_panels_fit_a_figure_of_default_size():
    names = [f"method_{number}" for number in range(10)]
    kinds = [
        metric_table(names).assign(kind=f"kind_{number}", group=f"kind_{number}(x=1)", severity=1)
        for number in range(12)
    ]
    ax = plt.subplots(layout="constrained")[1]
    plots.plot_severity(pd.concat(kinds), metric="tpr@fpr=0.01", ax=ax)
    ax.figure.canvas.draw()  # a layout that collapses warns, and warnings are errors here
    # the title leaves the counts a line of their own, as it does not have to where there is room
    assert ax.figure.axes[1].get_title(loc="left").endswith("harsher\n")
    own = plots.plot_severity(kinds[0]).figure.axes[1]
    assert own.get_title(loc="left").endswith("harsher")
    plt.close("all")


def test_the_hardest_pairs_are_drawn_with_names_distance_and_truth(tmp_path):
    for name in "abc":
        picture(40, 30).save(tmp_path / f"{name}.png")
    scores = pd.DataFrame(
        {
            "reference": ["a.png", "b.png", "a.png", "a.png"],
            "query": ["a.png", "b.png", "b.png", "c.png"],
            "perturbation": ["crop(area=0.3)", "", "", ""],
            "label": [1, 1, 0, 0],
            "source_reference": [*"abaa"],
            "source_query": [*"abbc"],
            "no_evidence": "",
            "phash": [42.0, 2.0, 6.0, 30.0],
        }
    )
    ax = plots.plot_hardest(scores, ["phash"], n=1, root=tmp_path)
    text = drawn(ax)
    assert "a.png\na miss: a copy, crop(area=0.3), distance 42" in text
    assert "a.png  ·  b.png\na false alarm: no copy, as it is, distance 6" in text
    assert "phash: 1 farthest copies, 1 nearest non-copies" in text
    with pytest.raises(ValueError, match="not one file"):
        plots.plot_hardest(scores, "phash", root=tmp_path / "elsewhere")
    plt.close("all")


def test_the_same_figure_gives_the_same_files(tmp_path):
    digests = set()
    for turn in range(3):
        ax = plots.plot_pairs(
            [(picture(40 + at, 30), picture(20, 30 + at)) for at in range(2)], ["caption"] * 2
        )
        files = [
            plots.save(ax, tmp_path / f"{turn}.{suffix}", dpi=50)
            for suffix in ("png", "svg", "pdf")
        ]
        plt.close(ax.figure)
        digests.add(tuple(hashlib.sha256(file.read_bytes()).hexdigest() for file in files))
    assert len(digests) == 1


def test_a_figure_is_drawn_once_for_each_file(tmp_path, monkeypatch):
    n_draws = []
    draw = Figure.draw
    monkeypatch.setattr(Figure, "draw", lambda *given: n_draws.append(1) or draw(*given))
    ax = plots.plot_hash(np.ones(4, bool))
    for suffix in ("png", "svg"):
        plots.save(ax, tmp_path / f"hash.{suffix}")
    plt.close(ax.figure)
    assert len(n_draws) == 2


def test_a_backend_that_loads_with_the_first_figure_keeps_its_settings():
    """Jupyter's inline backend turns interactive mode on when it loads; without that no second
    figure is shown.
    """
    code = (
        "import matplotlib as mpl, numpy as np\n"
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "InteractiveShell.instance()\n"
        "from simlab import plots\n"
        "plots.plot_hash(np.ones(4, bool))\n"
        "raise SystemExit(not mpl.is_interactive())\n"
    )
    inline = {**os.environ, "MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    subprocess.run([sys.executable, "-c", code], env=inline, check=True, timeout=120)


@pytest.mark.parametrize("names", NAMES)
def test_distances_end_before_or_beyond_the_line_and_evidence_has_two_sides(names, ax):
    index = pd.Index(NAMES[names], name="method")
    table = pd.DataFrame(
        {"distance": 9.0, "threshold": 10.0, "maximum": 64, "says": "copy"}, index=index
    )
    table.iloc[0, :2] = [4.0, np.nan]
    table.loc[index[-1], ["distance", "says"]] = [np.nan, ""]
    assert plots.plot_distances(table, ax=ax) is ax
    lengths = [bar.get_width() for bar in ax.patches]
    assert lengths[0] == pytest.approx(4 / 64) or np.isnan(lengths[0])
    assert all(length == pytest.approx(0.9) for length in lengths[1:-1])
    drawn(ax)
    evidence = pd.Series(np.linspace(-3, 4, len(index)), index=index)
    text = drawn(plots.plot_evidence(evidence, probability=0.99999))
    assert "over 0.999" in text
    assert "under 0.001" in drawn(plots.plot_evidence(evidence, probability=0.0))
