"""Perturbations that change levels in place: compression, filters, noise, tone and colour."""

import functools
import io
import math
import statistics
from typing import Annotated, Literal

import cv2
import numpy as np
from PIL import Image, ImageEnhance, ImageOps, features

from simlab.images import to_grey
from simlab.perturb.geometry import Degrees
from simlab.perturb.registry import Picture, Rng, Share, Sweep, between, register

Factor = Annotated[float, between(0.01, 10)]
Kernel = Annotated[int, between(1, 99, odd=True)]

# rows changed at a time, for memory; an even number draws what drawing all at once would
_BAND = 256

LEAST_SIGMA = 0.3  # below it, a Gaussian gives its neighbours less than one level in 256

# one thread: AVIF's bytes must not depend on the machine's number of cores
ENCODERS = {"jpeg": {}, "webp": {"method": 0}, "avif": {"speed": 9, "max_threads": 1}}


def _codec(format: str) -> str:
    name = {"jpeg": "libjpeg_turbo", "png": "pil"}.get(format, format)
    if format in ("webp", "avif") and not features.check(format):
        raise ValueError(
            f"this Pillow was built without {format}; allowed: jpeg, png (its own wheel has all)"
        )
    return f"{format} {features.version(name)}"


@register(
    severity=lambda quality: 101 - quality, resources=_codec, sweep=Sweep("quality", 100, 5, 20)
)
def recompress(
    image: Picture,
    rng: Rng,
    *,
    quality: Annotated[int, between(1, 100)] = 30,
    format: Literal["jpeg", "webp", "avif", "png"] = "jpeg",
) -> Picture:
    """Return the picture after a round trip through a lossy file.

    Severity: 101 - quality (100 loses a little).

    Args:
        quality: 1 to 100; for "png", which loses nothing itself, a palette of ``2.56 * quality``
            colours.
        format: the encoder; WebP and AVIF at settings that favour speed.
    """
    if format == "png":
        n_colours = max(2, round(2.56 * quality))
        return image.quantize(n_colours, Image.Quantize.FASTOCTREE).convert("RGB")
    file = io.BytesIO()
    image.save(file, format, quality=quality, **ENCODERS[format])
    return Image.open(file).convert("RGB")


def _spread(sigma: float, kernel: int | None) -> float:
    chosen = _sigma(sigma, kernel)
    return 0 if kernel == 1 or chosen < LEAST_SIGMA else chosen


def _sigma(sigma: float, kernel: int | None) -> float:
    if kernel is not None and sigma != 2:
        raise ValueError("'blur' takes sigma or kernel, not both")
    return sigma if kernel is None else 0.6 * ((kernel - 1) / 2 - 1) + 1


@register(severity=_spread, sweep=Sweep("sigma", 0, 15, 31))
def blur(
    image: Picture,
    rng: Rng,
    *,
    sigma: Annotated[float, between(0, 50)] = 2.0,
    kernel: Kernel | None = None,
) -> Picture:
    """Return the picture under a Gaussian filter.

    Severity: its standard deviation in pixels; 0 under 0.3.

    Args:
        sigma: standard deviation in pixels.
        kernel: side of the filter instead, odd; sigma is then ``0.6 * ((kernel - 1) / 2 - 1) + 1``.

    Source: https://arxiv.org/abs/2206.00282 for the kernels.
    """
    side = int(kernel or 0)
    smooth = cv2.GaussianBlur(np.asarray(image), (side, side), _sigma(sigma, kernel))
    return Image.fromarray(smooth)


@register(severity=lambda kernel: kernel - 1, sweep=Sweep("kernel", 1, 31, 16))
def median(image: Picture, rng: Rng, *, kernel: Kernel = 5) -> Picture:
    """Return the picture under a median filter of `kernel` x `kernel` pixels.

    Severity: ``kernel - 1``.
    """
    return Image.fromarray(cv2.medianBlur(np.asarray(image), kernel))


@register(severity=lambda length: length - 1, sweep=Sweep("length", 1, 41, 21))
def motion(
    image: Picture, rng: Rng, *, length: Annotated[int, between(1, 99)] = 9, degrees: Degrees = 0.0
) -> Picture:
    """Return the picture smeared along a line. Severity: ``length - 1``.

    Args:
        length: of the line in pixels, the first and the last counted.
        degrees: its direction, counter-clockwise from horizontal.
    """
    kernel = _line_kernel(length, math.radians(degrees))
    return Image.fromarray(cv2.filter2D(np.asarray(image), -1, kernel))


def _line_kernel(length: int, angle: float) -> np.ndarray:
    """Return the filter of a line through its centre, float (n, n): each point of it shared among
    four pixels.
    """
    middle = (length + 1) // 2
    along = np.linspace(-(length - 1) / 2, (length - 1) / 2, 16 * length)
    rows = middle - along * math.sin(angle)
    columns = middle + along * math.cos(angle)
    pixels = np.arange(2 * middle + 1)
    down = np.clip(1 - np.abs(pixels[:, None] - rows), 0, None)
    across = np.clip(1 - np.abs(pixels[:, None] - columns), 0, None)
    return down @ across.T / len(along)


@functools.cache
def _normal_quantiles() -> np.ndarray:
    """The standard normal's quantiles at 65,536 even steps: a look-up makes 16-bit random numbers
    normal.
    """
    normal = statistics.NormalDist()
    return np.array([normal.inv_cdf((i + 0.5) / 65536) for i in range(65536)], dtype=np.float32)


