"""One edit, pictures from 64 to 4,032 pixels: every method's distance keeps, both ways round."""

import cv2
import imagehash
import numpy as np
import pytest
from PIL import Image, ImageOps
from test_methods import NAMES

from simlab import perturb
from simlab.methods import registry as methods
from simlab.methods.packing import unpack
from simlab.scoring.one_pair import compare_features

EDITS = (
    'crop(area=0.5, anchor="center")',
    "recompress(quality=30)",
    "shear(degrees=10)",
    'text(content="the same picture", position="center")',
)
USUAL, LARGEST = 481, 4032
"""Longer sides: of the pictures that most was measured on, and of a photograph of a telephone."""

KEYPOINTS = ("akaze", "orb", "sift", "akaze_inliers", "orb_inliers", "sift_inliers")
"""They are capped to 800 pixels, so that a larger picture has a few more keypoints than the usual
one.
"""

LAID = ("aligned", "contradiction")

SEES_SMALL = ("sift", "sift_inliers", *LAID)
"""Of the keypoint methods those that have enough keypoints at 160 pixels; none has at 64."""


def band(method, size):
    """By how much of its maximum a distance may differ from that at the usual size; None where
    nothing is promised.
    """
    if method in (*KEYPOINTS, *LAID):
        if size < 160 or (size < USUAL and method not in SEES_SMALL):
            return None
        return 0.06 if method in LAID else 0.15
    return {64: 0.25, 160: 0.125}.get(size, 0.05)


@pytest.fixture(scope="module")
def largest():
    """A picture with texture of every size, from an eighth of its width to single pixels."""
    rng = np.random.default_rng(0)
    width, height = LARGEST // 2, LARGEST // 4
    ground = np.zeros((height, width), np.float32)
    cells = 8
    while cells <= width // 2:
        grid = rng.normal(size=(cells // 2, cells)).astype(np.float32)
        blobs = cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
        ground += blobs / cells**0.5
        cells *= 2
    ground = cv2.resize(ground / ground.std(), (2 * width, 2 * height))
    grain = rng.integers(-4, 5, ground.shape, dtype=np.int8)
    hues = cv2.resize(rng.normal(size=(4, 8, 3)).astype(np.float32), (2 * width, 2 * height))
    levels = 128 + (55 * ground + grain)[..., None] + 20 * hues
    return Image.fromarray(levels.clip(0, 255).astype(np.uint8))


def distances(picture, names):
    """(method, edit) → the distance by its maximum, of the picture to its edit and of the edit to
    the picture.
    """
    chosen = [methods.get(name) for name in names]
    features = list(dict.fromkeys(method.feature for method in chosen))
    original = methods.extract_all(picture, features)
    found = {}
    for edit in EDITS:
        edited = methods.extract_all(perturb.apply(picture, edit), features)
        for method in chosen:
            pair = original[method.feature.key], edited[method.feature.key]
            both = [
                compare_features(method, first, [second]).distance
                for first, second in (pair, pair[::-1])
            ]
            found[method.name, edit] = np.array(both) / method.maximum
    return found


@pytest.fixture(scope="module")
def usual(largest):
    picture = largest.resize((USUAL, USUAL // 2), Image.Resampling.LANCZOS)
    return distances(picture, [name for name in NAMES if isinstance(name, str)])


@pytest.mark.parametrize(
    "size",
    [
        64,
        1600,
        pytest.param(160, marks=pytest.mark.sweep),
        pytest.param(LARGEST, marks=pytest.mark.sweep),
    ],
)
def test_distance_of_an_edit_does_not_depend_on_the_size_of_the_picture(size, largest, usual):
    picture = largest
    if size < LARGEST:
        picture = largest.resize((size, size // 2), Image.Resampling.LANCZOS)
    moved = []
    for (method, edit), pair in distances(
        picture, list(dict.fromkeys(name for name, _ in usual))
    ).items():
        allowed = band(method, size)
        by = np.abs(pair - usual[method, edit][0]).max()
        if allowed is not None and by > allowed:
            moved.append((method, edit, pair.round(3).tolist(), usual[method, edit].round(3)))
    assert not moved


def test_a_large_picture_is_seen_in_a_smaller_copy_but_hashed_whole(largest):
    strip = largest.crop((0, 400, 3300, 900))
    seen = methods.Seen(strip)
    assert seen.inner.image.size == (1650, 250)
    wanted = [methods.get(name).feature for name in ("phash", "phash(inner=True)", "akaze")]
    phash, of_part, akaze = [unpack(feature.extract(seen))[0] for feature in wanted]
    assert np.array_equal(phash, imagehash.phash(strip).hash.ravel())
    assert np.array_equal(of_part, imagehash.phash(strip.reduce(2)).hash.ravel())
    assert akaze[:, 0].max() > 2000  # in its own pixels
    just_smaller = strip.crop((0, 0, 3199, 500))
    assert methods.Seen(just_smaller).inner.image.size == just_smaller.size


def test_all_that_look_at_a_smaller_copy_share_one(largest, monkeypatch):
    strip = largest.crop((0, 400, 3300, 900))
    methods_of_a_search = methods.resolve("phash(inner=True), aligned, contradiction")
    features = [method.feature for method in methods_of_a_search]
    mirrored = methods.get("aligned(mirror=True)").turned[0]
    alone = [feature.extract(strip) for feature in features]
    of_mirrored = features[1].extract(ImageOps.mirror(strip))
    sizes = []
    reduce = Image.Image.reduce
    monkeypatch.setattr(Image.Image, "reduce", lambda *given: sizes.append(given) or reduce(*given))
    packed = methods.extract_all(strip, [*features, mirrored])
    assert [packed[feature.key] for feature in features] == alone
    assert packed[mirrored.key] == of_mirrored
    large = [image for image, _ in sizes if image.size == strip.size]
    assert len(large) == 2  # the other is the mirror image


def test_all_hashes_of_turned_pictures_are_of_one_small_copy(largest, monkeypatch):
    sizes = []
    resize = Image.Image.resize
    monkeypatch.setattr(Image.Image, "resize", lambda *given: sizes.append(given) or resize(*given))
    picture = largest.resize((400, 300))
    sizes.clear()
    features = methods.get("phash(orientations=8)").features(query=True)
    assert len(methods.extract_all(picture, features)) == 8
    of_whole = [image for image, *_ in sizes if image.size == picture.size]
    assert len(of_whole) == 2  # the other looks whether it is flat
