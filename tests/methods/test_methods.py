"""Methods: one contract for all of them, then what single ones and a user's own promise."""

import dataclasses
import functools
import hashlib
import importlib
import inspect
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Literal, get_args, get_origin

import cv2
import imagehash
import numpy as np
import pandas as pd
import pytest
from corpus import flat, textured
from joblib.externals.loky import get_reusable_executor
from onnx_by_hand import mean_network
from PIL import Image, ImageOps

import simlab as sl
from simlab import specs
from simlab.methods import hashes, keypoints
from simlab.methods import registry as methods
from simlab.methods.orientations import TURNED, turned_picture
from simlab.methods.packing import pack, unpack
from simlab.scoring.one_pair import compare_features, compare_stacked

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "datasets" / "sample"
NUMBERS = (-1, 0, 0.25, 0.5, 1, 2, 3, 7, 8, 50, 200, 300, 1000, 10**5, 10**9)
OTHERS = (
    "whash(mode='db4')",
    "crop_resistant_hash(limit_segments=3)",
    "phash(mirror=True)",
    "akaze(mirror=True)",
)


def installed(name):
    try:
        methods.get(name)
    except ValueError:
        return pytest.param(
            name, marks=pytest.mark.skip(reason=f"{name} needs a package that is not installed")
        )
    return name


NAMES = [installed(name) for name in methods.REGISTRY]
METHODS = [*NAMES, *OTHERS]


@pytest.fixture
def registry(monkeypatch):
    """A copy of the registry that a test may fill."""
    monkeypatch.setattr(methods, "REGISTRY", dict(methods.REGISTRY))


def features(method, image, query=False):
    return [
        packed(image.size, image.tobytes(), feature) for feature in method.features(query=query)
    ]


@functools.cache
def packed(size, pixels, feature):
    return methods.extract_all(Image.frombytes("RGB", size, pixels), [feature])[feature.key]


def distance(spec, a, b):
    """The distance of two pictures from their features, without the shortcut for equal pixels."""
    method = methods.get(spec)
    return compare_features(method, *features(method, a), features(method, b, query=True)).distance


def digest_of_features(name):
    method = methods.get(name)
    return hashlib.sha256(b"".join(features(method, textured(), query=True))).hexdigest()


def annotated_numbers(name):
    """(argument, value, whether its annotation allows it) for every annotated argument
    of a method.
    """
    kind = methods.REGISTRY[name]
    for function in (kind.extract, kind.distance):
        hints = inspect.get_annotations(function)
        for argument, default in specs.defaults_of(function).items():
            options = [hints[argument], *get_args(hints[argument])]
            rules = [rule for option in options for rule in getattr(option, "__metadata__", ())]
            whole = [
                value for value in NUMBERS if isinstance(default, float) or isinstance(value, int)
            ]
            yield from (
                (argument, value, any(rule.allows(value) for rule in rules))
                for value in whole
                if rules
            )


# The contract, for every entry of the registry
# --------------------------------------------------------------


@pytest.mark.parametrize("spec", METHODS)
def test_same_picture_is_zero_and_another_is_within_the_maximum(spec):
    method, image = methods.get(spec), textured()
    assert all(features(method, image))
    assert distance(spec, image, image.copy()) == 0
    for other in (textured(1), image.resize((120, 80)), image.rotate(30), ImageOps.mirror(image)):
        assert 0 <= distance(spec, image, other) <= method.maximum
    assert distance(spec, image, textured(1)) > 0


@pytest.mark.parametrize("spec", METHODS)
def test_distance_is_symmetric_where_stated(spec):
    pictures = [textured(), textured(1, 200, 200), textured().resize((150, 100))]
    if methods.get(spec).symmetric:
        for a, b in ((a, b) for a in pictures for b in pictures):
            assert distance(spec, a, b) == pytest.approx(distance(spec, b, a), rel=1e-12)


