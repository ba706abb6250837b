"""Perturbations that change values in place: compression, filters, noise, tone and colour."""

import io
from typing import Annotated, Literal

import numpy as np
from PIL import Image, features

from simlab.perturb.registry import between, register

CODECS = {"jpeg": "libjpeg_turbo", "webp": "webp", "avif": "avif", "png": "pil"}


def _codec(format: str) -> str:
    # JPEG is there even where it is not libjpeg-turbo that does it
    if format != "jpeg" and not features.check(CODECS[format]):
        raise ValueError(f"this Pillow was built without {format}; allowed: jpeg, png (Pillow's own wheel has all)")
    return f"{format} {features.version(CODECS[format])}"


@register(severity=lambda quality: 101 - quality, resources=_codec)
def recompress(
    image: Image.Image,
    rng: np.random.Generator,
    *,
    quality: Annotated[int, between(1, 100)] = 30,
    format: Literal["jpeg", "webp", "avif", "png"] = "jpeg",
) -> Image.Image:
    """Return the picture after a round trip through a lossy file. Severity: 101 − quality (100 loses a little too).

    Args:
        quality: 1 to 100; for "png", which loses nothing itself, a palette of ``2.56 * quality`` colours.
        format: the encoder; WebP and AVIF at settings that favour speed.
    """
    if format == "png":
        return image.quantize(max(2, round(2.56 * quality)), Image.Quantize.FASTOCTREE).convert("RGB")
    # one thread: AVIF's bytes must not depend on the machine's number of cores
    options = {"jpeg": {}, "webp": {"method": 0}, "avif": {"speed": 9, "max_threads": 1}}[format]
    file = io.BytesIO()
    image.save(file, format, quality=quality, **options)
    return Image.open(file).convert("RGB")
