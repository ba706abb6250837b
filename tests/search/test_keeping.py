"""Which of two copies is kept: the original against edits of every kind, whichever comes first."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw

import simlab as sl
from simlab.scoring.cache import Memory
from simlab.scoring.features import Store
from simlab.search import keeping
from simlab.search.keeping import choose, with_choices


def drawn():
    """A scene with fine and coarse detail, as a photograph has: RGB, 240 x 180."""
    rng = np.random.default_rng(3)
    levels = np.zeros((360, 480, 3))
    for cell in (3, 8, 20, 60):
        size = (480 // cell + 2, 360 // cell + 2, 3)
        coarse = Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))
        levels += np.asarray(coarse.resize((480, 360), Image.Resampling.BICUBIC)) * cell**0.6
    levels = 40 + 170 * (levels - levels.min()) / np.ptp(levels)
    image = Image.fromarray(levels.astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for x, y, side, level in rng.integers((0, 0, 20, 50), (440, 330, 90, 200), (25, 4)).tolist():
        draw.rectangle((x, y, x + side, y + side // 2), fill=(level, 250 - level, 120))
    return image.resize((240, 180), Image.Resampling.LANCZOS)


def saved(image, form="PNG", **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


IMAGE = drawn()
ORIGINAL = saved(IMAGE)


@pytest.mark.parametrize(
    "edit, words",
    [
        ("text", "put on it"),
        ("overlay", "put on it"),
        ("border", "a frame"),
        ("screenshot", "a frame"),
        ("embed", ""),
        ("crop(area=0.5)", "a part"),
        ("resize(scale=0.5)", "less detail"),
        ("resize(scale=2)", "less detail"),
        ("blur", "less detail"),
        ("noise", ""),
        ("brightness(factor=2)", "levels"),
        ("gray", "colour"),
        ("posterize(bits=4)", "levels"),
    ],
)
def test_the_original_is_kept(edit, words):
    variant = saved(sl.perturb.apply(IMAGE, edit, seed=1))
    forwards = choose(ORIGINAL, variant)
    backwards = choose(variant, ORIGINAL)
    assert (forwards.better, backwards.better) == (0, 1), edit
    assert forwards.reason == backwards.reason and words in forwards.reason


@pytest.mark.parametrize(
    "edit, words",
    [
        ("median", "less detail"),
        ("motion", "less detail"),
        ("noise(variance=0.002)", "noise was added"),
    ],
)
def test_what_was_lost_in_the_detail_is_told_from_noise_everywhere(edit, words):
    """Fur before a smooth ground: noise is seen in both, what a median took in the fur alone."""
    cat = sl.read_image(Path(sl.datasets.load_sample().attrs["root"], "cat.jpg"))
    cat.thumbnail((360, 360))
    variant = sl.perturb.apply(cat, edit, seed=0)
    files = saved(cat), saved(variant)
    assert choose(*files).better == 0 and choose(*files[::-1]).better == 1
    assert words in choose(*files).reason


@pytest.mark.parametrize(
    "edit, words",
    [
        ('recompress(quality=40, format="webp")', "blocks"),
        ("motion(length=5)", "one direction"),
        ("sharpness(factor=4)", "sharpness"),
    ],
)
def test_how_natural_two_copies_look_tells_where_no_rule_does(edit, words):
    cat = sl.read_image(Path(sl.datasets.load_sample().attrs["root"], "cat.jpg"))
    cat.thumbnail((320, 320))
    variant = saved(sl.perturb.apply(cat, edit, seed=0), "JPEG", quality=90)
    forwards = choose(saved(cat), variant)
    backwards = choose(variant, saved(cat))
    assert (forwards.better, backwards.better) == (0, 1)
    assert words in forwards.reason


def test_of_an_enlargement_by_repeated_pixels_the_sharp_edges_are_no_detail():
    enlarged = saved(IMAGE.resize((480, 360), Image.Resampling.NEAREST), "JPEG", quality=90)
    assert choose(ORIGINAL, enlarged)[:2] == (0, "it was enlarged")


@pytest.mark.parametrize("edit", ["caption", "border", "screenshot", "noise", "recompress"])
def test_of_a_page_the_edited_copy_is_never_kept(edit):
    """A white bar beside white paper may have been cut off, or put there."""
    page = Image.new("RGB", (360, 480), "white")
    draw = ImageDraw.Draw(page)
    for row in range(60, 430, 22):
        draw.text((40, row), f"line {row} of a page about nothing much", fill="black")
    for form in ("PNG", "JPEG"):
        variant = saved(sl.perturb.apply(page, edit, seed=2), form)
        assert choose(saved(page), variant).better != 1


def test_pixels_tell_which_of_two_was_the_coarser_jpeg():
    jpeg = saved(IMAGE, "JPEG", quality=95)
    coarser = saved(IMAGE, "JPEG", quality=40)
    decoded = saved(sl.read_image(coarser))
    anew = saved(sl.read_image(coarser), "JPEG", quality=97)
    for variant in (coarser, decoded, anew):
        assert choose(jpeg, variant)[:2] == (0, "it is the other one, compressed")


@pytest.mark.parametrize("edit", ["sharpness(factor=5)", "median"])
def test_where_little_tells_the_variant_is_not_kept(edit):
    assert choose(ORIGINAL, saved(sl.perturb.apply(IMAGE, edit, seed=1))).better != 1


def test_a_median_filter_is_not_taken_for_the_original_of_what_was_sharpened():
    crisp = sl.perturb.apply(IMAGE, "sharpness(factor=1.6)", seed=0)
    for kernel in (3, 5):
        variant = sl.perturb.apply(crisp, f"median(kernel={kernel})", seed=0)
        assert choose(saved(crisp), saved(variant)).better != 1


def test_nobody_can_tell_a_mirror_image():
    mirrored = saved(sl.perturb.apply(IMAGE, "mirror", seed=0))
    assert choose(ORIGINAL, mirrored) == choose(mirrored, ORIGINAL) == keeping.Choice(-1, "")


def test_what_a_file_says_counts():
    jpeg = saved(IMAGE, "JPEG", quality=85)
    decoded = sl.read_image(jpeg)
    # the better of two JPEGs, a PNG against its JPEG, a JPEG against its pixels saved anew
    assert choose(jpeg, saved(decoded, "JPEG", quality=50)).better == 0
    assert choose(jpeg, ORIGINAL).better == 1
    assert choose(saved(decoded), jpeg)[:2] == (1, "a JPEG saved anew")
    # saved a second time with finer steps, it is no better
    assert choose(saved(decoded, "JPEG", quality=95), jpeg).better == 1
    see_through = IMAGE.copy()
    see_through.putalpha(Image.linear_gradient("L").resize(IMAGE.size))
    flattened = sl.read_image(saved(see_through))
    better, reason, _ = choose(saved(flattened), saved(see_through))
    assert better == 1 and reason == "it lacks what the other has: transparency"


def test_groups_keep_what_the_choice_says(tmp_path):
    edits = {"z": "", "a": "resize(scale=2)", "b": "border", "c": "blur"}
    for name, edit in edits.items():
        variant = sl.perturb.apply(IMAGE, edit, seed=0) if edit else IMAGE
        variant.save(tmp_path / f"{name}.png")
    (tmp_path / "y.png").write_bytes((tmp_path / "z.png").read_bytes())
    (tmp_path / "broken.png").write_bytes(b"no picture")
    pairs = [("z.png", f"{name}.png") for name in ("a", "b", "c", "broken")]
    pairs.append(("y.png", "z.png"))
    found = pd.DataFrame(pairs, columns=["reference", "query"])
    found = found.assign(verdict="copy", distance=0.01, pixels_reference=1, pixels_query=9)
    store = Store(tmp_path, Memory(), n_jobs=1, progress=False)
    found = with_choices(found, store)
    assert found["keep"].tolist() == ["z.png"] * 3 + ["", "y.png"]
    groups = sl.group(found).set_index("file")
    assert groups.index[0] == "y.png" and groups["keep"].sum() == 1
    pd.testing.assert_frame_equal(with_choices(found, store), found)  # from the cache


def test_of_a_large_group_the_likeliest_is_asked_about_the_others(tmp_path, monkeypatch):
    asked = []

    def pretend(first, second, names=("", "")):
        asked.append(names)
        better = min(names)
        return keeping.Choice(names.index(better), "later in the alphabet")

    monkeypatch.setattr(keeping, "choose", pretend)
    files = [f"{number:02}" for number in range(20)]
    for file in files:
        (tmp_path / file).write_text(file)
    pairs = [(first, second) for first in files for second in files if first > second]
    # one has most pairs, and is not the best
    found = pd.DataFrame([*pairs[:-3], ("07", "x")], columns=["reference", "query"])
    (tmp_path / "x").write_text("x")
    found = with_choices(
        found.assign(verdict="copy", distance=0.01), Store(tmp_path, Memory(), n_jobs=1)
    )
    assert len(asked) < 60
    groups = sl.group(found)
    assert groups["file"].iloc[0] == "00" and groups["keep"].iloc[0]


def test_the_blocks_of_a_soft_picture_are_no_detail():
    """A picture with hardly an edge, and what a low JPEG quality makes of it, saved anew."""
    original = sl.read_image(sl.datasets.DATA / "sample" / "cell.jpg")
    blocky = sl.perturb.apply(original, "recompress(quality=20)")
    files = []
    for picture, quality in ((original, 93), (blocky, 90)):
        content = io.BytesIO()
        picture.save(content, "JPEG", quality=quality)
        files.append(content.getvalue())
    assert choose(*files).better != 1