def test_features_are_the_same_in_another_process_with_another_hash_seed():
    names = [name for name in NAMES if isinstance(name, str)]
    code = (
        "import json, test_methods as t\n"
        f"print(json.dumps([t.digest_of_features(n) for n in {names}]))"
    )
    folders = [ROOT, ROOT / "tests", ROOT / "tests" / "methods"]
    environment = {
        "PYTHONHASHSEED": "7",
        "PYTHONPATH": os.pathsep.join(map(str, folders)),
        "OMP_NUM_THREADS": "2" if os.environ.get("OMP_NUM_THREADS") == "1" else "1",
    }
    fresh = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert json.loads(fresh.stdout) == [digest_of_features(name) for name in names]


@pytest.mark.parametrize("spec", METHODS)
@pytest.mark.parametrize(
    "size",
    [
        (1, 1),
        (1, 300),
        (17, 15),
        (2000, 3),
        *(
            pytest.param(size, marks=pytest.mark.sweep)
            for size in [(2, 1), (16, 16), (40, 31), (20, 1500)]
        ),
    ],
)
def test_survives_any_size(spec, size):
    method, image = methods.get(spec), textured().resize(size)
    assert 0 <= distance(spec, image, textured()) <= method.maximum
    assert 0 <= distance(spec, textured(), image) <= method.maximum
    assert distance(spec, image, image) in (0, method.maximum)


@pytest.mark.parametrize("spec", METHODS)
def test_a_flat_picture_is_no_evidence_and_so_the_maximum(spec):
    method = methods.get(spec)
    assert features(method, flat()) == [b""]
    assert distance(spec, flat(), textured()) == distance(spec, flat(), flat(90)) == method.maximum


@pytest.mark.parametrize("spec", METHODS)
def test_packing_changes_no_bit_of_the_distance(spec):
    method = methods.get(spec)
    a, b = (
        image.convert("L") if method.feature.grey else image for image in (textured(), textured(1))
    )
    plain = [method.feature.function(image, **method.feature.arguments) for image in (a, b)]
    packed = [method.feature.extract(image) for image in (a, b)]
    apart = method.compare(*plain)
    answer = compare_features(method, packed[0], packed[1:])
    assert answer == ((method.maximum, True) if apart is None else (apart, False))
    if method.compare_many:
        stack = np.stack([method.restore(unpack(data)) for data in packed])
        together = method.compare_many(stack, np.array([0, 1, 0]), np.array([1, 0, 0]))
        assert together.tolist() == [method.compare(*plain), method.compare(*plain), 0]


@pytest.mark.parametrize("spec", METHODS)
def test_canonical_name_names_the_same_method(spec):
    method = methods.get(spec)
    again = methods.get(method.name)
    assert (again.name, again.key, again.feature, again.turned) == (
        method.name,
        method.key,
        method.feature,
        method.turned,
    )
    assert method.feature.key.startswith(
        specs.complete(methods.REGISTRY[spec.split("(")[0]].feature, {})[:-1]
    )


@pytest.mark.parametrize("name", NAMES)
def test_arguments_out_of_range_are_refused_before_a_study_starts(name):
    for argument, value, allowed in annotated_numbers(name):
        spec = f"{name}({argument}={value})"
        if allowed:
            assert methods.get(methods.get(spec).name).name == methods.get(spec).name
        else:
            with pytest.raises(ValueError, match=f"{argument} of '{name}' must be a.* not {value}"):
                methods.get(spec)


@pytest.mark.parametrize("name", NAMES)
def test_every_number_has_a_range(name):
    kind = methods.REGISTRY[name]
    numbers = [
        argument
        for function in (kind.extract, kind.distance)
        for argument, default in specs.defaults_of(function).items()
        if not isinstance(default, bool | str) and argument != "orientations"
    ]
    assert set(numbers) == {argument for argument, _, _ in annotated_numbers(name)}


@pytest.mark.parametrize("name", NAMES)
def test_mirrored_copies_are_seen_by_the_mirror_aware_variant(name):
    image, copy = textured(), ImageOps.mirror(textured())
    aware = f"{name}(mirror=True)"
    assert distance(name, image, copy) >= distance(aware, image, copy) == 0
    assert distance(aware, image, image) == 0
    assert distance(aware, image, textured(1)) <= distance(name, image, textured(1))
    assert not methods.get(aware).symmetric


