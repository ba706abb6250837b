"""The ensemble: what must hold of any fit, what it says about itself, what it refuses."""

import json

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from corpus import textured
from hypothesis import given, settings
from scipy.special import logit
from sklearn.metrics import roc_auc_score

import simlab as sl
from simlab import perturb
from simlab.ensemble import CopyClassifier, Ensemble, validation
from simlab.ensemble.calibration import Calibration, fit_calibration
from simlab.scoring.one_pair import distances

N_SOURCES = 20
THREE = ["strong", "weak", "useless"]  # none of them registered: each must be named


def study(n_sources=N_SOURCES, copies=6, others=20, seed=0, **changes):
    """Scores of a strong, a weak and a useless method; copies of each source and pairs of different
    ones.
    """
    rng = np.random.default_rng(seed)
    i = np.repeat(np.arange(n_sources), copies + others)
    label = np.tile([1] * copies + [0] * others, n_sources)
    j = np.where(label == 1, i, (i + rng.integers(1, n_sources, len(i))) % n_sources)
    name = lambda k: f"図{k}.png"  # noqa: E731
    columns = dict.fromkeys(("perturbation_reference", "error", "no_evidence"), "")
    columns |= {
        "reference": [name(k) for k in i],
        "query": [name(k) for k in j],
        "seed": 0,
        "label": label,
    }
    columns |= {
        "source_reference": columns["reference"],
        "source_query": columns["query"],
        "weight": 1.0,
    }
    columns["perturbation"] = np.where(np.arange(len(i)) % 2 == 0, "crop", "text")
    strong = np.where(label == 1, rng.gamma(2, 6, len(i)), 30 + rng.gamma(6, 4, len(i)))
    weak = np.round(
        np.where(label == 1, rng.normal(20, 8, len(i)), rng.normal(30, 6, len(i))).clip(0, 64)
    )
    columns |= {"status": "ok", "strong": strong, "weak": weak, "useless": rng.random(len(i))}
    return pd.DataFrame({**columns, **changes})


@pytest.fixture(scope="module")
def scores():
    return study()


@pytest.fixture(scope="module")
def fitted(scores):
    return Ensemble(THREE, n_resamples=40).fit(scores)


def test_core_is_a_scikit_learn_estimator():
    # slow to import, and not for each process that collects the tests
    from sklearn.utils.estimator_checks import check_estimator

    check_estimator(CopyClassifier(), on_skip=None)


labelled_distances = st.lists(
    st.tuples(st.integers(0, 1), st.floats(0, 500, allow_nan=False), st.integers(0, 64)),
    min_size=4,
    max_size=60,
).filter(lambda rows: {label for label, *_ in rows} == {0, 1})


@given(labelled_distances)
@settings(max_examples=25)
def test_larger_distance_is_never_more_alike_whatever_it_was_fitted_to(rows):
    label, *columns = map(np.array, zip(*rows))
    model = CopyClassifier().fit(np.column_stack(columns), label)
    grid = np.linspace(-10, 700, 300)
    assert (model.coef_ >= 0).all()
    for column in (0, 1):
        X = np.full((len(grid), 2), 20.0)
        X[:, column] = grid
        assert (np.diff(model.decision_function(X)) <= 1e-9).all()


def test_calibration_is_smooth_and_makes_no_ties():
    rng = np.random.default_rng(1)
    label = rng.random(2000) < 0.3
    distance = np.where(label, rng.normal(10, 4, 2000), rng.normal(30, 5, 2000)).clip(0)
    curve = fit_calibration(distance, label, np.ones(2000))
    grid = np.linspace(0, 45, 2000)
    fall = -np.diff(curve(grid))
    assert (fall > 0).all(), "no plateaus"
    assert np.abs(np.diff(fall)).max() < 0.05 * fall.max(), "no corners"
    assert curve(np.array([5.0]))[0] > 3 and curve(np.array([38.0]))[0] < -2


def test_calibration_finds_the_true_evidence():
    rng = np.random.default_rng(2)
    label = rng.random(40_000) < 0.5
    distance = np.where(label, rng.normal(10, 5, 40_000), rng.normal(20, 5, 40_000))
    grid = np.linspace(4, 26, 12)
    true = (
        -((grid - 10) ** 2 - (grid - 20) ** 2) / 50
    )  # log of the ratio of the two normal densities
    np.testing.assert_allclose(
        fit_calibration(distance, label, np.ones(40_000))(grid), true, atol=0.25
    )


