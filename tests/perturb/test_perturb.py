"""Perturbations: one contract for all of them, then what each promises."""

import hashlib
import inspect
import io
import json
import math
import random
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Literal, get_args, get_origin

import cv2
import joblib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageEnhance, features

from simlab import images, perturb, specs
from simlab.perturb import fonts, geometry, pasting

ROOT = Path(__file__).resolve().parents[2]
KINDS = sorted(perturb.REGISTRY)
PRESET_SPECS = sorted({spec for specs_ in perturb.PRESETS.values() for spec in specs_})
NUMBERS = sorted(
    {*range(-180, 181, 20), *range(12), *np.linspace(0, 1, 11).tolist(), 0.001, 0.5, 1.5}
)


def picture(width=120, height=80):
    """A smooth ground with a few hard edges and some texture: every perturbation leaves a mark on
    it.
    """
    y, x = np.mgrid[:height, :width]
    levels = np.stack([2 * x, 3 * y, 255 - x - y], axis=-1) % 256
    levels[height // 4 : height // 2, width // 3 : width // 2] = (250, 40, 10)
    levels[(x + y) % 17 == 0] //= 2
    return Image.fromarray(levels.astype(np.uint8))


def flat(level=128, size=(200, 150)):
    return Image.new("RGB", size, (level,) * 3)


def same(a, b):
    return a.size == b.size and a.tobytes() == b.tobytes()


def digest(image):
    return hashlib.sha256(repr(image.size).encode() + image.tobytes()).hexdigest()


def hints_of(kind):
    return inspect.get_annotations(perturb.REGISTRY[kind].function)


def allowed_values(kind, argument):
    """Values of an argument that its annotation allows; none where anything goes."""
    options = [option for hint in (hints_of(kind)[argument],) for option in (hint, *get_args(hint))]
    choices = [
        value for option in options if get_origin(option) is Literal for value in get_args(option)
    ]
    rules = [rule for option in options for rule in getattr(option, "__metadata__", ())]
    numbers = [value for value in NUMBERS if any(rule.allows(value) for rule in rules)]
    return choices + numbers + [True, False] * (hints_of(kind)[argument] is bool)


def spec_of(kind, /, **arguments):
    """The canonical spec of a call, or None where the arguments exclude each other."""
    text = f"{kind}({', '.join(f'{key}={json.dumps(value)}' for key, value in arguments.items())})"
    try:
        return perturb.canonical(text.replace("true", "True").replace("false", "False"))
    except ValueError as error:
        if (
            "must be a whole number" in str(error)
            or "not both" in str(error)
            or "takes" in str(error)
        ):
            return None
        raise


def sweeps(kind):
    """(argument, [spec, …] along its allowed numbers) for each number that the kind takes."""
    for argument in specs.defaults_of(perturb.REGISTRY[kind].function):
        numbers = [
            v
            for v in allowed_values(kind, argument)
            if isinstance(v, int | float) and not isinstance(v, bool)
        ]
        found = [
            spec for value in numbers if (spec := spec_of(kind, **{argument: value})) is not None
        ]
        if len(found) > 1:
            yield argument, found


# The contract, for every entry of the registry ----------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_default_is_visible_rgb_and_leaves_its_input_alone(kind):
    image = picture()
    before = digest(image)
    variant = perturb.apply(image, kind)
    assert variant.mode == "RGB"
    assert not same(variant, image)
    assert digest(image) == before


@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_same_bytes_and_no_global_random_state(kind):
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002  the global state is what is watched here
    before = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    assert same(perturb.apply(picture(), kind, seed=3), perturb.apply(picture(), kind, seed=3))
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # noqa: NPY002


def test_same_bytes_in_another_process_with_another_hash_seed():
    code = (
        "import sys, json; sys.path[:0] = ['tests', 'tests/perturb']; import test_perturb as t; "
        "print(json.dumps({k: t.digest(t.perturb.apply(t.picture(), k, seed=1)) for k in t.KINDS}))"
    )
    fresh = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(fresh.stdout) == {
        k: digest(perturb.apply(picture(), k, seed=1)) for k in KINDS
    }


def test_same_bytes_whatever_the_number_of_threads():
    image, threads = picture(700, 500), cv2.getNumThreads()
    many = {kind: digest(perturb.apply(image, kind)) for kind in KINDS}
    cv2.setNumThreads(1)
    try:
        assert {kind: digest(perturb.apply(image, kind)) for kind in KINDS} == many
    finally:
        cv2.setNumThreads(threads)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(1, 1), (2, 1), (3, 700), (700, 3)])
def test_survives_any_size(kind, size):
    variant = perturb.apply(picture(*size), kind)
    assert variant.mode == "RGB"
    assert min(variant.size) >= 1


@pytest.mark.parametrize("spec", PRESET_SPECS)
def test_presets_survive_one_pixel_and_a_flat_picture(spec):
    assert min(perturb.apply(flat(size=(1, 1)), spec).size) >= 1
    assert perturb.apply(flat(size=(40, 30)), spec).mode == "RGB"


@pytest.mark.parametrize("kind", KINDS)
def test_severity_is_positive_by_default_and_has_one_valley(kind):
    assert 0 < perturb.severity(kind) < math.inf
    for argument, found in sweeps(kind):
        severities = [perturb.severity(spec) for spec in found]
        least = severities.index(min(severities))
        falling, rising = severities[: least + 1], severities[least:]
        assert falling == sorted(falling, reverse=True), argument
        assert rising == sorted(rising), argument


