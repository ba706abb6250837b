"""Pictures: the one place where a file becomes pixels.

Whatever the file, the answer is an upright RGB picture, made by Pillow alone from an explicit list of formats
(a PostScript file named ``.jpg`` would otherwise reach an external program).
"""

import contextlib
import errno
import io
import os
import re
import stat
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageCms, ImageFile, UnidentifiedImageError

from simlab.paths import expanded

FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM"]
"""Formats that are decoded. MPO (two-picture JPEGs of cameras) is read as the JPEG it starts with."""

SUFFIXES = frozenset(
    {
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".mpo",
        ".png",
        ".webp",
        ".gif",
        ".bmp",
        ".dib",
        ".tif",
        ".tiff",
        ".avif",
        ".jp2",
        ".j2k",
        ".jpx",
        ".ppm",
        ".pgm",
        ".pbm",
        ".pnm",
        ".heic",
        ".heif",
    }
)
"""Endings by which :func:`list_images` knows a picture (lower case)."""

MAX_PIXELS = int(os.environ.get("SIMLAB_MAX_PIXELS", 120_000_000))
"""Most pixels that are decoded unless the caller allows more; Pillow keeps a picture of this size in 480 MB."""

_HUNGRY = (
    "WEBP",
    "JPEG2000",
)  # their decoders take 20 bytes a pixel: two thirds of the limit are theirs

MAX_BYTES = int(os.environ.get("SIMLAB_MAX_BYTES", 400_000_000))
"""Largest file that is read. Both limits are raised by environment variables, which worker processes inherit."""

MAX_SCANS = 100
"""Most passes of a JPEG over its pixels; encoders make about ten, and each costs as much as a picture."""

WHITE = (255, 255, 255)

_TURNS = dict(
    enumerate(
        (
            Image.Transpose.FLIP_LEFT_RIGHT,
            Image.Transpose.ROTATE_180,
            Image.Transpose.FLIP_TOP_BOTTOM,
            Image.Transpose.TRANSPOSE,
            Image.Transpose.ROTATE_270,
            Image.Transpose.TRANSVERSE,
            Image.Transpose.ROTATE_90,
        ),
        start=2,
    )
)
"""EXIF orientation → how the stored picture is set upright; 1 is upright."""

_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")  # in a JPEG; others stand among its data

_BAND = 256  # rows scaled at a time: a picture at the limit would take 3 GB as 64-bit numbers


class ImageError(ValueError):
    """A picture that cannot be used; the message says why in words for the person who has the file."""


def read_image(
    source, *, background: tuple[int, int, int] = WHITE, max_pixels: int = MAX_PIXELS
) -> Image.Image:
    """Return a picture as upright RGB.

    The EXIF orientation is applied, an embedded ICC profile converted to sRGB, transparency laid on `background`,
    palettes and CMYK converted, 16-bit and floating-point grey scaled to 8 bits, the first frame of an animation taken.

    Args:
        source: a path, the bytes of a file, a PIL image, or an array: (h, w) grey, (h, w, 3) RGB or (h, w, 4) RGBA;
            uint8, uint16 (0 to 65535), bool, or floating point in 0 to 1.
        background: RGB, 0 to 255, shown where the picture is transparent.
        max_pixels: refused before decoding above this.

    Raises:
        ImageError: the file is missing, not a regular file, truncated, too large or not a picture.

    >>> read_image(np.zeros((2, 3), dtype=bool)).size
    (3, 2)
    """
    if isinstance(source, Image.Image):
        return to_rgb(source, background=background)
    if isinstance(source, np.ndarray):
        return to_rgb(_from_array(source), background=background)
    if isinstance(source, bytes | bytearray | memoryview):
        return _decode(bytes(source), background, max_pixels)
    return _decode(read_bytes(expanded(source)), background, max_pixels)


def read_bytes(path: str | os.PathLike) -> bytes:
    """Return the content of a regular file, named as it is; a pipe, device or folder is refused without waiting on it.

    Raises:
        ImageError: with the reason in words.
    """
    try:
        # O_NONBLOCK: opening a FIFO that nobody writes to would wait for ever
        descriptor = os.open(
            path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        )
        try:
            _check_file(os.fstat(descriptor))
            # closefd=False: where open() itself fails, it leaves the descriptor open
            with open(descriptor, "rb", closefd=False) as file:
                return file.read()
        finally:
            os.close(descriptor)
    except OSError as error:
        raise ImageError(_reason(error)) from error
    except ImageError:
        raise
    except ValueError as error:  # a zero byte in the path
        raise ImageError(f"no such file: {error}") from error