def test_evidence_does_not_depend_on_the_share_of_copies():
    rng = np.random.default_rng(3)
    label = np.arange(4000) < 2000
    distance = np.where(label, rng.normal(20, 10, 4000), rng.normal(30, 10, 4000))
    even, rare = (fit_calibration(distance, label, np.where(label, w, 1.0)) for w in (1.0, 0.1))
    grid = np.linspace(5, 45, 20)
    np.testing.assert_allclose(even(grid), rare(grid), atol=0.3)


def test_weights_are_shares_and_trust_follows_merit(fitted):
    weights = fitted.weights_.set_index("method")
    assert weights["share"].sum() == pytest.approx(1)
    assert (weights["low"] <= weights["share"]).all() and (
        weights["share"] <= weights["high"]
    ).all()
    # useless evidence is about 0 whatever its weight: what counts is what it says
    said = fitted.evidence(fitted.out_of_fold_).std()
    assert said["strong"] > said["weak"] > 3 * said["useless"]


def test_it_beats_the_parts_out_of_fold(fitted, scores):
    label = scores["label"]
    parts = [roc_auc_score(label, -scores[name]) for name in ("strong", "weak", "useless")]
    assert roc_auc_score(label, -fitted.out_of_fold_["ensemble"]) >= max(parts)
    assert "best single method, strong" in fitted.report_.splitlines()[0]


def test_it_says_plainly_when_it_does_not_win(scores):
    ensemble = Ensemble(["strong"], n_resamples=20).fit(scores)
    assert ensemble.report_.startswith("The ensemble does not beat the best single method, strong")


def test_every_pair_is_scored_without_its_sources(scores):
    """The same numbers as a plain loop: drop all pairs that touch a source of the pair's two folds,
    fit, score.
    """
    ensemble = Ensemble(["strong", "weak"], folds=4, n_resamples=2).fit(scores)
    data = ensemble._data
    slope, offset = validation.tempering(data, validation.out_of_fold(data))
    for row in (0, 7, 100, 333):
        folds = set(data.folds[:, row])
        train = [not folds & set(pair) for pair in data.folds.T]
        model = CopyClassifier().fit(data.X[train], data.label[train])
        evidence = slope * model.evidence(data.X[[row]]).sum() + offset
        odds = evidence + logit(ensemble.prevalence_)
        assert ensemble.out_of_fold_["ensemble"].iloc[row] == pytest.approx(
            1 / (1 + np.exp(odds)), rel=1e-6
        )


def test_pure_noise_is_no_better_than_chance_out_of_fold():
    rng = np.random.default_rng(5)
    noise = study(seed=3).assign(
        **{name: rng.random(520) for name in ("strong", "weak", "useless")}
    )
    found = Ensemble(THREE, n_resamples=2).fit(noise).out_of_fold_
    assert 0.38 < roc_auc_score(noise["label"], -found["ensemble"]) < 0.62


def test_absent_method_abstains(fitted, scores):
    rows = scores.head(4).assign(no_evidence=["", "strong", "weak;strong", "strong;weak;useless"])
    evidence = fitted.evidence(rows)
    assert (evidence["strong"].iloc[1:] == 0).all() and evidence["strong"].iloc[0] != 0
    assert (evidence["weak"] != 0).tolist() == [True, True, False, False]
    assert fitted.probability(rows).iloc[3] == pytest.approx(fitted.prevalence_)


def test_no_rows_are_no_rows(fitted, scores):
    assert fitted.evidence(scores.head(0)).shape == (0, 3)
    assert len(fitted.distance(scores.head(0))) == len(fitted.probability(scores.head(0))) == 0


def test_default_recipe_knows_a_crop_and_a_rotation():
    picture, other = textured(0, 480, 320), textured(1, 480, 320)
    default = Ensemble.load()
    for spec in ("crop(area=0.5)", "rotate(degrees=20)", "text(length=40)"):
        copy = perturb.apply(picture, spec)
        rows = pd.concat(
            [distances(a, copy, default.methods_) for a in (picture, other)], ignore_index=True
        )
        probability = default.probability(rows, prior=0.001)
        assert probability[0] > 0.5 > probability[1], spec


def test_distance_stays_apart_near_zero(fitted, scores):
    rows = scores.head(3).assign(strong=[0.0, 1.0, 2.0], weak=0.0, useless=0.0)
    distance = fitted.distance(rows)
    assert (distance > 0).all() and distance.is_unique and distance.is_monotonic_increasing
    np.testing.assert_allclose(distance, 1 - fitted.probability(rows), atol=1e-12)