@pytest.mark.parametrize("kind", KINDS)
def test_severity_zero_changes_nothing(kind):
    for _, found in sweeps(kind):
        for spec in (spec for spec in found if perturb.severity(spec) == 0):
            assert same(perturb.apply(picture(), spec), picture()), spec


def moved(variant, size):
    """Mean way of the pixels of a map from their place about the centre, in pixels."""
    levels = np.asarray(variant, dtype=float)
    y, x = np.nonzero(levels[..., 2] > 250)
    ways = levels[y, x, 0] - size[0] / 2 - x + variant.width / 2
    ways_down = levels[y, x, 1] - size[1] / 2 - y + variant.height / 2
    return np.hypot(ways, ways_down).mean()


def done(kind, spec, image):
    """What was done to a picture, as a number: by how its size or its pixels changed."""
    variant = perturb.apply(image, spec, seed=1)
    sides = np.array(variant.size) / image.size
    if kind in ("rotate", "shear", "perspective"):
        ground = np.asarray(map_of(*image.size)) + np.array([0, 0, 255], dtype=np.uint8)
        return variant, moved(perturb.apply(Image.fromarray(ground), spec, seed=1), image.size)
    if kind == "crop":
        part = np.asarray(perturb.apply(map_of(*image.size), spec, seed=1), dtype=int)
        shown = np.ptp(part, axis=(0, 1))
        return variant, 1 - (shown[0] + 1) * (shown[1] + 1) / (image.width * image.height)
    if variant.size != image.size:
        return variant, np.abs(np.log2(sides)).sum()
    back = np.asarray(variant.resize(image.size), dtype=float)
    if kind == "text":
        return variant, (back != np.asarray(image)).any(axis=-1).mean()
    return variant, np.sqrt(np.square(back - np.asarray(image)).mean())


def other_settings(kind):
    """No argument, and each argument that severity does not depend on at one value beside its
    default.
    """
    perturbation = perturb.REGISTRY[kind]
    yield {}
    for argument, default in specs.defaults_of(perturbation.function).items():
        severe = argument in inspect.signature(perturbation.severity).parameters
        values = [value for value in allowed_values(kind, argument) if value != default]
        if values and not (severe and not isinstance(values[0], str)):
            yield {argument: 45 if argument == "degrees" else values[-1]}


def curves_of(kind):
    """Curves over the numbers that the severity depends on, with at most nine specs each."""
    moving = inspect.signature(perturb.REGISTRY[kind].severity).parameters
    for setting in other_settings(kind):
        for argument in moving:
            numbers = allowed_values(kind, argument)
            numbers = [value for value in numbers if isinstance(value, int | float)]
            numbers += [500] * (argument == "length" and kind == "text")
            found = {spec_of(kind, **{**setting, argument: value}) for value in numbers} - {None}
            # less than a hundredth of the default may be less than a level or a pixel
            seen = [s for s in found if perturb.severity(s) >= perturb.severity(kind) / 100]
            if kind == "recompress":  # JPEG and AVIF have no finer scale there
                seen = [s for s in seen if perturb.severity(s) <= 101 - 10]
            for curve in perturb.curves(sorted(seen)):
                at = np.unique(np.linspace(0, len(curve.specs) - 1, 9).round().astype(int))
                yield argument, [curve.specs[i] for i in at], [curve.severities[i] for i in at]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_done_to_a_picture_grows_with_severity(kind):
    image = picture(96, 64)
    for argument, found, severities in curves_of(kind):
        made = [done(kind, spec, image) for spec in found]
        effects = [effect for _, effect in made]
        looks = [digest(variant) for variant, _ in made]
        assert len(set(looks)) == len(looks), found  # other severities, other pictures
        assert min(effects) > 0, found  # a severity over 0 does something
        values = [perturb.parse(spec).steps[0].arguments[argument] for spec in found]
        assert values in (sorted(values), sorted(values, reverse=True)), found  # one direction
        for milder, harsher, before, after in zip(effects, effects[1:], severities, severities[1:]):
            assert harsher > 0.85 * milder, (found, effects)
            if before == after:  # only a picture that is full of text
                assert kind == "text"


@pytest.mark.parametrize("kind", KINDS)
def test_extremes_survive(kind):
    for _, found in sweeps(kind):
        for spec in (found[0], found[-1]):
            assert perturb.apply(picture(24, 16), spec).mode == "RGB", spec


@given(st.data())
def test_canonical_form_says_the_same_as_what_was_written(data):
    kind = data.draw(st.sampled_from(KINDS))
    choices = {
        key: allowed_values(kind, key) for key in specs.defaults_of(perturb.REGISTRY[kind].function)
    }
    given_ = {key: data.draw(st.sampled_from(values)) for key, values in choices.items() if values}
    some = {key: value for key, value in given_.items() if data.draw(st.booleans())}
    spec = spec_of(kind, **some)
    if spec is not None:
        assert perturb.canonical(spec) == spec
        assert {**perturb.parse(kind).steps[0].arguments, **some} == perturb.parse(spec).steps[
            0
        ].arguments
        assert perturb.kind(spec) == kind
        assert 0 <= perturb.severity(spec) < math.inf


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused_in_one_line(text):
    try:
        perturb.resolve(text)
    except ValueError as error:
        assert "\n" not in str(error)