def list_images(folder: str | os.PathLike) -> list[str]:
    """Return the pictures below a folder by their ending, as sorted POSIX paths relative to it.

    Links to folders are not followed, and hidden files and folders are left out.

    Raises:
        ValueError: the folder does not exist or holds no picture.
    """
    root = expanded(folder)
    if not root.is_dir():
        raise ValueError(f"no such folder: {str(folder)!r}")
    found = sorted(path.relative_to(root).as_posix() for path in _walk(root))
    if not found:
        raise ValueError(f"no pictures in {str(folder)!r}; looked for {' '.join(sorted(SUFFIXES))}")
    return found


def to_rgb(image: Image.Image, *, background: tuple[int, int, int] = WHITE) -> Image.Image:
    """Return a PIL image as upright RGB, as :func:`read_image` does; one that is so already comes back as it is."""
    profile = image.info.get("icc_profile")
    flat = _flatten(_eight_bit(_upright(image)), background)
    rgb = _to_srgb(flat, profile) if profile else flat
    if rgb is image and image.mode == "RGB" and not profile:
        return image
    rgb = rgb.convert("RGB") if rgb is image or rgb.mode != "RGB" else rgb
    rgb.info = {}  # what was said of the file (orientation, profile) does not hold for these pixels
    return rgb


def to_grey(image: Image.Image) -> Image.Image:
    """Return the picture as 8-bit grey: Pillow's ITU-R 601 luma, the conversion that imagehash uses."""
    return image if image.mode == "L" else image.convert("L")


def is_flat(image: Image.Image, *, tolerance: int = 4) -> bool:
    """Return whether no channel of an RGB picture varies by more than `tolerance` levels: nothing to compare."""
    return all(high - low <= tolerance for low, high in np.atleast_2d(image.getextrema()))


