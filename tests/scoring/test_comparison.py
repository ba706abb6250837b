"""Two pictures looked at closely: numbers as from `distances`, and what is behind them."""

import numpy as np
import pytest
from PIL import Image

import simlab as sl
from simlab.methods import registry
from simlab.scoring.comparison import Comparison
from simlab.scoring.one_pair import LazyPicture

SAMPLE = sl.datasets.load_sample()
METHODS = ["dhash", "phash(mirror=True)", "akaze", "crop_resistant_hash", "correlation"]


def photo(name):
    return sl.read_image(f"{SAMPLE.attrs['root']}/{name}")


def compared(first, second, methods=METHODS):
    return Comparison(LazyPicture(first), LazyPicture(second), registry.resolve(methods))


def test_distances_bits_and_matches_belong_together():
    cat = photo("cat.jpg")
    found = compared(cat, sl.perturb.apply(cat, "crop(area=0.7)+mirror"))
    expected = sl.distances(cat, found.query.image, METHODS)
    assert found.table["distance"].to_dict() == expected[METHODS].iloc[0].to_dict()
    assert found.scores[METHODS].equals(expected[METHODS].set_axis(["distance"]))
    assert list(found.hashes) == ["dhash", "phash(mirror=True)"]
    a, b = found.hashes["dhash"]
    assert (a != b).sum() == found.table["distance"]["dhash"]
    plain = (found.hashes["phash(mirror=True)"][0] != found.hashes["phash(mirror=True)"][1]).sum()
    assert (
        found.table["distance"]["phash(mirror=True)"] < plain
    )  # the mirror image is nearer than what is shown
    assert found.matches.method == "akaze"
    assert len(found.matches.first) == len(found.matches.second) == len(found.matches.agree)


def test_matches_that_agree_lie_where_the_perturbation_put_them():
    cat = photo("cat.jpg")
    found = compared(cat, sl.perturb.apply(cat, "resize(scale=0.5)"))
    first, second, agree = found.matches[1:]
    assert agree.sum() > 20
    assert np.abs(first[agree] / 2 - second[agree]).max() < 4


def test_methods_that_share_their_bits_are_shown_once():
    methods = ["phash(mirror=True)", "whash", "phash"]
    assert list(compared(photo("cat.jpg"), photo("coffee.jpg"), methods).hashes) == [
        "phash(mirror=True)",
        "whash",
    ]


def test_flat_and_equal_pictures():
    white, almost = Image.new("RGB", (64, 64), "white"), Image.new("RGB", (64, 64), "#fefefe")
    found = compared(white, almost)
    assert found.table["no_evidence"].all()
    assert found.table["distance"].equals(found.table["maximum"].astype(float))
    assert found.scores["no_evidence"].item() == ";".join(METHODS)
    assert found.hashes == {}
    assert found.matches is None
    assert (compared(white, white.copy()).table["distance"] == 0).all()


def test_no_feature_is_extracted_twice(monkeypatch):
    extracted, extract = [], registry.Feature.extract
    noted = lambda self, image: extracted.append(self.key) or extract(self, image)  # noqa: E731
    monkeypatch.setattr(registry.Feature, "extract", noted)
    first = LazyPicture(photo("cat.jpg"))
    for methods in (["dhash"], ["dhash", "akaze", "akaze_inliers"]):
        Comparison(first, LazyPicture(photo("coffee.jpg")), registry.resolve(methods))
    assert len(extracted) == 5  # dhash of three pictures, akaze of two


@pytest.mark.parametrize("name", ["orb", "sift"])
def test_matches_of_any_keypoints(name):
    cat = photo("cat.jpg")
    found = compared(cat, sl.perturb.apply(cat, "rotate(degrees=10)"), [name])
    assert found.matches.method == name
    assert found.matches.agree.sum() > 10
