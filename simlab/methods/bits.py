"""Bits compared: two hashes become a distance, one pair at a time or many together.

A hash is a flat bool array; a crop-resistant one has a row per segment. Many are compared in packed
form, 64 bits a word.
"""

from typing import Annotated

import imagehash
import numpy as np

from simlab.specs import between, checked


def hamming(a: np.ndarray, b: np.ndarray) -> int:
    """Return in how many bits two hashes differ: 0 to their length.

    They are bool arrays or imagehash's own objects.

    Raises:
        ValueError: the hashes have different lengths, or are something else.

    >>> hamming(np.array([True, False, True]), np.array([True, True, False]))
    2
    """
    first = from_imagehash(a)
    second = from_imagehash(b)
    if first.shape != second.shape:
        raise ValueError(f"hashes of {first.size} and {second.size} bits cannot be compared")
    return int(np.count_nonzero(first != second))


def hamming_pairs(bits: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the Hamming distances of the rows `left` and `right` of bool (n, bits)."""
    packed = pack(bits)
    return hamming_rows(packed[left], packed[right])


@checked
def crop_resistant_distance(
    a: np.ndarray, b: np.ndarray, *, bit_error_rate: Annotated[float, between(0, 1)] = 0.25
) -> float:
    """Return imagehash's ``a - b``: the segments of `a` without a like in `b`, and some wrong bits.

    To the number of segments without a like, the share of wrong bits in the others is added: from 0
    to the number of segments of `a`; not symmetric.

    Args:
        bit_error_rate: share of the bits in which like segments may differ.
    """
    n_segments, n_bits = a.shape
    closest = hamming_matrix(pack(a), pack(b)).min(axis=1)
    matched = closest[closest <= n_bits * bit_error_rate]
    if not len(matched):
        return float(n_segments)
    wrong_share = matched.sum() / (len(matched) * n_bits)
    return float(n_segments - (len(matched) - wrong_share))


def closest_segments(a: np.ndarray, b: np.ndarray) -> float:
    """Return in how many bits the two most alike segments of two hashes differ: 0 to 64.

    imagehash's ``a == b`` says that this is at most 16. Unlike ``a - b`` it can be compared between
    pictures of one segment and of many.
    """
    return float(hamming_matrix(pack(a), pack(b)).min())


def pack(bits: np.ndarray) -> np.ndarray:
    """Return bool (…, n) as uint64 (…, ceil(n / 64)), zeros appended: many are compared so."""
    octets = np.packbits(bits, axis=-1)
    n_octets = octets.shape[-1]
    words = np.zeros((*octets.shape[:-1], -(-n_octets // 8)), dtype=np.uint64)
    words.view(np.uint8)[..., :n_octets] = octets
    return words


def hamming_rows(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the Hamming distance of each row of `a` to the same row of `b`: int64 (n,).

    Both are packed: (n, words).
    """
    return np.bitwise_count(a ^ b).sum(axis=-1, dtype=np.int64)


def hamming_matrix(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return all distances of packed (n, words) and (m, words): uint16 (n, m), or uint32."""
    n_words = a.shape[1]
    dtype = np.uint16 if 64 * n_words < 2**16 else np.uint32
    distances = np.zeros((len(a), len(b)), dtype=dtype)
    for word in range(n_words):
        distances += np.bitwise_count(a[:, word, None] ^ b[None, :, word])
    return distances


def to_imagehash(bits: np.ndarray) -> imagehash.ImageHash:
    """Return a square hash as imagehash's own object.

    Raises:
        ValueError: the number of bits is not a square.
    """
    flat = from_imagehash(bits)
    side = round(flat.size**0.5)
    if side * side != flat.size:
        raise ValueError(f"{flat.size} bits are not a square hash")
    return imagehash.ImageHash(flat.reshape(side, side))


def from_imagehash(value: imagehash.ImageHash | np.ndarray) -> np.ndarray:
    """Return the flat bits of an imagehash object; bits come back as they are.

    Raises:
        ValueError: it is neither.
    """
    flat = np.ravel(value.hash) if isinstance(value, imagehash.ImageHash) else value
    bits = np.asarray(flat)
    if bits.dtype != bool:
        given = type(flat).__name__
        raise ValueError(
            f"a hash is an array of bool or an imagehash object, not {given} of {bits.dtype}"
        )
    return bits
