"""Thresholds chosen on some sources and read on others, and what they mean for rare copies and big
collections.
"""

import numpy as np
import pytest
from test_intervals import study

from simlab import evaluation


def chosen(scores, **target):
    return evaluation.choose_threshold(scores, "m", **target).iloc[0]


@pytest.mark.parametrize("step", [None, 0.5])
def test_threshold_is_the_largest_that_keeps_the_fpr(step):
    scores = study(n=80, others=20, step=step)
    row = chosen(scores, max_fpr=0.01)
    others = np.sort(scores.loc[scores["label"] == 0, "m"])
    larger = scores.loc[scores["m"] > row["threshold"], "m"].min()
    assert (others <= row["threshold"]).mean() <= 0.01 < (others <= larger).mean()
    assert row["low"] <= row["threshold"] <= row["high"]
    assert (
        row["threshold"]
        == evaluation.evaluate(scores, metrics=["tpr@fpr=0.01"])["threshold"].item()
    )


def test_held_out_rates_lie_in_their_intervals_and_near_the_truth():
    scores = study(n=150, others=20)
    row = chosen(scores, max_fpr=0.05)
    fresh = study(n=2000, others=20, seed=1)
    for name, label in (("tpr", 1), ("fpr", 0)):
        truth = (fresh.loc[fresh["label"] == label, "m"] <= row["threshold"]).mean()
        assert row[f"{name}_low"] <= row[name] <= row[f"{name}_high"]
        assert row[f"{name}_low"] < truth < row[f"{name}_high"]


def test_tuning_on_few_sources_shows_in_the_held_out_precision():
    studies = (study(n=40, others=20, effect=1.5, seed=seed) for seed in range(12))
    rows = [chosen(scores, min_precision=0.9, prevalence=0.05, n_resamples=0) for scores in studies]
    kept = [
        row["tpr"] * 0.05 / (row["tpr"] * 0.05 + row["fpr"] * 0.95)
        for row in rows
        if not row["note"]
    ]
    assert len(kept) > 6
    assert np.mean(kept) < 0.8  # .9 on the pairs it was chosen on


def test_precision_counts_an_unseen_fpr_as_the_smallest_measurable():
    scores = study(n=36, apart=40.0)
    row = chosen(scores, min_precision=0.9, prevalence=0.5)
    assert row["tpr"] == 1
    assert row["fpr"] == pytest.approx(0.1, abs=0.03)
    assert chosen(scores, min_precision=0.9, prevalence=1e-4)["note"] == "cannot be reached"
    assert np.isnan(chosen(scores, min_precision=0.9, prevalence=1e-4)["threshold"])


def test_targets_that_the_pairs_cannot_answer():
    scores = study(n=30)
    assert chosen(scores, max_fpr=1e-3)["note"] == "not measurable with 240 negatives"
    assert chosen(scores.query("label == 1"), max_fpr=0.1)["note"] == "undefined: no negatives"
    assert chosen(scores.query("label == 0"), max_fpr=0.1)["note"] == "undefined: no positives"
    assert chosen(scores.assign(m=1.0), max_fpr=0.1)["note"] == "cannot be reached"
    assert chosen(scores, max_fpr=0.1, n_resamples=0)[["low", "tpr_low"]].isna().all()


@pytest.mark.parametrize("target", [{}, {"max_fpr": 0.1, "min_precision": 0.9}])
def test_one_target_and_not_two(target):
    with pytest.raises(ValueError, match="either max_fpr or min_precision"):
        chosen(study(n=5), **target)


def test_prevalence_by_hand():
    row = evaluation.choose_threshold(study(n=80), "m", max_fpr=0.05)
    table = evaluation.prevalence_table(row, shares=[0.5, 1e-3])
    tpr, fpr = row.loc[0, ["tpr", "fpr"]]
    for share, precision, alarms in table[["share", "precision", "false_alarms"]].to_numpy():
        assert precision == pytest.approx(share * tpr / (share * tpr + (1 - share) * fpr))
        assert alarms == pytest.approx((1 - share) * fpr / (share * tpr))
    assert (table["low"] < table["precision"]).all()
    assert (table["precision"] < table["high"]).all()


def test_without_false_alarms_precision_has_a_low_end_only():
    row = evaluation.choose_threshold(study(n=36, apart=40.0), "m", max_fpr=0.01)
    table = evaluation.prevalence_table(row.assign(fpr=0.0, fpr_low=0.0))
    assert table[["precision", "false_alarms"]].isna().all(axis=None)
    assert (table["low"] > 0).all()
    assert table["low"].is_monotonic_decreasing
    assert set(table["high"]) == {1.0}


def test_collection_counts_every_two_pictures():
    row = evaluation.choose_threshold(study(n=80), "m", max_fpr=0.05)
    table = evaluation.collection_table(row, n_pictures=[2, 2000])
    assert table["n_pairs"].tolist() == [1, 1999000]
    assert table["false_alarms"].to_numpy() == pytest.approx(
        row["fpr"].item() * np.array([1, 1999000])
    )
    assert table["per_query"].to_numpy() == pytest.approx(row["fpr"].item() * np.array([2, 2000]))
