"""The failure browser without a browser: every choice against a plain filter of the score table."""

import json

import numpy as np
import pandas as pd
import pytest
from corpus import scored_pairs
from matplotlib import pyplot as plt

import simlab as sl
from simlab.widgets.failure_browser import PER_PAGE, VERDICTS, select

METHODS = ["phash", "akaze"]


@pytest.fixture(scope="module")
def scores(tmp_path_factory):
    return scored_pairs(tmp_path_factory.mktemp("pictures"))


@pytest.fixture
def widget(scores, tmp_path):
    return sl.widgets.failures(scores, marks=tmp_path / "印.csv")


def verdicts(scores, method, threshold):
    called = np.where(scores[method] <= threshold, "called", "not")
    words = {
        (1, "not"): "missed",
        (0, "called"): "false alarms",
        (1, "called"): "found",
        (0, "not"): "rejected",
    }
    return pd.Series([words[pair] for pair in zip(scores["label"], called)], scores.index)


def threshold(widget, method):
    return widget._page.view["thresholds"][method]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("fpr", [0.0001, 0.02, 0.3])
@pytest.mark.parametrize("verdict", VERDICTS)
def test_a_point_leads_to_what_the_method_gets_wrong_there(scores, widget, method, fpr, verdict):
    widget.choose_point(fpr=fpr, method=method)
    widget.choose(verdict=verdict)
    limit, rate = threshold(widget, method), widget.choice["fpr"]
    others = scores[scores["label"] == 0]
    assert rate == max(fpr, 1 / len(others))
    assert np.average(others[method] <= limit, weights=others["weight"]) <= rate * (1 + 1e-9)
    told = verdicts(scores, method, limit)
    assert set(widget.rows.index) == set(scores.index[told.eq(verdict) | (verdict == "all")])
    beyond = (widget.rows[method] - limit) * np.where(widget.rows["label"] == 1, 1, -1)
    assert beyond.is_monotonic_decreasing
    for name, count in told.value_counts().items():
        if name in ("missed", "false alarms"):
            assert f"{count} of {(scores['label'] == (name == 'missed')).sum()} " in widget.words[0]


def test_bins_hold_every_pair_once_also_by_kind(scores, widget):
    right = sl.evaluation.judge(scores, METHODS, fpr=0.01)
    for kind in (None, "crop"):
        table = scores if kind is None else scores[scores["perturbation"].str.startswith("crop")]
        histogram = sl.evaluation.distance_histogram(table, ["akaze"])
        seen = []
        for left, bins in histogram.groupby("left"):
            choice = {"method": "akaze", "verdict": "all", "distance": left}
            rows = select(table, right, histogram, choice)
            assert len(rows) == bins["count"].sum()
            seen.extend(rows.index)
        assert sorted(seen) == sorted(table.index)
        widget.choose(method="akaze", kind=kind)
        widget.choose_bin(1e9)
        assert sorted(widget.rows.index) == sorted(rows.index), "beyond the last bin is the last"


def test_a_cell_leads_to_the_copies_missed_and_says_what_the_metrics_say(scores, widget):
    metrics = sl.evaluate(scores, by="kind", metrics=["tpr@fpr=0.01"], n_resamples=0)
    cells = widget._page.view["cells"]
    values = metrics.pivot(index="group", columns="method", values="value").loc[
        ["all", "crop", "text"], METHODS
    ]
    np.testing.assert_allclose(cells["values"], values)
    assert cells["counts"] == [18, 12, 6]
    for kind in (None, "crop", "text"):
        widget.choose_cell("akaze", kind)
        told = verdicts(scores, "akaze", threshold(widget, "akaze")).eq("missed")
        assert set(widget.rows.index) == set(
            scores.index[told & scores["perturbation"].str.startswith(kind or "")]
        )


def test_cards_name_who_would_have_caught_it_and_the_nearest_wrong_picture(scores, widget):
    notes = set()
    for method, other, fpr in (
        ("phash", "akaze", 0.1),
        ("phash", "akaze", 0.01),
        ("akaze", "phash", 0.01),
    ):
        widget.choose_point(fpr=fpr, method=method)
        for card, (_, pair) in zip(widget._page.cards, widget.rows.iterrows(), strict=False):
            caught = pair[other] <= threshold(widget, other)
            assert card["note"] == f"Caught by {other if caught else 'no other method'}."
            notes.add(card["note"])
            others = scores.query(
                "label == 0 and query == @pair.query and perturbation == @pair.perturbation"
            )
            nearest = others.loc[others[method].idxmin()]
            assert card["rival"]["text"].endswith(
                f"{nearest['reference']}, {nearest[method]:.4g} by {method}"
            )
            assert card["distances"] == {"phash": pair["phash"], "akaze": pair["akaze"]}
        assert len(widget._page.cards) == min(PER_PAGE, len(widget.rows))
    assert len(notes) == 3


