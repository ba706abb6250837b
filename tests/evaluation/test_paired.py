"""Paired comparison, ranking and designs: invariances, hand-made p values, planted differences."""

import numpy as np
import pandas as pd
import pytest
from test_intervals import study

from simlab import evaluation


def rivals(noise=1.5, **options):
    """A study of x, of y that is x with noise added, and of z that is nearly x."""
    scores, rng = study(methods=("x",), **options), np.random.default_rng(9)
    return scores.assign(
        **{
            name: scores["x"] + s * rng.normal(size=len(scores))
            for name, s in (("y", noise), ("z", 0.05))
        }
    )


def test_comparison_turns_its_sign_with_the_order():
    scores = rivals()
    forth, back = (
        evaluation.compare(scores, *pair, by="perturbation") for pair in (("x", "y"), ("y", "x"))
    )
    assert forth["difference"].to_numpy() == pytest.approx(-back["difference"])
    assert forth["low"].to_numpy() == pytest.approx(-back["high"])
    assert forth["verdict"].tolist() == back["verdict"].tolist()


def test_paired_interval_is_narrower_than_two_single_ones():
    scores = rivals()
    single = evaluation.evaluate(scores, ["x", "z"], metrics=["roc_auc"])
    paired = evaluation.compare(scores, "x", "z", metric="roc_auc").iloc[0]
    assert paired["high"] - paired["low"] < 0.5 * (single["high"] - single["low"]).min()


def test_the_same_method_twice_is_undecided():
    scores = rivals().assign(w=lambda t: t["x"])
    row = evaluation.compare(scores, "x", "w").iloc[0]
    assert (row["difference"], row["p"], row["verdict"]) == (0, 1, "undecided")
    assert row["low"] < 0 < row["high"]


def test_difference_without_spread_is_still_decided():
    scores = study(n=36, apart=40.0, methods=("x",)).assign(y=1.0)
    row = evaluation.compare(scores, "x", "y").iloc[0]
    assert row["difference"] == 1
    assert row["low"] > 0.8
    assert row["verdict"].startswith("x finds 1.00 [")


def test_verdict_names_the_better_method_and_the_groups():
    scores = rivals(noise=6)
    assert (
        evaluation.compare(scores, "y", "x", by="perturbation")
        .attrs["verdict"]
        .endswith("x leads on crop, text, blur")
    )
    close = evaluation.compare(scores, "x", "z", by="perturbation", metric="roc_auc")
    assert close.attrs["verdict"] == "undecided; undecided on crop, text, blur"
    errors = evaluation.compare(scores, "y", "x", by="perturbation", metric="equal_error_rate")
    assert (
        errors.attrs["verdict"].startswith("y is 0.")
        and "; x leads on crop" in errors.attrs["verdict"]
    )
    few = evaluation.compare(scores.head(300), "x", "y", metric="tpr@fpr=0.001")
    assert few["verdict"].tolist() == ["not measurable with 60 negatives"]


def test_the_interval_and_the_p_value_give_one_verdict():
    for noise in (0.5, 1.0, 1.5, 2.0, 3.0):
        scores = rivals(noise=noise, n=30)
        table = evaluation.compare(scores, "x", "y", by="perturbation", metric="roc_auc")
        signs = evaluation.decided(table)
        assert (signs != 0).tolist() == (table["p_adjusted"] < 0.05).tolist()
        assert (signs == 0).tolist() == table["verdict"].eq("undecided").tolist()
        n_groups = len(table) - 1
        expected = np.append(table["p"][:1], n_groups * table["p"][1:]).clip(max=1)
        assert table["p_adjusted"].to_numpy() == pytest.approx(expected)


def test_a_comparison_among_many_repeats_the_verdict_of_the_ranking():
    rng = np.random.default_rng(5)
    scores = study(n=30, methods=("x",))
    names = [f"m{i}" for i in range(8)]
    noise = {name: 0.15 * i for i, name in enumerate(names)}
    for name in names:
        scores[name] = scores["x"] + noise[name] * rng.normal(size=len(scores))
    ranked = evaluation.rank(scores, names, metric="roc_auc", n_resamples=300)
    best = ranked["method"].iloc[0]
    verdicts = set()
    for row in ranked[1:].to_dict("records"):
        pair = (scores, best, row["method"])
        options = {"metric": "roc_auc", "n_resamples": 300}
        among = evaluation.compare(*pair, among=names, **options).iloc[0]
        ends = [row["difference_low"], row["difference_high"], row["p_adjusted"]]
        assert among[["low", "high", "p_adjusted"]].tolist() == pytest.approx(ends)
        alone = evaluation.compare(*pair, **options).iloc[0]
        verdicts.add((alone["verdict"] == "undecided", among["verdict"] == "undecided"))
    assert (False, True) in verdicts  # beaten if asked alone, not among 28 comparisons
    counted = evaluation.compare(*pair, n_comparisons=28, **options).iloc[0]
    assert counted["p_adjusted"] == pytest.approx(min(28 * counted["p"], 1))


