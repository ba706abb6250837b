"""The tuner without a browser: its numbers against the tables they come from, its recipe against
what it shows.
"""

import json

import numpy as np
import pandas as pd
import pytest
from corpus import scored_pairs
from matplotlib import pyplot as plt

import simlab as sl
from simlab import evaluation


@pytest.fixture(scope="module")
def scores(tmp_path_factory):
    return scored_pairs(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def fitted(scores):
    return sl.Ensemble(folds=3, n_resamples=20).fit(scores)


@pytest.fixture
def widget(scores, fitted):
    return sl.widgets.tune(scores, fitted)


def test_numbers_follow_weights_and_threshold(scores, widget):
    for weights, threshold in (
        ({}, 0.5),
        ({"akaze": 0.0}, 0.3),
        ({"akaze": 1.5, "phash": 0.2}, 0.05),
    ):
        widget.weights = weights
        widget.choose(threshold=threshold, prevalence=0.02, n_pictures=500)
        table = scores.assign(ensemble=widget.ensemble.distance(scores))
        row = evaluation.at_threshold(table, "ensemble", threshold).iloc[0]
        assert widget._page.view["counts"] == {
            n: row[n] for n in ("found", "missed", "false_alarms", "rejected")
        }
        called, copy = table["ensemble"] <= threshold, table["label"] == 1
        assert widget._page.view["counts"]["missed"] == (copy & ~called).sum()
        words = " ".join(widget.words)
        assert f"{row['tpr']:.3f} [" in words and f"{row['fpr'] * 500 * 499 / 2:,.0f} [" in words
        assert f"one pair in {50}" in words and "500 pictures there are 124,750 pairs" in words
    assert widget.weights == {"phash": 0.2, "akaze": 1.5}


def test_a_weight_of_nothing_leaves_a_method_without_a_say(scores, widget):
    widget.weights = {"akaze": 0}
    said = widget.ensemble.evidence(scores)
    assert said["akaze"].eq(0).all() and said["phash"].abs().max() > 0.1
    widget.weights = {"phash": 0}
    assert widget._status.value == "" and widget.ensemble.distance(scores).nunique() == 1


def test_the_border_is_on_both_sides_of_the_threshold(scores, widget):
    for threshold in (0.02, 0.4, 0.9):
        widget.choose(threshold=threshold)
        distance = widget.ensemble.distance(scores).sort_values(kind="stable")
        below, above = (
            distance[distance <= threshold].tail(3),
            distance[distance > threshold].head(3),
        )
        assert [card["row"] for card in widget._page.cards] == [
            str(row) for row in [*below.index, *above.index]
        ]
        assert all(card["note"].endswith("nats") for card in widget._page.cards)


def test_where_no_false_alarm_was_seen_some_may_come(widget):
    widget.choose(threshold=1e-6)
    assert widget._page.view["counts"]["false_alarms"] == 0
    assert "the precision is at least" in widget.words[1]
    assert "and 0 [0, " in widget.words[2]


def test_fit_goes_back_and_the_saved_recipe_is_what_is_shown(scores, fitted, widget, tmp_path):
    widget.weights = {"phash": 1.25}
    widget._press("save", str(tmp_path / "手.json"))
    loaded = sl.Ensemble.load(tmp_path / "手.json")
    np.testing.assert_array_equal(loaded.distance(scores), widget.ensemble.distance(scores))
    assert loaded.weights_["weight"].tolist() == [1.25, widget.weights["akaze"]]
    assert "saved to" in widget._status.value and not np.allclose(
        loaded.distance(scores), fitted.distance(scores)
    )
    widget.fit()
    np.testing.assert_array_equal(widget.ensemble.distance(scores), fitted.distance(scores))


def test_a_place_that_cannot_be_written_to_is_said_in_a_line(widget, tmp_path):
    widget._press("save", str(tmp_path / "none" / "recipe.json"))
    assert "no such folder" in widget._status.value and "\n" not in widget._status.value


def test_an_ensemble_of_these_pairs_says_so_and_one_of_others_does_not(scores, fitted, widget):
    assert widget._page.data["note"] == ""
    sources = ["source_reference", "source_query"]
    parts = [scores.assign(**{name: scores[name] + str(n) for name in sources}) for n in range(3)]
    more = pd.concat(parts, ignore_index=True)
    more.attrs = scores.attrs
    note = sl.widgets.tune(more)._page.data["note"]
    assert "of new ones expect less" in note and "best single method" in note


def test_the_page_is_sent_json_and_the_twin_says_the_same(widget, tmp_path):
    json.dumps([widget._page.data, widget._page.view, widget.choice], allow_nan=False)
    plt.close("all")  # of tests before
    figure = widget.figure()
    figure.savefig(tmp_path / "twin.png")
    # its lines may be broken to fit
    assert figure.get_suptitle().split() == " ".join(widget.words).split()
    assert plt.get_fignums() == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"threshold": 1.0}, r"threshold must be in \(0, 1\); given 1.0"),
        ({"prevalence": 0}, r"prevalence must be in \(0, 1\); given 0"),
        ({"n_pictures": 1}, "n_pictures must be in range"),
        ({"fpr": 0.1}, "fpr must be in .*threshold"),
    ],
)
def test_a_choice_that_cannot_be_is_refused(widget, changes, message):
    with pytest.raises(ValueError, match=message):
        widget.choose(**changes)


@pytest.mark.parametrize(
    ("weights", "words"),
    [({"sift": 1.0}, "unknown method 'sift'"), ({"phash": -1}, "the weight of 'phash' must be")],
)
def test_weights_that_cannot_be_are_refused(widget, weights, words):
    before = widget.weights
    with pytest.raises(ValueError, match=words):
        widget.weights = weights
    assert widget.weights == before