def test_every_kind_is_documented():
    for kind, perturbation in perturb.REGISTRY.items():
        assert "Severity:" in inspect.getdoc(perturbation.function), kind


# Specs, chains, presets ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("crop(area=0)", "area of 'crop' must be a number from 0.001 to 1, not 0"),
        ("crop(area=1e400)", "numbers under"),
        ("crop(area=-1)", "0.001 to 1"),
        ("crop(area=0.3, side=0.2)", "area or side, not both"),
        ("crop(side=True)", "side of 'crop' must be"),
        ("crop(anchor='middle')", "one of 'random', 'edge', 'center'"),
        ("crop(share=0.3)", "allowed: area, side, anchor, resize_back"),
        ("crp(area=0.3)", "did you mean 'crop'"),
        ("blur(sigma=1, kernel=3)", "sigma or kernel, not both"),
        ("blur(kernel=4)", "an odd number from 1 to 99"),
        ("median(kernel=2)", "an odd number"),
        ("noise(kind='salt_pepper', variance=0.1)", "amount with kind"),
        ("noise(amount=0.1)", "amount with kind"),
        ("recompress(quality=0)", "1 to 100"),
        ("recompress(quality=30.5)", "whole number"),
        ("recompress(format='gif')", "'jpeg', 'webp', 'avif', 'png'"),
        ("resize(scale=1000)", "0.01 to 4"),
        ("text(color='bluu')", "a colour such as"),
        ("text(length=100000)", "0 to 500"),
        ("text(font='missing.ttf')", "no such file"),
        ("overlay(picture='missing.png')", "no such file"),
        ("__import__('os')", "crop(area=0.5)"),
    ],
)
def test_wrong_specs_are_refused_before_anything_runs(spec, says):
    with pytest.raises(ValueError) as error:
        perturb.parse(spec)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_resolve():
    assert perturb.resolve("basic") == [
        perturb.canonical(spec) for spec in perturb.PRESETS["basic"]
    ]
    assert perturb.resolve("text(length=20, size=0.1), crop") == ["text(size=0.1)", "crop"]
    assert perturb.resolve(["crop(area=0.5)", "crop", "mirror, crop"]) == ["crop", "mirror"]
    assert perturb.resolve(["", "crop+mirror"]) == ["", "crop+mirror"]
    with pytest.raises(ValueError, match=r"texts such as 'crop\(area=0.5\)'"):
        perturb.resolve(["crop", 5])
    with pytest.raises(
        ValueError, match=r"did you mean 'standard'.*allowed: basic, standard, attacks58, crop"
    ):
        perturb.resolve("standart")


@pytest.mark.parametrize("name", perturb.PRESETS)
def test_presets_are_distinct(name):
    assert len(perturb.resolve(name)) == len(perturb.PRESETS[name])


def test_attacks58_is_the_published_list():
    counts = {}
    for spec in perturb.resolve("attacks58"):
        counts[perturb.kind(spec)] = counts.get(perturb.kind(spec), 0) + 1
    assert sum(counts.values()) == 58
    assert counts == {
        "noise": 9,
        "blur": 3,
        "median": 3,
        "recompress": 3,
        "resize": 4,
        "crop": 5,
        "rotate": 5,
        "shear": 5,
        "contrast": 4,
        "saturation": 4,
        "brightness": 4,
        "sharpness": 4,
        "text": 5,
    }


def test_kind_and_severity():
    assert (perturb.kind(""), perturb.severity("")) == ("", 0)
    assert perturb.kind("crop(area=0.3)+recompress") == "crop+recompress"
    assert math.isnan(perturb.severity("crop+recompress"))
    assert perturb.severity("crop(area=0.8)") == 0.2
    assert perturb.severity("crop(side=0.1)") == 0.19
    # someone else's table: the text is enough for a kind
    assert perturb.kind("theirs(a=1)") == "theirs"
    assert math.isnan(perturb.severity("theirs(a=1)"))


def test_chain():
    empty, two = perturb.parse(" "), perturb.parse("crop( area=0.5 ) + mirror")
    assert (empty.spec, empty.kind, empty.severity, empty.resources) == ("", "", 0, "")
    assert (two.spec, two.kind, two.resources) == ("crop+mirror", "crop+mirror", "")
    assert math.isnan(two.severity)
    image = picture()
    unchanged = empty.apply(image)
    assert same(unchanged, image)
    assert unchanged is not image
    assert same(two.apply(image), perturb.apply(perturb.apply(image, "crop"), "mirror"))


def test_draws_depend_on_seed_content_and_place_in_the_chain():
    image, other = flat(100), flat(101)
    assert same(
        perturb.apply(image, "noise", seed=1), perturb.apply(image, "noise", seed=np.int64(1))
    )
    assert not same(perturb.apply(image, "noise", seed=1), perturb.apply(image, "noise", seed=2))
    shifted = ImageChops.add(perturb.apply(image, "noise"), flat(1))
    assert not same(shifted, perturb.apply(other, "noise"))
    once = np.asarray(perturb.apply(image, "noise(variance=0.001)"), dtype=int) - 100
    twice = (
        np.asarray(perturb.apply(image, "noise(variance=0.001)+noise(variance=0.001)"), dtype=int)
        - 100
    )
    assert np.corrcoef(once.ravel(), (twice - once).ravel())[0, 1] < 0.1


