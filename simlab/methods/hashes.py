"""Perceptual hashes: picture → bits, equal bit for bit to imagehash's for the same upright RGB picture.

Every function takes what :func:`simlab.read_image` takes and returns a flat bool array (``crop_resistant_hash``: one
row per segment). The distance of two hashes is their Hamming distance in bits. Except for ``colorhash`` and ``pdq`` the
grey picture (mode ``L``) may be handed over instead, to be made once.
"""

import importlib.metadata
import warnings
from typing import Annotated, Literal

import imagehash
import numpy as np
import scipy.fftpack
import scipy.ndimage
from PIL import Image, ImageFilter

from simlab.images import read_image, to_grey
from simlab.specs import Rule, between, checked

SEGMENTATION_SIDE = 300
"""Side in pixels of the copy in which crop_resistant_hash finds its segments."""

HashSize = Annotated[int, between(2, 256)]
PowerOfTwo = Annotated[
    int, Rule("a power of 2 from 2 to 256", [2**n for n in range(1, 9)].__contains__)
]


@checked
def average_hash(image, *, hash_size: HashSize = 8) -> np.ndarray:
    """Return hash_size² bits: the pixels of a small grey copy that are brighter than their mean.

    Source: N. Krawetz, "Looks like it", 2011.

    >>> average_hash(Image.linear_gradient("L"), hash_size=2)
    array([False, False,  True,  True])
    """
    pixels = _small(image, hash_size, hash_size)
    return (pixels > np.mean(pixels)).ravel()


@checked
def phash(
    image, *, hash_size: HashSize = 8, highfreq_factor: Annotated[int, between(1, 16)] = 4
) -> np.ndarray:
    """Return hash_size² bits: the low frequencies of a discrete cosine transform that exceed their median.

    Args:
        highfreq_factor: the transform is taken of a grey copy this many times as wide as the hash.

    Source: N. Krawetz, "Looks like it", 2011; C. Zauner, "Implementation and benchmarking of perceptual image hash
    functions", 2010. As in imagehash, the lowest frequency takes part.
    """
    side = hash_size * highfreq_factor
    dct = scipy.fftpack.dct(scipy.fftpack.dct(_small(image, side, side), axis=0), axis=1)
    low = dct[:hash_size, :hash_size]
    return (low > np.median(low)).ravel()


@checked
def dhash(image, *, hash_size: HashSize = 8) -> np.ndarray:
    """Return hash_size² bits: whether each pixel of a small grey copy is brighter than its left neighbour.

    Source: N. Krawetz, "Kind of like that", 2013.
    """
    pixels = _small(image, hash_size + 1, hash_size)
    return (pixels[:, 1:] > pixels[:, :-1]).ravel()


@checked
def phash_simple(
    image, *, hash_size: HashSize = 8, highfreq_factor: Annotated[int, between(2, 16)] = 4
) -> np.ndarray:
    """Return hash_size² bits: the low frequencies of a cosine transform of the rows that exceed their mean.

    Args:
        highfreq_factor: as in :func:`phash`; the transform is of the rows alone, without their mean.

    Source: as :func:`phash`.
    """
    side = hash_size * highfreq_factor
    low = scipy.fftpack.dct(_small(image, side, side))[:hash_size, 1 : hash_size + 1]
    return (low > low.mean()).ravel()


@checked
def dhash_vertical(image, *, hash_size: HashSize = 8) -> np.ndarray:
    """Return hash_size² bits: whether each pixel of a small grey copy is brighter than the one above.

    Source: as :func:`dhash`.
    """
    pixels = _small(image, hash_size, hash_size + 1)
    return (pixels[1:] > pixels[:-1]).ravel()


@checked
def whash(image, *, hash_size: PowerOfTwo = 8, mode: Literal["haar", "db4"] = "haar") -> np.ndarray:
    """Return the coarse wavelet coefficients that exceed their median, without the overall mean, as bits.

    Args:
        mode: ``"haar"``: hash_size² bits; ``"db4"``, Daubechies' wavelet of 8 taps: (hash_size + 6)² bits. A picture
            whose shorter side is under 8 hash_size is enlarged for db4, where imagehash would return fewer bits.

    Source: D. Petrov, "Wavelet image hash in Python", 2016. A Haar approximation is a scaled block mean, so the bits
    are read off exact integer block sums; only where a block ties with the median does the rounding of
    the wavelet transform decide, and then imagehash itself is asked.
    """
    grey = _grey(image)
    scale = max(2 ** int(np.log2(min(grey.size))), hash_size * (8 if mode == "db4" else 1))
    if mode == "haar":
        pixels = np.asarray(grey.resize((scale, scale), Image.Resampling.LANCZOS))
        rows = pixels.reshape(hash_size, -1, scale).sum(axis=1, dtype=np.int64)
        sums = rows.reshape(hash_size, hash_size, -1).sum(axis=2)
        median = np.median(sums)
        if not np.any(sums == median):
            return (sums > median).ravel()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyWavelets warns of many levels, which are meant
        return imagehash.whash(grey, hash_size, scale, mode).hash.ravel()