@pytest.mark.parametrize("name", NAMES)
def test_every_orientation_is_seen_by_the_method_that_looks_for_it(name):
    """A turned small grey copy rounds otherwise than the copy of a turned picture, by a bit."""
    image = textured()
    aware = methods.get(f"{name}(orientations=8)")
    for orientation in (1, 2, 5, 7):
        copy = turned_picture(image, orientation)
        # AKAZE finds about a twelfth of its bits changed in a mirror image, and SIFT no less
        assert distance(aware.name, image, copy) <= 0.2 * aware.maximum
    assert distance(aware.name, image, image) == 0
    assert distance(aware.name, image, textured(1)) <= distance(name, image, textured(1))
    assert aware.features(query=False) == (methods.get(name).feature,)
    with pytest.raises(ValueError, match=f"orientations of '{name}' must be one of 1, 8, not 4"):
        methods.get(f"{name}(orientations=4)")


@pytest.mark.parametrize("name", ["phash", "dhash", "average_hash", "correlation"])
def test_features_of_turned_pictures_are_those_of_the_pictures_turned(name):
    image = textured(3, width=301, height=200)
    method = methods.get(f"{name}(orientations=8)")
    plain = methods.get(name)
    for orientation, made in zip(TURNED, features(method, image, query=True)[1:], strict=True):
        (wanted,) = features(plain, turned_picture(image, orientation))
        assert plain.compare(unpack(made)[0], unpack(wanted)[0]) <= plain.maximum / 64


def test_the_bits_of_mirrored_keypoints_follow_from_their_layout():
    image = textured(5)
    found = keypoints.akaze(image)
    mirrored = keypoints.akaze(ImageOps.mirror(image))
    bits = keypoints.mirrored_bits(found.descriptors)
    nearest = keypoints.distances(bits, mirrored.descriptors).min(axis=1)
    untouched = keypoints.distances(found.descriptors, mirrored.descriptors).min(axis=1)
    assert np.median(nearest) < 60 < 100 < np.median(untouched)
    assert np.array_equal(keypoints.mirrored_bits(bits), found.descriptors)


@pytest.mark.parametrize("spec", METHODS)
def test_a_method_says_what_its_feature_looks_like(spec):
    method = methods.get(spec)
    silent = dataclasses.replace(method, feature_kind=None)
    found = features(method, textured())[0]
    assert method.kind_of(found) == silent.kind_of(found)
    assert method.kind_of(b"") == method.feature_kind
    assert silent.kind_of(b"") is None


def test_only_the_query_is_mirrored():
    method = methods.get("dhash(mirror=True)")
    assert len(method.features(query=True)) == 2
    assert method.features(query=False) == (methods.get("dhash").feature,)


# Against imagehash and OpenCV
# -------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(SAMPLE.iterdir())[::4], ids=lambda path: path.stem)
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("phash_simple", {}),
        ("phash_simple", {"hash_size": 5, "highfreq_factor": 3}),
        ("dhash_vertical", {}),
        ("dhash_vertical", {"hash_size": 16}),
        ("whash", {"mode": "db4"}),
        ("whash", {"mode": "db4", "hash_size": 16}),
        ("colorhash", {}),
        ("colorhash", {"binbits": 5}),
    ],
)
@pytest.mark.filterwarnings("ignore:Level value")
def test_hash_equals_imagehash(path, name, arguments):
    image = sl.read_image(path)
    expected = getattr(imagehash, name)(image, **arguments).hash.ravel()
    assert getattr(hashes, name)(image, **arguments).tolist() == expected.tolist()


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, marks=pytest.mark.sweep),
        pytest.param({"limit_segments": 2}, marks=pytest.mark.sweep),
        {"limit_segments": 5, "min_segment_size": 150, "segment_threshold": 90},
    ],
)
def test_crop_resistant_hash_equals_imagehash(options):
    pictures = [textured(), textured(1, 90, 400), sl.read_image(SAMPLE / "coins.jpg")]
    expected = [imagehash.crop_resistant_hash(picture, **options) for picture in pictures]
    found = [hashes.crop_resistant_hash(picture, **options) for picture in pictures]
    for a, b in zip(found, expected):
        assert a.tolist() == [segment.hash.ravel().tolist() for segment in b.segment_hashes]
    for i, j in [(0, 1), (1, 0), (0, 2), (2, 1), (2, 2)]:
        assert hashes.crop_resistant_distance(found[i], found[j]) == expected[i] - expected[j]
        assert (hashes.closest_segments(found[i], found[j]) <= 16) == (expected[i] == expected[j])
        close = expected[i].__sub__(expected[j], bit_error_rate=0.4)
        assert hashes.crop_resistant_distance(found[i], found[j], bit_error_rate=0.4) == close