def test_known_content_digest_saves_only_time():
    image = picture()
    chain = perturb.parse("text")
    assert same(chain.apply(image, content=perturb.content_digest(image)), chain.apply(image))
    assert perturb.content_digest(image) != perturb.content_digest(image.rotate(90))
    for height in (499, 500, 1001):  # it is digested in bands
        tall = image.resize((2000, height))
        whole = hashlib.sha256(b"2000 %d " % height + tall.tobytes())
        assert perturb.content_digest(tall) == whole.digest()
    assert perturb.content_digest(flat(0, (2, 3))) != perturb.content_digest(flat(0, (3, 2)))


def test_apply_takes_what_read_image_takes():
    array = np.asarray(picture())
    assert same(perturb.apply(array, "mirror"), perturb.apply(picture(), "mirror"))
    with pytest.raises(ValueError, match="mode RGB, not one of mode L"):
        perturb.parse("mirror").apply(picture().convert("L"))


# A user's own -------------------------------------------------------------------------------------


@pytest.fixture
def own_registry():
    before = dict(perturb.REGISTRY)
    yield perturb.REGISTRY
    perturb.REGISTRY.clear()
    perturb.REGISTRY.update(before)


def fade(image, rng, *, strength: Annotated[float, perturb.between(0, 1)] = 0.5, to: str = "white"):
    return Image.blend(image, Image.new("RGB", image.size, to), strength)


def test_own_perturbation_works_like_a_built_in_one(own_registry):
    perturb.register(severity=lambda strength: strength)(fade)
    assert perturb.canonical("fade(to='white', strength=0.25)") == "fade(strength=0.25)"
    assert perturb.severity("fade(strength=0.25)") == 0.25
    assert perturb.apply(flat(0), "fade(strength=1)").getpixel((0, 0)) == (255, 255, 255)
    assert perturb.parse("fade").resources.startswith("code:")
    with pytest.raises(ValueError, match="strength of 'fade' must be a number from 0 to 1, not 2"):
        perturb.parse("fade(strength=2)")


def test_names_are_taken_once(own_registry):
    perturb.register(severity=lambda: 1)(fade)
    perturb.register(severity=lambda: 2)(fade)  # the same cell run again
    assert perturb.severity("fade") == 2

    def crop(image, rng):
        return image.copy()

    with pytest.raises(ValueError, match="'crop' exists"):
        perturb.register(severity=lambda: 1)(crop)
    perturb.register(severity=lambda: 1, replace=True)(crop)
    assert own_registry["crop"].function is crop


def test_wrong_shapes_are_refused_when_registered(own_registry):
    def no_rng(image, *, a=1):
        return image

    def no_default(image, rng, *, a):
        return image

    with pytest.raises(ValueError, match="function of"):
        perturb.register(severity=lambda: 1)(no_rng)
    with pytest.raises(ValueError, match="needs a default"):
        perturb.register(severity=lambda: 1)(no_default)
    with pytest.raises(
        ValueError, match=r"severity of 'fade' uses \['power'\]; allowed: \['strength', 'to'\]"
    ):
        perturb.register(severity=lambda power: power)(fade)


def test_wrong_results_are_refused(own_registry):
    def to_array(image, rng):
        return np.asarray(image)

    def to_grey(image, rng, *, level=1.0):
        return image.convert("L")

    perturb.register(severity=lambda: 1)(to_array)
    perturb.register(severity=lambda level: level)(to_grey)
    with pytest.raises(
        ValueError, match="'to_array' must return a PIL picture of mode RGB, not ndarray"
    ):
        perturb.apply(picture(), "to_array")
    with pytest.raises(ValueError, match="not one of mode L"):
        perturb.apply(picture(), "to_grey")
    with pytest.raises(ValueError, match="severity of 'to_grey' must be finite and at least 0"):
        perturb.parse("to_grey(level=-1)")


def test_a_worker_needs_no_registration(own_registry):
    scope = {"__name__": "__main__"}  # as in a notebook
    exec(
        "def invert(image, rng, *, times=1):\n    return image.point(lambda level: 255 - level)",
        scope,
    )
    perturb.register(severity=lambda times: times)(scope["invert"])
    chain, image = perturb.parse("invert+mirror"), picture()
    made = joblib.Parallel(n_jobs=2)(joblib.delayed(chain.apply)(image, seed) for seed in (0, 1))
    assert all(same(variant, chain.apply(image)) for variant in made)


# Geometry -----------------------------------------------------------------------------------------


def map_of(width=255, height=255):
    """A picture whose red is x and whose green is y: a variant tells where its pixels come from."""
    y, x = np.mgrid[:height, :width]
    return Image.fromarray(np.stack([x, y, 0 * x], axis=-1).astype(np.uint8))


@pytest.mark.parametrize(
    ("spec", "size"), [("crop(area=0.25)", (100, 50)), ("crop(side=0.2)", (160, 80))]
)
def test_crop_keeps_share_and_proportions(spec, size):
    image = map_of(200, 100)
    part = perturb.apply(image, spec)
    left, top, _ = part.getpixel((0, 0))
    assert part.size == size
    assert same(part, image.crop((left, top, left + size[0], top + size[1])))