def _walk(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        names = [name for name in [*files, *folders] if not name.startswith(".")]
        yield from (Path(folder, name) for name in names if Path(name).suffix.lower() in SUFFIXES)


def _decode(data: bytes, background: tuple[int, int, int], max_pixels: int) -> Image.Image:
    if not data:
        raise ImageError("empty file")
    if _is_heif(data):
        return _decode_heif(data, background, max_pixels)
    return _open(data, FORMATS, background, max_pixels)


def _open(
    data: bytes, formats: list[str], background: tuple[int, int, int], max_pixels: int
) -> Image.Image:
    try:
        with _own_limits(max_pixels), Image.open(io.BytesIO(data), formats=formats) as image:
            check_pixels(image.size, max_pixels * 2 // 3 if image.format in _HUNGRY else max_pixels)
            _check_form(image, data)
            image.load()
            return to_rgb(image, background=background)
    except UnidentifiedImageError as error:
        raise ImageError(
            f"not a picture, or damaged at its beginning; read are {', '.join(formats)}"
        ) from error
    except Image.DecompressionBombError as error:
        raise ImageError(f"claims more pixels than the limit of {max_pixels:,}") from error
    except ImageError:
        raise
    except MemoryError as error:
        raise ImageError("not enough memory to decode it") from error
    except Exception as error:  # decoders raise whatever a damaged file makes them stumble on
        raise ImageError(f"damaged or truncated: {_one_line(error)}") from error


def check_pixels(size: tuple[int, int], max_pixels: int) -> None:
    """Refuse a picture by its stated size, before a pixel is decoded.

    Raises:
        ImageError: where width times height is over `max_pixels`.
    """
    width, height = size
    if width * height > max_pixels:
        raise ImageError(
            f"{width} x {height} pixels is over the limit of {max_pixels:,} (SIMLAB_MAX_PIXELS)"
        )


@contextlib.contextmanager
def _own_limits(max_pixels: int) -> Iterator[None]:
    """Pillow with our limits instead of its own, and no half-decoded picture, whatever the session has set."""
    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # about odd metadata, and about pixels, which are checked here
        if before[0] is not None and max_pixels > 2 * before[0]:
            Image.MAX_IMAGE_PIXELS = max_pixels
        ImageFile.LOAD_TRUNCATED_IMAGES = False
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = before


def _check_file(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise ImageError("a folder, not a picture")
    if not stat.S_ISREG(status.st_mode):
        raise ImageError("not a regular file")
    if status.st_size > MAX_BYTES:
        size = f"{status.st_size:,}"
        raise ImageError(
            f"file of {size} bytes is larger than the limit of {MAX_BYTES:,} (SIMLAB_MAX_BYTES)"
        )


def _check_form(image: Image.Image, data: bytes) -> None:
    # OpenJPEG takes a file that stops between two tiles for a whole one
    if image.format == "JPEG2000" and data.rfind(b"\xff\xd9") < data.find(b"\xff\x4f\xff\x51"):
        raise ImageError("damaged or truncated: its end is missing")
    if image.format == "JPEG" and _count_scans(data) > MAX_SCANS:
        raise ImageError(
            f"a JPEG that goes over its pixels more than {MAX_SCANS} times, to cost time"
        )


def _count_scans(data: bytes) -> int:
    scans, at = 0, 2
    while scans <= MAX_SCANS and (found := _MARKER.search(data, at)) and found[0] != b"\xff\xd9":
        scans += found[0] == b"\xff\xda"
        at = found.end() + int.from_bytes(data[found.end() : found.end() + 2], "big")
    return scans


def _is_heif(data: bytes) -> bool:
    """By the brands in its first box: an AVIF may bear HEIF's general brands beside its own."""
    if data[4:8] != b"ftyp":
        return False
    names = data[8 : min(256, int.from_bytes(data[:4], "big"))]
    brands = {names[i : i + 4] for i in range(0, len(names), 4)}
    return not brands & {b"avif", b"avis"} and bool(
        brands & {b"heic", b"heix", b"hevc", b"hevx", b"mif1", b"msf1"}
    )


def _decode_heif(data: bytes, background: tuple[int, int, int], max_pixels: int) -> Image.Image:
    try:
        import pillow_heif
    except ModuleNotFoundError as error:
        raise ImageError(
            "a HEIC/HEIF picture: install the extra that reads it with  pip install 'simlab[heif]'"
        ) from error
    pillow_heif.register_heif_opener()
    return _open(data, ["HEIF"], background, max_pixels)


def _from_array(array: np.ndarray) -> Image.Image:
    if (
        array.ndim not in (2, 3)
        or (array.ndim == 3 and array.shape[2] not in (3, 4))
        or 0 in array.shape
    ):
        raise ImageError(f"an array picture is (h, w), (h, w, 3) or (h, w, 4), not {array.shape}")
    if array.dtype == np.uint8:
        return Image.fromarray(np.ascontiguousarray(array))
    return Image.fromarray(_scale(array, _full_scale(array)))


def _full_scale(array: np.ndarray) -> float:
    if array.dtype == bool:
        return 1.0
    if np.issubdtype(array.dtype, np.floating):
        if not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
            raise ImageError("a floating-point array picture holds values from 0 to 1")
        return 1.0
    if np.issubdtype(array.dtype, np.uint16):
        return 65535.0
    raise ImageError(
        f"an array picture is uint8, uint16, bool or floating point, not {array.dtype}"
    )


def _scale(array: np.ndarray, full: float) -> np.ndarray:
    """0 to `full` as 0 to 255; below and above is clipped, not-a-number and infinity are 0."""
    scaled = np.empty(array.shape, dtype=np.uint8)
    for start in range(0, len(array), _BAND):
        band = np.asarray(array[start : start + _BAND], dtype=np.float64)
        finite = np.nan_to_num(band, nan=0.0, posinf=0.0, neginf=0.0)
        scaled[start : start + _BAND] = np.rint(finite.clip(0, full) * (255.0 / full))
    return scaled


def _eight_bit(image: Image.Image) -> Image.Image:
    """16-bit and float modes scaled to 8 bits; Pillow's own ``convert("L")`` clips them instead."""
    if image.mode.startswith("I;16"):
        return Image.fromarray(_scale(np.asarray(image), 65535.0))
    if image.mode == "I":  # 16-bit PPM, 32-bit TIFF
        return Image.fromarray(_scale(np.asarray(image), 65535.0))
    if image.mode == "F":
        array = np.asarray(image)
        return Image.fromarray(
            _scale(array, 255.0 if np.any((array > 1) & (array < np.inf)) else 1.0)
        )
    return image


def _flatten(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    image = image.convert("LA") if image.mode == "La" else image
    if image.mode in ("RGBA", "LA", "PA", "RGBa") or "transparency" in image.info:
        layer = image if image.mode == "RGBA" else image.convert("RGBA")
        base = Image.new("RGB", layer.size, background)
        base.paste(layer, mask=layer)
        return base
    return image


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    if image.mode not in ("RGB", "CMYK", "L"):
        image = image.convert("RGB")
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(
            image, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image  # a damaged profile, or one for another colour model: every viewer ignores it
    return converted if converted is not None else image


def _upright(image: Image.Image) -> Image.Image:
    try:
        turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation))
    except (
        Exception
    ):  # a damaged block of metadata, on which the parser stumbles in many ways; viewers ignore it
        turn = None
    return image if turn is None else image.transpose(turn)


def _reason(error: OSError) -> str:
    words = {
        errno.ENOENT: "no such file",
        errno.EACCES: "no permission to read it",
        errno.EISDIR: "a folder, not a picture",
        errno.ELOOP: "a link that leads in a circle",
        errno.ENAMETOOLONG: "file name too long",
        errno.ENXIO: "not a regular file",
    }
    return words.get(error.errno, f"cannot be read: {error.strerror or error}")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
