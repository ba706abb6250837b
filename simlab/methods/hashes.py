"""Perceptual hashes: picture → bits, equal bit for bit to imagehash's.

That is for the same upright RGB picture. Every function takes what :func:`simlab.read_image` takes
and returns a flat bool array (``crop_resistant_hash``: one row per segment). Except for
``colorhash`` and ``pdq`` the grey picture (mode ``L``) may be handed over instead, to be made once.
The distance of two hashes is their Hamming distance in bits.

First stand the distances, of one pair or of many together, in packed form of 64 bits a word; then
the hashes, each registered where it stands; then imagehash's own objects.
"""

import functools
import importlib.metadata
import warnings
from typing import Annotated, Literal, NamedTuple

import imagehash
import numpy as np
from numpy import ndarray
from PIL import Image, ImageFilter

from simlab.images import Picture, Size, read_grey, read_image
from simlab.methods.registry import method
from simlab.specs import Rule, between, check_count, check_kind, checked

__all__ = [
    "average_hash",
    "closest_segments",
    "colorhash",
    "crop_resistant_distance",
    "crop_resistant_hash",
    "dhash",
    "dhash_vertical",
    "from_imagehash",
    "hamming",
    "hamming_matrix",
    "hamming_rows",
    "most_segments",
    "pack",
    "pdq",
    "pdq_version",
    "phash",
    "phash_simple",
    "to_imagehash",
    "whash",
]

SEGMENTATION_SIDE = 300
"""Side in pixels of the copy in which crop_resistant_hash finds its segments."""

HashSize = Annotated[int, between(2, 256)]
PowerOfTwo = Annotated[
    int, Rule("a power of 2 from 2 to 256", [2**n for n in range(1, 9)].__contains__)
]


def __dir__() -> list[str]:
    return __all__


def hamming(a: ndarray, b: ndarray) -> int:
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


def hamming_pairs(bits: ndarray, left: ndarray, right: ndarray) -> ndarray:
    """Return the Hamming distances of the rows `left` and `right` of bool (n, bits)."""
    packed = pack(bits)
    return np.bitwise_count(packed[left] ^ packed[right]).sum(axis=-1, dtype=np.int64)


@checked
def crop_resistant_distance(
    a: ndarray, b: ndarray, *, bit_error_rate: Annotated[float, between(0, 1)] = 0.25
) -> float:
    """Return imagehash's ``a - b``: the segments of `a` without a like in `b`, and some wrong bits.

    To the number of segments without a like, the share of wrong bits in the others is added: from 0
    to the number of segments of `a`; not symmetric.

    Args:
        bit_error_rate: share of the bits in which like segments may differ.
    """
    closest = hamming_matrix(pack(a), pack(b)).min(axis=1)
    n_segments, n_bits = a.shape
    matched = closest[closest <= n_bits * bit_error_rate]
    if not len(matched):
        return float(n_segments)
    wrong_share = matched.sum() / (len(matched) * n_bits)
    return float(n_segments - (len(matched) - wrong_share))


def closest_segments(a: ndarray, b: ndarray) -> float:
    """Return in how many bits the two most alike segments of two hashes differ: 0 to 64.

    imagehash's ``a == b`` says that this is at most 16. Unlike ``a - b`` it can be compared between
    pictures of one segment and of many.
    """
    return float(hamming_matrix(pack(a), pack(b)).min())