def _squared_error(kind: str, variance: float, amount: float) -> float:
    is_other_given = variance != 0.02 if kind == "salt_pepper" else amount != 0.05
    if is_other_given:
        raise ValueError(
            "'noise' takes amount with kind=\"salt_pepper\", variance with the other kinds"
        )
    return {"gaussian": variance, "speckle": variance / 3, "salt_pepper": amount / 3}[kind]


@register(severity=_squared_error, sweep=Sweep("variance", 0, 0.3, 31))
def noise(
    image: Picture,
    rng: Rng,
    *,
    kind: Literal["gaussian", "speckle", "salt_pepper"] = "gaussian",
    variance: Share = 0.02,
    amount: Share = 0.05,
) -> Picture:
    """Return the picture with noise in every channel.

    Severity: mean squared error if levels are spread evenly.

    Args:
        kind: "gaussian" adds, "speckle" multiplies, "salt_pepper" makes values white or black.
        variance: of gaussian and speckle, for levels from 0 to 1.
        amount: share of the values that become salt or pepper.

    Source: scikit-image's ``random_noise``,
        https://scikit-image.org/docs/stable/api/skimage.util.html.
    """
    levels = np.asarray(image)
    noisy = np.empty_like(levels)
    for top in range(0, len(levels), _BAND):
        band = slice(top, top + _BAND)
        draws = rng.integers(0, 65536, levels[band].shape, dtype=np.uint16)
        if kind == "salt_pepper":
            half = round(amount * 32768)
            peppered = levels[band] * (draws >= half)
            noisy[band] = np.where(draws < 65536 - half, peppered, np.uint8(255))
            continue
        multiplied = levels[band] if kind == "speckle" else np.float32(255)
        field = _normal_quantiles().take(draws)
        field *= np.float32(math.sqrt(variance)) * multiplied
        field += levels[band]
        noisy[band] = np.rint(np.clip(field, 0, 255, out=field), out=field)
    return Image.fromarray(noisy)


_by_factor = functools.partial(register, severity=lambda factor: math.log2(factor))


@_by_factor(
    directions=("darker", "brighter"),
    sweep=Sweep("factor", 0.2, 3, 29),
)
def brightness(image: Picture, rng: Rng, *, factor: Factor = 1.5) -> Picture:
    """Return the picture with all levels multiplied. Severity: ``|log2 factor|``.

    Source: ImageEnhance.
    """
    return ImageEnhance.Brightness(image).enhance(factor)


@_by_factor(
    directions=("lower", "higher"),
    sweep=Sweep("factor", 0.2, 3, 29),
)
def contrast(image: Picture, rng: Rng, *, factor: Factor = 1.5) -> Picture:
    """Return the picture, levels moved from its mean grey. Severity: ``|log2 factor|``.

    Source: ImageEnhance.
    """
    return ImageEnhance.Contrast(image).enhance(factor)


@_by_factor(
    directions=("paler", "stronger"),
    sweep=Sweep("factor", 0, 3, 31),
)
def saturation(image: Picture, rng: Rng, *, factor: Factor = 1.5) -> Picture:
    """Return the picture, colours moved from grey. Severity: ``|log2 factor|``.

    Source: ImageEnhance.Color.
    """
    return ImageEnhance.Color(image).enhance(factor)


@_by_factor(
    directions=("softer", "sharper"),
    sweep=Sweep("factor", 0.2, 5, 25),
)
def sharpness(image: Picture, rng: Rng, *, factor: Factor = 2.0) -> Picture:
    """Return the picture sharpened, under 1 smoothed. Severity: ``|log2 factor|``.

    Source: ImageEnhance.
    """
    return ImageEnhance.Sharpness(image).enhance(factor)


@register(
    severity=lambda exponent: math.log2(exponent),
    directions=("brighter", "darker"),
    sweep=Sweep("exponent", 0.2, 3, 29),
)
def gamma(image: Picture, rng: Rng, *, exponent: Factor = 1.5) -> Picture:
    """Return the picture, levels of 0 to 1 raised to a power; over 1 darkens.

    Severity: ``|log2 exponent|``.
    """
    return image.point([round(255 * (level / 255) ** exponent) for level in range(256)] * 3)


@register(
    severity=lambda degrees: degrees,
    directions=("backwards", "forwards"),
    sweep=Sweep("degrees", 0, 180, 37),
)
def hue(image: Picture, rng: Rng, *, degrees: Degrees = 30.0) -> Picture:
    """Return the picture with hues turned on the colour circle of HSV. Severity: degrees."""
    levels = np.asarray(image)
    turned = np.empty_like(levels)
    for top in range(0, len(levels), _BAND):
        band = slice(top, top + _BAND)
        # in floats: OpenCV's 8-bit hues are steps of 1.4 degrees, and lose a level or two on the
        # way
        hsv = cv2.cvtColor(levels[band].astype(np.float32) / 255, cv2.COLOR_RGB2HSV)
        hsv[..., 0] = (hsv[..., 0] + degrees) % 360
        turned[band] = np.rint(255 * cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB))
    return Image.fromarray(turned)


@register(severity=lambda: 1)
def gray(image: Picture, rng: Rng) -> Picture:
    """Return the picture without colour. Severity: 1."""
    return to_grey(image).convert("RGB")


@register(severity=lambda bits: 8 - bits, sweep=Sweep("bits", 8, 1, 8))
def posterize(image: Picture, rng: Rng, *, bits: Annotated[int, between(1, 8)] = 3) -> Picture:
    """Return the picture with only the highest `bits` of every level. Severity: bits lost."""
    return ImageOps.posterize(image, bits)
