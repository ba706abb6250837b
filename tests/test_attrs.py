"""What stands in ``attrs`` is a convenience: whoever loses it gets the same answer, or is told what
to name.
"""

import numpy as np
import pandas as pd
import pytest
from corpus import textured
from PIL import Image

import simlab as sl
from simlab.scoring import preview

N = 12
FEW = {"n_resamples": 20}
QUIET = {"n_jobs": 1, "progress": False}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Pictures, and two copies of some: as large, and of half the size."""
    root = tmp_path_factory.mktemp("pictures")
    for number in range(N):
        rng = np.random.default_rng(number)
        small = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        smooth = small.resize((128, 96), Image.Resampling.BICUBIC)
        # with detail of its own, which a copy of half the size lacks
        picture = Image.blend(smooth, textured(number, 128, 96), 0.3)
        picture.save(root / f"{number}.png")
        if number < 3:
            picture.save(root / f"{number} again.jpg", quality=92)
            picture.resize((64, 48)).save(root / f"{number} small.png")
    return root


@pytest.fixture(scope="module")
def images(root):
    return sl.datasets.as_table(root)


@pytest.fixture(scope="module")
def scores(root):
    """Scores with a severity curve, a chain and look-alikes by chance, as a study's are."""
    files = sl.datasets.as_table([root / f"{number}.png" for number in range(N)])
    crops = [f"crop(area={area})" for area in (0.9, 0.6, 0.3)]
    pairs = sl.make_pairs(files, [*crops, "recompress", "crop+mirror"], negatives=200)
    return sl.score_pairs(pairs, "phash, dhash, average_hash", **QUIET)


@pytest.fixture(scope="module")
def found(images):
    return sl.find_copies(images, threshold=0.9, **QUIET)


def as_made(table, folder):
    return table


def without_attrs(table, folder):
    table = table.copy()
    table.attrs = {}
    return table


def after_a_csv(table, folder):
    table.to_csv(folder / "table.csv", index=False)
    return pd.read_csv(folder / "table.csv")


def after_a_merge(table, folder):
    first = table.columns[0]
    notes = pd.DataFrame({first: table[first].unique()}).assign(note=0.5)
    merged = table.merge(notes, how="left", on=first)
    merged.attrs = {}  # as pandas 2 leaves it
    return merged


LOST = (without_attrs, after_a_csv, after_a_merge)

OF_SCORES = {
    "evaluate": lambda scores: sl.evaluate(scores, by="perturbation", **FEW),
    "rank": lambda scores: sl.evaluation.rank(scores, **FEW),
    "compare": lambda scores: sl.compare(scores, "phash", "dhash", **FEW),
    "choose_threshold": lambda scores: sl.choose_threshold(scores, "phash", max_fpr=0.1, **FEW),
    "roc_curve": sl.evaluation.roc_curve,
    "pr_curve": sl.evaluation.pr_curve,
    "distance_histogram": sl.evaluation.distance_histogram,
    "break_points": lambda scores: sl.evaluation.break_points(scores, **FEW),
    "complementarity": lambda scores: sl.evaluation.complementarity(scores, **FEW),
    "query_average_precision": lambda scores: sl.evaluation.query_average_precision(scores, **FEW),
    "prevalence_table": lambda scores: sl.evaluation.prevalence_table(
        sl.choose_threshold(scores, "phash", max_fpr=0.1, **FEW)
    ),
    "judge": sl.evaluation.judge,
    "Ensemble": lambda scores: sl.Ensemble(n_resamples=5).fit(scores).out_of_fold_[["ensemble"]],
    "thresholds": lambda scores: pd.Series(
        sl.evaluation.judge(scores).attrs["thresholds"]
    ).to_frame(),
}


@pytest.mark.parametrize("lose", LOST)
@pytest.mark.parametrize("name", OF_SCORES)
def test_scores_give_the_same_answer(name, lose, scores, tmp_path):
    expected = OF_SCORES[name](scores)
    answer = OF_SCORES[name](lose(scores, tmp_path))
    pd.testing.assert_frame_equal(answer, expected)


