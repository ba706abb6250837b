"""Curves and metrics against hand-made tables, naive second implementations and invariances."""

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from sklearn.metrics import average_precision_score, roc_auc_score

import simlab as sl
from simlab import evaluation
from simlab.evaluation.metrics import exact_average_precision, exact_roc_auc

FOUR = ("roc_auc", "average_precision", "tpr@fpr=0.3", "micro_average_precision")


def table(labels, sources=None, **distances):
    """A score table from a few columns; without sources every pair has its own."""
    reference = [f"{i}a" for i in range(len(labels))]
    query = [f"{i}{'a' if label else 'b'}" for i, label in enumerate(labels)]
    reference, query = sources or (reference, query)
    columns = dict.fromkeys(("perturbation_reference", "perturbation", "error", "no_evidence"), "")
    columns |= {
        "reference": reference,
        "query": query,
        "source_reference": reference,
        "source_query": query,
    }
    columns |= {"seed": 0, "label": labels, "weight": 1.0, "status": "ok"}
    return pd.DataFrame(
        {**columns, **{name: np.asarray(d, float) for name, d in distances.items()}}
    )


def naive_roc_auc(label, distance):
    """Share of (copy, non-copy) couples in the right order, ties half."""
    label, distance = np.asarray(label), np.asarray(distance)
    couples = distance[label == 1][:, None] - distance[label == 0][None, :]
    return float(((couples < 0) + 0.5 * (couples == 0)).mean())


def naive_average_precision(label, distance):
    """Sum of precision times the step in recall over the distinct distances."""
    label, distance, area, recall = np.asarray(label), np.asarray(distance), 0.0, 0.0
    for threshold in np.unique(distance):
        called = distance <= threshold
        now = label[called].sum() / label.sum()
        area, recall = area + (now - recall) * label[called].mean(), now
    return area


def naive_micro_average_precision(label, distance):
    """Mean precision where each copy comes in a list of all pairs, non-copies first among equal
    distances.
    """
    ranked = [label for _, label in sorted(zip(distance, label))]
    return float(
        np.mean([sum(ranked[: at + 1]) / (at + 1) for at in range(len(ranked)) if ranked[at]])
    )


def naive_equal_error_rate(label, distance):
    """Try every threshold, and none, and take the mean of both rates where they are closest."""
    label, distance = np.asarray(label), np.asarray(distance)
    called = [
        distance < distance.min(),
        *(distance <= threshold for threshold in np.unique(distance)),
    ]
    rates = [((~which)[label == 1].mean(), which[label == 0].mean()) for which in called]
    gap = min(abs(miss - false) for miss, false in rates)
    return [(miss + false) / 2 for miss, false in rates if abs(miss - false) <= gap + 1e-12]


def naive_tpr_at_fpr(label, distance, fpr):
    """Try every observed distance as threshold and keep the largest allowed."""
    label, distance, best = np.asarray(label), np.asarray(distance), (0.0, np.nan)
    for threshold in np.unique(distance):
        if (distance[label == 0] <= threshold).mean() <= fpr:
            best = ((distance[label == 1] <= threshold).mean(), threshold)
    return best


def value(metrics, name, method="m", group="all"):
    chosen = metrics.query("metric == @name and method == @method and group == @group")
    return chosen["value"].item()


labelled = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 12)), min_size=2, max_size=60
).filter(lambda rows: {label for label, _ in rows} == {0, 1})


@given(labelled)
@settings(max_examples=40, deadline=None)
def test_metrics_equal_the_naive_ones(rows):
    label, distance = zip(*rows)
    wanted = [*FOUR, "equal_error_rate", "recall@precision=0.6"]
    metrics = evaluation.evaluate(table(label, m=distance), metrics=wanted, n_resamples=0)
    assert value(metrics, "roc_auc") == pytest.approx(naive_roc_auc(label, distance))
    assert value(metrics, "micro_average_precision") == pytest.approx(
        naive_micro_average_precision(label, distance)
    )
    rate = value(metrics, "equal_error_rate")
    assert any(
        rate == pytest.approx(allowed) for allowed in naive_equal_error_rate(label, distance)
    )
    called = [np.array(label)[np.array(distance) <= threshold] for threshold in np.unique(distance)]
    recalls = [each.sum() / sum(label) for each in called if each.mean() >= 0.6]
    assert value(metrics, "recall@precision=0.6") == pytest.approx(max(recalls, default=0))
    assert value(metrics, "average_precision") == pytest.approx(
        naive_average_precision(label, distance)
    )
    if label.count(0) >= 4:
        row = metrics[metrics["metric"] == "tpr@fpr=0.3"].iloc[0]
        expected = naive_tpr_at_fpr(label, distance, 0.3)
        assert (row["value"], row["threshold"]) == pytest.approx(expected, nan_ok=True)


