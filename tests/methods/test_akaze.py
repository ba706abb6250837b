"""AKAZE: the classic recipe is OpenCV's to the last digit; what OpenCV cannot take never reaches
it.
"""

import csv
import itertools
import subprocess
import sys
import types
from pathlib import Path

import cv2
import numpy as np
import pytest
from corpus import flat, odd_pictures, textured
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from simlab.images import read_image
from simlab.methods import akaze, keypoints

ROOT = Path(__file__).resolve().parents[2]
CLASSIC = {"max_side": None, "max_keypoints": None}
MATCHER = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True)


def classic(image):
    """Keypoints and descriptors of the plain recipe: OpenCV's own order of colours,
    default AKAZE.
    """
    pixels = cv2.cvtColor(np.asarray(read_image(image)), cv2.COLOR_RGB2BGR)
    return cv2.AKAZE_create().detectAndCompute(pixels, None)


def both(image):
    """Keypoints by the plain recipe and by ours, which must agree."""
    _, descriptors = classic(image)
    found = akaze.extract(image, **CLASSIC)
    assert (
        np.array_equal(found.descriptors, descriptors) if len(found.points) else descriptors is None
    )
    return found


def compare(a, b):
    """The distance of two sets of keypoints, which must be OpenCV's to the last digit."""
    expected = MATCHER.match(a.descriptors, b.descriptors)
    i, j, distances = akaze.match(a, b)
    assert set(zip(i.tolist(), j.tolist())) == {(m.queryIdx, m.trainIdx) for m in expected}
    assert sorted(distances.tolist()) == sorted(int(m.distance) for m in expected)
    mean = akaze.mean_distance(a, b)
    assert mean == np.mean([m.distance for m in expected])
    return mean


# --- the classic recipe


def test_the_classic_recipe_is_opencvs_on_textured_pictures():
    pictures = [textured(n, 300, 220) for n in range(4)]
    variants = [
        pictures[0].rotate(10),
        pictures[1].resize((200, 150)),
        pictures[2].crop((20, 20, 250, 200)),
    ]
    found = [both(picture) for picture in pictures]
    far = [compare(found[n], found[n + 1]) for n in range(3)]
    near = [compare(found[n], both(variant)) for n, variant in enumerate(variants)]
    assert 0 < max(near) < 486 and min(far) > 50


def test_the_classic_recipe_is_opencvs_on_repeated_patterns():
    """Equal descriptors tie, and which of them counts is settled as OpenCV settles it."""
    tile = textured(5, 60, 60)
    tiled = Image.new("RGB", (300, 240))
    for x in range(0, 300, 60):
        for y in range(0, 240, 60):
            tiled.paste(tile, (x, y))
    turned = tiled.transpose(Image.Transpose.ROTATE_180)
    found = both(tiled)
    assert (
        compare(found, both(turned)) >= 0
        and compare(found, both(textured(6))) > 0
        and compare(found, found) == 0
    )