def test_crop_moves_one_thing_along_its_severity():
    places = []
    for area in (0.04, 0.25, 0.64):
        part = perturb.apply(map_of(), f"crop(area={area})", seed=4)
        room = 255 - part.width
        places.append([level / room for level in part.getpixel((0, 0))[:2]])
    assert np.ptp(places, axis=0).max() < 0.02


def test_crop_anchors():
    corners = {
        "top-left": (0, 0),
        "center": (50, 25),
        "bottom-right": (100, 50),
        "right": (100, 25),
    }
    for anchor, corner in corners.items():
        part = perturb.apply(map_of(200, 100), f"crop(area=0.25, anchor='{anchor}')")
        assert part.getpixel((0, 0))[:2] == corner, anchor
    for seed in range(6):
        x, y, _ = perturb.apply(
            map_of(200, 100), "crop(area=0.25, anchor='edge')", seed=seed
        ).getpixel((0, 0))
        assert x in (0, 100) or y in (0, 50)


def test_crop_resized_back():
    image = picture()
    variant = perturb.apply(image, "crop(side=0.1, anchor='center', resize_back=True)")
    expected = image.crop((6, 4, 114, 76)).resize(image.size, Image.Resampling.BICUBIC)
    assert same(variant, expected)


def test_sizes():
    image = picture(120, 80)
    sizes = {
        "resize(scale=0.4)": (48, 32),
        "resize(scale=1.6)": (192, 128),
        "aspect(ratio=4)": (240, 40),
        "rotate(degrees=90)": (80, 120),
        "rotate(degrees=30)": (144, 129),
        "rotate(expand=False)": (120, 80),
        "rotate(degrees=30, resize_back=True)": (120, 80),
        "border(width=0.1)": (136, 96),
        "caption(height=0.25)": (120, 100),
        "screenshot(frame=0.5)": (120, 120),
        "text": (120, 80),
        "shear": (120, 80),
        "perspective": (120, 80),
        "embed": (120, 80),
        "recompress": (120, 80),
    }
    assert {spec: perturb.apply(image, spec).size for spec in sizes} == sizes


def test_right_angles_lose_nothing():
    image = picture()
    assert same(
        perturb.apply(image, "rotate(degrees=90)"), image.transpose(Image.Transpose.ROTATE_90)
    )
    assert same(
        perturb.apply(image, "rotate(degrees=180)"), image.transpose(Image.Transpose.ROTATE_180)
    )
    assert same(
        perturb.apply(image, "mirror(axis='vertical')"),
        image.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
    )


def smooth_picture():
    return perturb.apply(picture(200, 150), "blur(sigma=3)")


def difference(a, b):
    return np.abs(np.asarray(a, dtype=float) - np.asarray(b, dtype=float)).mean()


@pytest.mark.parametrize("degrees", [5, 20, -60])
def test_rotation_is_pillows(degrees):
    image = smooth_picture()
    expected = image.rotate(degrees, Image.Resampling.BICUBIC)
    assert (
        difference(perturb.apply(image, f"rotate(degrees={degrees}, expand=False)"), expected) < 1
    )
    assert difference(image, expected) > 5


def test_shear_is_the_published_one():
    """torchvision's affine: the inverse matrix about the centre, handed to Pillow."""
    image = smooth_picture()
    t = math.tan(math.radians(10))
    x, y = image.width / 2, image.height / 2
    inverse = [1 + t * t, -t, x - (1 + t * t) * x + t * y, -t, 1, y + t * x - y]
    expected = image.transform(
        image.size, Image.Transform.AFFINE, inverse, Image.Resampling.BICUBIC
    )
    assert difference(perturb.apply(image, "shear(degrees=10)"), expected) < 1


def test_perspective_moves_corners_inwards_in_proportion():
    white = flat(255, (200, 200))
    shares = [
        np.asarray(perturb.apply(white, f"perspective(amount={a})")).mean() / 255
        for a in (0.05, 0.1, 0.4)
    ]
    assert 1 > shares[0] > shares[1] > shares[2] > 0.04


def test_warps_refuse_what_they_cannot_hold():
    for kind in ("rotate", "shear", "perspective"):
        with pytest.raises(ValueError, match="up to 32,766 pixels can be warped, not 33000 x 2"):
            perturb.apply(flat(size=(33000, 2)), kind)


# Levels -------------------------------------------------------------------------------------------


def test_recompress_is_one_round_trip():
    image = picture()
    file = io.BytesIO()
    image.save(file, "JPEG", quality=30)
    assert same(perturb.apply(image, "recompress"), Image.open(file).convert("RGB"))
    assert len(perturb.apply(image, "recompress(format='png', quality=10)").getcolors()) <= 26


@pytest.mark.parametrize("codec", ["webp", "avif"])
def test_recompress_with_newer_codecs(codec):
    if not features.check(codec):
        pytest.skip(f"this Pillow has no {codec}")
    spec = f"recompress(format='{codec}', quality={{}})"
    low, high = (
        difference(perturb.apply(picture(), spec.format(quality)), picture()) for quality in (5, 95)
    )
    assert low > high > 0
    assert perturb.parse(spec.format(5)).resources.startswith(codec)


