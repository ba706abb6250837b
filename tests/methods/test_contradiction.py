"""Contradiction: what copies have none of, what look-alikes have, and where it is."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from corpus import textured
from PIL import Image, ImageDraw, ImageFont, ImageOps

import simlab as sl
from simlab import perturb
from simlab.methods import alignment, contradiction, frames
from simlab.methods.places import places_between, sentence

SIZE = {"width": 480, "height": 320}
COPY, LOOK_ALIKE = 0.006, 0.015  # at most, at least


@pytest.fixture(scope="module")
def picture():
    return textured(0, **SIZE)


def form(*answers: str) -> Image.Image:
    """A printed form, filled in."""
    page = Image.new("RGB", (620, 870), "white")
    pen = ImageDraw.Draw(page)
    pen.text(
        (40, 30), "Declaration of what was lent", font=ImageFont.load_default(28), fill="black"
    )
    for row, answer in enumerate(answers):
        top = 120 + 140 * row
        pen.text((40, top), f"Item number {row + 1}", font=ImageFont.load_default(18), fill="black")
        pen.rectangle((40, top + 30, 580, top + 90), outline="black", width=2)
        pen.text((60, top + 38), answer, font=ImageFont.load_default(36), fill=(60, 60, 90))
    return page


FILLED = form("ladder, three metres", "two buckets", "", "drill and bits", "brushes")
OTHERWISE = form("tent", "sleeping bag, mat", "stove", "", "four folding chairs")


def apart(reference, query) -> float:
    looks = alignment.looks(reference), alignment.looks(query)
    there = contradiction.contradiction_distance(*looks)
    back = contradiction.contradiction_distance(*looks[::-1])
    assert abs(there - back) < 0.02 or max(there, back) > LOOK_ALIKE
    return there


@pytest.mark.parametrize(
    "spec",
    [
        "crop(area=0.5)",
        "rotate(degrees=5)",
        "shear(degrees=10)",
        "recompress(quality=10)",
        "noise(variance=0.01)",
        "blur(sigma=2)",
        "resize(scale=0.3)",
        "brightness(factor=0.5)",
        "gray",
        "border",
        "text(length=20)",
        "caption",
        "mirror",
    ],
)
def test_an_edited_copy_contradicts_nothing(picture, spec):
    assert apart(picture, perturb.apply(picture, spec, seed=1)) <= COPY


def test_two_fills_of_one_form_contradict_each_other_and_a_scan_of_one_does_not():
    scan = perturb.apply(FILLED, "rotate(degrees=0.7)+noise(variance=0.001)+recompress(quality=60)")
    assert apart(FILLED, scan) <= COPY
    assert apart(FILLED, OTHERWISE) >= LOOK_ALIKE
    assert apart(scan, OTHERWISE) >= LOOK_ALIKE


def test_what_only_one_of_them_has_is_no_contradiction():
    empty = form("", "", "", "", "")
    half = form("ladder, three metres", "two buckets", "", "", "")
    for less, more in ((empty, half), (half, FILLED), (empty, FILLED)):
        assert apart(less, more) <= COPY


def test_two_captions_contradict_each_other_and_one_does_not(picture):
    one, other = picture.copy(), picture.copy()
    for shown, text in ((one, "NEVER AGAIN ON MONDAY"), (other, "WHO ATE MY LUNCH")):
        pen = ImageDraw.Draw(shown)
        font = ImageFont.load_default(34)
        pen.text((30, 255), text, font=font, fill="white", stroke_width=3, stroke_fill="black")
    assert apart(picture, one) <= COPY
    assert apart(one, other) >= LOOK_ALIKE


def barred(words: str, top: int, height: int) -> Image.Image:
    """The filled form with a bar across, lettered from side to side."""
    page = FILLED.copy()
    pen = ImageDraw.Draw(page)
    pen.rectangle((0, top, page.width, top + height), fill=(20, 20, 40))
    pen.text((30, top + 12), words, font=ImageFont.load_default(40), fill="white")
    return page


def test_a_lettered_bar_hides_what_is_under_it_and_two_of_them_contradict_each_other():
    one = barred("a loan of the club, to be paid", 270, 80)
    assert apart(FILLED, one) <= COPY
    assert apart(one, barred("nothing was lent on that day", 250, 110)) >= LOOK_ALIKE


def room(seed: int) -> Image.Image:
    """A papered wall with a window, its own mirror image, and things before it."""
    draw = np.random.default_rng(seed)
    paper = np.random.default_rng(7)
    shown = Image.new("RGB", (480, 320), "peru")
    pen = ImageDraw.Draw(shown)
    pen.rectangle((0, 0, 480, 160), fill="salmon")
    for left in range(6, 480, 24):
        stripe = tuple(paper.integers(0, 255, 3).tolist())
        pen.rectangle((left, 0, left + 5, 160), fill=stripe)
    pen.rectangle((40, 40, 130, 120), fill="lightblue", outline="black", width=5)
    for _ in range(7):
        left, top = draw.integers(10, 420), draw.integers(150, 260)
        thing = (left, top, left + draw.integers(25, 60), top + draw.integers(25, 60))
        pen.rectangle([int(side) for side in thing], fill=tuple(draw.integers(0, 255, 3).tolist()))
    return shown


def test_a_part_that_is_its_own_mirror_image_does_not_make_two_shots_agree():
    first, second, turned_over = map(alignment.looks, (room(2), room(3), ImageOps.flip(room(2))))
    distance = contradiction.contradiction_distance
    assert distance(first, turned_over, orientations=8) < COPY
    assert distance(first, second, orientations=8) > LOOK_ALIKE


def test_a_picture_is_not_squeezed_until_it_fits():
    page = alignment.looks(FILLED)
    squeezed = np.diag([0.08, 1.0, 1.0])
    squeezed[0, 2] = 40
    assert frames._alike(page, page, np.eye(3)) == pytest.approx(1)
    assert frames._alike(page, page, np.diag([0.5, 0.8, 1.0])) > 0
    assert frames._alike(page, page, squeezed) == 0


def test_another_colour_in_places_is_one_and_a_change_of_the_whole_is_none():
    def goods(colour):
        photo = Image.new("RGB", (400, 400), "white")
        pen = ImageDraw.Draw(photo)
        pen.rounded_rectangle((60, 40, 340, 360), 30, fill=(90, 90, 200))
        pen.ellipse((120, 120, 280, 280), fill=colour, outline="black", width=6)
        pen.text((150, 180), "No. 7", font=ImageFont.load_default(40), fill="black")
        pen.text((120, 310), "made with care", font=ImageFont.load_default(20), fill="white")
        return photo

    # as bright as each other: no edge tells them apart
    red, green = goods((215, 60, 60)), goods((40, 135, 40))
    assert apart(red, green) >= LOOK_ALIKE
    assert apart(red, perturb.apply(red, "saturation(factor=0.5)")) <= COPY
    assert apart(red, ImageOps.grayscale(red)) <= COPY, "where one has no colour nothing is said"
    assert places_between(red, green)["kind"].tolist() == ["colour"]


def glowing(seed: int) -> Image.Image:
    """Red to yellow, all of it as full as can be, light and dark close together."""
    height, width = 192, 256
    draw = np.random.default_rng(seed)
    level = np.zeros((height, width), np.float32)
    for sigma, amount in ((24, 96), (8, 10), (3, 1.5)):
        noise = draw.normal(0, 1, (height, width)).astype(np.float32)
        level += amount * cv2.GaussianBlur(noise, (0, 0), sigma)
    level = (level - level.min()) / np.ptp(level)
    hue, full, light = 10 + 25 * level, np.full_like(level, 250), 90 + 165 * level
    hsv = np.dstack([hue, full, light]).astype(np.uint8)
    return Image.fromarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB))


def test_at_borders_of_full_colours_half_a_pixel_makes_no_other_colour():
    for seed in (1, 2):
        small = glowing(seed)
        assert apart(small, perturb.apply(small, "rotate(degrees=10)", seed=1)) < 0.0005


def sample_picture(name: str) -> Image.Image:
    return sl.read_image(Path(sl.datasets.load_sample().attrs["root"], name))


def test_another_photograph_in_the_same_frame_of_a_page_is_not_laid_over_it():
    def page(name):
        paper = Image.new("RGB", (420, 594), "white")
        pen = ImageDraw.Draw(paper)
        pen.ellipse((15, 10, 65, 60), fill=(30, 60, 140))
        pen.text((80, 15), "Institute of Pictures", font=ImageFont.load_default(24), fill="navy")
        pen.text((80, 46), "12 Long Street, Town", font=ImageFont.load_default(14), fill="black")
        pen.line((0, 545, 420, 545), fill="black", width=2)
        paper.paste(sample_picture(name).resize((300, 225)), (60, 120))
        return paper

    planet = page("planet.jpg")
    assert apart(page("grass.jpg"), planet) >= LOOK_ALIKE
    assert apart(page("gravel.jpg"), page("mountains_1.jpg")) >= LOOK_ALIKE
    assert apart(planet, perturb.apply(planet, "overlay(size=0.15)", seed=1)) <= COPY
    sea = sample_picture("海.jpg")
    part = perturb.apply(sea, "crop(area=0.4)", seed=1)
    lettered = perturb.apply(sea, "text(length=40)", seed=1)
    assert apart(part, lettered) <= COPY, "what lies at the end of a part is in no frame"


@pytest.mark.parametrize("name", ["海.jpg", "stars.png"])
def test_light_that_cuts_levels_off_makes_no_other_colour(name):
    """Blue becomes cyan where its channel is at its end already."""
    picture = sample_picture(name)
    brighter = perturb.apply(picture, "brightness(factor=2)")
    assert apart(picture, brighter) < 0.003


def test_goods_on_white_in_another_colour_are_no_tint_of_the_whole():
    """But for the goods there is no colour by which a change of the whole could be told."""

    def goods(colour):
        photo = Image.new("RGB", (400, 400), "white")
        pen = ImageDraw.Draw(photo)
        pen.rounded_rectangle((120, 60, 280, 340), 40, fill=colour)
        pen.rectangle((150, 120, 250, 150), fill="white")
        pen.ellipse((160, 220, 240, 300), outline="black", width=5)
        pen.text((155, 175), "made here", font=ImageFont.load_default(20), fill="black")
        return photo

    red, green = goods((205, 70, 60)), goods((60, 135, 60))
    assert apart(red, green) >= LOOK_ALIKE
    assert apart(red, perturb.apply(red, "saturation(factor=0.5)+recompress(quality=60)")) <= COPY
    assert apart(red, ImageOps.colorize(ImageOps.grayscale(red), "#2b1a05", "#fff6e0")) <= COPY


def test_pictures_of_which_nothing_fits_are_the_farthest(picture):
    other = textured(1, **SIZE)
    row = sl.distances(picture, other, "contradiction").iloc[0]
    assert row["contradiction"] == 1 and row["no_evidence"] == ""
    assert places_between(picture, other) is None
    assert "how one lies" in sentence(None)


def test_pictures_with_hardly_any_edges_are_no_evidence(picture):
    """Keypoints there are, of the faintest: nothing can be missing."""
    ramp = Image.linear_gradient("L").resize((480, 320)).convert("RGB")
    ImageDraw.Draw(ramp).rectangle((200, 100, 201, 101), fill="white")
    looks = alignment.looks(ramp), alignment.looks(perturb.apply(ramp, "recompress(quality=60)"))
    assert len(looks[0].points)
    assert contradiction.contradiction_distance(*looks) is None
    row = sl.distances(ramp, perturb.apply(ramp, "gamma(exponent=1.5)"), "contradiction").iloc[0]
    assert row["contradiction"] == 1 and row["no_evidence"] == "contradiction"


def test_places_are_where_something_was_written_whatever_the_size():
    written = FILLED.resize((1240, 1740))
    pen = ImageDraw.Draw(written)
    pen.text((140, 1580), "RETURNED", font=ImageFont.load_default(90), fill="black")
    places = places_between(FILLED, written)
    assert places["kind"].tolist() == ["query"]
    only = places.iloc[0]
    box = only[["left_query", "top_query", "right_query", "bottom_query"]].tolist()
    inked = (140, 1600, 140 + pen.textlength("RETURNED", font=ImageFont.load_default(90)), 1660)
    assert np.abs(np.subtract(box, inked)).max() < 40
    in_reference = only[["left_reference", "top_reference"]].to_numpy(float)
    np.testing.assert_allclose(in_reference, np.array(box[:2]) / 2, atol=4)
    assert sentence(places) == "In 1 place only the second has something."
    assert sentence(places_between(FILLED, FILLED)) == ("They agree wherever they overlap.")


def test_places_are_outlined_in_both_pictures():
    places = places_between(FILLED, OTHERWISE)
    nothing = np.zeros((0, 2))
    ax = sl.plots.plot_matches(FILLED, nothing, OTHERWISE, nothing, nothing, places=places)
    assert len(ax.patches) == 2 * len(places) > 6
    assert "match" not in ax.get_title() + ax.get_title(loc="left"), "none were asked for"
    assert {"reference", "query"} <= set(places["kind"])
