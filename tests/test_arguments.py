"""Every number that a public function takes: outside its range it is refused in one line that names
it.
"""

import math
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import simlab as sl
from simlab import ensemble, evaluation, plots
from simlab.datasets import sample_sources
from simlab.pairs import labelling
from simlab.report.drift import verify
from simlab.scoring import cost
from simlab.scoring.features import Store
from simlab.search import grouping

NOT_NUMBERS = (math.nan, math.inf, "0.5", None, True)
SHARE = (0, 1, -0.5, 1.5, *NOT_NUMBERS)  # between 0 and 1
SHARE_OR_NONE = tuple(value for value in SHARE if value is not None)
PART = (-0.5, 1.5, *NOT_NUMBERS)  # 0 and 1 too
COUNT = (0, -1, 2.5, *NOT_NUMBERS)
SIZE = (-1, 2.5, *NOT_NUMBERS)  # 0 too


def study(n=40):
    rng = np.random.default_rng(0)
    source = np.arange(n)
    label = np.repeat([1, 0], n)
    return pd.DataFrame(
        {
            "reference": [f"{s}.png" for s in source] * 2,
            "query": [f"{s}.png" for s in source] + [f"{(s + 1) % n}.png" for s in source],
            "perturbation": "blur",
            "label": label,
            "source_reference": np.tile(source, 2).astype(str),
            "source_query": np.append(source, (source + 1) % n).astype(str),
            "no_evidence": "",
            "phash": rng.integers(0, 20, 2 * n) + 20.0 * (1 - label),
            "dhash": rng.integers(0, 20, 2 * n) + 15.0 * (1 - label),
        }
    )


SCORES = study()
CHOSEN = evaluation.choose_threshold(SCORES, "phash", max_fpr=0.1, n_resamples=10, n_splits=2)
FITTED = ensemble.Ensemble(n_resamples=0).fit(SCORES)
FOUND = pd.DataFrame({"reference": ["a", "b"], "query": ["b", "c"], "distance": [0.1, 0.2]})
TRUTH = pd.DataFrame({"file": [*"abc"], "source": [*"aab"]})
IMAGE = np.zeros((32, 32, 3), np.uint8)


RESAMPLED = [
    *(
        partial(function, SCORES)
        for function in (
            evaluation.evaluate,
            evaluation.rank,
            evaluation.break_points,
            evaluation.roc_curve,
            evaluation.pr_curve,
            evaluation.complementarity,
            evaluation.query_average_precision,
        )
    ),
    partial(evaluation.compare, SCORES, "phash", "dhash"),
    partial(evaluation.choose_threshold, SCORES, "phash", max_fpr=0.1),
    partial(evaluation.at_threshold, SCORES, "phash", 8),
    ensemble.Ensemble,
]


