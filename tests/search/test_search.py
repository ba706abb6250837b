"""Search on folders with planted copies: what is found, what is not, what a cache saves, what bad
input does.
"""

import json
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import get_args

import faiss
import numpy as np
import pandas as pd
import pytest
from corpus import textured
from pages import check_end
from PIL import Image, ImageDraw, ImageFont

import simlab as sl
from simlab import cli
from simlab.ensemble import recipe as recipes
from simlab.evaluation.intervals import reach
from simlab.methods import overlap
from simlab.methods.orientations import turned_picture
from simlab.methods.packing import pack
from simlab.methods.registry import Seen
from simlab.report.files import TOLD
from simlab.scoring import features
from simlab.scoring.cache import Cache
from simlab.scoring.features import Variant
from simlab.search import copies, indexes, judging, library
from simlab.search import gallery as galleries
from simlab.search.copies import uncompared
from simlab.search.leaks import edit_of
from simlab.search.said import kept_apart

NAMES = [
    "astronaut",
    "cat",
    "coffee",
    "rocket",
    "retina",
    "coins",
    "city",
    "julia",
    "brick",
    "deep_field",
]
PLANTED = {
    "astronaut": "crop(area=0.4)",
    "cat": "rotate(degrees=20)",
    "coffee": "rotate(degrees=90)",
    "rocket": "recompress(quality=10)",
    "coins": "text(length=30)",
    "city": "resize(scale=0.5)",
}


TURNABLE = [
    "astronaut",
    "cat",
    "coffee",
    "rocket",
    "coins",
    "city",
    "julia",
    "camera",
    "brick",
    "tissue",
    "grass",
    "planet",
]


def recipe(methods=("phash", "dhash", "akaze_inliers")):
    """An ensemble fitted to distances such as these methods give to copies and to others."""
    rng, n = np.random.default_rng(0), 600
    copy = np.arange(n) < n // 2
    near = {
        "phash": 10,
        "dhash": 10,
        "akaze_inliers": 0.4,
        "sift": 100,
        "phash(mirror=True)": 10,
        "phash(inner=True)": 10,
        "dhash(inner=True)": 10,
        "correlation": 0.4,
    }
    far = {
        "phash": (20, 40),
        "dhash": (20, 40),
        "akaze_inliers": (0.9, 1.0),
        "sift": (300, 400),
        "phash(mirror=True)": (18, 34),
        "phash(inner=True)": (18, 34),
        "dhash(inner=True)": (18, 34),
        "correlation": (0.7, 1.3),
    }
    hit = (
        rng.random((n, len(methods))) < 0.8
    )  # a copy that a method does not see looks like any other picture
    columns = {
        method: np.where(
            copy & hit[:, at], rng.uniform(0, near[method], n), rng.uniform(*far[method], n)
        )
        for at, method in enumerate(methods)
    }
    sources = (
        [f"s{at % 30}" for at in range(n)],
        [f"s{(at if c else at + 7) % 30}" for at, c in enumerate(copy)],
    )
    table = pd.DataFrame({"reference": sources[0], "query": sources[1], "label": copy.astype(int)})
    table = table.assign(
        source_reference=sources[0], source_query=sources[1], weight=1.0, status="ok", error=""
    )
    table = table.assign(no_evidence="", **columns)
    table.attrs["methods"] = list(methods)
    return sl.Ensemble(n_resamples=2).fit(table)