def test_a_codec_that_is_missing_is_said_before_anything_runs(monkeypatch):
    monkeypatch.setattr(features, "check", lambda name: False)
    with pytest.raises(ValueError, match="built without avif; allowed: jpeg, png"):
        perturb.parse("recompress(format='avif')")


@pytest.mark.parametrize(("kernel", "sigma"), [(3, 1.0), (5, 1.6), (7, 2.2)])
def test_blur_kernels_are_the_published_ones(kernel, sigma):
    assert perturb.severity(f"blur(kernel={kernel})") == sigma
    expected = cv2.GaussianBlur(np.asarray(picture()), (kernel, kernel), sigma)
    assert same(perturb.apply(picture(), f"blur(kernel={kernel})"), Image.fromarray(expected))


def test_motion_smears_along_its_line_only():
    dot = Image.new("RGB", (31, 31))
    dot.putpixel((15, 15), (255, 255, 255))
    lit = {}
    for degrees in (0, 90, 45):
        rows, columns = np.nonzero(
            np.asarray(perturb.apply(dot, f"motion(length=9, degrees={degrees})"))[..., 0]
        )
        lit[degrees] = set(zip(columns - 15, rows - 15))
    assert lit[0] == {(i, 0) for i in range(-4, 5)}
    assert lit[90] == {(0, i) for i in range(-4, 5)}
    assert all(abs(x + y) <= 1 and abs(x - y) <= 7 for x, y in lit[45])


@pytest.mark.parametrize("degrees", [0, 20, 45, 90])
@pytest.mark.parametrize("length", [2, 3, 9, 20])
def test_the_line_of_motion_has_its_length_in_every_direction(length, degrees):
    kernel = perturb.photometric._line_kernel(length, math.radians(degrees))
    rows, columns = np.indices(kernel.shape) - len(kernel) // 2
    along = columns * math.cos(math.radians(degrees)) - rows * math.sin(math.radians(degrees))
    assert kernel.sum() == pytest.approx(1)
    assert (kernel * along).sum() == pytest.approx(0, abs=1e-9)
    # the variance of a line, and at most a quarter for sharing its points among pixels
    excess = (kernel * along**2).sum() - (length - 1) ** 2 / 12
    assert 0 <= excess <= 0.25 + (length - 1) / (6 * length)


def test_noise_has_the_stated_variance():
    ground = flat(128)
    noisy = {
        v: np.asarray(perturb.apply(ground, f"noise(variance={v})"), dtype=float) - 128
        for v in (0.01, 0.0025)
    }
    assert (noisy[0.01] / 255).var() == pytest.approx(0.01, rel=0.03)
    assert abs(noisy[0.01].mean()) < 0.5
    assert np.abs(noisy[0.01] / 2 - noisy[0.0025]).max() <= 1  # the same field, half as strong
    speckled = np.asarray(
        perturb.apply(ground, "noise(kind='speckle', variance=0.01)"), dtype=float
    )
    assert (speckled / 255).var() == pytest.approx(0.01 * (128 / 255) ** 2, rel=0.03)
    assert same(perturb.apply(flat(0), "noise(kind='speckle')"), flat(0))


@pytest.mark.parametrize("kind", ["gaussian", "speckle", "salt_pepper"])
def test_noise_does_not_depend_on_how_many_rows_are_drawn_at_a_time(kind, monkeypatch):
    ground, spec = flat(100, (51, 33)), f"noise(kind={kind!r})"
    whole = perturb.apply(ground, spec)
    monkeypatch.setattr(perturb.photometric, "_BAND", 6)
    assert same(perturb.apply(ground, spec), whole)


def test_salt_and_pepper_come_in_equal_shares():
    salted = np.asarray(perturb.apply(flat(128), "noise(kind='salt_pepper', amount=0.1)"))
    assert (salted == 255).mean() == pytest.approx(0.05, rel=0.05)
    assert (salted == 0).mean() == pytest.approx(0.05, rel=0.05)
    assert set(np.unique(salted)) == {0, 128, 255}
    all_of_it = np.asarray(perturb.apply(flat(128), "noise(kind='salt_pepper', amount=1)"))
    assert set(np.unique(all_of_it)) == {0, 255}


@pytest.mark.parametrize(
    ("kind", "enhancer"),
    [
        ("brightness", "Brightness"),
        ("contrast", "Contrast"),
        ("saturation", "Color"),
        ("sharpness", "Sharpness"),
    ],
)
def test_factors_are_pillows(kind, enhancer):
    expected = getattr(ImageEnhance, enhancer)(picture()).enhance(0.66)
    assert same(perturb.apply(picture(), f"{kind}(factor=0.66)"), expected)
    assert perturb.severity(f"{kind}(factor=0.5)") == perturb.severity(f"{kind}(factor=2)") == 1
    assert len(perturb.curves([f"{kind}(factor=0.5)", f"{kind}(factor=2)"])) == 2