def test_the_classic_recipe_is_opencvs_on_shared_pictures(shared_pictures):
    with (shared_pictures / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = [
            row for row in csv.DictReader(file) if int(row["width"]) * int(row["height"]) < 450_000
        ]
    documents = [row["path"] for row in rows if row["path"].startswith("document_pages")][:12]
    others = [
        row["path"] for row in rows if not row["path"].startswith(("document_pages", "wallpapers"))
    ][::20]
    paths = documents + others[: 30 - len(documents)]
    assert len(paths) == 30
    found = [both(shared_pictures / path) for path in paths]
    for a, b in itertools.pairwise(found):
        if len(a.points) and len(b.points):
            compare(a, b)
            compare(b, a)


@settings(max_examples=80)
@given(st.integers(0, 10**6), st.integers(1, 40), st.integers(1, 40), st.integers(1, 4))
def test_any_descriptors_match_as_in_opencv(seed, n, m, width):
    """Few bits in use: many ties."""
    rng = np.random.default_rng(seed)
    a, b = (
        np.pad(rng.integers(0, 4, (k, width), dtype=np.uint8), ((0, 0), (0, 61 - width)))
        for k in (n, m)
    )
    found = akaze.match(*(bare(descriptors) for descriptors in (a, b)))
    expected = sorted((x.queryIdx, x.trainIdx, int(x.distance)) for x in MATCHER.match(a, b))
    assert sorted(zip(*(column.tolist() for column in found))) == expected
    assert all(column.dtype == np.int64 for column in found)


def bare(descriptors):
    n = len(descriptors)
    return akaze.Keypoints(
        np.zeros((n, 2), np.float32), descriptors, np.ones(n, np.float32), np.ones(n, np.float32)
    )


# --- what comes back


def test_keypoints_are_arrays_of_one_length():
    found = akaze.extract(textured())
    n = len(found.points)
    assert 30 < n <= 500
    assert found.points.dtype == found.sizes.dtype == found.responses.dtype == np.float32
    assert (
        found.points.shape == (n, 2)
        and found.descriptors.shape == (n, 61)
        and found.descriptors.dtype == np.uint8
    )
    assert found.sizes.shape == found.responses.shape == (n,) and (found.sizes > 0).all()
    width, height = textured().size
    assert (found.points >= 0).all() and (found.points < [width, height]).all()
    assert not (found.descriptors[:, -1] & 0b11000000).any()  # 486 bits, not 488


def test_the_same_picture_is_at_0_in_every_form(tmp_path):
    image = textured(2)
    image.save(tmp_path / "picture.png")
    first = akaze.extract(image)
    for again in (
        image,
        np.asarray(image),
        tmp_path / "picture.png",
        (tmp_path / "picture.png").read_bytes(),
    ):
        assert akaze.mean_distance(first, akaze.extract(again)) == 0


def test_twice_is_the_same_to_the_bit():
    one, two = akaze.extract(textured(3)), akaze.extract(textured(3))
    assert all(np.array_equal(a, b) for a, b in zip(one, two))
    other = akaze.extract(textured(4))
    assert akaze.inlier_distance(one, other) == akaze.inlier_distance(two, other)
    assert all(
        np.array_equal(a, b) for a, b in zip(akaze.inliers(one, two), akaze.inliers(one, two))
    )


def test_no_keypoints_are_the_maximum_on_either_side():
    some, none = akaze.extract(textured()), akaze.extract(flat())
    assert (
        len(none.points) == 0 and none.points.shape == (0, 2) and none.descriptors.shape == (0, 61)
    )
    assert (
        akaze.mean_distance(some, none)
        == akaze.mean_distance(none, some)
        == akaze.mean_distance(none, none)
        == 486
    )
    assert akaze.inlier_distance(some, none) == akaze.inlier_distance(none, some) == 1
    assert all(len(column) == 0 for column in (*akaze.match(some, none), *akaze.match(none, some)))
    one = akaze.Keypoints(*(column[:1] for column in some))
    assert 0 <= akaze.mean_distance(one, some) <= 486 and akaze.inlier_distance(one, some) == 1


# --- sizes


@pytest.mark.parametrize(
    "size",
    [
        (1, 1),
        (1, 100),
        (100, 1),
        (15, 300),
        (300, 15),
        (2, 17),
        (15, 15),
        (10_000, 3),
        (16_000, 250),
    ],
)
def test_narrow_pictures_never_reach_opencv(size, monkeypatch):
    """OpenCV aborts the whole process on some of them. The last is narrow once it is
    scaled down.
    """
    monkeypatch.setattr(cv2, "AKAZE_create", Untouchable)
    assert len(akaze.extract(textured(0, 320, 240).resize(size)).points) == 0


class Untouchable:
    def __init__(self, **_):
        pass

    def detectAndCompute(self, *_):
        pytest.fail("reached OpenCV")

    def descriptorType(self):
        return cv2.CV_8U

    def descriptorSize(self):
        return 61


def test_pictures_of_the_smallest_sides_are_safe():
    """In a process of its own: an abort would end this one."""
    sizes = [(16, 16), (16, 300), (300, 16), (17, 17), (800, 16), (3000, 60), (16, 2000), (801, 17)]
    script = (
        "import sys; sys.path.insert(0, 'tests')\n"
        "from corpus import textured; from simlab import akaze\n"
        f"for size in {sizes}:\n"
        "    image = textured(0, 640, 480).resize(size)\n"
        "    capped, whole = akaze.extract(image), akaze.extract(image, max_side=None)\n"
        "    print(len(capped.points), len(whole.points))"
    )
    command = [sys.executable, "-c", script]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert len(run.stdout.splitlines()) == len(sizes)


@pytest.mark.parametrize("picture", odd_pictures())
def test_odd_pictures_have_keypoints_or_none(picture):
    found = akaze.extract(odd_pictures()[picture])
    assert len(found.points) == len(found.descriptors) <= 500
    assert akaze.mean_distance(found, found) == (0 if len(found.points) else 486)


def test_caps_are_kept():
    large = textured(1, 900, 700)
    every = akaze.extract(large, **CLASSIC)
    assert len(every.points) > 150
    for n in (1, 20, 100):
        some = akaze.extract(large, max_side=None, max_keypoints=n)
        assert len(some.points) == n
        assert np.array_equal(np.sort(some.responses), np.sort(every.responses)[-n:])
    kept = akaze.extract(large, max_side=None, max_keypoints=100)
    order = [every.points.tolist().index(point) for point in kept.points.tolist()]
    assert order == sorted(order)
    assert len(akaze.extract(large, max_keypoints=10**6, max_side=None).points) == len(every.points)


def test_points_of_a_scaled_picture_lie_on_the_picture_that_was_given():
    large = textured(1, 900, 600)
    small, every = akaze.extract(large, max_side=450), akaze.extract(large, **CLASSIC)
    assert small.points[:, 0].max() > 600 and (small.points < [900, 600]).all()
    nearest = np.linalg.norm(small.points[:, None] - every.points[None], axis=2).min(axis=1)
    assert np.median(nearest) < 3


def test_a_smaller_picture_is_not_scaled():
    image = textured(2)
    assert np.array_equal(
        akaze.extract(image).descriptors, akaze.extract(image, max_side=10_000).descriptors
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_side": 15}, "max_side"),
        ({"max_side": 0}, "max_side"),
        ({"max_side": "800"}, "max_side"),
        ({"max_keypoints": 0}, "max_keypoints"),
        ({"max_keypoints": -1}, "max_keypoints"),
        ({"max_keypoints": 1.5}, "max_keypoints"),
        ({"threshold": 0}, "threshold"),
        ({"threshold": -1}, "threshold"),
        ({"threshold": float("nan")}, "threshold"),
        ({"side": 3}, "no argument 'side'; allowed: max_side, max_keypoints, threshold"),
    ],
)
def test_limits_out_of_range_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        akaze.extract(textured(), **options)


