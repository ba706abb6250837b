"""Vectors against a background: by an independent formula, in a search, and what is refused."""

import numpy as np
import pytest
from corpus import textured
from PIL import Image

import simlab as sl
from simlab import methods
from simlab.methods import registry, whitening
from simlab.methods.alignment import uncorrelated, uncorrelated_pairs


def colours(image):
    small = image.resize((4, 4), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float64).ravel() + 40


@pytest.fixture(autouse=True)
def a_registry_of_its_own(monkeypatch):
    monkeypatch.setattr(registry, "REGISTRY", dict(registry.REGISTRY))
    methods.register(
        "colours", colours, distance=uncorrelated, maximum=2, compare_many=uncorrelated_pairs
    )


@pytest.fixture(scope="module")
def background(tmp_path_factory):
    """Twenty-five pictures; the last cannot be read."""
    root = tmp_path_factory.mktemp("背景")
    for seed in range(24):
        textured(100 + seed, 96, 64).save(root / f"{seed}.png")
    (root / "broken.png").write_bytes(b"no picture")
    return root


def test_it_is_the_cosine_of_vectors_divided_by_the_roots_of_the_shrunk_covariance(background):
    methods.whitened("rare", "colours", background, shrinkage=0.05)
    vectors = np.array([colours(sl.read_image(path)) for path in background.glob("[0-9]*.png")])
    variances, directions = np.linalg.eigh(np.cov(vectors.T, bias=True))
    whitening_matrix = directions / np.sqrt(variances + 0.05 * variances.max())
    pictures = [textured(seed, 96, 64) for seed in range(2)]
    white = [(colours(one) - vectors.mean(axis=0)) @ whitening_matrix for one in pictures]
    cosine = white[0] @ white[1] / np.linalg.norm(white[0]) / np.linalg.norm(white[1])
    assert sl.distances(*pictures, methods="rare")["rare"].item() == pytest.approx(
        1 - cosine, abs=1e-4
    )


def test_pictures_that_share_only_what_all_share_are_no_longer_alike(background):
    methods.whitened("rare", "colours", background)
    first, second = (textured(seed, 96, 64) for seed in range(2))
    copy = sl.perturb.apply(first, "recompress(quality=20)")
    unrelated = sl.distances(first, second, methods="colours, rare").iloc[0]
    assert unrelated["colours"] < 0.2
    assert unrelated["rare"] > 0.5
    assert sl.distances(first, copy, methods="rare")["rare"].item() < 0.1


def test_another_background_is_another_key_and_the_same_one_the_same(background, tmp_path):
    keys = []
    for seen, shrinkage in ((background, 0.1), (background, 0.1), (background, 0.2)):
        methods.whitened("rare", "colours", seen, shrinkage=shrinkage)
        keys.append(registry.get("rare").feature.key)
    assert keys[0] == keys[1] != keys[2]


def test_what_has_no_vector_or_nothing_to_learn_from_is_refused_in_words(background, tmp_path):
    for method, said in (
        ("phash", "method must be one whose feature is a vector; given 'phash'"),
        ("correlation(mirror=True)", "method must look in one orientation"),
    ):
        with pytest.raises(ValueError, match=said.replace("(", r"\(")):
            methods.whitened("rare", method, background)
    few = sorted(background.glob("[0-9]*.png"))[:19]
    with pytest.raises(ValueError, match=f"{whitening.LEAST_PICTURES} pictures .* 19 of 19 are"):
        methods.whitened("rare", "colours", few)
    same = []
    for number in range(20):
        same.append(tmp_path / f"{number}.png")
        textured(0, 32, 32).save(same[-1])
    with pytest.raises(ValueError, match="the same vector"):
        methods.whitened("rare", "colours", same)