OF_FOUND = {
    "group": sl.group,
    "complete": lambda found: sl.group(found, linkage="complete"),
    "linkage_table": sl.search.grouping.linkage_table,
    "choose_cut": lambda found: sl.search.grouping.choose_cut(
        found,
        {
            f"{number}{ending}": number
            for number in range(N)
            for ending in (".png", " again.jpg", " small.png")
        },
    ),
}


@pytest.mark.parametrize("lose", LOST)
@pytest.mark.parametrize("name", OF_FOUND)
def test_found_pairs_give_the_same_groups(name, lose, found, tmp_path):
    assert len(found) >= 9
    expected = OF_FOUND[name](found)
    answer = OF_FOUND[name](lose(found, tmp_path))
    pd.testing.assert_frame_equal(answer, expected)


def test_groups_know_the_sizes_and_the_threshold_of_the_search(found, tmp_path):
    read = after_a_csv(found, tmp_path)
    groups = sl.group(read)
    assert not groups["representative"].str.endswith(" small.png").any()
    assert set(groups["file"]) == {*found["reference"], *found["query"]}
    far = read.assign(distance=0.4)
    assert (
        sl.group(far)["size"].max() == 3 and sl.group(far.assign(threshold=0.3))["size"].max() == 1
    )


NEED_PICTURES = {
    "score_pairs": ("scores", lambda table, out: sl.score_pairs(table, "phash", **QUIET)),
    "preview": ("scores", lambda table, out: preview(table, "phash", n_jobs=1)),
    "study": ("scores", sl.report.study),
    "failures": ("scores", lambda table, out: sl.widgets.failures(table, marks=out / "m.csv")),
    "tune": ("scores", lambda table, out: sl.widgets.tune(table, sl.Ensemble().fit(table))),
    "label": ("scores", lambda table, out: sl.widgets.label(table, out / "l.csv")),
    "found": ("found", lambda table, out: sl.report.found(table, sl.group(table), out)),
    "audit_sources": ("images", lambda table, out: sl.audit_sources(table, **QUIET)),
    "describe": (
        "images",
        lambda table, out: sl.scoring.features.describe(table, "phash", **QUIET),
    ),
    "digests": ("images", lambda table, out: sl.scoring.features.digests(table)),
    "find_copies": ("images", lambda table, out: sl.find_copies(table, **QUIET)),
    "queries": (
        "images",
        lambda table, out: sl.find_copies(sl.datasets.load_sample(), queries=table, **QUIET),
    ),
    "Gallery": ("images", lambda table, out: sl.Gallery(table, **QUIET)),
    "explore": ("images", lambda table, out: sl.widgets.explore(table)),
}


@pytest.mark.parametrize("lose", LOST)
@pytest.mark.parametrize("name", NEED_PICTURES)
def test_pictures_that_are_not_there_are_asked_for(name, lose, request, tmp_path, monkeypatch):
    kind, function = NEED_PICTURES[name]
    table = lose(request.getfixturevalue(kind), tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"not one file of the table is in .*with root= or as its"):
        function(table, tmp_path)
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize("lose", (as_made, *LOST))
def test_a_root_that_is_named_replaces_what_was_lost(lose, scores, root, tmp_path):
    named = ["reference", "query", "perturbation", "seed", "label"]
    again = sl.score_pairs(lose(scores, tmp_path)[named], "phash", root=root, **QUIET)
    assert again["phash"].tolist() == scores["phash"].tolist()


def test_whole_paths_say_nothing_of_where_the_others_are(found, root, tmp_path, monkeypatch):
    asked = without_attrs(found, tmp_path)
    asked["query"] = [str(root / file) for file in asked["query"]]
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="not one file of the table is in"):
        sl.report.found(asked, sl.group(asked), tmp_path / "out")
    asked["reference"] = [str(root / file) for file in asked["reference"]]
    assert sl.tables.root_of(asked).is_dir()
