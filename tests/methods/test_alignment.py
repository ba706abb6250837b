"""Correlation of pictures as they are and laid on each other: what it survives, what it refuses."""

import numpy as np
import pytest
from corpus import textured
from PIL import Image, ImageOps

from simlab import perturb
from simlab.methods import alignment

SIZE = {"width": 480, "height": 320}
OTHERS = [alignment.looks(textured(seed, **SIZE)) for seed in (1, 2, 3)]


@pytest.fixture(scope="module")
def picture():
    return textured(0, **SIZE)


@pytest.mark.parametrize(
    "spec",
    ["text(length=50)", "brightness(factor=1.5)", "recompress(quality=10)", "blur(kernel=7)"],
)
def test_correlation_survives_what_stays_in_place(picture, spec):
    mine = alignment.correlation(picture)
    copy = alignment.correlation(perturb.apply(picture, spec))
    others = [
        alignment.uncorrelated(mine, alignment.correlation(textured(seed, **SIZE)))
        for seed in (1, 2, 3)
    ]
    assert alignment.uncorrelated(mine, copy) < 0.4 < min(others)


@pytest.mark.parametrize(
    "spec",
    [
        'crop(side=0.4, anchor="center", resize_back=True)',
        "rotate(degrees=40)",
        "shear(degrees=10)",
        "resize(scale=0.5)",
        "embed",
        "crop(area=0.3)",
        "perspective(amount=0.3)",
    ],
)
def test_aligned_finds_what_has_moved(picture, spec):
    mine, copy = alignment.looks(picture), alignment.looks(perturb.apply(picture, spec))
    assert alignment.aligned_distance(mine, copy) < 0.35
    assert alignment.aligned_distance(copy, mine) < 0.35, "either may be the smaller part"
    assert min(alignment.aligned_distance(other, copy) for other in OTHERS) > 0.5


def test_mirror_image_is_no_alignment(picture):
    assert (
        alignment.aligned_distance(
            alignment.looks(picture), alignment.looks(ImageOps.mirror(picture))
        )
        > 0.5
    )


def test_half_size_look_finds_what_was_enlarged(picture):
    """Without the keypoints of the second look the enlarged part has fewer partners."""
    found = alignment.looks(picture)
    assert (found.points.max(axis=0) <= np.array(picture.size) + 1).all()
    alone = alignment.looks(picture.resize((31, 31)))  # too small to be halved
    assert len(alone.points) < len(found.points)


def test_double_size_look_finds_what_was_shrunk(picture):
    small = perturb.apply(picture, "resize(scale=0.4)+crop(area=0.25)")
    plain, enlarged = (alignment.looks(small, enlarge=side) for side in (0, 200))
    whole = alignment.looks(picture)
    assert len(enlarged.points) > 3 * len(plain.points) and (enlarged.points < small.size).all()
    assert (
        alignment.aligned_distance(whole, enlarged)
        < 0.35
        < alignment.aligned_distance(whole, plain)
    )
    assert min(alignment.aligned_distance(other, enlarged) for other in OTHERS) > 0.5
    assert len(alignment.looks(picture, enlarge=200).points) == len(
        alignment.looks(picture, enlarge=0).points
    )


def test_negative_of_a_picture_is_the_farthest(picture):
    distance = alignment.uncorrelated(
        alignment.correlation(picture), alignment.correlation(ImageOps.invert(picture))
    )
    assert distance == pytest.approx(2, abs=1e-3)


def test_pairs_are_compared_as_single_ones():
    stack = np.stack(
        [alignment.correlation(textured(seed, width=90, height=60)) for seed in range(5)]
    )
    i, j = np.triu_indices(5)
    singly = [alignment.uncorrelated(stack[a], stack[b]) for a, b in zip(i, j)]
    np.testing.assert_array_equal(alignment.uncorrelated_pairs(stack, i, j), singly)


def test_nothing_to_lay_by_is_the_maximum():
    flat = alignment.looks(Image.new("RGB", (64, 64), "gray"))
    assert len(flat.points) == 0 and alignment.aligned_distance(flat, OTHERS[0]) == 1.0


def test_looks_are_a_factor_of_two_apart_also_where_the_picture_is_scaled_down(picture):
    """At one scale every keypoint has a twin, and the ratio test leaves no match."""
    for max_side in (240, 300):
        mine = alignment.looks(picture, max_side=max_side)
        copy = alignment.looks(perturb.apply(picture, "rotate(degrees=10)"), max_side=max_side)
        assert alignment.aligned_distance(mine, copy) < 0.1
        assert alignment.aligned_distance(copy, mine) < 0.1
    # under 200 pixels there is a look at double size: of what is looked at, not of what was given
    small = alignment.looks(picture, max_side=120)
    again = alignment.looks(perturb.apply(picture, "rotate(degrees=10)"), max_side=120)
    assert alignment.aligned_distance(small, again) < 0.2


def test_thumbnail_of_a_large_picture_is_aligned():
    """Its area is 441 times smaller, but it shows the same part of the picture."""
    large = textured(0, width=4032, height=2688)
    ground = textured(1, width=192, height=128)
    large = Image.blend(large, ground.resize(large.size), 0.7)
    mine, copy = alignment.looks(large), alignment.looks(large.resize((192, 128)))
    assert alignment.aligned_distance(mine, copy) < 0.2
    assert alignment.aligned_distance(copy, mine) < 0.2


@pytest.mark.parametrize("size", [(1500, 90), (90, 1500), (480, 320)])
def test_scale_is_that_of_the_longer_side(picture, size):
    assert alignment.looks(picture.resize(size)).scale == pytest.approx(160 / max(size))