def test_error_rows_have_no_distance(fitted, scores):
    rows = scores.head(2).assign(status=["ok", "error"], strong=[3.0, np.nan])
    assert fitted.distance(rows).isna().tolist() == [False, True]
    assert fitted.probability(rows).isna().tolist() == [False, True]


def test_prior_shifts_the_probability(fitted, scores):
    usual, rare = fitted.probability(scores), fitted.probability(scores, prior=1e-6)
    assert (rare < usual).all()
    np.testing.assert_allclose(
        logit(usual) - logit(rare), logit(fitted.prevalence_) - logit(1e-6), atol=1e-6
    )
    with pytest.raises(ValueError, match="prior must be between 0 and 1, not 0"):
        fitted.probability(scores, prior=0)


def test_probabilities_are_calibrated(fitted):
    table = fitted.reliability(bins=4)
    assert table["n"].sum() == len(fitted.out_of_fold_)
    assert (table["low"] <= table["observed"]).all() and (table["observed"] <= table["high"]).all()
    full = table[table["n"] > 15]
    np.testing.assert_allclose(full["predicted"], full["observed"], atol=0.2)


def test_thresholds_keep_their_false_positive_rate(fitted):
    rows = fitted.out_of_fold_
    others = rows.loc[rows["label"] == 0, "ensemble"]
    assert (others <= fitted.thresholds_["0.01"]).mean() <= 0.01
    assert set(fitted.thresholds_) == {"0.01"}, "400 non-copies do not show an FPR of 0.001"


def test_ablation_shows_what_each_method_adds(fitted):
    loss = fitted.ablation().set_index("method")["loss"]
    assert loss.idxmax() == "strong" and abs(loss["useless"]) < 0.1


def test_unseen_perturbation(fitted):
    table = fitted.leave_one_perturbation_out().set_index("kind")
    assert set(table.index) == {"crop", "text"} and table["n_positive"].sum() == 120
    assert table[["known", "unseen"]].stack().between(0.5, 1).all()


def test_an_unseen_attack_is_in_no_chain_either(scores):
    chained = scores["perturbation"].eq("text") & (np.arange(len(scores)) % 4 == 1)
    spec = scores["perturbation"].mask(chained, "crop+text")
    fitted = Ensemble(["strong", "weak"], n_resamples=0).fit(scores.assign(perturbation=spec))
    trained = []
    whole = validation.out_of_fold
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            validation, "out_of_fold", lambda data, keep: trained.append(keep) or whole(data, keep)
        )
        table = fitted.leave_one_perturbation_out()
    for name, keep in zip(table["kind"], trained, strict=True):
        left = set(spec[keep])
        if name == "crop+text":
            assert name not in left and "text" in left
        else:
            assert not any(name in other.split("+") for other in left)


def test_an_attack_that_is_in_every_copy_has_no_unseen_number(scores):
    table = scores.assign(perturbation="text")
    fitted = Ensemble(["strong", "weak"], n_resamples=0).fit(table)
    found = fitted.leave_one_perturbation_out()
    assert found["known"].notna().all() and found["unseen"].isna().all()


def test_weights_set_by_hand_are_applied_saved_and_taken_back(fitted, scores, tmp_path):
    tuned = fitted.reweighed({"strong": 0.0, "weak": 2.0}, scores)
    table = scores.assign(ensemble=tuned.distance(scores))
    assert not np.allclose(table["ensemble"], fitted.distance(scores))
    assert tuned.evidence(scores)["strong"].eq(0).all()
    np.testing.assert_allclose(
        tuned.evidence(scores)["useless"], fitted.evidence(scores)["useless"]
    )
    called = (table["label"] == 0) & (table["ensemble"] <= tuned.thresholds_["0.01"])
    assert called.sum() <= 0.01 * (table["label"] == 0).sum()
    tuned.save(tmp_path / "recipe.json")
    again = Ensemble.load(tmp_path / "recipe.json")
    assert again.weights_.equals(tuned.weights_) and again.thresholds_ == tuned.thresholds_
    np.testing.assert_array_equal(again.distance(scores), tuned.distance(scores))
    back = tuned.reweighed(fitted.weights_.set_index("method")["weight"], scores)
    np.testing.assert_array_equal(back.distance(scores), fitted.distance(scores))


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ({"strang": 1.0}, "unknown method 'strang' .did you mean 'strong'"),
        ({"weak": -0.1}, "the weight of 'weak' must be a finite number, 0 or more, not -0.1"),
        ({"weak": np.inf}, "the weight of 'weak' must be a finite number"),
        ({"weak": np.nan}, "the weight of 'weak' must be a finite number"),
        ({"weak": "1"}, "the weight of 'weak' must be a finite number, 0 or more, not '1'"),
        ([1], "weights must be a dict such as .*, not of type list"),
    ],
)
def test_weights_that_cannot_be_are_refused(fitted, scores, weights, words):
    with pytest.raises(ValueError, match=words):
        fitted.reweighed(weights, scores)