def test_pages_follow_each_other_and_a_new_choice_starts_at_the_first(widget):
    for page in range(3):
        widget.choose(verdict="rejected", page=page)
        rows = widget.rows.index[PER_PAGE * page :][:PER_PAGE]
        assert [card["row"] for card in widget._page.cards] == [str(row) for row in rows]
    widget.choose(verdict="all")
    assert widget.choice["page"] == 0


def test_a_marked_pair_is_on_disk_with_the_other_label_and_can_be_taken_back(scores, widget):
    row = scores.index[(scores["label"] == 1) & (scores["query"] == "海.png")][0]
    widget.choose(verdict="all", kind="crop")
    widget._press("mark", str(row))
    marked = sl.read_pairs(widget._marks, root=scores.attrs["root"])
    assert marked[["query", "perturbation", "label"]].values.tolist() == [
        ["海.png", scores["perturbation"][row], 0]
    ]
    widget.choose_cell("phash", None)
    widget.choose(verdict="all", distance=scores.loc[row, "phash"])
    assert {card["row"]: card["marked"] for card in widget._page.cards}.get(str(row), True)
    widget.mark(row)
    assert len(widget._marks.read_text(encoding="utf-8").splitlines()) == 1


def test_a_damaged_file_of_marks_is_refused_by_name_and_left_alone(widget):
    widget._marks.write_text("mine\n", encoding="utf-8")
    widget._press("mark", str(widget.rows.index[0]))
    assert (
        "印.csv" in widget._status.value and widget._marks.read_text(encoding="utf-8") == "mine\n"
    )


def test_matches_come_on_demand_and_go(scores, widget):
    widget.choose(verdict="all", kind="text")
    row = widget.rows.index[widget.rows["label"] == 1][0]
    assert widget._page.matches == {}
    widget.matches(row)
    lines = np.array(widget._page.matches[str(row)]["lines"])
    assert len(lines) > 20 and ((lines >= 0) & (lines <= 1)).all() and lines[:, 4].mean() > 0.5
    widget.matches(row)
    assert widget._page.matches == {}


def test_what_the_page_is_sent_is_json_and_names_are_text(widget):
    widget.choose(verdict="all")
    sent = [widget._page.data, widget._page.view, widget.choice, widget._page.matches]
    for card in map(dict, widget._page.cards):
        shown = card.pop("pictures") + (card.pop("rival") or {"pictures": []})["pictures"]
        assert all(picture["image"].startswith(b"\xff\xd8") for picture in shown)
        sent.append(card)
    assert json.loads(json.dumps(sent, allow_nan=False))
    assert "innerHTML" not in widget._page._esm


def test_a_table_of_labels_without_perturbations_will_do(scores, tmp_path):
    plain = scores[
        ["reference", "query", "label", "source_reference", "source_query", *METHODS]
    ].head(60)
    widget = sl.widgets.failures(plain, root=scores.attrs["root"], marks=tmp_path / "m.csv")
    assert widget._status.value == "" and len(widget._page.cards)
    assert widget._page.view["cells"]["rows"] == ["all", "unchanged"]


def test_the_twin_shows_the_same_pairs_and_leaves_pyplot_alone(widget, tmp_path):
    widget.choose_cell("phash", "crop")
    figure = widget.figure()
    figure.savefig(tmp_path / "twin.png")
    texts = " ".join(
        text.get_text()
        for ax in figure.axes
        for text in ax.findobj(lambda a: hasattr(a, "get_text"))
    )
    for card in widget._page.cards:
        assert card["note"] in texts
    assert "copies missed" in figure.get_suptitle() and plt.get_fignums() == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "sift"}, r"method must be in \['phash', 'akaze'\]; given 'sift'"),
        ({"kind": "blur"}, "kind must be in"),
        ({"verdict": "lost"}, "verdict must be in"),
        ({"fpr": 0}, r"fpr must be in \(0, 1\); given 0"),
        ({"colour": 1}, "colour must be in .*method"),
    ],
)
def test_a_choice_that_cannot_be_is_refused(widget, changes, message):
    before = widget.choice
    with pytest.raises(ValueError, match=message):
        widget.choose(**changes)
    assert widget.choice == before


def test_one_class_is_refused(scores):
    with pytest.raises(
        ValueError, match="scores must hold copies and non-copies; copies among them: 18 of 18"
    ):
        sl.widgets.failures(scores[scores["label"] == 1])


def test_an_index_with_repeats_is_refused(scores):
    with pytest.raises(ValueError, match="must name each row once"):
        sl.widgets.failures(pd.concat([scores, scores]))
