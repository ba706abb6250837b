"""Where the one picture lies in the other, against perturbations whose geometry is known."""

import cv2
import numpy as np
import pandas as pd
import pytest
from corpus import flat, textured
from PIL import Image, ImageOps

import simlab as sl
from simlab import perturb
from simlab.images import content_digest
from simlab.methods import overlap
from simlab.report.files import write_csv


@pytest.fixture(scope="module")
def picture():
    return textured(0, width=480, height=320)


def coded(size):
    """A picture whose red and green say where a pixel is."""
    width, height = size
    levels = np.full((height, width, 3), 128, np.uint8)
    levels[..., 0] = np.rint(20 + 200 * (np.arange(width) + 0.5) / width)
    levels[..., 1] = np.rint(20 + 200 * (np.arange(height)[:, None] + 0.5) / height)
    return Image.fromarray(levels)


def truth(picture, spec):
    """The variant; for each of its pixels the point of the picture that it shows, and whether."""
    chain, digest = perturb.parse(spec), content_digest(picture)
    variant = chain.apply(picture, 1, digest)
    codes = np.asarray(chain.apply(coded(picture.size), 1, digest)).astype(float)
    shown = cv2.erode((abs(codes[..., 2] - 128) <= 1).astype(np.uint8), np.ones((5, 5)))
    _, numbers, boxes, _ = cv2.connectedComponentsWithStats(shown)
    shown = numbers == 1 + np.argmax(boxes[1:, cv2.CC_STAT_AREA])
    return variant, (codes[..., :2] - 20) / 200 * picture.size, shown


@pytest.mark.parametrize(
    ("spec", "contains"),
    [
        ("crop(area=0.5)", "reference"),
        ("crop(area=0.1)", "reference"),
        ("crop(area=0.2)+resize(scale=3)", "reference"),
        ("crop(area=0.4)+mirror", "reference"),
        ("crop(area=0.4)+rotate(degrees=90)", "reference"),
        ("rotate(degrees=20)", "query"),
        ("shear(degrees=10)", "neither"),
        ("perspective(amount=0.1)", "query"),
        ("embed(area=0.3)", "query"),
        ("screenshot", "query"),
        ("resize(scale=0.6)", "both"),
    ],
)
def test_points_go_where_the_picture_shows_them(picture, spec, contains):
    variant, points, shown = truth(picture, spec)
    row = sl.overlap(picture, variant).iloc[0]
    transform = np.array(row["transform"].strip("[]").split(), dtype=float).reshape(3, 3)
    y, x = np.nonzero(shown)
    moved = np.column_stack([x + 0.5, y + 0.5, np.ones(len(x))]) @ transform.T
    missed = np.linalg.norm(moved[:, :2] / moved[:, 2:] - points[shown], axis=1)
    assert np.median(missed) < 2.5  # a level of the coded picture is 2.4 pixels
    assert row["contains"] == contains
    in_reference, in_query = overlap.outlines(row)
    here = np.zeros(shown.shape, np.uint8)
    cv2.fillConvexPoly(here, cv2.convexHull(np.rint(in_query).astype(np.int32)), 1)
    assert (shown & (here > 0)).sum() > 0.95 * shown.sum()
    assert shown.sum() > 0.9 * here.sum()
    # what is shown of the reference, by the extent of the points
    low, high = points[shown].min(axis=0), points[shown].max(axis=0)
    assert np.allclose(in_reference.min(axis=0), low, atol=12)
    assert np.allclose(in_reference.max(axis=0), high, atol=12)


@pytest.mark.parametrize("size", [256, 1600])
def test_a_tenth_of_the_area_is_found_at_any_size(size):
    whole = sl.read_image(sl.datasets.DATA / "sample" / "astronaut.jpg").resize((size, size))
    left, top = size * 0.3, size * 0.1
    right, bottom = left + size * 0.4, top + size * 0.25
    box = np.rint([left, top, right, bottom])
    row = sl.overlap(whole, whole.crop(tuple(box.astype(int)))).iloc[0]
    found = row[[f"{edge}_reference" for edge in overlap.EDGES]].to_numpy(float)
    inner = np.minimum(found, box)[2:] - np.maximum(found, box)[:2]
    outer = np.maximum(found, box)[2:] - np.minimum(found, box)[:2]
    assert inner.prod() / outer.prod() > 0.95
    assert row["overlap_reference"] == pytest.approx(0.1, rel=0.05)


def test_of_a_smooth_picture_turned_on_black_all_is_seen():
    """The black corners lie beside the only thing in it, and say nothing of levels of grey."""
    clock = sl.read_image(sl.datasets.DATA / "sample" / "clock.jpg").resize((400, 300))
    variant = perturb.apply(clock, "crop(area=0.4)+rotate(degrees=10)", seed=1)
    row = sl.overlap(clock, variant).iloc[0]
    assert 0.38 < row["overlap_reference"] < 0.42


def test_a_detail_in_a_collage_is_not_the_whole_collage(picture):
    collage = textured(5, width=480, height=320)
    collage.paste(picture.crop((100, 60, 340, 260)), (200, 80))
    row = sl.overlap(picture, collage).iloc[0]
    for side, box in (("reference", (100, 60, 340, 260)), ("query", (200, 80, 440, 280))):
        found = row[[f"{edge}_{side}" for edge in overlap.EDGES]].to_numpy(float)
        assert np.allclose(found, box, atol=8)
    assert row["contains"] == "neither"


def test_a_text_takes_nothing_away(picture):
    row = sl.overlap(picture, perturb.apply(picture, "text(length=40)")).iloc[0]
    assert row["overlap"] > 0.97 and row["contains"] == "both"


def test_of_the_same_picture_it_is_all_and_of_a_stranger_nothing(picture):
    same = sl.overlap(picture, picture).iloc[0]
    assert same["overlap"] == 1 and same["transform"] == "[1 0 0 0 1 0 0 0 1]"
    for stranger in (textured(9, width=480, height=320), flat()):
        row = sl.overlap(picture, stranger).iloc[0]
        assert np.isnan(row["overlap"]) and overlap.outlines(row) is None


def test_a_csv_loses_nothing(picture, tmp_path):
    table = sl.overlap(picture, ImageOps.mirror(picture).crop((30, 20, 300, 290)))
    assert table["transform"][0].startswith("[-"), "which a spreadsheet took for a formula"
    back = pd.read_csv(write_csv(table, tmp_path / "found.csv"))
    pd.testing.assert_frame_equal(table, back)
    for one, other in zip(overlap.outlines(table.iloc[0]), overlap.outlines(back.iloc[0])):
        np.testing.assert_array_equal(one, other)