NUMBERS = [
    ("fpr", SHARE, lambda v: evaluation.judge(SCORES, fpr=v)),
    ("fpr", SHARE, lambda v: evaluation.complementarity(SCORES, fpr=v)),
    (
        "max_fpr",
        SHARE_OR_NONE,
        lambda v: evaluation.choose_threshold(SCORES, "phash", max_fpr=v),
    ),
    (
        "min_precision",
        SHARE_OR_NONE,
        lambda v: evaluation.choose_threshold(SCORES, "phash", min_precision=v),
    ),
    (
        "prevalence",
        SHARE_OR_NONE,
        lambda v: evaluation.choose_threshold(SCORES, "phash", max_fpr=0.1, prevalence=v),
    ),
    (
        "n_splits",
        COUNT,
        lambda v: evaluation.choose_threshold(SCORES, "phash", max_fpr=0.1, n_splits=v),
    ),
    ("threshold", NOT_NUMBERS, lambda v: evaluation.at_threshold(SCORES, "phash", v)),
    ("shares", SHARE, lambda v: evaluation.prevalence_table(CHOSEN, shares=[0.1, v])),
    ("n_pictures", COUNT, lambda v: evaluation.collection_table(CHOSEN, n_pictures=[5, v])),
    ("target", PART, lambda v: evaluation.break_points(SCORES, target=v)),
    ("least", PART, lambda v: evaluation.label_audit(SCORES, least=v)),
    ("bins", COUNT, lambda v: evaluation.distance_histogram(SCORES, bins=v)),
    ("n", COUNT, lambda v: evaluation.hardest(SCORES, "phash", n=v)),
    ("n", COUNT, lambda v: evaluation.hard_negatives(SCORES, "phash", n=v)),
    ("folds", (2, *COUNT), lambda v: ensemble.Ensemble(folds=v)),
    ("prior", SHARE_OR_NONE, lambda v: FITTED.probability(SCORES, prior=v)),
    ("bins", COUNT, lambda v: FITTED.reliability(bins=v)),
    ("negatives", SIZE, lambda v: sl.make_pairs(["a.png", "b.png"], "blur", negatives=v)),
    ("seed", SIZE, lambda v: sl.make_pairs(["a.png", "b.png"], "blur", seed=v)),
    ("n", COUNT, lambda v: labelling.choose(SCORES, v, by="phash")),
    ("strata", COUNT, lambda v: labelling.choose(SCORES, 20, by="phash", strata=v)),
    ("seed", SIZE, lambda v: labelling.choose(SCORES, 20, by="phash", seed=v)),
    ("n", COUNT, lambda v: sample_sources(TRUTH, v)),
    ("n_jobs", COUNT[:1] + COUNT[2:], lambda v: Store(".", None, n_jobs=v)),
    ("n_jobs", COUNT[:1] + COUNT[2:], lambda v: cost.preview(SCORES, "phash", n_jobs=v)),
    ("threshold", SHARE, lambda v: sl.find_copies("nowhere", threshold=v)),
    ("threshold", (1, *(v for v in PART if v is not None)), lambda v: sl.group(FOUND, threshold=v)),
    ("steps", COUNT, lambda v: grouping.choose_cut(FOUND, TRUTH, steps=v)),
    ("n_pairs", COUNT, lambda v: verify("nowhere", n_pairs=v)),
    ("seed", SIZE, lambda v: verify("nowhere", seed=v)),
    ("seed", (2.5, *NOT_NUMBERS), lambda v: sl.perturb.apply(IMAGE, "blur", seed=v)),
    ("columns", COUNT, lambda v: plots.plot_gallery([IMAGE], [""], columns=v)),
    ("columns", COUNT, lambda v: plots.plot_pairs([(IMAGE, IMAGE)], [""], columns=v)),
    (
        "columns",
        COUNT,
        lambda v: plots.plot_histograms(evaluation.distance_histogram(SCORES), columns=v),
    ),
    (
        "columns",
        COUNT,
        lambda v: plots.plot_severity(
            evaluation.evaluate(SCORES, by="perturbation", n_resamples=0), columns=v
        ),
    ),
    ("probability", PART, lambda v: plots.plot_evidence(pd.Series({"a": 1.0}), probability=v)),
]


@pytest.mark.parametrize(("name", "wrong", "call"), NUMBERS)
def test_a_number_outside_its_range_is_refused_by_name(name, wrong, call):
    for value in wrong:
        with pytest.raises(ValueError, match=rf"^{name} must be ") as error:
            call(value)
        assert repr(value) in str(error.value)
        assert "\n" not in str(error.value)
    plt.close("all")


@pytest.mark.parametrize("name", ["n_resamples", "seed"])
@pytest.mark.parametrize("function", RESAMPLED)
def test_resamples_and_their_seed_are_counts(function, name):
    for value in SIZE:
        with pytest.raises(ValueError, match=rf"^{name} must be a whole number, 0 or more"):
            function(**{name: value})


def test_numbers_of_numpy_are_numbers():
    row = evaluation.choose_threshold(
        SCORES, "phash", max_fpr=np.float32(0.1), n_resamples=np.int64(5), seed=np.uint8(1)
    )
    assert row["threshold"].notna().all()
    assert len(evaluation.hardest(SCORES, "phash", n=np.int32(2))) == 4