def test_crop_resistant_hash_leaves_out_the_last_dark_regions_as_imagehash_does():
    # the dark patch in the last rows is smaller than the 1,200 pixels that imagehash counts
    # beforehand
    levels = np.full((300, 300), 220, dtype=np.uint8)
    levels[20:90, 30:200] = 20
    levels[260:290, 250:285] = 20
    image = Image.fromarray(levels)
    assert (
        len(hashes.crop_resistant_hash(image))
        == len(imagehash.crop_resistant_hash(image).segment_hashes)
        == 2
    )


def test_small_pictures_have_db4_hashes_of_the_same_length():
    lengths = {
        hashes.whash(textured().resize(size), mode="db4").size
        for size in [(1, 1), (30, 90), (64, 64), (300, 200)]
    }
    assert lengths == {methods.get("whash(mode='db4')").maximum} == {196}


def test_pdq_needs_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pdqhash", None)
    with pytest.raises(ValueError, match=r"pip install 'simlab\[pdq\]'"):
        methods.resolve("phash, pdq")


def test_pdq_below_the_asked_quality_is_no_evidence():
    pdqhash = pytest.importorskip("pdqhash")
    bits, quality = pdqhash.compute(np.asarray(textured()))
    assert hashes.pdq(textured(), min_quality=quality).tolist() == bits.astype(bool).tolist()
    weak = textured().point(lambda level: 120 + level // 20)
    assert hashes.pdq(weak, min_quality=100) is None
    assert "pdqhash=" in methods.get("pdq").feature.key


def classic(detector, norm, images):
    """The plain recipe, and what it does without."""
    found = [
        detector.detectAndCompute(np.asarray(image)[:, :, ::-1].copy(), None) for image in images
    ]
    matches = cv2.BFMatcher(norm, crossCheck=True).match(found[0][1], found[1][1])
    return (
        found[0],
        [(m.queryIdx, m.trainIdx) for m in matches],
        float(np.mean([m.distance for m in matches])),
    )


@pytest.mark.parametrize(
    ("name", "detector", "norm"),
    [
        ("akaze", cv2.AKAZE_create, cv2.NORM_HAMMING),
        ("orb", cv2.ORB_create, cv2.NORM_HAMMING),
        ("sift", cv2.SIFT_create, cv2.NORM_L2),
    ],
)
def test_without_limits_keypoints_are_opencvs(name, detector, norm, monkeypatch):
    limits = {"max_side": None} | ({} if name == "orb" else {"max_keypoints": None})
    pictures = sl.read_image(SAMPLE / "coffee.jpg"), sl.read_image(SAMPLE / "city.jpg")
    (points, descriptors), expected, mean = classic(detector(), norm, pictures)
    a, b = (getattr(keypoints, name)(picture, **limits) for picture in pictures)
    assert a.points.tolist() == [list(point.pt) for point in points]
    assert np.array_equal(a.descriptors, descriptors)
    for block in (keypoints._BLOCK, 3 * len(b.points)):  # in one piece, and three rows at a time
        monkeypatch.setattr(keypoints, "_BLOCK", block)
        i, j, _ = keypoints.match(a, b)
        assert list(zip(i.tolist(), j.tolist())) == expected
        assert keypoints.mean_distance(a, b) == mean
        left, right = keypoints.ratio_matches(a, b, 0.8)
        pairs = cv2.BFMatcher(norm).knnMatch(descriptors_of(b, norm), descriptors_of(a, norm), k=2)
        passed = {
            first.queryIdx for first, second in pairs if first.distance < 0.8 * second.distance
        }
        assert set(right.tolist()) <= passed
        assert len(left) == len({first.trainIdx for first, _ in pairs if first.queryIdx in passed})


def descriptors_of(found, norm):
    return found.descriptors.astype(np.float32) if norm == cv2.NORM_L2 else found.descriptors


@pytest.mark.parametrize(("name", "largest"), [("akaze", 486), ("orb", 256), ("sift", 733)])
def test_without_keypoints_the_mean_distance_is_the_largest(name, largest):
    detect = getattr(keypoints, name)
    some, none = detect(textured()), detect(flat())
    assert len(some.points) and not len(none.points)
    assert some.descriptors.dtype == none.descriptors.dtype
    assert keypoints.mean_distance(some, none) == keypoints.mean_distance(none, some) == largest
    assert methods.get(name).maximum == largest
    assert all(len(side) == 0 for side in keypoints.inliers(some, none))


def test_fewer_keypoints_are_the_strongest_in_their_order():
    every = keypoints.sift(textured(), max_keypoints=None)
    some = keypoints.sift(textured(), max_keypoints=20)
    kept = np.flatnonzero(np.isin(every.responses, np.sort(every.responses)[-20:]))
    assert np.array_equal(some.points, every.points[kept[: len(some.points)]])


@pytest.mark.parametrize("model", get_args(keypoints.Model))
def test_inliers_are_where_the_transform_says(model):
    image = textured(0, 360, 300)
    turned = image.rotate(20, center=(180, 150))
    a, b = keypoints.akaze(image), keypoints.akaze(turned)
    i, j = keypoints.inliers(a, b, model=model)
    angle = math.radians(20)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    missed = (b.points[j] - (180, 150)) @ turn.T + (180, 150) - a.points[i]
    assert len(i) > 30
    assert np.median(np.hypot(*missed.T)) < 2
    assert (
        keypoints.inlier_distance(a, b, model=model)
        < 0.3
        < keypoints.inlier_distance(a, keypoints.akaze(textured(5)))
    )


def test_a_mirror_image_has_no_inliers_but_its_mirror_has():
    assert distance("akaze_inliers", textured(), ImageOps.mirror(textured())) > 0.7
    assert distance("akaze_inliers(mirror=True)", textured(), ImageOps.mirror(textured())) < 0.2


# A user's own
# -----------------------------------------------------------------------------------------------


def mean_colour(image, *, power: Annotated[float, specs.between(0.1, 4)] = 1.0):
    return (np.asarray(image) / 255.0).mean(axis=(0, 1)) ** power


def farthest(a, b, *, channel: Literal["any", "red"] = "any"):
    return np.abs(a - b).max() if channel == "any" else abs(a[0] - b[0])


@pytest.fixture
def own(registry):
    methods.register("mean_colour", mean_colour, distance=farthest, maximum=1.0)


def test_own_method_has_arguments_of_both_functions_checked(own):
    assert methods.get("mean_colour(power=1.0, channel='red')").name == 'mean_colour(channel="red")'
    for spec, words in [
        ("mean_colour(power=9)", "power of 'mean_colour' must be a number from 0.1 to 4, not 9"),
        ("mean_colour(channel='green')", "channel of 'mean_colour' must be one of 'any', 'red'"),
        ("mean_colour(size=3)", "no argument 'size'; allowed: power, channel, mirror"),
    ]:
        with pytest.raises(ValueError, match=words):
            methods.get(spec)


def hog(image):
    window = cv2.HOGDescriptor((64, 64), (16, 16), (8, 8), (8, 8), 9)
    return window.compute(np.asarray(image.convert("L").resize((64, 64)))).ravel()


def test_own_method_works_in_workers_and_from_the_cache(registry, tmp_path):
    from scipy.spatial.distance import cosine

    methods.register("hog", hog, distance=cosine, maximum=1.0)
    methods.register(
        "brightest",
        lambda image: np.float32(np.asarray(image).max()),
        distance=lambda a, b: abs(a - b),
        maximum=255,
        unit="levels",
    )
    for seed in range(3):
        textured(seed).save(tmp_path / f"{seed}.png")
    pairs = sl.make_pairs(tmp_path, ["crop", "mirror"], negatives=4)
    runs = [
        sl.score_pairs(
            pairs,
            "hog, brightest, hog(mirror=True)",
            cache=tmp_path / "c.sqlite",
            n_jobs=n,
            progress=False,
        )
        for n in (2, 1)
    ]
    assert (runs[0]["status"] == "ok").all()
    assert runs[0].equals(runs[1])
    mirrored = runs[0][(runs[0]["perturbation"] == "mirror") & (runs[0]["label"] == 1)]
    assert (mirrored["hog(mirror=True)"] < 1e-6).all()
    assert (mirrored["hog"] > 0.05).all()


@pytest.mark.parametrize(
    ("feature", "kind"),
    [
        (np.array([True, False]), "bits"),
        (np.array([0.5, 2.0], dtype=np.float16), "vector"),
        (keypoints.akaze(textured()), "keypoints"),
        (np.array([[True, False]]), None),
        (np.array([1, 2]), None),
        ((np.array([0.5]), np.array([0.5])), None),
    ],
)
def test_what_a_feature_is_can_be_seen_or_said(registry, feature, kind):
    restore = type(feature)._make if hasattr(feature, "_make") else None
    options = {"distance": farthest, "maximum": 1, "restore": restore, "replace": True}
    methods.register("own", lambda image: feature, **options)
    own = methods.get("own")
    packed = own.feature.extract(textured())
    assert (own.feature_kind, own.kind_of(packed)) == (None, kind)
    methods.register("own", lambda image: feature, feature_kind="vector", **options)
    assert methods.get("own").kind_of(packed) == "vector"


def test_a_feature_of_no_known_kind_is_refused(registry):
    with pytest.raises(ValueError, match="'bits', 'vector', 'keypoints' or None; given 'hash'"):
        methods.register("own", hog, distance=farthest, maximum=1, feature_kind="hash")


def test_changed_code_changes_the_keys(registry):
    keys = []
    for body in ("np.mean", "np.max"):
        scope = {"np": np}
        exec(
            "def own(image): return helper(image)\n"
            f"def helper(image): return {body}(np.asarray(image))",
            scope,
        )
        methods.register("own", scope["own"], distance=farthest, maximum=255, replace=True)
        keys.append(methods.get("own").feature.key)
        scope["helper"].__module__ = scope["own"].__module__
    assert len(set(keys)) == 2
    methods.register("own", mean_colour, distance=lambda a, b: 0.0, maximum=1, replace=True)
    before = methods.get("own")
    methods.register("own", mean_colour, distance=lambda a, b: 0.5, maximum=1, replace=True)
    assert methods.get("own").feature == before.feature
    assert methods.get("own").key != before.key


def test_packages_own_functions_have_no_code_digest():
    assert "code:" not in methods.get("phash").key + methods.get("phash").feature.key


def test_names_are_taken_once(own):
    methods.register(
        "mean_colour", mean_colour, distance=farthest, maximum=2.0
    )  # the cell run again
    assert methods.get("mean_colour").maximum == 2
    with pytest.raises(ValueError, match="'phash' exists"):
        methods.register("phash", mean_colour, distance=farthest, maximum=1.0)
    methods.register("phash", mean_colour, distance=farthest, maximum=1.0, replace=True)
    for name in ("two words", "label", "class", "2d"):
        with pytest.raises(ValueError, match="identifier, no column"):
            methods.register(name, mean_colour, distance=farthest, maximum=1.0)
    with pytest.raises(ValueError, match=r"'level' .* needs a default"):
        methods.register("level", lambda image, *, level: image, distance=farthest, maximum=1.0)


@pytest.mark.parametrize(("value", "given"), [(-1e-9, 0.0), (1 + 1e-9, 1.0), (0.25, 0.25)])
def test_rounding_may_step_over_the_ends(registry, value, given):
    methods.register("own", mean_colour, distance=lambda a, b: value, maximum=1.0)
    assert distance("own", textured(), textured(1)) == given


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan, math.inf])
def test_impossible_distances_are_refused(registry, value):
    methods.register("own", mean_colour, distance=lambda a, b: value, maximum=1.0)
    methods.register(
        "many",
        mean_colour,
        distance=farthest,
        maximum=1.0,
        compare_many=lambda stack, i, j: np.full(len(i), value),
    )
    with pytest.raises(ValueError, match=r"own gave the distance .* must lie in 0 to 1"):
        distance("own", textured(), textured(1))
    with pytest.raises(ValueError, match="many gave the distance"):
        compare_stacked(methods.get("many"), np.zeros((2, 3)), np.array([0]), [np.array([1])])
    of_three = [pack(np.full(3, level)) for level in (0.0, 1.0, 2.0)]
    with pytest.raises(ValueError, match=r"many\(mirror=True\) gave the distance"):
        compare_features(methods.get("many(mirror=True)"), of_three[0], of_three[1:])


