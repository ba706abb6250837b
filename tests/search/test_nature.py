"""What is seen of a picture that was edited, on pictures made by hand."""

import math

import cv2
import numpy as np
import pytest

from simlab.search.nature import looks_of

SIDE = 96


def looked_at(grey):
    """The looks of a grey picture, all of it."""
    grey = np.clip(grey, 0, 255).astype(np.uint8)
    rgb = np.repeat(grey[:, :, None], 3, axis=2)
    return looks_of(
        rgb, grey.astype(np.float32), np.ones(grey.shape, bool), sharpness=2.0, noise=1.0
    )


def grainy(seed=0):
    return np.random.default_rng(seed).normal(128, 20, (SIDE, SIDE))


def test_blocks_are_steps_at_every_eighth_column_and_row():
    blocks = np.kron(
        np.random.default_rng(1).normal(0, 40, (SIDE // 8, SIDE // 8)), np.ones((8, 8))
    )
    assert looked_at(grainy()).blocks > -0.05
    assert looked_at(grainy() + blocks).blocks < -0.2
    # blocks of another grid are none of a JPEG
    moved = np.roll(blocks, (3, 3), axis=(0, 1))
    assert looked_at(grainy() + moved).blocks > -0.05


def test_motion_takes_detail_from_one_direction_and_blur_from_all():
    moved = cv2.blur(grainy(), (9, 1))
    blurred = cv2.GaussianBlur(grainy(), (0, 0), 1.5)
    assert looked_at(moved).directions < -0.3
    assert looked_at(blurred).directions > -0.15


def test_white_and_evenness_and_zeros_are_shares():
    page = np.full((SIDE, SIDE), 255.0)
    page[: SIDE // 4] = grainy()[: SIDE // 4]
    looks = looked_at(page)
    assert looks.white == pytest.approx(0.75, abs=0.001)
    # rows beside the grainy part are not even
    assert looks.evenness == pytest.approx((0.74 - 0.45) ** 2, abs=0.01)
    assert looks.zeros == pytest.approx(0.75 * 63 / 64, abs=0.02)
    assert looked_at(page - 1).white == 0


@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (7, 40), (8, 8)])
def test_of_tiny_pictures_every_look_is_a_number(shape):
    looks = looked_at(grainy()[: shape[0], : shape[1]])
    assert all(math.isfinite(look) for look in looks)
