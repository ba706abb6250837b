"""Break points, complementarity, the mean over queries and the label audit, against hand-made
tables and loops.
"""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score
from test_intervals import study

from simlab import evaluation

AREAS = {
    "crop(area=0.9)": -3.0,
    "crop(area=0.7)": -2.0,
    "crop(area=0.4)": 1.0,
    "crop(area=0.2)": 3.0,
}


def cropped(n=60, methods=("m",), **options):
    """A study whose copies are harder to find the less is left of them."""
    scores = study(n=n, methods=methods, **options)
    scores["perturbation"] = np.resize(list(AREAS), len(scores))
    harder = scores["perturbation"].map(AREAS) * scores["label"]
    return scores.assign(**{method: scores[method] + harder for method in methods})


def test_break_point_lies_where_the_curve_crosses():
    scores = cropped()
    row = evaluation.break_points(scores, target=0.8).iloc[0]
    curve = (
        evaluation.evaluate(scores, by="perturbation", metrics=["tpr@fpr=0.01"])
        .iloc[1:]
        .sort_values("severity")
    )
    expected = np.interp(-0.8, -curve["value"], curve["severity"])
    assert (row["kind"], row["n_severities"], row["strongest"]) == ("crop", 4, pytest.approx(0.8))
    assert row["break_point"] == pytest.approx(expected)
    assert row["low"] < row["break_point"] < row["high"]


def test_a_method_that_never_breaks_and_one_that_cannot_be_measured():
    scores = cropped()
    easy = evaluation.break_points(scores.assign(m=-100.0 * scores["label"])).iloc[0]
    assert easy[["break_point", "low", "high"]].isna().all()
    assert easy["note"] == "0.95 or more up to the strongest"
    assert (
        evaluation.break_points(scores, metric="tpr@fpr=0.0001")["note"].item()
        == "not measurable with 480 negatives"
    )
    assert evaluation.break_points(scores.assign(perturbation="crop(area=0.5)+mirror")).empty
    alone = evaluation.break_points(scores.assign(perturbation="crop(area=0.5)")).iloc[0]
    assert np.isnan(alone["break_point"]) and alone["note"] == "one severity"


OPPOSITE = {
    "brightness(factor=0.8)": -3.0,
    "brightness(factor=0.5)": 0.0,
    "brightness(factor=0.25)": 3.0,
    "brightness(factor=1.25)": -3.0,
    "brightness(factor=2)": -3.0,
    "brightness(factor=4)": -2.0,
}


def test_opposite_directions_are_two_curves_whatever_the_order_of_rows():
    """Factors .5 and 2 are equally far from 1; only the darker copies are lost."""
    scores = cropped(n=72)
    scores["perturbation"] = np.resize(list(OPPOSITE), len(scores))
    scores["m"] += 2 * scores["perturbation"].map(OPPOSITE) * scores["label"]
    shuffled = scores.sample(frac=1, random_state=4, ignore_index=True)
    found = [evaluation.break_points(table).set_index("curve") for table in (scores, shuffled)]
    darker, brighter = found[0].loc["brightness darker"], found[0].loc["brightness brighter"]
    assert 0.32 < darker["break_point"] < 2
    assert np.isnan(brighter["break_point"]) or brighter["break_point"] > darker["break_point"]
    assert list(found[0]["n_severities"]) == [3, 3]
    columns = ["break_point", "strongest", "n_severities", "note"]
    pd.testing.assert_frame_equal(
        found[0][columns].sort_index(), found[1][columns].sort_index(), check_exact=False
    )


def test_each_other_argument_has_its_own_curve():
    specs = [f"crop(area={area}, anchor='{at}')" for area in (0.9, 0.4) for at in ("top", "left")]
    scores = cropped().assign(perturbation=lambda table: np.resize(specs, len(table)))
    curves = evaluation.break_points(scores)["curve"]
    assert sorted(curves) == ['crop(anchor="left")', 'crop(anchor="top")']


def test_complementarity_counts_what_the_other_finds():
    scores = cropped(methods=("a", "b"))
    table = evaluation.complementarity(scores, fpr=0.05).set_index(["method", "other"])
    points = evaluation.evaluate(scores, metrics=["tpr@fpr=0.05"]).set_index("method")["threshold"]
    missed = {m: (scores["label"] == 1) & (scores[m] > points[m]) for m in "ab"}
    row = table.loc["a", "b"]
    assert row["n_misses"] == missed["a"].sum()
    assert row["share"] == pytest.approx((missed["a"] & ~missed["b"]).sum() / missed["a"].sum())
    assert row["low"] < row["share"] < row["high"]


def test_complementarity_of_a_faultless_method_is_undefined():
    scores = study(n=20, methods=("a", "b")).assign(a=lambda t: -100.0 * t["label"])
    table = evaluation.complementarity(scores, fpr=0.05).set_index("method")
    assert (table.loc["a", "note"], table.loc["a", "n_misses"]) == ("misses nothing", 0)
    assert np.isnan(table.loc["a", "share"])
    assert table.loc["b", "share"] == 1
    refused = evaluation.complementarity(scores, fpr=1e-4)
    assert set(refused["note"]) == {"not measurable with 160 negatives"}
    assert refused["share"].isna().all()


def test_query_average_precision_equals_a_loop_over_queries():
    scores = study(n=25, step=0.5)
    scores["query"] = scores["source_query"].astype(str)
    row = evaluation.query_average_precision(scores).iloc[0]
    expected = []
    for _, part in scores.groupby(["query", "perturbation"]):
        if part["label"].nunique() == 2:
            expected.append(average_precision_score(part["label"], -part["m"]))
    assert row["value"] == pytest.approx(np.mean(expected))
    assert row["n_queries"] == len(expected)
    assert row["n_left_out"] == len(scores.groupby(["query", "perturbation"])) - len(expected)
    assert row["low"] < row["value"] < row["high"]


def test_audit_finds_planted_wrong_labels():
    scores = study(n=40, apart=8.0, methods=("a", "b"))
    wrong = scores.index[[3, 200]]
    scores.loc[wrong, "label"] = 1 - scores.loc[wrong, "label"]
    found = evaluation.label_audit(scores, least=0.5)
    assert sorted(found.index[:2]) == wrong.tolist()
    assert set(found.loc[wrong, "finding"]) == {"copy unlike its reference", "non-copy like a copy"}
    assert found["strength"].is_monotonic_decreasing
    one_disagrees = scores.assign(b=np.where(scores.index == 3, 100.0, scores["b"]))
    assert evaluation.label_audit(one_disagrees, least=0.5).index.intersection(wrong).tolist() == [
        200
    ]


@pytest.mark.parametrize(
    "scores", [study(n=8).query("label == 0"), study(n=8).query("label == 1"), study(n=2).iloc[:0]]
)
def test_one_class_and_nothing_at_all(scores):
    scores = scores.assign(query="q", other=scores["m"], perturbation="crop(area=0.5)")
    assert evaluation.label_audit(scores).empty
    assert evaluation.break_points(scores)["break_point"].isna().all()
    assert evaluation.query_average_precision(scores)["value"].isna().all()
    assert evaluation.complementarity(scores)["share"].isna().all()
