"""Hashes: bit for bit those of imagehash, and their distances those of a slow count."""

import csv

import imagehash
import numpy as np
import pytest
from corpus import flat, odd_pictures, ramp, textured
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from simlab.images import read_image
from simlab.methods import akaze, hashes, keypoints

NAMES = ("phash", "average_hash", "dhash", "whash", "phash_simple", "dhash_vertical")
SIZES = (2, 4, 8, 16, 32)
ODD_SIZES = (3, 5, 7, 11, 13, 24, 33)
SIDES = st.tuples(st.integers(1, 40), st.integers(1, 40))
FEW_LEVELS = arrays.arrays(np.uint8, SIDES, elements=st.sampled_from([0, 1, 127, 128, 255]))
BITS = st.integers(1, 200).flatmap(lambda n: arrays.arrays(bool, (6, n)))


def reference(name, image, **arguments):
    return getattr(imagehash, name)(image, **arguments).hash.ravel()


def hexed(bits):
    return np.packbits(bits).tobytes().hex()


# --- equal to imagehash


@pytest.mark.parametrize("picture", odd_pictures())
@pytest.mark.parametrize("name", NAMES)
def test_odd_pictures_hash_as_in_imagehash(name, picture):
    image = read_image(odd_pictures()[picture])
    for size in SIZES if name == "whash" else SIZES + ODD_SIZES:
        bits = getattr(hashes, name)(image, hash_size=size)
        assert bits.dtype == bool and bits.shape == (size * size,)
        assert np.array_equal(bits, reference(name, image, hash_size=size)), (name, size)


@pytest.mark.parametrize("factor", [1, 2, 3, 8])
def test_phash_at_other_factors(factor):
    for image in (textured(3), odd_pictures()["noise"], flat(7)):
        expected = reference("phash", image, hash_size=8, highfreq_factor=factor)
        assert np.array_equal(hashes.phash(image, highfreq_factor=factor), expected)


@settings(max_examples=60)
@given(FEW_LEVELS, st.sampled_from([2, 4, 8]))
def test_pictures_of_few_levels_hash_as_in_imagehash(levels, size):
    """Few levels make ties, which the rounding of the wavelet transform decides."""
    image = read_image(levels)
    for name in NAMES:
        assert np.array_equal(
            getattr(hashes, name)(image, hash_size=size), reference(name, image, hash_size=size)
        ), name


@pytest.fixture(scope="module")
def shared(shared_pictures):
    with (shared_pictures / "manifest.csv").open(encoding="utf-8", newline="") as file:
        return [shared_pictures / row["path"] for row in csv.DictReader(file)]


@pytest.mark.sweep
def test_all_shared_pictures_hash_as_in_imagehash(shared):
    assert len(shared) == 497
    for n, path in enumerate(shared):
        image = read_image(path).convert("L")  # what both turn it into; once, to save time
        for name in NAMES[:4]:
            for size in (8, 16) if n % 3 == 0 else (8,):
                bits = getattr(hashes, name)(image, hash_size=size)
                assert np.array_equal(bits, reference(name, image, hash_size=size)), (
                    path.name,
                    name,
                    size,
                )


def test_the_grey_picture_may_be_handed_over():
    image = textured(1)
    for name in NAMES:
        function = getattr(hashes, name)
        assert np.array_equal(function(image), function(image.convert("L")))
        assert np.array_equal(function(image), function(np.asarray(image)))


# --- frozen


def waves():
    y, x = np.mgrid[:120, :160]
    levels = [127 + 120 * np.sin(x / a + y / b + a) for a, b in ((9, 17), (23, 7), (5, 31))]
    return Image.fromarray(np.stack(levels, axis=-1).astype(np.uint8))


FROZEN = {
    "ramp": {
        "phash": "8040cd3d3a3b3f3b",
        "average_hash": "002021030f3fffff",
        "dhash": "f7c7c7efffffffff",
        "whash": "001001070f7fffff",
        "phash_simple": "7f7f7f1b9d0d878f",
        "dhash_vertical": "ffef8f8fffffffff",
    },
    "radial": {
        "phash": "ee989837e69ac819",
        "average_hash": "ffc381818181c3ff",
        "dhash": "0f0f0f0f0f0f0f0f",
        "whash": "ffc381818181c3ff",
        "phash_simple": "5050505050505050",
        "dhash_vertical": "00000000ffffffff",
    },
    "waves": {
        "phash": "e3496356e04a1fb6",
        "average_hash": "78c30f78c31e70e3",
        "dhash": "c99b3ab2266ce98f",
        "whash": "78c31e78c31e70e3",
        "phash_simple": "17979797c7c34272",
        "dhash_vertical": "c31e38e38f3ce1c7",
    },
}


@pytest.mark.parametrize("picture", FROZEN)
@pytest.mark.parametrize("name", NAMES)
def test_hashes_are_constant(name, picture):
    image = {"ramp": ramp, "radial": lambda: Image.radial_gradient("L"), "waves": waves}[picture]()
    assert hexed(getattr(hashes, name)(image)) == FROZEN[picture][name]