def test_tone_and_colour():
    red = Image.new("RGB", (4, 4), (255, 0, 0))
    assert (
        difference(perturb.apply(red, "hue(degrees=120)"), Image.new("RGB", (4, 4), (0, 255, 0)))
        < 3
    )
    assert perturb.apply(flat(64), "gamma(exponent=0.5)").getpixel((0, 0)) == (128,) * 3
    assert perturb.apply(flat(200), "posterize(bits=1)").getpixel((0, 0)) == (128,) * 3
    assert same(perturb.apply(picture(), "gray"), images.to_grey(picture()).convert("RGB"))


# Text and pasted pictures -------------------------------------------------------------------------


def ink(variant, ground):
    """The box of the changed pixels: left, top, right, bottom."""
    return ImageChops.difference(variant, ground).getbbox()


def test_text_is_white_with_a_black_outline_and_crisp():
    shown = perturb.apply(flat(size=(512, 384)), "text(position='center')")
    colors = {color[0]: n for n, color in shown.getcolors(9999)}
    assert colors[255] > 100
    assert colors[0] > 100


def test_text_is_inside_and_whole_wherever_it_stands():
    ground = flat(size=(512, 384))
    boxes = {
        a: ink(perturb.apply(ground, f"text(length=12, position='{a}')"), ground)
        for a in geometry.ANCHORS
    }
    sizes = {(right - left, bottom - top) for left, top, right, bottom in boxes.values()}
    assert len(sizes) == 1
    assert max(boxes["top-left"][:2]) <= 4  # the room that letters keep on their left
    assert min(boxes["bottom-right"][2:], (508, 380)) == (508, 380)


@pytest.mark.parametrize("size", [(512, 384), (100, 400), (400, 60)])
@pytest.mark.parametrize("length", [20, 50, 100])
def test_what_is_written_into_a_box_is_made_to_fit(size, length):
    free = Image.new("RGB", (2000, 2000), (128,) * 3)
    written = pasting.wrapped("W" * length, 20)
    pasting.write(
        free, written, (500, 500, 500 + size[0], 500 + size[1]), size=40 / 512 * size[0], stroke=2
    )
    left, top, right, bottom = ink(free, Image.new("RGB", free.size, (128,) * 3))
    assert 500 <= left < right <= 500 + size[0]
    assert 500 <= top < bottom <= 500 + size[1]


@pytest.mark.parametrize("width", [64, 512, 2000])
def test_text_has_the_stated_size_at_every_size_of_picture(width):
    """A capital of DejaVu Sans is .729 of the font's size high; the published text is 40 pixels at
    width 512.
    """
    ground = flat(size=(width, width))
    for size in (40 / 512, 0.2, 0.5):
        variant = perturb.apply(ground, f"text(content='H', size={size}, stroke=0)")
        _, top, _, bottom = ink(variant, ground)
        assert bottom - top == pytest.approx(0.729 * size * width, abs=2)


def test_text_goes_on_over_itself_and_ends_where_the_picture_is_full():
    ground = flat(size=(200, 150))
    shares = [
        (np.asarray(perturb.apply(ground, spec)) != 128).any(axis=-1).mean()
        for spec in ("text", "text(length=150)", "text(length=500)")
    ]
    assert shares[0] < shares[1] < shares[2]
    assert perturb.severity("text(length=500)") == 500
    assert perturb.severity("text(size=1)") == perturb.severity("text(size=0.5)") == pasting.FULL
    assert perturb.severity("text(content=' \u200b')") == 0


def test_longer_text_begins_with_the_shorter_and_stands_at_the_same_place(monkeypatch):
    seen = []
    monkeypatch.setattr(
        pasting,
        "_draw",
        lambda image, page, box, at, *rest, **colors: seen.append((page.replace("\n", ""), *at)),
    )
    for length in (10, 20, 30):
        perturb.apply(picture(300, 200), f"text(length={length})", seed=2)
    texts, *places = zip(*seen)
    assert [len(text) for text in texts] == [10, 20, 30]
    assert texts[2].startswith(texts[1])
    assert texts[1].startswith(texts[0])
    assert [len(set(place)) for place in places] == [1, 1]


def test_text_wraps_by_words_and_wide_characters_count_twice():
    assert pasting.wrapped("a" * 45, 20) == "\n".join(["a" * 20, "a" * 20, "a" * 5])
    assert pasting.wrapped("the quick brown fox\njumps", 10) == "the quick\nbrown fox\njumps"
    assert pasting.wrapped("", 20) == ""


def test_text_opacity_lies_between():
    ground = flat(100)
    half, full = (
        perturb.apply(ground, f"text(opacity={o}, stroke=0)").getextrema()[0][1] for o in (0.5, 1.0)
    )
    assert full == 255
    assert 175 <= half <= 180


@pytest.mark.parametrize(
    "content", ["", " ", "\n", "a\nb\n", "\t", "\u200b", "x" * 1500, "Grüße — Ωμέγα, привет"]
)
def test_odd_texts_are_written(content):
    for kind in ("text", "caption", "watermark"):
        assert perturb.apply(flat(), f"{kind}(content={json.dumps(content)})").mode == "RGB"


@pytest.fixture
def no_system_fonts(monkeypatch):
    monkeypatch.setattr(fonts, "system_fonts", lambda: ())
    fonts.find_font.cache_clear()
    yield
    fonts.find_font.cache_clear()