@checked
def colorhash(image, *, binbits: Annotated[int, between(1, 16)] = 3) -> np.ndarray:
    """Return 14 binbits bits: shares of black, of grey, and of 6 hues among faint and among bright colours.

    Source: imagehash 4.1, 2020, whose function this is.
    """
    return from_imagehash(imagehash.colorhash(read_image(image), binbits))


@checked
def crop_resistant_hash(
    image,
    *,
    limit_segments: Annotated[int, between(1, 1000)] | None = None,
    segment_threshold: Annotated[int, between(0, 255)] = 128,
    min_segment_size: Annotated[int, between(100, 50_000)] = 500,
) -> np.ndarray | None:
    """Return a dhash of the box around each bright and each dark region: bool (segments, 64).

    Args:
        limit_segments: only so many of the largest are kept.
        segment_threshold: level that divides bright from dark.
        min_segment_size: a region counts above so many pixels of a 300 x 300 copy; where none does, the whole picture.

    Source: M. Steinebach, H. Liu, Y. Yannikos, "Efficient cropping-resistant robust image hashing", ARES 2014.
    """
    grey = _grey(image)
    side = SEGMENTATION_SIDE
    small = grey.resize((side, side), Image.Resampling.LANCZOS)
    smooth = np.asarray(small.filter(ImageFilter.GaussianBlur()).filter(ImageFilter.MedianFilter()))
    regions = _regions(smooth > segment_threshold, min_segment_size) or [
        (side * side, np.s_[:side, :side])
    ]
    regions = (
        sorted(regions, key=lambda region: -region[0])[:limit_segments]
        if limit_segments
        else regions
    )
    wide, high = (length / side for length in grey.size)
    boxes = [
        (x.start * wide, y.start * high, x.stop * wide, y.stop * high) for _, (y, x) in regions
    ]
    segments = [
        segment for segment in map(grey.crop, boxes) if all(segment.size)
    ]  # empty in a picture of few pixels
    return np.array([dhash(segment) for segment in segments]) if segments else None


def most_segments(limit_segments: int | None, min_segment_size: int) -> int:
    """Return how many segments :func:`crop_resistant_hash` finds at most.

    >>> most_segments(None, 500)
    179
    """
    return min(
        limit_segments or SEGMENTATION_SIDE**2, SEGMENTATION_SIDE**2 // (min_segment_size + 1)
    )


@checked
def pdq(image, *, min_quality: Annotated[int, between(0, 100)] = 1) -> np.ndarray | None:
    """Return 256 bits of Meta's PDQ hash, or None where its quality is under `min_quality` (its authors advise 50).

    Raises:
        ValueError: the package pdqhash is not installed; it comes with the extra ``simlab[pdq]``.

    Source: https://github.com/facebook/ThreatExchange/tree/main/pdq.
    """
    bits, quality = _pdqhash().compute(np.asarray(read_image(image)))
    return bits.astype(bool) if quality >= min_quality else None


def hamming(a: np.ndarray, b: np.ndarray) -> int:
    """Return in how many bits two hashes differ: 0 to their length. They are bool arrays or imagehash's own objects.

    Raises:
        ValueError: the hashes have different lengths, or are something else.

    >>> hamming(np.array([True, False, True]), np.array([True, True, False]))
    2
    """
    a = _bits(a)
    b = _bits(b)
    if a.shape != b.shape:
        raise ValueError(f"hashes of {a.size} and {b.size} bits cannot be compared")
    return int(np.count_nonzero(a != b))