def test_what_a_user_wraps_around_a_hash_is_not_passed_by(registry):
    @functools.wraps(hashes.phash)
    def inverted(image, **options):
        return ~hashes.phash(image, **options)

    methods.register("inverted", inverted, distance=hashes.hamming, maximum=64)
    (feature,) = features(methods.get("inverted"), textured())
    assert (unpack(feature)[0] == ~hashes.phash(textured())).all()


def test_resources_are_part_of_the_key_and_may_refuse(registry, tmp_path):
    def weights_digest(weights):
        if not Path(weights).is_file():
            raise ValueError(f"no such file: {weights!r}")
        return hashlib.sha256(Path(weights).read_bytes()).hexdigest()

    methods.register(
        "net",
        lambda image, *, weights="": None,
        distance=farthest,
        maximum=1,
        resources=weights_digest,
    )
    with pytest.raises(ValueError, match="no such file"):
        methods.get("net(weights='absent.onnx')")
    path = tmp_path / "net.onnx"
    keys = set()
    for content in (b"one", b"two"):
        path.write_bytes(content)
        keys.add(methods.get(f"net(weights={json.dumps(str(path))})").feature.key)
    assert len(keys) == 2


# What the documentation shows
# ---------------------------------------------------------------------------------


def documented(name, folder):
    """The module that the documentation tells to write, saved and imported."""
    blocks = re.findall(
        r"```python\n(.*?)```",
        (ROOT / "docs" / "methods.md").read_text(encoding="utf-8"),
        re.DOTALL,
    )
    (folder / f"{name}.py").write_text(
        next(block for block in blocks if f"def {name}(" in block), encoding="utf-8"
    )
    return importlib.import_module(name)