def test_without_resamples_nothing_is_decided():
    table = evaluation.compare(rivals(noise=6), "x", "y", metric="roc_auc", n_resamples=0)
    assert table[["low", "high", "p", "p_adjusted"]].isna().all(axis=None)
    assert table["verdict"].tolist() == ["undecided"]
    assert evaluation.rank(rivals(noise=6), metric="roc_auc", n_resamples=0)["tier"].max() == 1


def test_a_difference_without_spread_is_corrected_too():
    scores = study(n=36, apart=40.0, methods=("x",)).assign(y=1.0)
    one = evaluation.compare(scores, "x", "y").iloc[0]
    many = evaluation.compare(scores, "x", "y", n_comparisons=100).iloc[0]
    assert many["low"] < one["low"]
    assert many["p_adjusted"] == pytest.approx(100 * one["p"])


def test_equal_methods_are_rarely_told_apart():
    decided = 0
    for seed in range(40):
        scores = study(n=30, methods=("x", "y"), seed=seed)
        decided += (
            evaluation.compare(scores, "x", "y", metric="roc_auc", n_resamples=200).loc[
                0, "verdict"
            ]
            != "undecided"
        )
    assert decided <= 6  # 2 expected of 40


def test_rank_puts_equals_in_one_tier():
    table = evaluation.rank(rivals(noise=3), metric="roc_auc")
    assert table["method"].tolist()[2] == "y"
    assert table["tier"].tolist() == [1, 1, 2]
    worst_first = evaluation.rank(rivals(noise=3), metric="equal_error_rate")
    assert worst_first["method"].tolist()[2] == "y"
    assert len(evaluation.rank(rivals(), ["x"])) == 1


def test_rank_says_how_far_each_is_behind_the_first():
    table = evaluation.rank(rivals(noise=3), metric="roc_auc").set_index("method")
    first, last = table.index[[0, -1]]
    options = {"metric": "roc_auc", "among": table.index}
    compared = evaluation.compare(rivals(noise=3), first, last, **options).iloc[0]
    assert table.loc[last, "difference"] == pytest.approx(compared["difference"])
    ends = table.loc[last, ["difference_low", "difference_high"]].tolist()
    assert ends == pytest.approx(compared[["low", "high"]].tolist())
    assert table.loc[first, ["difference", "p_adjusted"]].isna().all()
    assert table.loc[last, "p_adjusted"] < 0.05 <= table["p_adjusted"].iloc[1]


def test_hard_negatives_are_those_that_the_method_finds_nearest():
    scores = rivals()
    hard = evaluation.hard_negatives(scores, "x", n=20)
    assert hard["label"].value_counts().to_dict() == {1: (scores["label"] == 1).sum(), 0: 20}
    others = scores[scores["label"] == 0]
    assert sorted(hard.loc[hard["label"] == 0, "x"]) == sorted(others["x"])[:20]
    assert hard.index.is_monotonic_increasing


def test_no_design_is_refused():
    with pytest.raises(ValueError, match="designs must hold at least one score table"):
        evaluation.compare_designs({})


def test_a_flip_between_designs_warns():
    scores = rivals(noise=3)
    swapped = scores.rename(columns={"x": "y", "y": "x"})
    with pytest.warns(UserWarning, match="which of x and y is better depends on the design"):
        table = evaluation.compare_designs(
            {"one": scores, "other": swapped}, ["x", "y"], metric="roc_auc"
        )
    assert table["flips"].tolist() == ["y", "x", "x", "y"]
    assert not evaluation.compare_designs({"one": scores, "same": scores}).flips.any()


def test_smallest_fpr_counts_the_negatives():
    table = evaluation.smallest_fpr(study(n=30), by="perturbation", negatives="same")
    assert table["smallest_fpr"].to_numpy() == pytest.approx(1 / table["n_negative"])
    assert np.isnan(evaluation.smallest_fpr(study().query("label == 1"))["smallest_fpr"].item())
    assert isinstance(table, pd.DataFrame)


def test_hard_negatives_of_a_table_that_was_put_together():
    rng = np.random.default_rng(0)
    one = pd.DataFrame(
        {
            "label": np.repeat([1, 0], [20, 400]),
            "source_reference": np.arange(420) % 20,
            "source_query": np.where(
                np.arange(420) < 20, np.arange(420), (np.arange(420) + 7) % 20
            ),
            "no_evidence": "",
            "m": rng.random(420),
        }
    )
    both = pd.concat([one, one.assign(m=rng.random(420))])
    found = evaluation.hard_negatives(both, "m", n=300)
    assert (found["label"] == 0).sum() == 300
    nearest = both.loc[both["label"] == 0, "m"].nsmallest(300)
    assert sorted(found.loc[found["label"] == 0, "m"]) == sorted(nearest)
