"""Uses that people try: every form that is promised works alike, every wrong one ends in one line
of simlab's own.
"""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from PIL import Image

import simlab as sl

BITS = np.ones((3, 64), dtype=bool)
FAST = {"n_resamples": 10}


class Tensor:
    """What other libraries' pictures have in common."""

    def __init__(self, pixels):
        self.pixels = pixels

    def __array__(self, dtype=None, copy=None):
        return self.pixels


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four pictures with the names that a camera gives."""
    folder = tmp_path_factory.mktemp("camera")
    sample = sl.datasets.load_sample()
    for number, path in enumerate(sample["path"][:4]):
        picture = sl.read_image(f"{sample.attrs['root']}/{path}")
        picture.thumbnail((96, 96))
        picture.save(folder / f"DSC_{number:04d}.jpg")
    return folder


@pytest.fixture(scope="module")
def first(folder):
    return folder / "DSC_0000.jpg"


@pytest.fixture(scope="module")
def scores():
    """20 copies and 60 other pairs of 20 sources, with two distances."""
    number = np.arange(80)
    copies = number < 20
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"reference": "a.png", "query": "b.png", "label": copies.astype(int)})
    table["source_reference"] = number % 20
    table["source_query"] = np.where(copies, number % 20, (number * 7 + 1) % 20)
    table["perturbation"] = ""
    table["no_evidence"] = ""
    for name in ("phash", "dhash"):
        table[name] = np.where(copies, 6.0, 25.0) + rng.integers(0, 12, len(table))
    return table


NAMES = {
    "a text": "phash, dhash",
    "a list": ["phash", "dhash"],
    "a tuple": ("phash", "dhash"),
    "an array": np.array(["phash", "dhash"]),
    "a column": pd.Series(["phash", "dhash"]),
    "texts in a list": ["phash, dhash", "phash"],
    "a generator": ("phash", "dhash"),
}


@pytest.mark.parametrize("form", NAMES)
def test_methods_are_named_in_the_same_way_everywhere(form, scores, first):
    names = NAMES[form]
    expected = ["phash", "dhash"]
    assert list(sl.evaluate(scores, names, **FAST)["method"].unique()) == expected
    assert sorted(sl.evaluation.rank(scores, names, **FAST)["method"]) == sorted(expected)
    assert list(sl.choose_threshold(scores, names, max_fpr=0.1, **FAST)["method"]) == expected
    assert list(sl.evaluation.roc_curve(scores, names)["method"].unique()) == expected
    assert [method.name for method in sl.methods.resolve(names)] == expected
    assert list(sl.distances(first, first, names))[:2] == expected


def test_metrics_are_named_in_the_same_way_everywhere(scores):
    for metrics in ("roc_auc, average_precision", ["roc_auc", "average_precision"]):
        found = sl.evaluate(scores, "phash", metrics=metrics, **FAST)
        assert found["metric"].tolist() == ["roc_auc", "average_precision"]
    assert sl.evaluation.rank(scores, metric=["roc_auc"], **FAST)["metric"].unique() == ["roc_auc"]
    assert len(sl.compare(scores, ["phash"], ("dhash",), metric=["roc_auc"], **FAST)) == 1


def test_a_column_whose_name_has_a_comma_is_one_name(scores):
    named = scores.rename(columns={"phash": "mine, v2"})
    assert sl.evaluate(named, "mine, v2", **FAST)["method"].unique() == ["mine, v2"]


PICTURES = {
    "a text": str,
    "a Path": Path,
    "bytes": Path.read_bytes,
    "a bytearray": lambda path: bytearray(path.read_bytes()),
    "a PIL picture": Image.open,
    "an array": lambda path: np.asarray(Image.open(path)),
    "whatever has __array__": lambda path: Tensor(np.asarray(Image.open(path))),
    "floats from 0 to 1": lambda path: np.asarray(Image.open(path)) / 255,
}


@pytest.mark.parametrize("form", PICTURES)
def test_pictures_are_taken_in_the_same_forms_everywhere(form, first):
    picture = PICTURES[form](first)
    plain = sl.read_image(first)
    assert sl.read_image(picture).tobytes() == plain.tobytes()
    assert (
        sl.perturb.apply(picture, "mirror").tobytes() == sl.perturb.apply(plain, "mirror").tobytes()
    )
    assert np.array_equal(sl.hashes.phash(picture), sl.hashes.phash(plain))
    assert np.array_equal(sl.akaze.extract(picture).points, sl.akaze.extract(plain).points)
    assert sl.distances(picture, plain, "phash")["phash"].tolist() == [0]


def test_images_are_taken_in_the_same_forms_everywhere(folder, first):
    files = sorted(folder.iterdir())
    expected = [path.name for path in files]
    table = pd.DataFrame({"path": files})
    forms = [
        str(folder),
        folder,
        files,
        [str(path) for path in files],
        pd.Series(files),
        iter(files),
    ]
    for form in forms:
        assert sl.datasets.as_table(form)["path"].tolist() == expected
    assert sl.datasets.as_table(table)["path"].tolist() == [path.as_posix() for path in files]
    assert sl.datasets.as_table(first)["path"].tolist() == ["DSC_0000.jpg"]


def test_a_picture_may_be_named_as_the_signature_does(first):
    assert np.array_equal(sl.hashes.phash(image=first), sl.hashes.phash(first))
    points = sl.akaze.extract(image=first, max_keypoints=9).points
    assert np.array_equal(points, sl.akaze.extract(first, max_keypoints=9).points)
    with pytest.raises(ValueError, match="has no argument 'picture'; allowed: hash_size"):
        sl.hashes.dhash(picture=first)


def test_imagehash_objects_are_compared_with_our_bits(first):
    bits = sl.hashes.phash(first)
    assert sl.hashes.hamming(sl.hashes.to_imagehash(bits), bits) == 0
    assert np.array_equal(sl.hashes.from_imagehash(bits), bits)


WRONG = {
    # what is named
    "a misspelt method": lambda t, p: sl.distances(p, p, "phahs"),
    "no method": lambda t, p: sl.distances(p, p, []),
    "a method that is None": lambda t, p: sl.distances(p, p, [None]),
    "a number of bits as method": lambda t, p: sl.distances(p, p, 64),
    "a function as method": lambda t, p: sl.distances(p, p, sl.hashes.phash),
    "a dict of methods": lambda t, p: sl.distances(p, p, {"phash": 8}),
    "a method without a column": lambda t, p: sl.evaluate(t, "phahs"),
    "distances as methods": lambda t, p: sl.evaluate(t, t["phash"]),
    "a misspelt metric": lambda t, p: sl.evaluate(t, metrics="auc"),
    "no metric": lambda t, p: sl.evaluate(t, metrics=[]),
    "metrics that are None": lambda t, p: sl.evaluate(t, metrics=None),
    "a metric that is a number": lambda t, p: sl.evaluate(t, metrics=[0.01]),
    "two methods for one": lambda t, p: sl.compare(t, "phash, dhash", "dhash"),
    "no method to compare with": lambda t, p: sl.compare(t, "phash", None),
    "groups by a list": lambda t, p: sl.evaluate(t, by=["perturbation"], **FAST),
    "a misspelt perturbation": lambda t, p: sl.make_pairs([p], "crp", negatives=0),
    "perturbations that are None": lambda t, p: sl.make_pairs([p], None, negatives=0),
    "a dict of perturbations": lambda t, p: sl.make_pairs([p], {"crop": 0.5}, negatives=0),
    # tables
    "no scores": lambda t, p: sl.evaluate(None),
    "the path of scores": lambda t, p: sl.evaluate("scores.csv"),
    "labels and distances": lambda t, p: sl.evaluate(t["label"], t["phash"]),
    "an array of scores": lambda t, p: sl.evaluate(t.to_numpy()),
    "a list of pairs": lambda t, p: sl.score_pairs([("a.jpg", "b.jpg")], "phash"),
    "a table for a bar": lambda t, p: sl.score_pairs(
        named(t, p), "phash", root=p.parent, progress=t
    ),
    "a word for a bar": lambda t, p: sl.find_copies(p.parent, progress="no"),
    "groups by a table": lambda t, p: sl.evaluate(t, by=t, **FAST),
    "differences by a table": lambda t, p: sl.compare(t, "phash", "dhash", by=t, **FAST),
    "strata by a table": lambda t, p: sl.labelling.choose(t, 20, by=t),
    "a list for an encoding": lambda t, p: sl.read_pairs(__file__, encoding=[]),
    "a number for an encoding": lambda t, p: sl.read_pairs(__file__, encoding=5),
    "the path of pairs": lambda t, p: sl.score_pairs("labels.csv", "phash"),
    "no pairs to group": lambda t, p: sl.group(None),
    "a list of pairs to label": lambda t, p: sl.labelling.choose([("a", "b")], 2),
    "strata by a list": lambda t, p: sl.labelling.choose(t, 20, by=["phash"]),
    "an ensemble that is not fitted": lambda t, p: sl.Ensemble("phash").distance(t),
    "weights before the fit": lambda t, p: sl.Ensemble("phash").weights_,
    "what a recipe does not hold": lambda t, p: sl.Ensemble.load().ablation(),
    # pictures
    "no picture": lambda t, p: sl.read_image(None),
    "an open file": lambda t, p: sl.hashes.phash(io.BytesIO(p.read_bytes())),
    "a list of numbers": lambda t, p: sl.perturb.apply([[0, 1], [1, 0]], "crop"),
    "a table for a picture": lambda t, p: sl.akaze.extract(t),
    "a missing picture": lambda t, p: sl.distances(p, "missing.jpg"),
    "a folder for a picture": lambda t, p: sl.read_image(p.parent),
    "an address": lambda t, p: sl.read_image("https://example.org/a.jpg"),
    "a path with a zero": lambda t, p: sl.read_image("a\0.jpg"),
    "a path with a surrogate": lambda t, p: sl.read_image("a\udcff.jpg"),
    "a batch of pictures": lambda t, p: sl.hashes.phash(np.zeros((1, 8, 8, 3), np.uint8)),
    "channels first": lambda t, p: sl.hashes.phash(np.zeros((3, 8, 8), np.uint8)),
    "floats from 0 to 255": lambda t, p: sl.hashes.phash(np.full((8, 8), 255.0)),
    "packed bits as hash": lambda t, p: sl.hashes.hamming(np.uint8([1]), np.uint8([2])),
    "hashes for packed ones": lambda t, p: sl.hashes.hamming_matrix(BITS, BITS),
    "numbers for bits": lambda t, p: sl.hashes.pack(np.ones((3, 64))),
    "no packed hashes": lambda t, p: sl.hashes.hamming_rows(None, None),
    "one packed hash": lambda t, p: sl.hashes.hamming_matrix(*2 * [np.uint64([1])]),
    "other words of packed hashes": lambda t, p: sl.hashes.hamming_matrix(
        np.zeros((3, 1), np.uint64), np.zeros((3, 2), np.uint64)
    ),
    "fewer packed hashes": lambda t, p: sl.hashes.hamming_rows(
        np.zeros((3, 1), np.uint64), np.zeros((2, 1), np.uint64)
    ),
    "a word for a size of segments": lambda t, p: sl.hashes.most_segments(None, "small"),
    "a size of segments below 0": lambda t, p: sl.hashes.most_segments(None, -1),
    "a path made RGB": lambda t, p: sl.images.to_rgb(p),
    "a background in a word": lambda t, p: sl.read_image(p, background="white"),
    "a background of two": lambda t, p: sl.images.to_rgb(
        Image.new("RGBA", (2, 2)), background=[0, 0]
    ),
    "a path made grey": lambda t, p: sl.images.to_grey(str(p)),
    "an array that may be flat": lambda t, p: sl.images.is_flat(np.zeros((8, 8))),
    "a path's content": lambda t, p: sl.images.content_digest(p),
    "a text as hash": lambda t, p: sl.hashes.hamming("ff00", "ff01"),
    # images
    "no images": lambda t, p: sl.make_pairs(None),
    "an empty list": lambda t, p: sl.make_pairs([]),
    "an empty name": lambda t, p: sl.make_pairs(""),
    "a missing folder": lambda t, p: sl.make_pairs("missing"),
    "a CSV for a folder": lambda t, p: sl.make_pairs(__file__),
    "a pattern": lambda t, p: sl.make_pairs(f"{p.parent}/*.jpg"),
    "a list of None": lambda t, p: sl.make_pairs([None]),
    "a list of pictures": lambda t, p: sl.make_pairs([Image.new("RGB", (9, 9))]),
    "a table for images' folder": lambda t, p: sl.list_images(t),
    "no folder": lambda t, p: sl.list_images(None),
    "a picture for images": lambda t, p: sl.make_pairs(Image.new("RGB", (9, 9))),
    "a dict of images": lambda t, p: sl.make_pairs({"path": [p]}),
    "a table without paths": lambda t, p: sl.make_pairs(t),
    "a table with a gap": lambda t, p: sl.make_pairs(pd.DataFrame({"path": ["a.jpg", None]})),
    "one picture twice": lambda t, p: sl.make_pairs([p, p]),
    # paths
    "a table for a CSV": lambda t, p: sl.read_pairs(t),
    "a list for a CSV": lambda t, p: sl.read_pairs(["labels.csv"]),
    "no CSV": lambda t, p: sl.tables.read_scores(None),
    "a number as recipe": lambda t, p: sl.Ensemble.load(5),
    "a table as recipe": lambda t, p: sl.find_copies(p.parent, t),
    "a number as root": lambda t, p: sl.score_pairs(t, "phash", root=5),
    "an empty root": lambda t, p: sl.score_pairs(t, "phash", root=""),
    "a number as cache": lambda t, p: sl.score_pairs(named(t, p), "phash", root=p.parent, cache=5),
    "a switch as cache": lambda t, p: sl.cache.Cache(True),
    "bytes as a folder": lambda t, p: sl.datasets.from_folder(b"pictures"),
    "a number as query": lambda t, p: sl.find_copies(p.parent, queries=[5]),
    "a query that is missing": lambda t, p: sl.find_copies(p.parent, queries="none.jpg"),
    "a number as picture of a perturbation": lambda t, p: sl.perturb.apply(p, "overlay(picture=5)"),
    "a report into a file": lambda t, p: sl.report.study(whole(t), p, root=p.parent),
    "a report into nothing": lambda t, p: sl.report.study(whole(t), None, root=p.parent),
    "a recipe saved as a folder": lambda t, p: sl.Ensemble.load().save(p.parent),
    "a recipe saved into a missing folder": lambda t, p: sl.Ensemble.load().save("none/r.json"),
    "a recipe saved into a file": lambda t, p: sl.Ensemble.load().save(p / "r.json"),
    "a figure as a folder": lambda t, p: sl.plots.save(drawn(t), p.parent),
    "a figure into a missing folder": lambda t, p: sl.plots.save(drawn(t), "none/a.png"),
    "a figure without a suffix": lambda t, p: sl.plots.save(drawn(t), "roc"),
    "a CSV as a folder": lambda t, p: sl.report.write_csv(t, p.parent),
    "answers in a missing folder": lambda t, p: sl.widgets.label(
        named(t[:1], p), "none/l.csv", root=p.parent
    ),
    # tables and dicts
    "no scores to report": lambda t, p: sl.report.study(None, "o"),
    "scores without a status": lambda t, p: sl.report.study(t, "o", root=p.parent),
    "nothing found to report": lambda t, p: sl.report.found(None, t, "o"),
    "scores as what was found": lambda t, p: sl.report.found(t, t, "o"),
    "no groups to report": lambda t, p: sl.report.found(
        t.assign(**dict.fromkeys(FOUND)), None, "o"
    ),
    "no pairs to ask about": lambda t, p: sl.widgets.label(None, "l.csv"),
    "a list of pairs to ask about": lambda t, p: sl.widgets.label([("a", "b")], "l.csv"),
    "metrics to ask about": lambda t, p: sl.widgets.label(t[["label"]], "l.csv"),
    "no failures": lambda t, p: sl.widgets.failures(None),
    "a list of thresholds": lambda t, p: sl.widgets.explore([p], thresholds=[5]),
    "a number as recipe to tune": lambda t, p: sl.widgets.tune(named(t, p), 5, root=p.parent),
    "a list of weights": lambda t, p: sl.Ensemble.load().reweighed([1], t),
    "a weight in words": lambda t, p: sl.Ensemble("phash").fit(t).reweighed({"phash": "1"}, t),
    "no scores to weigh by": lambda t, p: sl.Ensemble.load().reweighed({}, None),
    "pairs without columns to preview": lambda t, p: sl.scoring.preview(t[["label"]], "phash"),
    "a zero byte in a recipe's name": lambda t, p: sl.Ensemble.load("a\0.json"),
    "a zero byte in a root": lambda t, p: sl.score_pairs(t, "phash", root="a\0"),
    "a zero byte in a file of labels": lambda t, p: sl.labelling.LabelFile("a\0.csv"),
    "a zero byte in a folder": lambda t, p: sl.report.study(whole(t), "a\0", root=p.parent),
    "no ensemble to report": lambda t, p: sl.report.tuned(None),
    "no table to write": lambda t, p: sl.report.write_csv(None, "a.csv"),
    "a text as sections": lambda t, p: sl.report.write_report(
        "r.html", title="", lead="", sections="none", run={}
    ),
    "a list as the facts of a run": lambda t, p: sl.report.study(
        named(whole(t), p), "o", root=p.parent, run=[1]
    ),
    "a number as annotator": lambda t, p: sl.labelling.LabelFile("l.csv", annotator=5),
    "scores as a chosen threshold": lambda t, p: sl.evaluation.prevalence_table(t),
    "a threshold as pictures": lambda t, p: sl.evaluation.collection_table(5),
    "a number of pictures": lambda t, p: sl.evaluation.collection_table(chosen(t), n_pictures=5),
    "a share for shares": lambda t, p: sl.evaluation.prevalence_table(chosen(t), shares=0.1),
    "a list of designs": lambda t, p: sl.evaluation.compare_designs([t, t]),
    "metrics as differences": lambda t, p: sl.evaluation.decided(t[["label"]]),
    "one hash for all": lambda t, p: sl.evaluation.exhaustive_histogram(
        np.zeros(64, bool), np.zeros((1, 64), bool), [0], [0]
    ),
    "a number for sources": lambda t, p: sl.evaluation.exhaustive_histogram(
        np.zeros((1, 64), bool), np.zeros((1, 64), bool), 0, [0]
    ),
    "negatives in a table": lambda t, p: sl.evaluate(t, negatives=t),
    "a table for a count": lambda t, p: sl.evaluate(t, n_resamples=t),
    "scores as found pairs": lambda t, p: sl.grouping.choose_cut(t, {}),
    "a misspelt linkage of several": lambda t, p: sl.grouping.choose_cut(
        near(), {}, linkages="one"
    ),
    "a list of pictures to group": lambda t, p: sl.group(near(), pictures=["a.png"]),
    "pairs as groups": lambda t, p: sl.grouping.quality(near(), {"a.png": 0}),
    "a list of truths": lambda t, p: sl.grouping.quality(sl.group(near()), ["a.png"]),
    "a word as seed of a sample": lambda t, p: sl.datasets.sample_sources(p.parent, 2, seed="one"),
    "a prior in words": lambda t, p: sl.Ensemble.load().evidence(t, prior="rare"),
    "a number as a method's name": lambda t, p: sl.methods.register(
        5, sl.hashes.phash, distance=sl.hashes.hamming, maximum=64
    ),
    "a number as a method's distance": lambda t, p: sl.methods.register(
        "mine", sl.hashes.phash, distance=5, maximum=64
    ),
    "no function for a method": lambda t, p: sl.methods.register(
        "mine", None, distance=sl.hashes.hamming, maximum=64
    ),
    "a word for a maximum": lambda t, p: sl.methods.register(
        "mine", sl.hashes.phash, distance=sl.hashes.hamming, maximum="64"
    ),
    "a number as severity": lambda t, p: sl.perturb.register(severity=5)(drawn),
    "a number as perturbation": lambda t, p: sl.perturb.register(severity=lambda: 1)(5),
    "a spec as curves": lambda t, p: sl.perturb.curves("crop"),
    "no file to change": lambda t, p: sl.perturb.apply_to_file(None, "crop"),
    "pictures as keypoints": lambda t, p: sl.akaze.mean_distance(p, p),
    "one picture's keypoints": lambda t, p: sl.akaze.match(sl.akaze.extract(p), None),
    "a misspelt model": lambda t, p: sl.akaze.inliers(
        sl.akaze.extract(p), sl.akaze.extract(p), model="afine"
    ),
    # figures
    "a number as axes": lambda t, p: sl.plots.plot_hash(np.ones(64, bool), ax=5),
    "a figure as axes": lambda t, p: sl.plots.plot_gallery([p], ["a"], ax=plt.figure()),
    "an array of axes": lambda t, p: sl.plots.plot_reliability(
        pd.DataFrame(columns=["predicted", "observed", "n"]), ax=plt.subplots(1, 2)[1]
    ),
    "no figure to save": lambda t, p: sl.plots.save(None, "a.png"),
    "no merges": lambda t, p: sl.plots.plot_dendrogram(None, ["a"]),
    "a list of merges": lambda t, p: sl.plots.plot_dendrogram([1, 2, 3], ["a"]),
    "too few names": lambda t, p: sl.plots.plot_dendrogram(np.ones((2, 4)), ["a"]),
    "one name": lambda t, p: sl.plots.plot_dendrogram(np.ones((1, 4)), "ab"),
    "a threshold in words": lambda t, p: sl.plots.plot_dendrogram(
        np.array([[0, 1, 0.5, 2]]), ["a", "b"], threshold="low"
    ),
    "no evidence": lambda t, p: sl.plots.plot_evidence(None, probability=0.5),
    "a list of evidence": lambda t, p: sl.plots.plot_evidence([1.0], probability=0.5),
    "a probability in percent": lambda t, p: sl.plots.plot_evidence(pd.Series([1]), probability=50),
    "no keypoints": lambda t, p: sl.plots.plot_keypoints(p, None),
    "keypoints of three numbers": lambda t, p: sl.plots.plot_keypoints(p, np.ones((4, 3))),
    "a match of no keypoint": lambda t, p: sl.plots.plot_matches(
        p, [[1, 1]], p, [[1, 1]], [[0, 7]]
    ),
    "too few inliers": lambda t, p: sl.plots.plot_matches(
        p, [[1, 1]], p, [[1, 1]], [[0, 0]], inliers=[True, False]
    ),
    "places in a list": lambda t, p: sl.plots.plot_matches(p, [], p, [], [], places=[1]),
    "a picture as gallery": lambda t, p: sl.plots.plot_gallery(p, ["a"]),
    "one text as captions": lambda t, p: sl.plots.plot_gallery([p], "a"),
    "no pair of pictures": lambda t, p: sl.plots.plot_pairs([p], ["a"]),
    "a number as method": lambda t, p: sl.plots.method_style(5),
    "a list of metrics to draw": lambda t, p: sl.plots.plot_heatmap(t, metric=["roc_auc"]),
    "curves as break points": lambda t, p: sl.plots.plot_severity(t, breaks=t),
    "bits as numbers": lambda t, p: sl.plots.plot_hash(np.arange(64)),
    "no bits": lambda t, p: sl.plots.plot_hash(None),
}
for plot in (
    "plot_roc",
    "plot_det",
    "plot_pr",
    "plot_prevalence",
    "plot_collection",
    "plot_histograms",
    "plot_heatmap",
    "plot_severity",
    "plot_forest",
    "plot_complementarity",
    "plot_reliability",
    "plot_distances",
):
    draw = getattr(sl.plots, plot)
    WRONG[f"nothing to {plot}"] = lambda t, p, draw=draw: draw(None)
    WRONG[f"scores to {plot}"] = lambda t, p, draw=draw: draw(t)
FOUND = ("identical", "probability", "agreed", "low_information", "frames")


def named(scores, picture):
    """The scores, of a picture that is there."""
    return scores.assign(reference=picture.name, query=picture.name)


def whole(scores):
    """The scores with the columns that only a report needs."""
    return scores.assign(status="ok", error="")


def chosen(scores):
    return sl.choose_threshold(scores, "phash", max_fpr=0.1, n_splits=2, **FAST)


def near():
    """A found pair."""
    return pd.DataFrame({"reference": ["a.png"], "query": ["b.png"], "distance": [0.1]})


def drawn(scores):
    return sl.plots.plot_roc(sl.evaluation.roc_curve(scores, "phash"))


@pytest.mark.parametrize("use", WRONG)
def test_wrong_use_ends_in_one_line(use, scores, first, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError) as caught:
        WRONG[use](scores, first)
    last = caught.traceback[-1].path
    assert Path(last).is_relative_to(Path(sl.__file__).parent), f"raised by {last}"
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) > 10
    assert list(tmp_path.iterdir()) == [], "a call that is refused makes nothing"
    plt.close("all")


def test_figures_take_pictures_in_any_form_too(first):
    assert sl.plots.plot_gallery([first, first.read_bytes()], ["a path", "bytes"]).figure
    with pytest.raises(ValueError, match="captions must be as many"):
        sl.plots.plot_gallery([first], [])
    plt.close("all")