def test_a_smaller_threshold_finds_more():
    assert len(akaze.extract(textured(), threshold=0.0001, max_keypoints=None).points) > len(
        akaze.extract(textured(), max_keypoints=None).points
    )


# --- other builds of OpenCV


def test_akaze_of_opencv_5_contrib_is_found(monkeypatch):
    expected = akaze.extract(textured())
    create = cv2.AKAZE_create
    monkeypatch.delattr(cv2, "AKAZE_create")
    monkeypatch.setattr(
        cv2, "xfeatures2d", types.SimpleNamespace(AKAZE_create=create), raising=False
    )
    assert np.array_equal(akaze.extract(textured()).descriptors, expected.descriptors)


def test_an_opencv_without_akaze_says_what_to_install(monkeypatch):
    monkeypatch.delattr(cv2, "AKAZE_create")
    monkeypatch.delattr(cv2, "xfeatures2d", raising=False)
    with pytest.raises(ValueError) as caught:
        akaze.extract(textured())
    words = str(caught.value)
    assert (
        "has no AKAZE; install opencv-python-headless>=4.12,<5" in words
        and "contrib" in words
        and "\n" not in words
    )


# --- geometry


def warped(image, matrix):
    return Image.fromarray(
        cv2.warpPerspective(np.asarray(image), matrix, image.size, flags=cv2.INTER_CUBIC)
    )