@checked
def crop_resistant_distance(
    a: np.ndarray, b: np.ndarray, *, bit_error_rate: Annotated[float, between(0, 1)] = 0.25
) -> float:
    """Return imagehash's ``a - b``: how many segments of `a` have no like in `b`, plus the others' share of wrong bits.

    From 0 to the number of segments of `a`; not symmetric.

    Args:
        bit_error_rate: share of the bits in which like segments may differ.
    """
    lowest = hamming_matrix(pack(a), pack(b)).min(axis=1)
    matched = lowest[lowest <= a.shape[1] * bit_error_rate]
    if not len(matched):
        return float(len(a))
    return float(len(a) - (len(matched) - matched.sum() / (len(matched) * a.shape[1])))


def closest_segments(a: np.ndarray, b: np.ndarray) -> float:
    """Return in how many bits the two most alike segments of two crop-resistant hashes differ: 0 to 64.

    imagehash's ``a == b`` says that this is at most 16. Unlike ``a - b`` it can be compared between pictures of one
    segment and of many.
    """
    return float(hamming_matrix(pack(a), pack(b)).min())


def pack(bits: np.ndarray) -> np.ndarray:
    """Return bool (…, n) as uint64 (…, ceil(n / 64)), zeros appended: the form in which many hashes are compared."""
    octets = np.packbits(bits, axis=-1)
    words = np.zeros((*octets.shape[:-1], -(-octets.shape[-1] // 8)), dtype=np.uint64)
    words.view(np.uint8)[..., : octets.shape[-1]] = octets
    return words


def hamming_rows(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the Hamming distance of each row of `a` to the same row of `b`, both packed (n, words): int64 (n,)."""
    return np.bitwise_count(a ^ b).sum(axis=-1, dtype=np.int64)


def hamming_matrix(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return all Hamming distances of packed hashes (n, words) and (m, words): uint16 (n, m), or uint32."""
    distances = np.zeros(
        (len(a), len(b)), dtype=np.uint16 if 64 * a.shape[1] < 2**16 else np.uint32
    )
    for word in range(a.shape[1]):
        distances += np.bitwise_count(a[:, word, None] ^ b[None, :, word])
    return distances


def to_imagehash(bits: np.ndarray) -> imagehash.ImageHash:
    """Return a square hash as imagehash's own object.

    Raises:
        ValueError: the number of bits is not a square.
    """
    bits = _bits(bits)
    side = round(bits.size**0.5)
    if side * side != bits.size:
        raise ValueError(f"{bits.size} bits are not a square hash")
    return imagehash.ImageHash(bits.reshape(side, side))


def from_imagehash(value: imagehash.ImageHash) -> np.ndarray:
    """Return the flat bits of an imagehash object; bits come back as they are."""
    return _bits(value)


def _bits(value: np.ndarray | imagehash.ImageHash) -> np.ndarray:
    if isinstance(value, imagehash.ImageHash):
        value = np.ravel(value.hash)
    bits = np.asarray(value)
    if bits.dtype != bool:
        given = type(value).__name__
        raise ValueError(
            f"a hash is an array of bool or an imagehash object, not {given} of {bits.dtype}"
        )
    return bits


def pdq_version() -> str:
    """Return the name and version of the package that :func:`pdq` uses.

    Raises:
        ValueError: it is not installed.
    """
    return f"{_pdqhash().__name__}={importlib.metadata.version('pdqhash')}"


def _pdqhash():
    try:
        import pdqhash
    except ModuleNotFoundError as error:
        raise ValueError("pdq needs the package pdqhash: pip install 'simlab[pdq]'") from error
    return pdqhash


def _regions(bright: np.ndarray, min_size: int) -> list[tuple[int, tuple[slice, slice]]]:
    """Size and box of each connected region of more than `min_size` pixels: bright ones first, each row by row."""
    regions, counted = [], 2 * sum(bright.shape)
    for mask in (bright, ~bright):
        labels, n = scipy.ndimage.label(mask)
        sizes = np.bincount(labels.ravel(), minlength=n + 1)[1:].tolist()
        for size, box in zip(sizes, scipy.ndimage.find_objects(labels)):
            # imagehash counts the pixels around the picture as done, and so leaves out the last dark regions
            if size > min_size and (mask is bright or counted < bright.size):
                regions.append((size, box))
            counted += size if size > 1 else 0
    return regions


def _grey(image) -> Image.Image:
    return (
        image
        if isinstance(image, Image.Image) and image.mode == "L"
        else to_grey(read_image(image))
    )


def _small(image, width: int, height: int) -> np.ndarray:
    # Pillow sizes are (width, height), arrays (rows, columns)
    return np.asarray(_grey(image).resize((width, height), Image.Resampling.LANCZOS))
