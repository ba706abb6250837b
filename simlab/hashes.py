"""Perceptual hashes: picture → bits, equal bit for bit to imagehash's for the same upright RGB picture.

Every function takes what :func:`simlab.read_image` takes and returns a flat bool array. The distance of two
hashes is their Hamming distance in bits. The grey picture (mode ``L``) may be handed over instead, to be made once.
"""

import imagehash
import numpy as np
import scipy.fftpack
from PIL import Image

from simlab.images import read_image, to_grey

MAX_HASH_SIZE = 256
"""Largest side of a hash: 65,536 bits."""


def average_hash(image, *, hash_size: int = 8) -> np.ndarray:
    """Return hash_size² bits: the pixels of a small grey copy that are brighter than their mean.

    Source: N. Krawetz, "Looks like it", 2011.

    >>> average_hash(Image.linear_gradient("L"), hash_size=2)
    array([False, False,  True,  True])
    """
    pixels = _small(image, check_size(hash_size), hash_size)
    return (pixels > np.mean(pixels)).ravel()


def phash(image, *, hash_size: int = 8, highfreq_factor: int = 4) -> np.ndarray:
    """Return hash_size² bits: the low frequencies of a discrete cosine transform that exceed their median.

    Args:
        highfreq_factor: the transform is taken of a grey copy this many times as wide as the hash.

    Source: N. Krawetz, "Looks like it", 2011; C. Zauner, "Implementation and benchmarking of perceptual image hash
    functions", 2010. As in imagehash, the lowest frequency takes part.
    """
    side = check_size(hash_size) * _check_factor(highfreq_factor)
    dct = scipy.fftpack.dct(scipy.fftpack.dct(_small(image, side, side), axis=0), axis=1)
    low = dct[:hash_size, :hash_size]
    return (low > np.median(low)).ravel()


def dhash(image, *, hash_size: int = 8) -> np.ndarray:
    """Return hash_size² bits: whether each pixel of a small grey copy is brighter than its left neighbour.

    Source: N. Krawetz, "Kind of like that", 2013.
    """
    pixels = _small(image, check_size(hash_size) + 1, hash_size)
    return (pixels[:, 1:] > pixels[:, :-1]).ravel()


def whash(image, *, hash_size: int = 8) -> np.ndarray:
    """Return hash_size² bits: the coarse Haar coefficients that exceed their median, without the overall mean.

    Raises:
        ValueError: hash_size is not a power of 2.

    Source: D. Petrov, "Wavelet image hash in Python", 2016. A Haar approximation is a scaled block mean, so the bits
    are read off exact integer block sums; only where a block ties with the median does the rounding of
    the wavelet transform decide, and then imagehash itself is asked.
    """
    if check_size(hash_size) & (hash_size - 1):
        raise ValueError(f"hash_size of whash must be a power of 2, not {hash_size}")
    grey = _grey(image)
    scale = max(2 ** int(np.log2(min(grey.size))), hash_size)
    pixels = np.asarray(grey.resize((scale, scale), Image.Resampling.LANCZOS))
    block = scale // hash_size
    rows = pixels.reshape(hash_size, block, scale).sum(axis=1, dtype=np.int64)
    sums = rows.reshape(hash_size, hash_size, block).sum(axis=2)
    median = np.median(sums)
    if np.any(sums == median):
        return imagehash.whash(grey, hash_size=hash_size).hash.ravel()
    return (sums > median).ravel()


def hamming(a: np.ndarray, b: np.ndarray) -> int:
    """Return in how many bits two hashes differ: 0 to their length.

    Raises:
        ValueError: the hashes have different lengths.

    >>> hamming(np.array([True, False, True]), np.array([True, True, False]))
    2
    """
    if a.shape != b.shape:
        raise ValueError(f"hashes of {a.size} and {b.size} bits cannot be compared")
    return int(np.count_nonzero(a != b))


def pack(bits: np.ndarray) -> np.ndarray:
    """Return bool (…, n) as uint64 (…, ceil(n / 64)), zeros appended: the form in which many hashes are compared."""
    octets = np.packbits(bits, axis=-1)
    padding = [(0, 0)] * (octets.ndim - 1) + [(0, -octets.shape[-1] % 8)]
    return np.ascontiguousarray(np.pad(octets, padding)).view(np.uint64)


def hamming_rows(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the Hamming distance of each row of `a` to the same row of `b`, both packed (n, words): int64 (n,)."""
    return np.bitwise_count(a ^ b).sum(axis=-1, dtype=np.int64)


def hamming_matrix(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return all Hamming distances of packed hashes (n, words) and (m, words): uint16 (n, m)."""
    distances = np.zeros((len(a), len(b)), dtype=np.uint16)
    for word in range(a.shape[1]):
        distances += np.bitwise_count(a[:, word, None] ^ b[None, :, word])
    return distances


def to_imagehash(bits: np.ndarray) -> imagehash.ImageHash:
    """Return a square hash as imagehash's own object.

    Raises:
        ValueError: the number of bits is not a square.
    """
    side = round(bits.size**0.5)
    if side * side != bits.size:
        raise ValueError(f"{bits.size} bits are not a square hash")
    return imagehash.ImageHash(bits.reshape(side, side))


def from_imagehash(value: imagehash.ImageHash) -> np.ndarray:
    """Return the flat bits of an imagehash object."""
    return np.asarray(value.hash, dtype=bool).ravel()


def check_size(hash_size: int) -> int:
    """Return hash_size.

    Raises:
        ValueError: it is not a whole number from 2 to :data:`MAX_HASH_SIZE`.
    """
    if not isinstance(hash_size, int | np.integer) or not 2 <= hash_size <= MAX_HASH_SIZE:
        raise ValueError(f"hash_size must be a whole number from 2 to {MAX_HASH_SIZE}, not {hash_size!r}")
    return hash_size


def _check_factor(factor: int) -> int:
    if not isinstance(factor, int | np.integer) or not 1 <= factor <= 16:
        raise ValueError(f"highfreq_factor must be a whole number from 1 to 16, not {factor!r}")
    return factor


def _grey(image) -> Image.Image:
    return image if isinstance(image, Image.Image) and image.mode == "L" else to_grey(read_image(image))


def _small(image, width: int, height: int) -> np.ndarray:
    # Pillow sizes are (width, height), arrays (rows, columns)
    return np.asarray(_grey(image).resize((width, height), Image.Resampling.LANCZOS))