@pytest.mark.parametrize("model", ["homography", "affine"])
def test_inliers_of_a_known_transform_lie_where_it_puts_them(model):
    image = textured(7, 480, 360)
    matrix = np.array([[0.9, 0.15, 12], [-0.12, 0.95, 30], [0, 0, 1]])
    if model == "homography":
        matrix[2, :2] = (2e-4, -1e-4)
    a, b = akaze.extract(image), akaze.extract(warped(image, matrix))
    i, j = akaze.inliers(b, a, model=model)
    placed = cv2.perspectiveTransform(a.points[j][:, None], matrix)[:, 0]
    missed = np.linalg.norm(placed - b.points[i], axis=1)
    assert len(i) == len(j) == len(set(i.tolist())) > 40
    assert np.mean(missed < 4) > 0.9 and np.median(missed) < 1.5
    assert (
        akaze.inlier_distance(a, b, model=model)
        < 0.25
        < akaze.inlier_distance(a, akaze.extract(textured(8)))
    )


def test_inliers_survive_a_crop():
    image = textured(9, 480, 360)
    part = image.crop((100, 60, 420, 320))
    a, b = akaze.extract(image), akaze.extract(part)
    i, j = akaze.inliers(a, b)
    missed = np.linalg.norm(b.points[j] + (100, 60) - a.points[i], axis=1)
    assert len(i) > 12 and np.median(missed) < 1 and akaze.inlier_distance(a, b) < 0.5


def test_a_mirror_image_is_no_inlier():
    image = textured(7, 480, 360)
    a, b = akaze.extract(image), akaze.extract(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    assert akaze.inlier_distance(a, b) > 0.5


def test_inlier_distance_is_from_0_to_1():
    for n in range(6):
        assert (
            0
            < akaze.inlier_distance(akaze.extract(textured(n)), akaze.extract(textured(n + 1)))
            <= 1
        )
    assert akaze.inlier_distance(akaze.extract(textured(0)), akaze.extract(textured(0))) < 0.2


@pytest.mark.parametrize(
    "options", [{"model": "rigid"}, {"ratio": 0}, {"ratio": 1.5}, {"tolerance": 0}, {"tol": 1}]
)
def test_other_options_of_inliers_are_refused(options):
    found = akaze.extract(textured())
    with pytest.raises(ValueError, match=next(iter(options))):
        akaze.inlier_distance(found, found, **options)


def test_points_of_a_picture_that_was_scaled_down_lie_in_its_own_pixels():
    """Every pixel twice each way, and scaled down again, is the same picture: only the places
    differ.
    """
    small = textured(0, 400, 300)
    large = small.resize((800, 600), Image.Resampling.NEAREST)
    plain = keypoints.akaze(small)
    scaled = keypoints.akaze(large, max_side=400)
    np.testing.assert_array_equal(scaled.descriptors, plain.descriptors)
    # the middle of the first pixel lies between the first two
    np.testing.assert_allclose(scaled.points, 2 * plain.points + 0.5, atol=1e-3)
    np.testing.assert_allclose(scaled.sizes, 2 * plain.sizes, rtol=1e-6)


def test_inliers_of_a_thumbnail_of_a_large_picture():
    """Its area is 441 times smaller, but it shows all of the picture."""
    thumbnail = textured(1, 192, 128)
    large = thumbnail.resize((4032, 2688), Image.Resampling.BICUBIC)
    few = keypoints.sift(thumbnail)
    many = keypoints.sift(large)
    assert keypoints.inlier_distance(few, many) < 0.5
    assert keypoints.inlier_distance(many, few) < 0.5