# --- by hand


def test_average_hash_by_hand():
    quarters = Image.fromarray(np.kron([[0, 90], [100, 250]], np.ones((8, 8))).astype(np.uint8))
    assert hashes.average_hash(quarters, hash_size=2).tolist() == [False, False, False, True]


def test_dhash_by_hand():
    rising = Image.fromarray(np.tile(np.arange(0, 250, 10, dtype=np.uint8), (30, 1)))
    assert (
        hashes.dhash(rising).all()
        and not hashes.dhash(rising.transpose(Image.Transpose.FLIP_LEFT_RIGHT)).any()
    )
    assert not hashes.dhash(flat(9)).any() and not hashes.dhash_vertical(rising).any()
    assert hashes.dhash_vertical(rising.transpose(Image.Transpose.ROTATE_270)).all()


def test_variants_are_near_and_others_far():
    image = textured(0)
    soft = image.resize((480, 320))
    for name in NAMES:
        function = getattr(hashes, name)
        near = hashes.hamming(function(image), function(soft))
        far = min(hashes.hamming(function(image), function(textured(n))) for n in range(1, 6))
        assert near <= 6 < 12 < far, name


# --- distances


@settings(max_examples=60)
@given(BITS)
def test_packed_distances_are_those_of_a_slow_count(bits):
    slow = np.array([[sum(x != y for x, y in zip(a, b)) for b in bits] for a in bits])
    packed = hashes.pack(bits)
    assert packed.dtype == np.uint64 and packed.shape == (6, -(-bits.shape[1] // 64))
    assert np.array_equal(hashes.hamming_matrix(packed, packed), slow)
    assert np.array_equal(hashes.hamming_matrix(packed[:2], packed), slow[:2])
    i, j = np.divmod(np.arange(36), 6)
    assert np.array_equal(hashes.hamming_rows(packed[i], packed[j]), slow.ravel())
    assert [hashes.hamming(bits[0], b) for b in bits] == slow[0].tolist()
    assert np.array_equal(hashes.pack(bits[0]), packed[0])


def test_distances_of_the_longest_hash_do_not_wrap_around():
    rising = Image.fromarray(np.tile(np.linspace(0, 255, 600), (10, 1)).astype(np.uint8)).resize(
        (60_000, 10)
    )
    ones, zeros = np.ones(256 * 256, dtype=bool), np.zeros(256 * 256, dtype=bool)
    packed = hashes.pack(np.array([ones, zeros]))
    assert hashes.hamming_matrix(packed, packed).tolist() == [[0, 65536], [65536, 0]]
    assert hashes.hamming_rows(packed, packed[::-1]).tolist() == [65536, 65536]
    assert hashes.dhash(rising, hash_size=256).shape == (65536,)


def test_no_hashes_have_no_distances():
    none = hashes.pack(np.zeros((0, 64), dtype=bool))
    assert none.shape == (0, 1) and hashes.hamming_matrix(none, none).shape == (0, 0)


def test_hashes_of_different_length_are_not_compared():
    with pytest.raises(ValueError, match="hashes of 64 and 256 bits"):
        hashes.hamming(np.zeros(64, bool), np.zeros(256, bool))


@pytest.mark.parametrize("name", NAMES)
def test_to_and_from_imagehash(name):
    image = textured(2)
    bits = getattr(hashes, name)(image)
    value = hashes.to_imagehash(bits)
    assert value == getattr(imagehash, name)(image) and np.array_equal(
        hashes.from_imagehash(value), bits
    )
    other = getattr(hashes, name)(textured(3))
    assert value - hashes.to_imagehash(other) == hashes.hamming(bits, other)


def test_a_hash_that_is_not_square_is_refused():
    with pytest.raises(ValueError, match="63 bits are not a square hash"):
        hashes.to_imagehash(np.zeros(63, bool))


# --- what is refused


@pytest.mark.parametrize("size", [0, 1, -8, 257, 10**9, 8.5, "8", None, True])
@pytest.mark.parametrize("name", NAMES)
def test_other_sizes_are_refused(name, size):
    with pytest.raises(ValueError, match=f"hash_size of '{name}' must be a"):
        getattr(hashes, name)(flat(), hash_size=size)


@pytest.mark.parametrize("size", [3, 6, 12, 100])
def test_whash_needs_a_power_of_2(size):
    with pytest.raises(ValueError, match="hash_size of 'whash' must be a power of 2"):
        hashes.whash(flat(), hash_size=size)


@pytest.mark.parametrize(
    ("module", "name"), [(hashes, "phash"), (akaze, "extract"), (keypoints, "akaze")]
)
def test_a_tab_shows_public_names_only(module, name):
    shown = {entry for entry in dir(module) if not entry.startswith("_")}
    assert name in shown
    assert shown == set(module.__all__)
    assert all(hasattr(module, entry) for entry in shown)