def test_saved_and_loaded_it_is_the_same(fitted, scores, tmp_path):
    fitted.save(tmp_path / "recipe.json")
    loaded = Ensemble.load(tmp_path / "recipe.json")
    pd.testing.assert_series_equal(
        loaded.distance(scores), fitted.distance(scores), check_exact=True
    )
    pd.testing.assert_frame_equal(loaded.weights_, fitted.weights_)
    assert loaded.thresholds_ == fitted.thresholds_ and loaded.training_["n_sources"] == N_SOURCES
    content = json.loads((tmp_path / "recipe.json").read_text(encoding="utf-8"))
    assert [column["method"] for column in content["columns"]] == ["strong", "weak", "useless"]
    assert loaded.report_ == fitted.report_


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: "not JSON", "is damaged, or none"),
        (lambda text: text[: len(text) // 2], "is damaged, or none"),
        (lambda text: '{"a": 1}', "is not a recipe of simlab"),
        (lambda text: "[]", "is not a recipe of simlab"),
        (
            lambda text: text.replace('"simlab_recipe": 2', '"simlab_recipe": 3'),
            "of format 3; this simlab reads 2",
        ),
        (lambda text: text.replace('"weight": ', '"weight": 1', 1), "is damaged or was edited"),
    ],
)
def test_recipe_that_does_not_fit_is_refused_in_one_line(fitted, tmp_path, change, message):
    path = tmp_path / "recipe.json"
    fitted.save(path)
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(ValueError, match=message) as error:
        Ensemble.load(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("weight", "words"),
    [(-1.0, "weights and slopes 0 or more"), (10**400, "is damaged"), ({}, "is damaged")],
)
def test_recipe_that_rises_or_cannot_be_computed_is_refused(fitted, tmp_path, weight, words):
    from simlab.ensemble import recipe

    fitted.save(tmp_path / "recipe.json")
    content = recipe.read(tmp_path / "recipe.json")
    content["columns"][0]["weight"] = weight
    recipe.write(tmp_path / "recipe.json", content)
    with pytest.raises(ValueError, match=words):
        Ensemble.load(tmp_path / "recipe.json")


def test_recipe_of_other_versions_is_loaded_with_a_word(fitted, tmp_path):
    from simlab.ensemble import recipe

    fitted.save(tmp_path / "recipe.json")
    recipe.write(
        tmp_path / "recipe.json",
        recipe.read(tmp_path / "recipe.json") | {"versions": "extractor=0"},
    )
    with pytest.warns(UserWarning, match="fitted with extractor=0"):
        Ensemble.load(tmp_path / "recipe.json")


def test_missing_recipe(tmp_path):
    with pytest.raises(ValueError, match="cannot read the recipe"):
        Ensemble.load(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("scores", "options", "message"),
    [
        (study(label=0), {"methods": THREE}, "copies and non-copies; copies among them: 0 of 520"),
        (
            study(label=1),
            {"methods": THREE},
            "copies and non-copies; copies among them: 520 of 520",
        ),
        (study(), {"methods": "strong, akaze"}, r"strong, weak, useless.; given .akaze"),
        (study(), {"methods": []}, "methods must name one or more; there is none"),
        (study(weak=np.nan), {"methods": THREE}, "the distance 'weak' is NaN or infinite in a row"),
        (study(n_sources=3), {"methods": THREE}, r"too few sources \(3\)"),
        (study().drop(columns="source_query"), {"methods": ["strong"]}, "missing: source_query"),
    ],
)
def test_bad_scores_are_one_clear_line(scores, options, message):
    with pytest.raises(ValueError, match=message) as error:
        Ensemble(**options).fit(scores)
    assert "\n" not in str(error.value)


