"""The pairs behind a number: against naive searches of small tables, and against the metrics they
stand behind.
"""

import numpy as np
import pandas as pd
import pytest

from simlab import evaluation

METHODS = ["first", "second"]


@pytest.fixture(scope="module")
def scores():
    """36 queries, each compared with its own picture and five others; ties, a row of an error,
    weights.
    """
    rng, n = np.random.default_rng(5), 36 * 6
    query, label = np.repeat(np.arange(36), 6), np.tile([1, 0, 0, 0, 0, 0], 36)
    reference = np.where(label == 1, query % 12, (query + rng.integers(1, 12, n)) % 12)
    names, columns = (
        (lambda numbers: [f"図{i}.png" for i in numbers]),
        {"no_evidence": "", "status": "ok", "seed": 0},
    )
    columns |= {"reference": names(reference), "query": names(query % 12), "label": label}
    columns |= {"source_reference": names(reference), "source_query": names(query % 12)}
    columns["perturbation"] = np.array(["crop", "text(length=20)", "crop(area=0.25)"])[query // 12]
    columns["weight"] = rng.integers(1, 4, n).astype(float)
    columns["first"] = np.round(rng.normal(np.where(label == 1, 12, 30), 8).clip(0, 64))
    columns["second"] = rng.normal(np.where(label == 1, 40, 60), 15).clip(0)
    table = pd.DataFrame(columns, index=np.arange(n) * 3 + 7)
    table.loc[[10, 40], METHODS], table.loc[[10, 40], "status"] = np.nan, "error"
    return table


@pytest.mark.parametrize("fpr", [0.01, 0.05, 0.3])
def test_judging_is_what_the_metrics_say(scores, fpr):
    right, good = evaluation.judge(scores, fpr=fpr), scores[scores["status"] == "ok"]
    metrics = evaluation.evaluate(scores, metrics=[f"tpr@fpr={fpr}"], by="kind", n_resamples=0)
    for row in metrics.itertuples():
        of = good["label"].eq(1) & (
            good["perturbation"].str.startswith(row.group) | (row.group == "all")
        )
        assert row.value == pytest.approx(
            np.average(right.loc[of, row.method], weights=good.loc[of, "weight"])
        )
        assert right.attrs["thresholds"][row.method] == row.threshold
    others = good["label"].eq(0)
    assert (
        np.average(~right[others], axis=0, weights=good.loc[others, "weight"]) <= fpr * (1 + 1e-9)
    ).all()
    assert right.index.equals(good.index)


def test_below_what_can_be_measured_nothing_is_called_a_copy(scores):
    right = evaluation.judge(scores, fpr=1e-5)
    assert np.isnan(list(right.attrs["thresholds"].values())).all()
    assert right.eq(scores.loc[right.index, "label"].eq(0), axis=0).all(axis=None)
    with pytest.raises(ValueError, match="fpr must be between 0 and 1, not 0"):
        evaluation.judge(scores, fpr=0)


@pytest.mark.parametrize("method", METHODS)
def test_rivals_are_the_nearest_of_the_other_label(scores, method):
    found, good = evaluation.rivals(scores, method), scores[scores["status"] == "ok"]
    for pair in good.itertuples():
        same = (
            good["query"].eq(pair.query)
            & good["perturbation"].eq(pair.perturbation)
            & good["label"].ne(pair.label)
        )
        if same.any():
            assert found.loc[pair.Index, "distance"] == good.loc[same, method].min()
            assert good.loc[found.loc[pair.Index, "rival"], method] == good.loc[same, method].min()
            assert same[found.loc[pair.Index, "rival"]]
        else:
            assert pair.Index not in found.index
    assert len(found) > 190


@pytest.mark.parametrize("threshold", [-1, 0, 17, 17.5, 1000])
def test_a_threshold_says_what_it_does(scores, threshold):
    row, good = (
        evaluation.at_threshold(scores, "first", threshold, n_resamples=60).iloc[0],
        scores.dropna(),
    )
    called, copy, weight = good["first"] <= threshold, good["label"] == 1, good["weight"]
    counts = [called & copy, ~called & copy, called & ~copy, ~called & ~copy]
    assert list(row[["found", "missed", "false_alarms", "rejected"]]) == [
        rows.sum() for rows in counts
    ]
    assert row["tpr"] == pytest.approx(weight[called & copy].sum() / weight[copy].sum())
    assert row["fpr"] == pytest.approx(weight[called & ~copy].sum() / weight[~copy].sum())
    for rate in ("tpr", "fpr"):
        assert 0 <= row[f"{rate}_low"] <= row[rate] <= row[f"{rate}_high"] <= 1
    assert row["fpr_high"] > 0  # no false alarm seen is not none to be expected


def test_a_threshold_goes_on_to_collections_and_prevalence(scores):
    row = evaluation.at_threshold(scores, "second", 45, n_resamples=60)
    alarms = evaluation.collection_table(row, n_pictures=[1000]).iloc[0]
    assert alarms["false_alarms"] == pytest.approx(row["fpr"][0] * 499_500)
    rare = evaluation.prevalence_table(row, shares=[0.01]).iloc[0]
    expected = row["tpr"][0] * 0.01 / (row["tpr"][0] * 0.01 + row["fpr"][0] * 0.99)
    assert rare["precision"] == pytest.approx(expected)


def test_a_threshold_without_copies_has_no_rates_and_says_why(scores):
    row = evaluation.at_threshold(scores[scores["label"] == 0], "first", 17).iloc[0]
    assert row["note"] == "undefined: no positives" and row[["tpr", "fpr", "fpr_high"]].isna().all()
    assert row["false_alarms"] + row["rejected"] == row["n_negative"]
