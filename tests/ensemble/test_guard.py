"""The guard: a copy must stand against both ways not to be one."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit
from score_tables import scores_of

import simlab as sl
from simlab.ensemble import recipe
from simlab.ensemble.calibration import Calibration
from simlab.ensemble.guard import UNDECIDED, Guard
from simlab.search.judging import BE


def table(n=120, seed=0):
    """Copies, unrelated pairs, and look-alikes, which two methods call alike and one does not."""
    rng = np.random.default_rng(seed)
    kinds = np.repeat(["copy", "unrelated", "look-alike"], n)
    same_layout = np.isin(kinds, ["copy", "look-alike"])
    layout = np.where(same_layout, rng.uniform(0, 0.2, 3 * n), rng.uniform(0.1, 1, 3 * n))
    differs = np.where(kinds == "copy", rng.uniform(0, 0.02, 3 * n), rng.uniform(0.01, 0.3, 3 * n))
    sources = [f"s{number}" for number in range(3 * n)]
    others = [f"t{number}" for number in range(3 * n)]
    return pd.DataFrame(
        {
            "kind": kinds,
            "reference": sources,
            "query": others,
            "label": (kinds == "copy").astype(int),
            "source_reference": sources,
            "source_query": np.where(kinds == "copy", sources, others),
            "correlation": layout,
            "aligned": np.clip(layout + rng.normal(0, 0.02, 3 * n), 0, 1),
            "contradiction": differs,
            "no_evidence": "",
        }
    )


@pytest.fixture(scope="module")
def fitted():
    """An ensemble that never saw a look-alike, the same with a guard, and new pairs."""
    known = table()
    weighed = sl.Ensemble("correlation, aligned", n_resamples=0).fit(
        known[known["kind"] != "look-alike"]
    )
    taught = known[known["kind"] != "unrelated"]
    guarded = weighed.guarded("contradiction", taught, per_copy=2)
    return weighed, guarded, table(seed=1)


def test_look_alikes_are_held_back_and_copies_are_not(fitted):
    weighed, guarded, new = fitted
    shares = []
    for ensemble in (weighed, guarded):
        found = ensemble.probability(new, prior=0.5) > 0.5
        shares.append(found.groupby(new["kind"]).mean())
    assert shares[0]["look-alike"] > 0.4, "what sees the layout alone takes them for copies"
    assert shares[1]["look-alike"] < 0.05
    assert shares[1]["copy"] > 0.5 * shares[0]["copy"]
    assert shares[1]["unrelated"] <= shares[0]["unrelated"]


def test_it_takes_only_and_the_prior_counts_as_ever(fitted):
    weighed, guarded, new = fitted
    for prior in (0.5, 0.001):
        evidence = guarded.evidence(new, prior=prior)
        assert (evidence["contradiction"] <= 1e-12).all()
        odds = evidence.sum(axis=1) + logit(prior)
        np.testing.assert_allclose(guarded.probability(new, prior=prior), 1 / (1 + np.exp(-odds)))
        assert (
            guarded.probability(new, prior=prior) <= weighed.probability(new, prior=prior)
        ).all()


def test_without_a_guards_evidence_copies_are_those_of_which_no_method_speaks_against(fitted):
    weighed, guarded, new = fitted
    silent = new.assign(no_evidence="contradiction")
    without = weighed.probability(silent)
    contested = (weighed.evidence(silent, weighed=False) < 0).any(axis=1)
    assert (contested & (without > 0.5)).any()
    assert (~contested & (without > 0.5)).any()
    expected = without.where(~contested, without.clip(upper=1 / (1 + np.exp(-UNDECIDED))))
    np.testing.assert_allclose(guarded.probability(silent), expected)


def test_odds_are_those_against_both_ways_not_to_be_a_copy():
    """3 to 1 against unrelated pairs and 6 to 1 against look-alikes is 2 to 1 against both."""
    guard = Guard("contradiction", Calibration(np.zeros(1), np.ones(1), np.log(12)), per_copy=2)
    distance = np.array([0.0, np.nan, np.nan, np.nan])
    contested = np.array([True, False, True, True])
    held_back = guard.held_back(distance, np.log([3.0, 3.0, 3.0, 0.5]), contested)
    np.testing.assert_allclose(held_back, [np.log(2 / 3), 0, UNDECIDED - np.log(3), 0])


def test_a_recipe_keeps_its_guard_and_an_old_one_has_none(fitted, tmp_path):
    weighed, guarded, new = fitted
    guarded.save(tmp_path / "guarded.json")
    again = sl.Ensemble.load(tmp_path / "guarded.json")
    assert again.methods_ == ["correlation", "aligned", "contradiction"]
    assert again.weights_["method"].tolist() == again.voting_ == weighed.methods_
    pd.testing.assert_series_equal(again.distance(new), guarded.distance(new))
    lighter = again.reweighed({"aligned": 0}, new)
    assert lighter.guard_.method == "contradiction"
    assert (lighter.evidence(new)["contradiction"] <= 1e-12).all()

    weighed.save(tmp_path / "old.json")
    content = json.loads((tmp_path / "old.json").read_text())
    content["simlab_recipe"] = 1
    del content["digest"]
    content["digest"] = recipe._digest(content)
    (tmp_path / "old.json").write_text(json.dumps(content))
    assert sl.Ensemble.load(tmp_path / "old.json").guard_ is None


def test_a_guard_is_another_method_and_has_a_falling_curve(fitted, tmp_path):
    weighed, guarded, new = fitted
    with pytest.raises(ValueError, match="weighed already"):
        weighed.guarded("aligned", new)
    with pytest.raises(ValueError, match="contradiction"):
        weighed.guarded("contradiction", new.drop(columns="contradiction"))
    with pytest.raises(ValueError, match="contradiction"):
        guarded.distance(new.drop(columns="contradiction"))
    content = recipe.from_guard(guarded.guard_)
    with pytest.raises(ValueError, match="guard"):
        recipe.to_guard(content | {"slopes": [-slope for slope in content["slopes"]]})


def test_the_shipped_recipe_has_one_that_lets_a_strict_search_find_copies():
    shipped = sl.Ensemble.load()
    assert shipped.guard_.method == "contradiction(orientations=8)"
    perfect = {name: [0.0] for name in (*shipped.methods, shipped.guard_.method)}
    pair = pd.DataFrame(perfect | {"no_evidence": [""]})
    assert shipped.probability(pair, prior=1 / 2000).item() > 1 - BE["strict"]


def test_the_guard_of_another_is_taken_and_tells_of_the_pairs_fitted_to():
    shipped = sl.Ensemble.load()
    rng = np.random.default_rng(0)
    is_copy = np.arange(300) % 2 == 0
    looks_alike = np.arange(300) % 10 == 1  # near by phash, but in contradiction
    near = is_copy | looks_alike
    phash = np.where(near, rng.integers(0, 10, 300), rng.integers(18, 40, 300)) * 1.0
    against = np.where(looks_alike, 0.9, np.where(is_copy, 0.0, 0.5))
    distances = {"phash": phash, shipped.guard_.method: against}
    scores = scores_of(is_copy, n_sources=30, **distances)
    fitted = sl.Ensemble("phash", n_resamples=2).fit(scores)
    guarded = fitted.guarded_as(shipped)
    assert guarded.methods_ == ["phash", shipped.guard_.method]
    assert (fitted.distance(scores)[looks_alike] < 0.9).all()
    assert (guarded.distance(scores)[looks_alike] > 0.9).all()
    assert (guarded.out_of_fold_["ensemble"][looks_alike] > 0.9).all()
    assert (guarded.out_of_fold_["ensemble"][is_copy] < 0.6).all()
    for other, words in ((fitted, "must have a guard"), (shipped, None)):
        if words:
            with pytest.raises(ValueError, match=words):
                fitted.guarded_as(other)
    weighed = sl.Ensemble(["phash", shipped.guard_.method], n_resamples=2).fit(scores)
    with pytest.raises(ValueError, match="weighed already"):
        weighed.guarded_as(shipped)