@pytest.fixture(scope="module")
def fitted():
    return recipe()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Ten pictures of the sample made small, copies of six, a file twice, two flat ones and one
    that is no picture.
    """
    root = tmp_path_factory.mktemp("pictures")
    (root / "copies").mkdir()
    for name in NAMES:
        image = sl.read_image(sl.datasets.DATA / "sample" / f"{name}.jpg")
        image.thumbnail((280, 280))
        image.save(root / f"{name}.png")
        if name in PLANTED:
            sl.perturb.apply(image, PLANTED[name]).save(root / "copies" / f"{name}.jpg", quality=90)
    shutil.copy(root / "brick.png", root / "copies" / "レンガ.png")
    for name, level in (("white_1", 255), ("white_2", 254)):
        Image.new("RGB", (90, 60), (level,) * 3).save(root / f"{name}.png")
    (root / "broken.jpg").write_bytes(b"no picture")
    return root


@pytest.fixture(scope="module")
def few(folder, tmp_path_factory):
    """Five of these pictures, a copy among them."""
    root = tmp_path_factory.mktemp("few")
    for name in ("cat.png", "rocket.png", "julia.png", "coins.png", "copies/cat.jpg"):
        shutil.copy(folder / name, root)
    return root


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache") / "cache.sqlite"


@pytest.fixture(scope="module")
def found(folder, fitted, cache):
    return sl.find_copies(folder, fitted, cache=cache, n_jobs=1, progress=False)


def pairs_of(table):
    return {frozenset(pair) for pair in zip(table["reference"], table["query"])}


def test_every_planted_copy_is_found_and_nothing_else(found):
    expected = {frozenset((f"{name}.png", f"copies/{name}.jpg")) for name in PLANTED}
    assert pairs_of(found) == expected | {frozenset(("brick.png", "copies/レンガ.png"))}


def test_identical_files_come_first_and_are_certain(found):
    first = found.iloc[0]
    assert {first["reference"], first["query"]} == {"brick.png", "copies/レンガ.png"}
    assert first["same_file"] and first["probability"] == 1 and first["distance"] == 0
    assert not found["same_file"].iloc[1:].any()


def test_columns_say_how_sure_and_who_agreed(found):
    assert list(found)[:10] == [
        "reference",
        "query",
        "verdict",
        "same_file",
        "distance",
        "probability",
        "agreed",
        "low_information",
        "frames",
        "no_evidence",
    ]
    assert list(found)[10:] == [
        "phash",
        "dhash",
        "akaze_inliers",
        *overlap.COLUMNS,
        "keep",
        "keep_reason",
        "likelier",
        "pixels_reference",
        "sharpness_reference",
        "sha256_reference",
        "pixels_query",
        "sharpness_query",
        "sha256_query",
        "threshold",
        "prior",
    ]
    turned = found[found["query"] == "copies/coffee.jpg"].iloc[0]
    assert turned["agreed"] == "akaze_inliers"  # no hash sees a quarter turn
    np.testing.assert_allclose(found["distance"], 1 - found["probability"], atol=1e-12)
    assert found["distance"].iloc[1:].is_monotonic_increasing


def test_found_pairs_say_where_the_one_lies_in_the_other(found, folder, fitted, cache):
    crop = found[found["query"] == "copies/astronaut.jpg"].iloc[0]
    assert crop["contains"] == "reference" and crop["overlap_query"] > 0.97
    assert crop["overlap_reference"] == pytest.approx(0.4, abs=0.01)
    assert found["contains"].iloc[0] == "both" and found["overlap"].iloc[0] == 1
    assert found["overlap"].notna().all()
    gallery = sl.Gallery(folder, fitted, cache=cache, n_jobs=1, progress=False)
    answers = gallery.query(folder / "copies" / "astronaut.jpg", top=3)
    assert answers._repr_html_().count("<img ") == 3  # a table of candidates shows them
    answers = answers.set_index("file")
    of_crop = answers.loc["astronaut.png", overlap.COLUMNS]
    pd.testing.assert_series_equal(of_crop, crop[overlap.COLUMNS], check_names=False)
    assert answers["overlap"][answers["verdict"] == "different"].isna().all()
    asked = folder / "copies" / "astronaut.jpg"
    options = {"cache": cache, "n_jobs": 1, "progress": False}
    queried = sl.find_copies(folder, fitted, queries=asked, **options).set_index("reference")
    of_query = queried.loc["astronaut.png", overlap.COLUMNS]
    pd.testing.assert_series_equal(of_query, crop[overlap.COLUMNS], check_names=False)


def test_what_is_beside_the_table(found, folder):
    assert found.attrs["errors"].keys() == {"broken.jpg"}
    assert found.attrs["root"] == str(folder)
    n = len(found.attrs["pictures"]["file"])
    assert found.attrs["prior"] == pytest.approx(1 / (n - 2))  # one of them is there twice
    low = dict(zip(found.attrs["pictures"]["file"], found.attrs["pictures"]["low_information"]))
    assert low["white_1.png"] and not low["cat.png"]


def test_the_cache_gives_the_same_without_work(found, folder, fitted, cache, monkeypatch):
    def refuse(*_):
        raise AssertionError("it was made again")

    monkeypatch.setattr("simlab.scoring.features._extract_variant", refuse)
    monkeypatch.setattr("simlab.scoring.table._compare", refuse)
    monkeypatch.setattr("simlab.search.keeping.choose", refuse)
    monkeypatch.setattr(library.Library, "_propose", refuse)
    read = []
    of_file = features.read_bytes
    monkeypatch.setattr(features, "read_bytes", lambda file: read.append(file) or of_file(file))
    again = sl.find_copies(folder, fitted, cache=cache, n_jobs=1, progress=False)
    pd.testing.assert_frame_equal(found, again)
    n_read = Counter(path.relative_to(folder).as_posix() for path in read)
    assert {n_read[file] for file in found.attrs["pictures"]["file"]} == {1}


def test_the_order_of_files_does_not_matter(few, fitted, cache):
    options = {"cache": cache, "n_jobs": 1, "progress": False, "threshold": 0.999999}
    paths = [few / name for name in sl.list_images(few)]
    found = sl.find_copies(paths, fitted, **options)
    turned = sl.find_copies(paths[::-1], fitted, **options)
    assert pairs_of(turned) == pairs_of(found)
    assert len(found) >= 1


def test_probability_follows_the_prior(few, fitted, cache):
    options = {"cache": cache, "n_jobs": 1, "progress": False, "threshold": 0.999999}
    rare, common = (sl.find_copies(few, fitted, prior=p, **options) for p in (1e-6, 0.5))
    rare = rare.set_index(["reference", "query"])["probability"]
    common = common.set_index(["reference", "query"])["probability"].reindex(rare.index)
    assert (rare <= common).all() and (rare < common).any()
    strict = sl.find_copies(few, fitted, prior=1e-9, **options | {"threshold": 0.01})
    assert (strict["verdict"] != "look-alike").sum() < len(common)


def test_flat_pictures_are_never_sure(tmp_path, fitted):
    Image.new("RGB", (90, 60), "white").save(tmp_path / "a.png")
    Image.new("RGB", (90, 60), "white").save(tmp_path / "b.bmp")
    Image.new("RGB", (90, 60), "black").save(tmp_path / "c.png")
    shutil.copy(tmp_path / "a.png", tmp_path / "d.png")
    found = sl.find_copies(tmp_path, fitted, n_jobs=1, progress=False)
    assert found["low_information"].all()
    by_pair = {frozenset((r.reference, r.query)): r for r in found.itertuples()}
    assert by_pair[frozenset(("a.png", "d.png"))].probability == 1
    assert by_pair[frozenset(("a.png", "b.bmp"))].probability == judging.CAUTION
    assert not any("c.png" in pair for pair in by_pair)


def test_nearly_empty_pictures_are_not_sure(tmp_path, fitted):
    for name, format_ in (("a.png", "png"), ("b.jpg", "jpeg")):
        image = Image.new("RGB", (300, 200), "white")
        image.paste("black", (150, 100, 156, 103))
        image.save(tmp_path / name, format=format_)
    found = sl.find_copies(tmp_path, fitted, n_jobs=1, progress=False)
    assert not len(found)


def test_files_of_one_unreadable_content_are_errors_and_no_copies(tmp_path, fitted):
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (tmp_path / name).write_bytes(b"<html>not found</html>")
    for number in (1, 2):
        textured(number).save(tmp_path / f"{number}.png")
    found = sl.find_copies(tmp_path, fitted, n_jobs=1, progress=False)
    assert not len(found) and found.attrs["errors"].keys() == {"a.jpg", "b.jpg", "c.jpg"}


@pytest.mark.parametrize("form", ["GIF", "TIFF"])
def test_files_of_several_frames_with_one_cover_are_marked_and_doubtful(tmp_path, fitted, form):
    for number in (1, 2):
        more = {"save_all": True, "append_images": [textured(number)]}
        textured(0).save(tmp_path / f"film{number}.{form.lower()}", form, **more)
    for number in (3, 4):
        textured(number).save(tmp_path / f"{number}.png")
    shutil.copy(tmp_path / f"film1.{form.lower()}", tmp_path / f"same.{form.lower()}")
    found = sl.find_copies(tmp_path, fitted, n_jobs=1, progress=False)
    assert len(found) == 3 and (found["frames"] == 2).all()
    assert found["same_file"].tolist() == [True, False, False]
    assert found["probability"].tolist() == [1.0, judging.CAUTION, judging.CAUTION]
    gallery = sl.Gallery(tmp_path, fitted, n_jobs=1, progress=False)
    asked = gallery.query(tmp_path / f"film2.{form.lower()}", top=3)
    assert asked["same_file"].tolist() == [True, False, False]
    assert asked["probability"].max() == 1 and asked["probability"][1] == judging.CAUTION


def test_pictures_of_any_name_are_searched_where_asked(tmp_path, fitted):
    for number, name in enumerate(("a.png", "b.png", "c.png")):
        textured(number).save(tmp_path / name)
    shutil.copy(tmp_path / "a.png", tmp_path / "a.backup")
    (tmp_path / "notes.txt").write_text("none")
    options = {"n_jobs": 1, "progress": False}
    assert sl.find_copies(tmp_path, fitted, **options).attrs["passed_over"] == {
        ".backup": 1,
        ".txt": 1,
    }
    found = sl.find_copies(tmp_path, fitted, any_name=True, **options)
    assert found["same_file"].sum() == 1 and found["reference"][0] == "a.backup"
    assert found.attrs["passed_over"] == {".txt": 1}


def test_gallery_finds_the_picture_of_a_query(folder, fitted, cache):
    gallery = sl.Gallery(folder, fitted, cache=cache, n_jobs=1, progress=False)
    image = sl.perturb.apply(
        sl.read_image(folder / "deep_field.png"), "crop(area=0.5)+rotate(degrees=10)"
    )
    table = gallery.query(image, top=3)
    assert table["file"].iloc[0] == "deep_field.png" and table["probability"].iloc[0] > 0.5
    methods = ["phash", "dhash", "akaze_inliers"]
    assert len(table) <= 3 and list(table)[-3 - len(overlap.COLUMNS) :] == methods + overlap.COLUMNS
    assert not table["same_file"].any()
    same = gallery.query(folder / "brick.png").iloc[0]
    assert same["file"] in ("brick.png", "copies/レンガ.png") and same["same_file"]
    assert gallery.errors.keys() == {"broken.jpg"}


def test_gallery_has_no_copy_of_a_stranger(folder, fitted, cache):
    gallery = sl.Gallery(folder, fitted, cache=cache, n_jobs=1, progress=False)
    assert (gallery.query(sl.datasets.DATA / "sample" / "gravel.jpg")["probability"] < 0.5).all()
    assert (gallery.query(Image.new("RGB", (50, 50), "red"))["probability"] < 0.5).all()
    with pytest.raises(ValueError, match="top must be a whole number, 1 or more"):
        gallery.query(folder / "cat.png", top=0)
    with pytest.raises(sl.ImageError):
        gallery.query(folder / "broken.jpg")


def test_queries_against_a_folder(folder, fitted, cache, tmp_path):
    sl.perturb.apply(sl.read_image(folder / "cat.png"), "crop(area=0.5)").save(
        tmp_path / "query.png"
    )
    (tmp_path / "bad.png").write_bytes(b"")
    options = {"cache": cache, "n_jobs": 1, "progress": False}
    found = sl.find_copies(
        folder, fitted, queries=[tmp_path / "query.png", tmp_path / "bad.png"], **options
    )
    assert "cat.png" in set(found["reference"]) and set(found["query"]) == {
        str(tmp_path / "query.png")
    }
    assert str(tmp_path / "bad.png") in found.attrs["errors"]
    with pytest.raises(ValueError, match="no query could be read"):
        sl.find_copies(folder, fitted, queries=[tmp_path / "bad.png"], **options)


def test_every_picture_that_equals_the_found_one_is_listed(folder, fitted, tmp_path):
    """Same file twice, and the same pixels in another file: a query names all three, identical
    where the bytes are.
    """
    shutil.copy(folder / "cat.png", tmp_path / "a.png")
    shutil.copy(folder / "cat.png", tmp_path / "c.png")
    sl.read_image(folder / "cat.png").save(tmp_path / "b.bmp")
    options = {"n_jobs": 1, "progress": False}
    found = sl.Gallery(tmp_path, fitted, **options).query(tmp_path / "b.bmp")
    assert dict(zip(found["file"], found["same_file"])) == {
        "a.png": False,
        "b.bmp": True,
        "c.png": False,
    }
    listed = sl.find_copies(tmp_path, fitted, queries=[folder / "cat.png"] * 2, **options)
    assert (
        listed["reference"].tolist() == ["a.png", "c.png", "b.bmp"]
        and (listed["distance"] == 0).all()
    )
    assert listed.equals(
        sl.find_copies(tmp_path, fitted, queries=str(folder / "cat.png"), **options)
    )


def test_mirrored_copies_are_candidates_where_the_recipe_looks_for_them(folder, cache, tmp_path):
    for name in ("cat", "rocket", "julia"):
        shutil.copy(folder / f"{name}.png", tmp_path)
    sl.perturb.apply(sl.read_image(folder / "cat.png"), "mirror").save(tmp_path / "mirrored.png")
    found = sl.find_copies(
        tmp_path, recipe(["phash(mirror=True)", "dhash"]), n_jobs=1, progress=False, threshold=0.9
    )
    assert pairs_of(found) == {frozenset(("cat.png", "mirrored.png"))}


@pytest.mark.parametrize(
    "names",
    [
        TURNABLE[:4],  # four whole, and parts in the other four orientations
        pytest.param(TURNABLE[4:8], marks=pytest.mark.sweep),
        pytest.param(TURNABLE[8:], marks=pytest.mark.sweep),
    ],
)
def test_copies_in_every_orientation_are_found_whole_and_cropped(names, tmp_path):
    shown = {}
    for name in names:
        image = sl.read_image(sl.datasets.DATA / "sample" / f"{name}.jpg")
        image.thumbnail((240, 240))
        image.save(tmp_path / f"{name}.png")
        shown[name] = image
    gallery = sl.Gallery(tmp_path, n_jobs=1, progress=False)
    for number, (name, image) in enumerate(shown.items()):
        whole = turned_picture(image, number % 8)
        part = turned_picture(image, (number + 4) % 8)
        part = sl.perturb.apply(part, "crop(area=0.5)", seed=number)
        for query in (whole, part):
            surest = gallery.query(query, top=1).iloc[0]
            assert (surest["file"], surest["verdict"] == "look-alike") == (f"{name}.png", False)
            assert surest["distance"] <= 0.5


def word(text, at=(300, 200)):
    image = Image.new("RGB", (800, 450), (18, 18, 24))
    ImageDraw.Draw(image).text(at, text, fill="white", font=ImageFont.load_default(60))
    return image


def test_pictures_with_little_in_them_are_judged_by_what_they_show(tmp_path):
    """Each is of low information, and the words would be lost in a small copy of the whole."""
    for name in ("Hello", "World", "Debian"):
        word(name).save(tmp_path / f"{name}.png")
    word("Hello").resize((600, 338)).save(tmp_path / "small.jpg", quality=70)
    word("World", at=(100, 300)).save(tmp_path / "moved.png")
    found = sl.find_copies(tmp_path, n_jobs=1, progress=False)
    copies = found[found["distance"] <= 0.5]
    expected = {frozenset(("Hello.png", "small.jpg")), frozenset(("World.png", "moved.png"))}
    assert pairs_of(copies) == expected


def test_a_picture_with_bars_finds_the_one_without(tmp_path):
    for name in ("cat", "coffee"):
        image = sl.read_image(sl.datasets.DATA / "sample" / f"{name}.jpg")
        image.thumbnail((200, 200))
        image.save(tmp_path / f"{name}.png")
        barred = Image.new("RGB", (image.width + 120, image.height))
        barred.paste(image, (60, 0))
        barred.save(tmp_path / f"{name}_barred.png")
    aware = recipe(["phash(inner=True)", "dhash(inner=True)"])
    found = sl.find_copies(tmp_path, aware, n_jobs=1, progress=False)
    expected = {frozenset((f"{name}.png", f"{name}_barred.png")) for name in ("cat", "coffee")}
    assert pairs_of(found) == expected
    assert (found["phash(inner=True)"] <= 4).all()


def test_pairs_that_others_link_are_compared(fitted):
    found = pd.DataFrame({"reference": ["a", "b", "x"], "query": ["b", "c", "y"]})
    missing = uncompared(
        found, [("a", "b"), ("b", "c"), ("x", "y")], ["a", "b", "c", "x", "y", "z"]
    )
    assert missing == [("a", "c")]


def test_without_a_recipe_the_default_finds_copies_of_every_kind(folder, tmp_path):
    for name in ("cat.png", "rocket.png", "julia.png", "copies/cat.jpg"):
        shutil.copy(folder / name, tmp_path)
    sl.perturb.apply(sl.read_image(folder / "rocket.png"), "mirror").save(tmp_path / "mirrored.png")
    sl.perturb.apply(sl.read_image(folder / "julia.png"), "crop(area=0.3)").save(
        tmp_path / "part.png"
    )
    found = sl.find_copies(tmp_path, n_jobs=1, progress=False)
    expected = {("cat.png", "cat.jpg"), ("rocket.png", "mirrored.png"), ("julia.png", "part.png")}
    assert pairs_of(found) == set(map(frozenset, expected))


def test_one_copy_is_found_by_hashes_where_they_suffice(few, cache, monkeypatch):
    """Without a guard: a guard is always asked, and it needs keypoints."""
    content = recipes.read(recipes.DEFAULT)
    del content["guard"]
    unguarded = sl.Ensemble()._restore(content)
    gallery = sl.Gallery(few, unguarded, cache=cache, n_jobs=1, progress=False)
    guarded = sl.Gallery(few, cache=cache, n_jobs=1, progress=False)
    image = sl.read_image(few / "julia.png")
    near, turned = (
        sl.perturb.apply(image, spec) for spec in ("recompress(quality=60)", "rotate(degrees=40)")
    )
    every = gallery.query(near, top=indexes.BEST).iloc[0]
    assert every["file"] == "julia.png" and every[gallery.recipe.methods_].notna().all()
    assert gallery.query(turned, top=1)["file"].tolist() == ["julia.png"]

    asked = guarded.query(near, top=1)
    assert (
        asked["file"].tolist() == ["julia.png"]
        and asked[guarded.recipe.guard_.method].notna().all()
    )

    def refuse(*_, **__):
        raise AssertionError("keypoints were asked for")

    monkeypatch.setattr("simlab.methods.keypoints.detect", refuse)
    first = gallery.query(near, top=1)
    assert first["file"].tolist() == ["julia.png"] and first["aligned(orientations=8)"].isna().all()
    assert first["distance"].iloc[0] <= galleries.CLEAR and first["overlap"].isna().all()
    with pytest.raises(AssertionError):
        gallery.query(turned, top=1)


def test_steps_of_a_query_add_what_is_known(few, cache):
    gallery = sl.Gallery(few, cache=cache, n_jobs=1, progress=False)
    picture = sl.perturb.apply(sl.read_image(few / "rocket.png"), "shear(degrees=10)")
    steps = list(gallery.steps(picture, prior=0.01))
    assert [table["aligned(orientations=8)"].notna().sum() > 0 for table in steps] == [
        False,
        True,
        True,
    ]
    assert (
        steps[1]["aligned(orientations=8)"].notna().sum() == 1
        and steps[1]["file"].iloc[0] == "rocket.png"
    )
    assert set(steps[0]["file"]) <= set(steps[2]["file"])
    asked = gallery.query(picture, top=3, prior=0.01)
    pd.testing.assert_frame_equal(steps[2].head(3), asked.drop(columns=overlap.COLUMNS))


def test_a_correlation_alone_proposes_candidates(folder, tmp_path):
    for name in ("cat.png", "rocket.png", "white_1.png"):
        shutil.copy(folder / name, tmp_path)
    sl.perturb.apply(sl.read_image(folder / "cat.png"), "text(length=30)").save(
        tmp_path / "written.png"
    )
    found = sl.find_copies(tmp_path, recipe(["correlation"]), n_jobs=1, progress=False)
    assert pairs_of(found) == {frozenset(("cat.png", "written.png"))}
    gallery = sl.Gallery(tmp_path, recipe(["correlation"]), n_jobs=1, progress=False)
    assert gallery.query(tmp_path / "written.png", top=2)["file"].tolist() == [
        "written.png",
        "cat.png",
    ]


def test_near_pairs_are_those_of_the_full_matrix():
    rng = np.random.default_rng(1)
    bits = rng.random((200, 100)) < 0.5
    bits[50:60] = bits[0] ^ (rng.random((10, 100)) < 0.05)
    i, j, distances = indexes.near_pairs(bits, bits[:70], radius=12)
    matrix = (bits[:, None] != bits[None, :70]).sum(axis=2)
    expected = {(a, b): matrix[a, b] for a, b in np.argwhere(matrix <= 12)}
    assert dict(zip(zip(i, j), distances)) == expected
    assert (np.diff(j) >= 0).all()
    assert all(len(part) == 0 for part in indexes.near_pairs(bits[:0], bits[:0], radius=3))


def test_the_inverted_file_finds_what_all_comparisons_find(monkeypatch):
    rng = np.random.default_rng(2)
    sets = [rng.integers(0, 256, (60, 61), dtype=np.uint8) for _ in range(40)]
    noisy = [part ^ (rng.random((60, 61)) < 0.05).astype(np.uint8) for part in sets]

    def packed(parts):
        return [
            pack((np.zeros((60, 2), np.float32), part, *np.ones((2, 60), np.float32)))
            for part in parts
        ]

    for limit, centres in ((0, 1_000), (0, 20), (1_000_000, 1_000)):
        monkeypatch.setattr(indexes, "FLAT", limit)
        monkeypatch.setattr(indexes, "CENTRES", centres)
        index = indexes.KeypointIndex().filled([b"", *packed(sets)])
        query, picture = index.candidates([[*packed(noisy), b""]], n=1)
        assert query.tolist() == list(range(40)) and (picture == query + 1).all()
        assert index.index.d == indexes.VOTING and index.owner.itemsize == 4  # 44 bytes a keypoint


def test_one_thread_looks_for_one_picture_and_all_for_more(monkeypatch):
    rng = np.random.default_rng(2)
    packed = [pack(bits) for bits in rng.random((4, 64)) < 0.5]
    index = indexes.HashIndex().filled(packed)
    answer = index._answer
    threads = []

    def noted(*arguments):
        threads.append(faiss.omp_get_max_threads())
        return answer(*arguments)

    monkeypatch.setattr(index, "_answer", noted)
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(3)
    try:
        index.candidates([packed[:1]], n=1)
        index.candidates([packed], n=1)
        index.candidates([packed[:1]], n=1)
        assert threads == [1, 3, 1]
        assert faiss.omp_get_max_threads() == 3
    finally:
        faiss.omp_set_num_threads(before)


def test_a_gallery_reads_keypoints_for_the_pictures_it_compares(folder, tmp_path, monkeypatch):
    cache = tmp_path / "cache.sqlite"
    looks = overlap.feature()
    read = []
    get = Cache.get

    def noted(self, keys):
        keys = list(keys)
        read.extend(keys)
        return get(self, keys)

    gallery = sl.Gallery(folder, cache=cache, n_jobs=1, progress=False)
    monkeypatch.setattr(Cache, "get", noted)
    file = gallery.library.files[0]
    found = gallery.query(sl.read_image(folder / file).reduce(2), top=3)
    assert found["file"].iloc[0] == file
    store = gallery.library.store
    of_looks = [store.key(Variant(name), looks) for name in gallery.library.files]
    assert 0 < len(set(read) & set(of_looks)) < len(of_looks)


def test_bad_input_is_one_clear_line(folder, fitted, tmp_path):
    for options, words in (
        ({"threshold": 1.5}, "threshold must be between 0 and 1"),
        ({"prior": 0.0}, "prior must be between 0 and 1"),
        ({"queries": []}, "queries must name one picture or more"),
    ):
        with pytest.raises(ValueError, match=words):
            sl.find_copies(folder, fitted, n_jobs=1, progress=False, **options)
    with pytest.raises(ValueError, match="an ensemble that is fitted"):
        sl.find_copies(folder, sl.Ensemble("phash"))
    with pytest.raises(ValueError, match="cannot read the recipe"):
        sl.find_copies(folder, tmp_path / "none.json")
    with pytest.raises(ValueError, match="a hash, a vector, AKAZE or ORB"):
        sl.find_copies(
            [folder / "cat.png", folder / "julia.png"], recipe(["sift"]), n_jobs=1, progress=False
        )


def test_command(folder, fitted, cache, tmp_path, capsys):
    fitted.save(tmp_path / "recipe.json")
    before = {path: path.read_bytes() for path in folder.rglob("*.*")}
    common = ["--recipe", str(tmp_path / "recipe.json"), "--cache", str(cache), "--jobs", "1"]
    assert cli.main(["find", str(folder), "--out", str(tmp_path / "out"), *common]) == 0
    made = {path.name for path in (tmp_path / "out").iterdir()}
    assert made == {
        "found.csv",
        "groups.csv",
        "lookalikes.csv",
        "plan.csv",
        "report.html",
        "run.json",
    }
    groups = pd.read_csv(tmp_path / "out" / "groups.csv")
    assert len(groups) == 14 and (groups["size"] == 2).all()  # those that have a copy
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    data = json.loads(re.search(r'id="review-data">(.*?)</script>', page)[1])
    assert "broken.jpg" in page and "copies/レンガ.png" in data["files"]["name"]
    assert len(data["thumbs"]) >= 13
    query = ["--query", str(folder / "copies" / "cat.jpg"), "--out", str(tmp_path / "query")]
    assert cli.main(["find", str(folder), *query, *common]) == 0
    assert "cat.png" in set(pd.read_csv(tmp_path / "query" / "found.csv")["reference"])
    assert before == {path: path.read_bytes() for path in folder.rglob("*.*")}
    assert "passed over: 1 picture that cannot be read" in capsys.readouterr().err
    assert set(cli.LINKAGES) == set(get_args(sl.grouping.Linkage))
    assert (
        cli.main(["find", str(folder), "--out", str(tmp_path / "no"), "--recipe", "none.json"]) == 1
    )
    assert capsys.readouterr().err.count("\n") == 1


def test_groups_of_another_search_do_not_stay_beside_new_pairs(
    folder, cache, tmp_path, monkeypatch, capsys
):
    """Where grouping fails, groups.csv and report.html of the search before told of its pairs."""
    search = ["find", str(folder), "--out", str(tmp_path), "--cache", str(cache), "--jobs", "1"]
    search += ["--query", str(folder / "cat.png")]
    assert cli.main(search) == 0
    assert (tmp_path / "groups.csv").exists() and (tmp_path / "report.html").exists()
    (tmp_path / "notes.csv").write_text("mine")

    def failing(*arguments, **options):
        raise ValueError("too many are linked")

    monkeypatch.setattr(sl.search, "group", failing)
    assert cli.main(search) == 1
    assert "found.csv, but no groups: too many are linked" in capsys.readouterr().err
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"found.csv", "notes.csv", "run.json"}


def test_a_picture_is_measured_by_size_sharpness_and_detail():
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (60, 80), dtype=np.uint8))
    blurred = noise.resize((20, 15)).resize((80, 60), Image.Resampling.BICUBIC)
    sharp, soft = map(library.size_and_detail, map(Seen, (noise, blurred)))
    assert sharp[:2].tolist() == [80, 60] and sharp[2] > soft[2] and sharp[3] > library.DETAIL
    assert library.size_and_detail(Seen(Image.new("L", (80, 60), 7)))[2:].tolist() == [0, 0, 0]


def test_real_pictures_have_detail(shared_pictures):
    paths = sl.list_images(shared_pictures)[::25]
    details = [
        library.size_and_detail(Seen(sl.read_image(Path(shared_pictures, path))))[3]
        for path in paths
    ]
    assert np.mean(np.array(details) > library.DETAIL) > 0.9


def test_few_pictures(tmp_path, folder, fitted):
    shutil.copy(folder / "cat.png", tmp_path / "only.png")
    found = sl.find_copies(tmp_path, fitted, n_jobs=1, progress=False)
    assert found.empty and list(found)[:2] == ["reference", "query"]
    assert sl.group(found).empty
    assert sl.group(found, pictures=found.attrs["pictures"])["file"].tolist() == ["only.png"]


@pytest.fixture(scope="module")
def two_folders(tmp_path_factory, folder):
    """The pictures of the search with their copies on the other side, and a file twice on each."""
    root = tmp_path_factory.mktemp("sides")
    for name in ("old", "new"):
        (root / name).mkdir()
    for name in NAMES:
        shutil.copy(folder / f"{name}.png", root / "old")
    shutil.copy(folder / "julia.png", root / "old" / "julia again.png")
    for path in (folder / "copies").iterdir():
        shutil.copy(path, root / "new")
    shutil.copy(root / "new" / "cat.jpg", root / "new" / "cat again.jpg")
    shutil.copy(folder / "julia.png", root / "new")
    return root


def test_between_two_folders_only_pairs_across_are_compared(
    two_folders, fitted, cache, monkeypatch
):
    compared = []
    judge = copies.judge_pairs

    def watched(library, pairs, rule):
        compared.extend(pairs)
        return judge(library, pairs, rule)

    monkeypatch.setattr(copies, "judge_pairs", watched)
    sides = (two_folders / "old", two_folders / "new")
    options = {"cache": cache, "n_jobs": 1, "progress": False}
    across = sl.find_copies(sides[0], fitted, between=sides[1], **options)
    assert compared
    assert all(a.startswith("old/") and b.startswith("new/") for a, b in compared)
    together = sl.find_copies(two_folders, fitted, **options)
    expected = {pair for pair in pairs_of(together) if len({name[:3] for name in pair}) == 2}
    assert pairs_of(across) == expected
    assert frozenset(("old/cat.png", "new/cat again.jpg")) in expected
    assert frozenset(("old/julia again.png", "new/julia.png")) in expected
    groups = sl.group(across)
    assert groups["size"].max() == 3 and not groups["chained"].any()
    assert set(across["prior"]) == {1 / 10}  # ten different pictures are on the first side
    assert set(across.attrs["queries"]) == {f"new/{path.name}" for path in sides[1].iterdir()}

    monkeypatch.setattr(library, "_vote", None)  # the second search is in the cache
    again = sl.find_copies(sides[0], fitted, between=sides[1], **options)
    pd.testing.assert_frame_equal(across, again)


def test_a_folder_within_the_other_is_a_side_of_its_own(two_folders, fitted, cache):
    options = {"cache": cache, "n_jobs": 1, "progress": False}
    found = sl.find_copies(two_folders, fitted, between=two_folders / "new", **options)
    assert set(found["reference"].str[:4]) == {"old/"} and set(found["query"].str[:4]) == {"new/"}
    with pytest.raises(ValueError, match="two sides must be different pictures"):
        sl.find_copies(two_folders / "new", fitted, between=two_folders, **options)
    with pytest.raises(ValueError, match="either queries or between"):
        sl.find_copies(two_folders, fitted, between=two_folders, queries=two_folders, **options)


def said(*rows):
    return pd.DataFrame(rows, columns=["reference", "query", "label"])


def test_labels_are_respected(folder, fitted, cache, found, tmp_path):
    strangers = ("julia.png", "retina.png")
    rows = [
        ("copies/cat.jpg", "cat.png", "different"),
        ("copies/レンガ.png", "brick.png", "different"),
        (*strangers, "copy"),
        (str(folder / "city.png"), "copies/city.jpg", "copy"),
        ("gone.png", "cat.png", "copy"),
        ("cat.png", "cat.png", "copy"),
        ("../../etc/passwd", "cat.png", "different"),
    ]
    path = tmp_path / "labels.csv"
    said(*rows).to_csv(path, index=False)
    options = {"cache": cache, "n_jobs": 1, "progress": False}
    told = sl.find_copies(folder, fitted, labels=path, **options)
    none = {frozenset(("cat.png", "copies/cat.jpg")), frozenset(("brick.png", "copies/レンガ.png"))}
    assert pairs_of(told) == (pairs_of(found) - none) | {frozenset(strangers)}
    assert told.attrs["labels"] == {"copy": 2, "different": 2, "elsewhere": 3}
    sure = told[told["label"] == 1]
    assert pairs_of(sure) == {frozenset(strangers), frozenset(("city.png", "copies/city.jpg"))}
    assert (sure["verdict"] == "copy").all() and (sure["distance"] == 0).all()
    assert told["label"].isna().sum() == len(told) - 2 and not told["apart"].any()
    assert frozenset(strangers) in {
        frozenset(files) for _, files in sl.group(told).groupby("group")["file"]
    }
    with pytest.raises(ValueError, match="a copy and different; keep one label"):
        table = said(("cat.png", "city.png", 1), ("city.png", "./cat.png", 0))
        sl.find_copies(folder, fitted, labels=table, **options)


def test_labels_count_for_queries_too(folder, fitted, cache, tmp_path):
    query = folder / "copies" / "cat.jpg"
    labels = said(("cat.png", str(query), 0), ("julia.png", "copies/cat.jpg", 1))
    options = {"cache": cache, "n_jobs": 1, "progress": False}
    found = sl.find_copies(folder, fitted, queries=[folder / "copies"], **options)
    told = sl.find_copies(folder, fitted, queries=folder / "copies", labels=labels, **options)
    of_cat = told[told["query"] == str(query)]
    assert list(of_cat[of_cat["label"] == 1]["reference"]) == ["julia.png"]
    before = found[found["query"] == str(query)]
    assert set(before["reference"]) - set(of_cat["reference"]) == {"cat.png"}


def test_command_between_folders_with_labels(
    two_folders, fitted, cache, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(sl.report, "found", lambda *_, **__: "report.html")  # it takes long
    fitted.save(tmp_path / "recipe.json")
    said(("old/cat.png", "new/cat.jpg", 0), ("a", "b", 1)).to_csv(tmp_path / "l.csv", index=False)
    typed = ["find", str(two_folders / "old"), str(two_folders / "new"), "--between", "--jobs", "1"]
    typed += ["--labels", str(tmp_path / "l.csv"), "--recipe", str(tmp_path / "recipe.json")]
    assert cli.main([*typed, "--cache", str(cache), "--out", str(tmp_path / "out")]) == 0
    assert (
        "labels: 0 copies, 1 different; 1 name no two pictures of this search"
        in capsys.readouterr().err
    )
    found = pd.read_csv(tmp_path / "out" / "found.csv")
    assert found["reference"].str.startswith("old/").all() and len(found) == 9
    assert "new/cat.jpg" not in set(found["query"])
    run = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))
    assert run["labels"] == {"copy": 0, "different": 1, "elsewhere": 1}
    assert run["arguments"]["between"] == str(two_folders / "new")


@pytest.fixture(scope="module")
def leaked(two_folders, fitted, cache):
    options = {"cache": cache, "n_jobs": 1, "progress": False}
    return sl.find_leaks(two_folders / "old", two_folders / "new", fitted, **options)


def test_leaks_are_told_by_test_picture(leaked, two_folders):
    assert list(leaked.pairs)[:3] == ["test_file", "train_file", "verdict"]
    assert set(leaked.pairs["train_file"].str[:4]) == {"old/"} and len(leaked.pairs) == 10
    pictures = leaked.pictures.set_index("test_file")
    assert set(pictures.index) == {f"new/{path.name}" for path in (two_folders / "new").iterdir()}
    assert pictures.loc["new/cat.jpg", "train_file"] == "old/cat.png"
    assert pictures.loc["new/cat.jpg", "group"] == pictures.loc["new/cat again.jpg", "group"]
    assert pictures.loc["new/julia.png", ["verdict", "edit"]].tolist() == ["identical", "same file"]
    shares = leaked.shares.set_index("kind")
    assert shares.loc["leaked", ["n", "n_test", "n_groups", "share"]].tolist() == [9, 9, 8, 1.0]
    assert shares.loc["identical", "n"] == 2 and shares.loc["edit: same file", "n"] == 2
    assert shares.loc["leaked", "low"] == pytest.approx(1 - reach(8))
    doubt = 1 - pictures["probability"]
    assert shares.loc["leaked", "false_alarms"] == pytest.approx(doubt.sum())
    assert shares.loc["look-alike", "n"] == 0 and np.isnan(shares.loc["look-alike", "false_alarms"])


def test_where_nothing_has_leaked_the_share_is_still_bounded(two_folders, fitted, cache, tmp_path):
    (tmp_path / "damaged.png").write_bytes(b"no picture")
    shutil.copy(two_folders / "old" / "coffee.png", tmp_path)
    options = {"cache": cache, "n_jobs": 1, "progress": False}
    train = [two_folders / "old" / f"{name}.png" for name in ("cat", "city", "julia")]
    clean = sl.find_leaks(train, tmp_path, fitted, **options)
    verdicts = dict(zip(clean.pictures["test_file"].str[-10:], clean.pictures["verdict"]))
    assert verdicts == {"coffee.png": "none", "amaged.png": "unreadable"}
    row = clean.shares.iloc[0]
    assert row[["n", "n_test", "share", "low"]].tolist() == [0, 1, 0, 0]
    assert row["high"] == pytest.approx(reach(1)) and row["false_alarms"] == 0
    page = sl.report.leaks(clean, tmp_path / "out").read_text(encoding="utf-8")
    assert "Nothing is to be removed" in page
    check_end(page)
    with pytest.raises(ValueError, match=r"found must be what sl\.find_leaks returns, not of type"):
        sl.report.leaks(clean.pairs, tmp_path / "out")


@pytest.mark.parametrize(
    ("row", "edit"),
    [
        ({"same_file": True}, "same file"),
        ({"verdict": "identical"}, "same pixels"),
        ({}, "cannot be told"),
        ({"transform": ""}, "cannot be told"),
        ({"transform": "[-1 0 9 0 1 0 0 0 1]"}, "mirrored"),
        ({"transform": "0 -1 9 1 0 0 0 0 1"}, "turned"),
        (
            {"transform": "2 0 5 0 2 5 0 0 1", "contains": "reference"},
            "a part of the training picture",
        ),
        (
            {"transform": "1 0 0 0 1 0 0 0 1", "contains": "both"},
            "saved again or retouched",
        ),
        ({"transform": "1 0 0 0 1 0 0 0 1", "pixels_query": 50}, "resized"),
        ({"transform": "1 0 0 0 1 0 0 0 1", "verdict": "look-alike"}, ""),
    ],
)
def test_the_edit_is_told_from_where_the_one_lies_in_the_other(row, edit):
    pair = {"same_file": False, "verdict": "copy", "contains": "both"}
    pair |= {"pixels_reference": 100, "pixels_query": 100}
    assert edit_of(pair | row) == edit


def test_command_leaks(two_folders, fitted, cache, tmp_path, capsys):
    fitted.save(tmp_path / "recipe.json")
    typed = ["leaks", str(two_folders / "old"), str(two_folders / "new"), "--jobs", "1"]
    typed += ["--recipe", str(tmp_path / "recipe.json"), "--cache", str(cache)]
    assert cli.main([*typed, "--out", str(tmp_path / "out")]) == 0
    assert "9 of 9 test pictures are copies" in capsys.readouterr().err
    made = {path.name for path in (tmp_path / "out").iterdir()}
    assert made == {"leaks.csv", "test_pictures.csv", "shares.csv", "run.json", "report.html"}
    assert made <= {*cli.WRITTEN, *TOLD}
    pairs = pd.read_csv(tmp_path / "out" / "leaks.csv")
    root = tmp_path / "out" / json.loads((tmp_path / "out" / "run.json").read_text())["root"]
    assert all((root / name).exists() for name in [*pairs["test_file"], *pairs["train_file"]])
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    check_end(page)
    assert "Remove the 9 training pictures" in page


def test_no_chain_brings_together_what_is_called_different():
    names = [("a", "b", 0.1), ("b", "c", 0.2), ("c", "d", 0.3), ("d", "e", 0.0), ("a", "x", 0.9)]
    found = pd.DataFrame(names, columns=["reference", "query", "distance"])
    found["verdict"] = ["copy"] * 4 + ["look-alike"]
    found["apart"] = kept_apart(found, {("a", "c"), ("e", "b"), ("x", "a")})
    assert found["apart"].tolist() == [False, True, False, False, False]
    for linkage in ("single", "complete", "average"):
        groups = sl.group(found, linkage=linkage).groupby("group")["file"].agg(set)
        assert all(not {"a", "c"} <= files and not {"b", "e"} <= files for files in groups)