def test_an_ensemble_is_never_fitted_on_its_own_distance(scores):
    """The README's idiom, run twice: the second fit is the first, and its report is true."""
    table = scores.rename(columns={"strong": "akaze", "weak": "phash"}).drop(columns="useless")
    first = Ensemble(n_resamples=2).fit(table)
    table["ensemble"] = first.distance(table)
    table["ensemble_again"] = 1 - first.probability(table)
    table["ratio"], table["probability"] = 0.5, first.probability(table)
    for rows in (
        table,
        table[table.columns[::-1]],
        table.merge(table[["query"]].drop_duplicates()),
    ):
        again = Ensemble(n_resamples=2).fit(rows)
        assert sorted(again.methods_) == ["akaze", "phash"]
    np.testing.assert_array_equal(
        Ensemble(n_resamples=2).fit(table).distance(table), table["ensemble"]
    )
    with pytest.raises(ValueError, match="an ensemble is not fitted on it: leave it out"):
        Ensemble("akaze, ensemble").fit(table)
    assert first.out_of_fold_.attrs.get("methods") is None
    known = ["phash", "akaze", "ensemble"]
    assert set(sl.evaluate(first.out_of_fold_, n_resamples=0)["method"]) == set(known)


def test_a_report_says_whose_columns_it_cannot_vouch_for(fitted, scores):
    words = "no pair is scored by a model that saw either of its sources"
    assert (
        f"{words}, if strong, weak, useless (no methods of simlab) were not fitted"
        in fitted.report_
    )
    own = Ensemble(n_resamples=2).fit(scores.rename(columns={"strong": "akaze", "weak": "phash"}))
    assert f"{words}; two numbers, by which all answers are tempered" in own.report_


def test_reliability_at_another_prior_weighs_the_same_pairs(fitted):
    own = fitted.reliability(prior=fitted.prevalence_)
    pd.testing.assert_frame_equal(own, fitted.reliability())
    rare = fitted.reliability(prior=0.001)
    assert rare["n"].sum() == own["n"].sum()
    assert rare["predicted"].iloc[0] < own["predicted"].iloc[0]


def test_the_gate_of_an_older_recipe_is_passed_over(fitted, scores, tmp_path):
    from simlab.ensemble import recipe

    fitted.save(tmp_path / "recipe.json")
    content = recipe.read(tmp_path / "recipe.json")
    recipe.write(tmp_path / "recipe.json", {**content, "gate": {"near": 3.0, "cheap": [True]}})
    loaded = Ensemble.load(tmp_path / "recipe.json")
    np.testing.assert_array_equal(loaded.distance(scores), fitted.distance(scores))


def log_loss(odds, label, prior):
    """Nats a copy, were the share of copies the prior."""
    weight = np.where(label, 1 / label.sum(), (1 - prior) / prior / (~label).sum())
    return weight @ np.logaddexp(0, np.where(label, -odds, odds))


def test_new_pairs_are_judged_no_surer_than_right(monkeypatch):
    """A fit to few pairs by many methods is too sure of new ones, most of all at a low prior."""
    names = [f"m{number}" for number in range(8)]

    def noisy(n_sources, seed):
        table = study(n_sources, copies=3, others=10, seed=seed)
        rng = np.random.default_rng(seed + 1)
        columns = {name: table["weak"] + rng.normal(0, 12, len(table)) for name in names}
        return table.assign(**columns)

    new = noisy(400, 100)
    label = new["label"].to_numpy() == 1
    losses = {"tempered": 0.0, "as fitted": 0.0}
    for seed in range(2):
        old = noisy(12, seed)
        for way in losses:
            if way == "as fitted":
                monkeypatch.setattr(validation, "tempering", lambda *_: (1.0, 0.0))
            ensemble = Ensemble(names, n_resamples=0).fit(old)
            odds = logit(ensemble.probability(new, prior=0.01).to_numpy())
            losses[way] += log_loss(odds, label, 0.01)
            monkeypatch.undo()
    assert losses["tempered"] < 0.95 * losses["as fitted"]


def test_too_few_folds():
    with pytest.raises(ValueError, match="folds must be a whole number, 3 or more"):
        Ensemble(folds=2)


def test_missing_column_when_applied(fitted, scores):
    with pytest.raises(ValueError, match="given 'weak'"):
        fitted.distance(scores.drop(columns="weak"))


def test_order_of_rows_and_scale_of_weights_do_not_matter(scores):
    shuffled = scores.sample(frac=1, random_state=1).assign(weight=2.0)
    first, second = (
        Ensemble(THREE, n_resamples=2).fit(s).weights_["share"]
        for s in (scores.assign(weight=2.0), shuffled)
    )
    np.testing.assert_allclose(first, second, atol=1e-6)


def test_calibration_without_knots_says_nothing():
    np.testing.assert_array_equal(
        Calibration(np.zeros(0), np.zeros(0), 0.0)(np.array([1.0, 2.0])), [0, 0]
    )