def test_characters_without_a_font_are_named(no_system_fonts):
    for kind in ("text", "caption", "watermark"):
        with pytest.raises(ValueError) as error:
            perturb.parse(f"{kind}(content='Copy 日本語')")
        assert all(c in str(error.value) for c in "日本語")
        assert "Copy" not in str(error.value)
        assert "fonts-noto-cjk" in str(error.value)


def test_a_font_with_the_characters_is_found(monkeypatch, no_system_fonts):
    serif = str(Path(fonts.dejavu()).with_name("DejaVuSerif.ttf"))
    broken = str(Path(__file__))
    known = fonts.characters
    monkeypatch.setattr(fonts, "system_fonts", lambda: (broken, serif))
    monkeypatch.setattr(
        fonts, "characters", lambda path: known(path) | set("日本語" if path == serif else "")
    )
    assert fonts.find_font("日本語") == serif
    assert perturb.parse("text(content='日本語')").resources != perturb.parse("text").resources
    assert ink(perturb.apply(flat(), "text(content='日本語')"), flat())


def test_a_font_that_was_installed_meanwhile_is_found(monkeypatch, no_system_fonts):
    serif = str(Path(fonts.dejavu()).with_name("DejaVuSerif.ttf"))
    known = fonts.characters
    installed = []
    monkeypatch.undo()
    monkeypatch.setattr("matplotlib.font_manager.findSystemFonts", lambda: list(installed))
    monkeypatch.setattr(
        fonts, "characters", lambda path: known(path) | set("日本語" if path == serif else "")
    )
    with pytest.raises(ValueError, match="no font here has"):
        fonts.find_font("日本語")
    installed.append(serif)
    assert fonts.find_font("日本語") == serif


@pytest.mark.parametrize("content", ["日本語", "한국어", "中文", "مرحبا", "हिन्दी"])
def test_other_scripts_where_a_font_is_installed(content):
    try:
        chain = perturb.parse(f"text(content='{content}')")
    except ValueError as error:
        pytest.skip(str(error))
    assert ink(chain.apply(flat()), flat())


def test_named_font(tmp_path):
    serif = Path(fonts.dejavu()).with_name("DejaVuSerif.ttf")
    spec = f"text(content='abc', font={json.dumps(str(serif))})"
    assert not same(perturb.apply(flat(), spec), perturb.apply(flat(), "text(content='abc')"))
    assert perturb.parse(spec).resources != perturb.parse("text").resources
    with pytest.raises(ValueError, match="no font here has '日'"):
        perturb.parse(spec.replace("abc", "日"))
    (tmp_path / "fake.ttf").write_text("not a font")
    with pytest.raises(ValueError, match="no font here has"):
        perturb.parse(f"text(font={json.dumps(str(tmp_path / 'fake.ttf'))})")


def test_latin_text_imports_no_matplotlib():
    code = (
        "import sys; from PIL import Image; from simlab import perturb; "
        "perturb.apply(Image.new('RGB', (50, 50)), 'text+watermark+caption')\n"
        "assert 'matplotlib' not in sys.modules"
    )
    subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, check=True
    )


@pytest.mark.parametrize("spec", ["border", "caption", "caption(position='top')", "screenshot"])
def test_frames_keep_the_picture_whole(spec):
    image = picture()
    variant = np.asarray(perturb.apply(image, spec))
    found = cv2.matchTemplate(variant, np.asarray(image), cv2.TM_SQDIFF)
    _, _, (x, y), _ = cv2.minMaxLoc(found)
    assert np.array_equal(variant[y : y + image.height, x : x + image.width], np.asarray(image))


def test_overlay_respects_transparency(tmp_path):
    logo = Image.new("RGBA", (40, 20), (0, 0, 0, 0))
    logo.paste((255, 0, 0, 255), (0, 0, 20, 20))
    logo.paste((0, 0, 255, 128), (20, 0, 30, 20))
    path = tmp_path / "ロゴ.png"
    logo.save(path)
    spec = f"overlay(picture={json.dumps(str(path))}, size=1, position='top-left')"
    variant = perturb.apply(flat(100, (40, 20)), spec)
    assert variant.getpixel((10, 10)) == (255, 0, 0)
    assert variant.getpixel((35, 10)) == (100, 100, 100)
    assert variant.getpixel((25, 10)) == pytest.approx((50, 50, 178), abs=2)
    before = perturb.parse(spec).resources
    logo.rotate(180).save(path)
    assert perturb.parse(spec).resources != before
    assert perturb.apply(flat(100, (40, 20)), spec).getpixel((35, 10)) == (255, 0, 0)


def test_embed_puts_the_picture_into_the_named_one(tmp_path):
    path = tmp_path / "ground.png"
    flat(7, (30, 90)).save(path)
    image = flat(200, (100, 80))
    variant = perturb.apply(
        image, f"embed(picture={json.dumps(str(path))}, area=0.25, position='center')"
    )
    levels = np.asarray(variant)[..., 0]
    assert (levels[20:60, 25:75] == 200).all()
    assert (levels == 7).mean() == 0.75


def test_watermark_is_everywhere():
    ground = flat(0, (300, 200))
    marked = np.asarray(perturb.apply(ground, "watermark"))[..., 0] > 0
    for part in (marked[:100, :150], marked[:100, 150:], marked[100:, :150], marked[100:, 150:]):
        assert part.mean() > 0.02
    assert marked.mean() < 0.5