def test_documented_hog(registry, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    documented("hog", tmp_path)
    assert distance("hog", textured(), textured()) == 0
    assert 0.1 < distance("hog", textured(), textured(1)) < 1
    assert distance("hog(mirror=True)", textured(), ImageOps.mirror(textured())) < 1e-6


def test_documented_network_in_workers(registry, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    module = documented("embedding", tmp_path)
    # Workers that run already do not know the folder of the module.
    get_reusable_executor().shutdown()
    weights = tmp_path / "model.onnx"
    weights.write_bytes(mean_network(32))
    spec = f"embedding(weights={json.dumps(weights.as_posix())}, side=32)"
    image = Image.linear_gradient("L").convert("RGB")
    assert module.embedding(image, weights=str(weights), side=32) == pytest.approx(
        [0.14, 0.42, 0.9], abs=0.02
    )
    for seed in range(2):
        textured(seed).save(tmp_path / f"{seed}.png")
    scores = sl.score_pairs(
        sl.make_pairs(tmp_path, "mirror", negatives=2), spec, n_jobs=2, progress=False
    )
    assert (scores["error"] == "").all()
    name = methods.get(spec).name
    assert (
        scores.loc[scores["label"] == 1, name].max()
        < 0.01
        < scores.loc[scores["label"] == 0, name].min()
    )
    with pytest.raises(ValueError, match="no such file: 'absent"):
        methods.get('embedding(weights="absent.onnx")')


def test_resolve_names_what_is_allowed():
    assert [method.name for method in methods.resolve("phash, phash(hash_size=8), dhash")] == [
        "phash",
        "dhash",
    ]
    assert [method.name for method in methods.resolve()] == list(methods.DEFAULT)
    for spec, words in [
        ("akze", "did you mean 'akaze'"),
        ("", "methods must name one or more"),
        ("phash+dhash", "one method"),
    ]:
        with pytest.raises(ValueError, match=words):
            methods.resolve(spec)


def test_literal_and_annotated_are_the_only_hints_that_matter():
    for kind in methods.REGISTRY.values():
        for function in (kind.extract, kind.distance):
            for argument, default in specs.defaults_of(function).items():
                if isinstance(default, str):
                    assert get_origin(inspect.get_annotations(function)[argument]) is Literal


TABLE = pd.DataFrame(
    {
        "ratio": [0.5],
        "phash(hash_size=16)": [12],
        "dhash": pd.array([4], dtype="Int64"),
        "no_evidence": "",
        "probability": 0.5,
        "akaze": 30.0,
        "ensemble": 0.1,
        "ensemble_by_hand": 0.2,
        "year": 1999,
    }
)


def test_the_distance_columns_are_those_named_by_a_method_wherever_they_stand():
    known = ["phash(hash_size=16)", "dhash", "akaze", "ensemble", "ensemble_by_hand"]
    assert methods.columns(TABLE) == known
    turned = TABLE[TABLE.columns[::-1]]
    assert methods.columns(turned) == known[::-1]
    assert methods.columns(TABLE, fitted=False) == known[:3]
    assert methods.columns(TABLE, "ratio, dhash") == ["ratio", "dhash"]
    assert methods.columns(TABLE, ["year", "ensemble"]) == ["year", "ensemble"]


def test_a_method_of_ones_own_counts_from_when_it_is_registered():
    noted = pd.DataFrame({"mine(size=3)": [0.5], "phash": [2.0]})
    assert methods.columns(noted) == ["phash"]
    noted.attrs["methods"] = ["mine(size=3)", "phash", "gone"]
    with pytest.raises(ValueError, match=r"'mine\(size=3\)' is a method .* not registered here"):
        methods.columns(noted)
    assert methods.columns(noted, "mine(size=3)") == ["mine(size=3)"]
    methods.register("mine", np.asarray, distance=lambda a, b: 0.0, maximum=1)
    try:
        assert methods.columns(noted) == ["mine(size=3)", "phash"]
    finally:
        del methods.REGISTRY["mine"]


@pytest.mark.parametrize(
    ("table", "named", "words"),
    [
        (
            TABLE,
            "label",
            "methods must be among phash.*; others are to be named, such as methods='ratio, probab",
        ),
        (TABLE, [], "methods must name one or more; there is none"),
        (TABLE, "no_evidence", "methods must be among"),
        (
            TABLE[["ratio"]],
            None,
            "of which none .*; others are to be named, such as methods='ratio'; given None",
        ),
        (TABLE[["year"]], None, "of which none is named by a method; given None"),
        (TABLE.assign(akaze="near"), None, "'akaze' holds no distances but"),
        (TABLE.assign(akaze=True), "akaze", "'akaze' holds no distances but bool"),
        (TABLE[["akaze", "akaze"]], None, "'akaze' is there 2 times"),
    ],
)
def test_what_is_no_distance_is_refused_by_name(table, named, words):
    with pytest.raises(ValueError, match=words):
        methods.columns(table, named)


def test_an_ensembles_columns_are_not_to_be_fitted_on_and_no_method_has_their_name():
    with pytest.raises(ValueError, match="'ensemble_by_hand' is an ensemble's own distance"):
        methods.columns(TABLE, "phash(hash_size=16), ensemble_by_hand", fitted=False)
    with pytest.raises(ValueError, match="not begin with 'ensemble'"):
        methods.register("ensemble2", np.asarray, distance=lambda a, b: 0.0, maximum=1)