def pack(bits: ndarray) -> ndarray:
    """Return bool (…, n) as uint64 (…, ceil(n / 64)), zeros appended: many are compared so."""
    check_kind("bits", bits, ndarray, "an array of True and False")
    if bits.dtype.kind not in "bui":
        raise ValueError(f"bits must be an array of True and False, not of {bits.dtype}")
    octets = np.packbits(bits, axis=-1)
    n_octets = octets.shape[-1]
    words = np.zeros((*octets.shape[:-1], -(-n_octets // 8)), dtype=np.uint64)
    words.view(np.uint8)[..., :n_octets] = octets
    return words


def hamming_rows(a: ndarray, b: ndarray) -> ndarray:
    """Return the Hamming distance of each row of `a` to the same row of `b`: int64 (n,).

    Both are packed: (n, words).
    """
    _check_packed(a, b)
    if len(a) != len(b):
        raise ValueError(f"packed hashes must be as many: {len(a)} and {len(b)} cannot be paired")
    return np.bitwise_count(a ^ b).sum(axis=-1, dtype=np.int64)


def hamming_matrix(a: ndarray, b: ndarray) -> ndarray:
    """Return all distances of packed (n, words) and (m, words): uint16 (n, m), or uint32."""
    _check_packed(a, b)
    n_words = a.shape[1]
    dtype = np.uint16 if 64 * n_words < 2**16 else np.uint32
    distances = np.zeros((len(a), len(b)), dtype=dtype)
    for word in range(n_words):
        distances += np.bitwise_count(a[:, word, None] ^ b[None, :, word])
    return distances


def _check_packed(*hashes: ndarray) -> None:
    kinds = [(getattr(words, "dtype", None), np.ndim(words)) for words in hashes]
    n_words = {np.shape(words)[-1:] for words in hashes}
    if kinds != [(np.uint64, 2), (np.uint64, 2)] or len(n_words) > 1:
        raise ValueError("packed hashes must be two arrays (n, words) from pack, of as many words")


_hash_method = functools.partial(
    method, distance=hamming, unit="bits", compare_many=hamming_pairs, feature_kind="bits"
)
_square_hash = functools.partial(_hash_method, maximum=lambda hash_size: hash_size**2, grey=True)


def _of_cosines(hash_size: int, highfreq_factor: int) -> Size:
    side = hash_size * highfreq_factor
    return side, side


@_square_hash(small=_of_cosines)
@checked
def phash(
    image, *, hash_size: HashSize = 8, highfreq_factor: Annotated[int, between(1, 16)] = 4
) -> ndarray:
    """Return hash_size² bits: the low frequencies of a cosine transform that exceed their median.

    Args:
        highfreq_factor: the transform is taken of a grey copy this many times as wide as the hash.

    Source: N. Krawetz, "Looks like it", 2011; C. Zauner, "Implementation and benchmarking of
    perceptual image hash functions", 2010. As in imagehash, the lowest frequency takes part.
    """
    from scipy import fftpack  # slow to import, and not needed for what the cache has

    side = hash_size * highfreq_factor
    of_columns = fftpack.dct(_small(image, side, side), axis=0)
    frequencies = fftpack.dct(of_columns, axis=1)
    low = frequencies[:hash_size, :hash_size]
    return (low > np.median(low)).ravel()


@_square_hash(small=lambda hash_size: (hash_size + 1, hash_size))
@checked
def dhash(image, *, hash_size: HashSize = 8) -> ndarray:
    """Return hash_size² bits: whether a pixel of a small grey copy is brighter than its left one.

    Source: N. Krawetz, "Kind of like that", 2013.
    """
    pixels = _small(image, hash_size + 1, hash_size)
    return (pixels[:, 1:] > pixels[:, :-1]).ravel()


@_square_hash(small=lambda hash_size: (hash_size, hash_size))
@checked
def average_hash(image, *, hash_size: HashSize = 8) -> ndarray:
    """Return hash_size² bits: the pixels of a small grey copy that are brighter than their mean.

    Source: N. Krawetz, "Looks like it", 2011.

    >>> average_hash(Image.linear_gradient("L"), hash_size=2)
    array([False, False,  True,  True])
    """
    pixels = _small(image, hash_size, hash_size)
    return (pixels > np.mean(pixels)).ravel()


@_square_hash(small=_of_cosines)
@checked
def phash_simple(
    image, *, hash_size: HashSize = 8, highfreq_factor: Annotated[int, between(2, 16)] = 4
) -> ndarray:
    """Return hash_size² bits: the low frequencies of the rows' cosine transform above their mean.

    Args:
        highfreq_factor: as in :func:`phash`; the transform is of rows alone, without their mean.

    Source: as :func:`phash`.
    """
    from scipy import fftpack

    side = hash_size * highfreq_factor
    low = fftpack.dct(_small(image, side, side))[:hash_size, 1 : hash_size + 1]
    return (low > low.mean()).ravel()


@_square_hash(small=lambda hash_size: (hash_size, hash_size + 1))
@checked
def dhash_vertical(image, *, hash_size: HashSize = 8) -> ndarray:
    """Return hash_size² bits: whether a pixel of a small grey copy is brighter than the one above.

    Source: as :func:`dhash`.
    """
    pixels = _small(image, hash_size, hash_size + 1)
    return (pixels[1:] > pixels[:-1]).ravel()


@_hash_method(
    maximum=lambda hash_size, mode: (hash_size + 6 * (mode == "db4")) ** 2,
    grey=True,
)
@checked
def whash(image, *, hash_size: PowerOfTwo = 8, mode: Literal["haar", "db4"] = "haar") -> ndarray:
    """Return the coarse wavelet coefficients above their median, without the overall mean, as bits.

    Args:
        mode: ``"haar"``: hash_size² bits; ``"db4"``, Daubechies' wavelet of 8 taps:
            (hash_size + 6)² bits. A picture whose shorter side is under 8 hash_size is enlarged for
            db4, where imagehash would return fewer bits.

    Source: D. Petrov, "Wavelet image hash in Python", 2016. A Haar approximation is a scaled block
    mean, so the bits are read off exact integer block sums; only where a block ties with the median
    does the rounding of the wavelet transform decide, and then imagehash itself is asked.
    """
    grey = read_grey(image)
    least = hash_size * 8 if mode == "db4" else hash_size
    scale = max(2 ** int(np.log2(min(grey.size))), least)
    if mode == "haar":
        sums = _block_sums(grey, scale, hash_size)
        median = np.median(sums)
        if not np.any(sums == median):
            return (sums > median).ravel()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyWavelets warns of many levels, which are meant
        return imagehash.whash(grey, hash_size, scale, mode).hash.ravel()


def _block_sums(grey: Picture, side: int, n_blocks: int) -> ndarray:
    """Sums of the levels in n_blocks² blocks of the picture scaled to a square: int64."""
    pixels = np.asarray(grey.resize((side, side), Image.Resampling.LANCZOS))
    rows = pixels.reshape(n_blocks, -1, side).sum(axis=1, dtype=np.int64)
    return rows.reshape(n_blocks, n_blocks, -1).sum(axis=2)


@_hash_method(maximum=lambda binbits: 14 * binbits)
@checked
def colorhash(image, *, binbits: Annotated[int, between(1, 16)] = 3) -> ndarray:
    """Return 14 binbits bits: shares of black, of grey, of 6 hues of faint and bright colours.

    Source: imagehash 4.1, 2020, whose function this is.
    """
    return from_imagehash(imagehash.colorhash(read_image(image), binbits))


def pdq_version() -> str:
    """Return the name and version of the package that :func:`pdq` uses.

    Raises:
        ValueError: it is not installed.
    """
    return f"{_pdqhash().__name__}={importlib.metadata.version('pdqhash')}"


@_hash_method(maximum=256, resources=pdq_version)
@checked
def pdq(image, *, min_quality: Annotated[int, between(0, 100)] = 1) -> ndarray | None:
    """Return 256 bits of Meta's PDQ hash, or None where its quality is under `min_quality`.

    Its authors advise a quality of 50.

    Raises:
        ValueError: the package pdqhash is not installed; it comes with the extra ``simlab[pdq]``.

    Source: https://github.com/facebook/ThreatExchange/tree/main/pdq.
    """
    bits, quality = _pdqhash().compute(np.asarray(read_image(image)))
    return bits.astype(bool) if quality >= min_quality else None


def _pdqhash():
    try:
        import pdqhash
    except ModuleNotFoundError as error:
        raise ValueError("pdq needs the package pdqhash: pip install 'simlab[pdq]'") from error
    return pdqhash


def most_segments(limit_segments: int | None, min_segment_size: int) -> int:
    """Return how many segments :func:`crop_resistant_hash` finds at most.

    >>> most_segments(None, 500)
    179
    """
    n_pixels = SEGMENTATION_SIDE**2
    limit = n_pixels if limit_segments is None else limit_segments
    check_count("limit_segments", limit)
    check_count("min_segment_size", min_segment_size, 0)
    return min(limit, n_pixels // (min_segment_size + 1))


# decorators are applied from the last: `crop_resistant_hash` is registered first
@method(
    "crop_resistant_closest",
    distance=closest_segments,
    maximum=64,
    unit="bits",
    grey=True,
    feature="crop_resistant_hash",
)
@method(
    distance=crop_resistant_distance,
    maximum=most_segments,
    unit="segments",
    grey=True,
    symmetric=False,
)
@checked
def crop_resistant_hash(
    image,
    *,
    limit_segments: Annotated[int, between(1, 1000)] | None = None,
    segment_threshold: Annotated[int, between(0, 255)] = 128,
    min_segment_size: Annotated[int, between(100, 50_000)] = 500,
) -> ndarray | None:
    """Return a dhash of the box around each bright and each dark region: bool (segments, 64).

    Args:
        limit_segments: only so many of the largest are kept.
        segment_threshold: level that divides bright from dark.
        min_segment_size: a region counts above so many pixels of a 300 x 300 copy; where none does,
            the whole picture.

    Source: M. Steinebach, H. Liu, Y. Yannikos, "Efficient cropping-resistant robust image hashing",
    ARES 2014.
    """
    grey = read_grey(image)
    side = SEGMENTATION_SIDE
    small = grey.resize((side, side), Image.Resampling.LANCZOS)
    smooth = small.filter(ImageFilter.GaussianBlur()).filter(ImageFilter.MedianFilter())
    regions = _regions(np.asarray(smooth) > segment_threshold, min_segment_size)
    if limit_segments:
        regions = sorted(regions, key=lambda region: -region.n_pixels)[:limit_segments]
    if not regions:
        regions = [_Region(side * side, slice(0, side), slice(0, side))]
    segments = [_cut_out(grey, region) for region in regions]
    # empty in a picture of few pixels
    hashes = [dhash(segment) for segment in segments if all(segment.size)]
    return np.array(hashes) if hashes else None


class _Region(NamedTuple):
    """Pixels of the small copy that lie together, and the box around them."""

    n_pixels: int
    rows: slice
    columns: slice


def _regions(bright: ndarray, min_pixels: int) -> list[_Region]:
    """The connected regions of more than `min_pixels`: bright ones first, each kind row by row."""
    from scipy import ndimage

    regions = []
    # imagehash counts the pixels around the picture as done: it leaves out the last dark regions
    n_done = 2 * sum(bright.shape)
    for mask in (bright, ~bright):
        labels, n_labels = ndimage.label(mask)
        sizes = np.bincount(labels.ravel(), minlength=n_labels + 1)[1:].tolist()
        for n_pixels, box in zip(sizes, ndimage.find_objects(labels)):
            is_left_out = mask is not bright and n_done >= bright.size
            if n_pixels > min_pixels and not is_left_out:
                regions.append(_Region(n_pixels, *box))
            if n_pixels > 1:
                n_done += n_pixels
    return regions


def _cut_out(grey: Picture, region: _Region) -> Picture:
    """The part of a picture in which a region of its small copy lies."""
    wide = grey.width / SEGMENTATION_SIDE
    high = grey.height / SEGMENTATION_SIDE
    _, rows, columns = region
    return grey.crop(
        (columns.start * wide, rows.start * high, columns.stop * wide, rows.stop * high)
    )


def _small(image, width: int, height: int) -> ndarray:
    # Pillow sizes are (width, height), arrays (rows, columns)
    return np.asarray(read_grey(image).resize((width, height), Image.Resampling.LANCZOS))


def to_imagehash(bits: ndarray) -> imagehash.ImageHash:
    """Return a square hash as imagehash's own object.

    Raises:
        ValueError: the number of bits is not a square.
    """
    flat = from_imagehash(bits)
    side = round(flat.size**0.5)
    if side * side != flat.size:
        raise ValueError(f"{flat.size} bits are not a square hash")
    return imagehash.ImageHash(flat.reshape(side, side))


def from_imagehash(value: imagehash.ImageHash | ndarray) -> ndarray:
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