@given(labelled, st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_rescaling_order_and_labels(rows, seed):
    label, distance = map(np.array, zip(*rows))
    scores = table(label, m=distance)
    metrics = evaluation.evaluate(scores, metrics=FOUR, n_resamples=0)
    shuffled = evaluation.evaluate(
        scores.sample(frac=1, random_state=seed), metrics=FOUR, n_resamples=0
    )
    rescaled = evaluation.evaluate(
        scores.assign(m=np.exp(scores["m"] / 3)), metrics=FOUR, n_resamples=0
    )
    pd.testing.assert_frame_equal(metrics, shuffled)
    pd.testing.assert_series_equal(metrics["value"], rescaled["value"])
    swapped = evaluation.evaluate(scores.assign(label=1 - label))
    assert value(swapped, "roc_auc") == pytest.approx(1 - value(metrics, "roc_auc"))


@given(labelled)
@settings(max_examples=20, deadline=None)
def test_curves_hold_one_row_per_observed_distance(rows):
    label, distance = map(np.array, zip(*rows))
    roc, pr = (
        curve(table(label, m=distance)) for curve in (evaluation.roc_curve, evaluation.pr_curve)
    )
    for curve in (roc, pr):
        assert curve["threshold"].tolist() == np.unique(distance).tolist()
    called = distance[:, None] <= np.unique(distance)
    assert roc["tpr"].to_numpy() == pytest.approx(called[label == 1].mean(axis=0))
    assert roc["fpr"].to_numpy() == pytest.approx(called[label == 0].mean(axis=0))
    assert pr["recall"].to_numpy() == pytest.approx(called[label == 1].mean(axis=0))
    assert pr["precision"].to_numpy() == pytest.approx(label @ called / called.sum(axis=0))


def test_two_metrics_are_those_of_scikit_learn_to_the_last_bit():
    rng = np.random.default_rng(0)
    for n in (2, 9, 40, 300):
        points = {
            "y_true": np.arange(n) < max(1, n // 5),
            "y_score": rng.integers(0, n, n),
            "sample_weight": rng.random(n),
        }
        assert exact_roc_auc(points) == roc_auc_score(**points)
        assert exact_average_precision(points) == average_precision_score(**points)


def test_groups_share_the_negatives_or_have_their_own():
    scores = table([1, 1, 0, 0], m=[1, 5, 3, 7]).assign(
        source="x", perturbation=["a", "b", "a", "b"]
    )
    shared = evaluation.evaluate(scores, by="perturbation")
    own = evaluation.evaluate(scores, by="perturbation", negatives="same")
    assert [value(shared, "roc_auc", group=g) for g in ("all", "a", "b")] == [0.75, 1.0, 0.5]
    assert [value(own, "roc_auc", group=g) for g in ("a", "b")] == [1.0, 1.0]
    assert set(own[own["group"] == "a"]["n_negative"]) == {1}
    assert set(shared["negatives"]) == {"all"}
    assert list(shared.columns[-2:]) == ["kind", "severity"]


def weighted_and_repeated(n=60, seed=0):
    """A table with weights of 0 to 3, and one in which each row stands as often as its
    weight says.
    """
    rng = np.random.default_rng(seed)
    query = rng.integers(0, 6, n)
    sources = [f"s{i}" for i in rng.integers(0, 6, n)], [f"s{i}" for i in query]
    scores = table(
        rng.integers(0, 2, n), sources, m=rng.integers(0, 12, n), other=rng.integers(0, 12, n)
    )
    scores = scores.assign(weight=rng.integers(0, 4, n).astype(float))
    return scores, scores.loc[scores.index.repeat(scores["weight"].astype(int))].assign(weight=1.0)


WEIGHTED = {
    "metrics": lambda t: evaluation.evaluate(
        t,
        n_resamples=0,
        metrics=[
            "roc_auc",
            "average_precision",
            "tpr@fpr=0.3",
            "recall@precision=0.3",
            "equal_error_rate",
        ],
    )[["value", "threshold"]],
    "ROC": lambda t: evaluation.roc_curve(t)[["threshold", "fpr", "tpr"]],
    "precision and recall": lambda t: evaluation.pr_curve(t)[["threshold", "precision", "recall"]],
    "histogram": lambda t: evaluation.distance_histogram(t)["share"],
    "mean over queries": lambda t: evaluation.query_average_precision(t, n_resamples=0)["value"],
    "complementarity": lambda t: evaluation.complementarity(t, fpr=0.3, n_resamples=0)["share"],
    "audit": lambda t: evaluation.label_audit(t, least=0)["strength"].groupby(level=0).first(),
    "threshold": lambda t: evaluation.choose_threshold(t, "m", min_precision=0.4, n_resamples=0)[
        "threshold"
    ],
    "threshold given": lambda t: evaluation.at_threshold(t, "m", 5, n_resamples=0)[["tpr", "fpr"]],
}


@pytest.mark.parametrize("what", WEIGHTED)
def test_weights_count_like_repeated_rows(what):
    weighted, repeated = (np.asarray(WEIGHTED[what](t), float) for t in weighted_and_repeated())
    assert weighted.size
    assert weighted == pytest.approx(repeated, nan_ok=True)


def test_the_smallest_fpr_is_that_of_the_lightest_negative():
    scores = table([1, 0, 0], m=[0, 1, 2]).assign(weight=[1.0, 1.0, 9.0])
    assert evaluation.smallest_fpr(scores)["smallest_fpr"].item() == pytest.approx(0.1)
    metrics = evaluation.evaluate(scores, metrics=["tpr@fpr=0.1", "tpr@fpr=0.09"], n_resamples=0)
    assert metrics["threshold"].tolist() == pytest.approx([1, np.nan], nan_ok=True)
    assert metrics["note"].tolist() == ["", "not measurable with 2 negatives"]


def test_rates_that_cannot_be_measured_are_refused():
    metrics = evaluation.evaluate(table([1] * 3 + [0] * 100, m=range(103)))
    assert value(metrics, "tpr@fpr=0.01") == 1.0
    assert np.isnan(value(metrics, "tpr@fpr=0.001"))
    assert metrics["note"].tolist()[-1] == "not measurable with 100 negatives"


def test_a_flood_of_ties_leaves_no_threshold():
    row = evaluation.evaluate(table([1, 0, 0], m=[0, 0, 0]), metrics=["tpr@fpr=0.5"]).iloc[-1]
    assert row["value"] == 0
    assert np.isnan(row["threshold"])
    assert row["note"].startswith("no observed distance reaches it")


@pytest.mark.parametrize(
    "labels, note",
    [
        ([1, 1], "undefined: no negatives"),
        ([0, 0], "undefined: no positives"),
        ([], "undefined: no positives"),
    ],
)
def test_one_class_is_undefined(labels, note):
    scores = table(labels, m=np.arange(len(labels)))
    metrics = evaluation.evaluate(scores, by="perturbation")
    assert metrics["value"].isna().all()
    assert set(metrics["note"]) == {note}
    assert len(evaluation.roc_curve(scores)) == len(evaluation.pr_curve(scores)) == len(labels)
    assert evaluation.distance_histogram(scores)["count"].sum() == len(labels)
    assert len(evaluation.hardest(scores, "m")) == len(labels)


def test_error_rows_are_dropped_and_counted():
    scores = table([1, 0, 1, 0], m=[1, 2, np.nan, np.nan]).assign(
        status=["ok", "ok", "error", "error"]
    )
    metrics = evaluation.evaluate(scores)
    assert set(metrics["n_positive"]) == set(metrics["n_negative"]) == {1}
    for function in (evaluation.evaluate, evaluation.roc_curve, evaluation.distance_histogram):
        assert function(scores).attrs["n_errors"] == 2


def test_sources_are_counted_on_both_sides():
    scores = table([1, 0], sources=(["a", "a"], ["a", "b"]), m=[0, 1])
    assert set(evaluation.evaluate(scores)["n_sources"]) == {2}


def test_histogram_bins_are_whole_for_whole_distances():
    table_ = evaluation.distance_histogram(
        table([1, 0] * 20, m=range(40), f=np.arange(40) / 7), bins=15
    )
    whole = table_[table_["method"] == "m"]
    assert set(whole["right"] - whole["left"]) == {3.0}
    assert table_.groupby(["method", "label"])["share"].sum().tolist() == pytest.approx([1.0] * 4)


def test_hardest_pairs_come_first():
    scores = table([1, 1, 1, 0, 0], m=[1, 9, 5, 2, 8])
    hard = evaluation.hardest(scores, "m", n=2)
    assert hard["error_kind"].tolist() == ["miss", "miss", "false alarm", "false alarm"]
    assert hard["m"].tolist() == [9, 5, 2, 8]


@pytest.mark.parametrize(
    "wrong, words",
    [
        ({"methods": ["x"]}, "methods must be among m; given 'x'"),
        ({"methods": []}, "methods must name one or more; there is none"),
        ({"by": "x"}, "by must be 'kind' or a column"),
        ({"negatives": "some"}, "negatives must be one of all, same"),
        ({"metrics": ["tpr@fpr=1"]}, "a metric must be one of roc_auc, .* given 'tpr@fpr=1'"),
        ({"metrics": ["auc"]}, "given 'auc'"),
    ],
)
def test_wrong_arguments_name_what_is_allowed(wrong, words):
    with pytest.raises(ValueError, match=words):
        evaluation.evaluate(table([1, 0], m=[0, 1]), **wrong)


GOOD_LABELS = (np.array([True, False]), np.array([1.0, 0.0]), np.array([1, 0], dtype=object))
BAD_LABELS = ([1, np.nan], [1, None], [1, 2], [1, -1], ["1", "0"], ["copy", "different"], [1, 0.5])
BAD_WEIGHTS = (-1.0, np.nan, np.inf, None, "heavy")


def labelled(labels):
    """Two copies and two non-copies of two sources, whose labels are the first and second of
    `labels`.
    """
    first, second = labels
    return pd.DataFrame(
        {
            "label": pd.Series([first, first, second, second]),
            "query": [*"aabb"],
            "source_reference": [*"abab"],
            "source_query": [*"abba"],
            "perturbation": "",
            "no_evidence": "",
            "phash": [2.0, 10.0, 8.0, 20.0],
            "dhash": [1.0, 2.0, 3.0, 4.0],
        }
    )


DOORS = {
    "evaluate": evaluation.evaluate,
    "compare": lambda scores: evaluation.compare(scores, "phash", "dhash"),
    "rank": evaluation.rank,
    "hard_negatives": lambda scores: evaluation.hard_negatives(scores, "phash"),
    "choose_threshold": lambda scores: evaluation.choose_threshold(scores, "phash", max_fpr=0.5),
    "at_threshold": lambda scores: evaluation.at_threshold(scores, "phash", 8),
    "roc_curve": evaluation.roc_curve,
    "pr_curve": evaluation.pr_curve,
    "distance_histogram": evaluation.distance_histogram,
    "hardest": lambda scores: evaluation.hardest(scores, "phash"),
    "judge": evaluation.judge,
    "rivals": lambda scores: evaluation.rivals(scores, "phash"),
    "smallest_fpr": evaluation.smallest_fpr,
    "break_points": evaluation.break_points,
    "complementarity": evaluation.complementarity,
    "query_average_precision": evaluation.query_average_precision,
    "label_audit": evaluation.label_audit,
    "Ensemble.fit": lambda scores: sl.Ensemble().fit(scores),
    "failures": sl.widgets.failures,
    "tune": sl.widgets.tune,
}


@pytest.mark.parametrize("door", DOORS)
def test_what_no_pair_table_may_hold_is_refused_at_every_door(door):
    good = labelled([1, 0])
    for labels in BAD_LABELS:
        with pytest.raises(ValueError, match=r"^label must be 1 \(copy\) or 0 \(different\), not "):
            DOORS[door](labelled(labels))
    for weight in BAD_WEIGHTS:
        weights = pd.Series([1.0, weight, 1.0, 1.0], dtype=object)
        with pytest.raises(ValueError, match=r"^weight must be a finite number, 0 or more"):
            DOORS[door](good.assign(weight=weights))
    for source in (None, np.nan, ""):
        with pytest.raises(ValueError, match="name a source in every row"):
            DOORS[door](good.assign(source_query=["a", "b", source, "a"]))


@pytest.mark.parametrize("labels", GOOD_LABELS)
def test_labels_of_any_type_that_mean_1_and_0(labels):
    plain = labelled([1, 0])
    given = labelled(labels)
    pd.testing.assert_frame_equal(evaluation.evaluate(given), evaluation.evaluate(plain))
    pd.testing.assert_frame_equal(
        evaluation.rivals(given, "phash"), evaluation.rivals(plain, "phash")
    )


def test_weights_as_text_and_whole_numbers_count_as_what_they_say():
    plain = labelled([1, 0])
    expected = evaluation.evaluate(plain.assign(weight=[1.0, 2.0, 1.0, 3.0]))
    for weights in ([1, 2, 1, 3], ["1", "2", "1", "3"]):
        pd.testing.assert_frame_equal(evaluation.evaluate(plain.assign(weight=weights)), expected)
