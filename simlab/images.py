"""Pictures: the one place where a file becomes pixels.

Whatever the file, the answer is an upright RGB picture, made by Pillow alone from an explicit list
of formats (a PostScript file named ``.jpg`` would otherwise reach an external program).
"""

import contextlib
import errno
import hashlib
import io
import itertools
import os
import re
import stat
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy import ndarray
from PIL import ExifTags, Image, ImageChops, ImageCms, ImageFile, UnidentifiedImageError

from simlab.paths import AnyPath, expanded
from simlab.specs import check_kind, check_number, listed

FORMATS = [
    "JPEG",
    "PNG",
    "WEBP",
    "GIF",
    "BMP",
    "TIFF",
    "AVIF",
    "JPEG2000",
    "PPM",
    "ICO",
    "PCX",
    "QOI",
]
"""Formats that are decoded. MPO (two-picture JPEGs of cameras) is read as the JPEG it starts with.

TGA has no mark by which to know it: a file is read as one only where its name ends so.
"""

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
        ".tga",
        ".ico",
        ".pcx",
        ".qoi",
        ".heic",
        ".heif",
    }
)
"""Endings by which :func:`list_images` knows a picture (lower case)."""

MAX_PIXELS = int(os.environ.get("SIMLAB_MAX_PIXELS", "120_000_000"))
"""Most pixels that are decoded unless the caller allows more; Pillow keeps a picture of this size
in 480 MB.
"""

_PIXEL_SHARES = {"WEBP": 2 / 3, "JPEG2000": 2 / 3, "QOI": 1 / 30}
"""Share of the limit for decoders that take 20 bytes a pixel, or 4 µs, as Pillow's QOI does,
written in Python.
"""

MAX_BYTES = int(os.environ.get("SIMLAB_MAX_BYTES", "400_000_000"))
"""Largest file that is read.

Both limits are raised by environment variables, which worker processes inherit.
"""

MAX_SCANS = 100
"""Most passes of a JPEG over its pixels; encoders make about ten, and each costs as much as a
picture.
"""

ENOUGH = 1600
"""Pixels on the longer side of what keypoints and alignment look at, of a picture that is at least
twice as large.
"""

WHITE = (255, 255, 255)
BLACK = (0, 0, 0)

_FLAT = 4  # grey levels: what varies no more shows nothing
_HARDLY_SHOWS = 25  # grey levels: what differs less from white does not show on it

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation → how the stored picture is set upright; 1 is upright."""

_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")  # in a JPEG; others stand among its data

_TRANSPARENT = ("RGBA", "RGBa", "LA", "La", "PA")  # modes with an alpha

# may have frames or pages; the other pictures of an MPO are previews and views of the first
_SEVERAL = ("GIF", "PNG", "TIFF", "WEBP", "AVIF")

_ENDINGS = 12  # that are named in a text

# their decoders refuse data that end too early themselves
_STRICT = ("WEBP", "AVIF", "HEIF", "QOI")

# frames of JPEGs whose coder may leave out its last zeros
_ARITHMETIC = frozenset((0xC9, 0xCA, 0xCB))

_FILLER = bytes(range(1, 255, 4))  # data that no decoder takes for the absence of data

_CUT = "damaged or truncated: its data end before the picture does"

_RESTART = re.compile(rb"\xff[\xd0-\xd7]")

_DIGESTED = 300_000  # pixels whose bytes are digested at a time
_BAND = 256  # rows scaled at a time: a picture at the limit would take 3 GB as 64-bit numbers


MOVED = ".simlab-moved"
"""A file that marks a folder to which ``simlab move`` moved pictures: a listing leaves it out."""


Picture: TypeAlias = Image.Image
"""A picture in memory, which Pillow knows."""
Size: TypeAlias = tuple[int, int]
"""Width and height, in pixels."""
Levels: TypeAlias = tuple[int, int, int]
"""The red, green and blue of a colour, 0 to 255."""


class ImageError(ValueError):
    """A picture that cannot be used; the message tells the person who has the file why."""


def read_image(
    source,
    *,
    background: Levels | None = None,
    max_pixels: int = MAX_PIXELS,
    name: AnyPath = "",
) -> Picture:
    """Return a picture as upright RGB.

    The EXIF orientation is applied, an embedded ICC profile converted to sRGB, transparency laid on
    `background`, palettes and CMYK converted, 16-bit and floating-point grey scaled to 8 bits, the
    first frame of an animation taken; where a file has several frames or pages, ``info["frames"]``
    of the picture says how many.

    Args:
        source: a path, the bytes of a file, a PIL image, or an array (whatever has ``__array__``):
            (h, w) or (h, w, 1) grey, (h, w, 3) RGB or (h, w, 4) RGBA; uint8, uint16 (0 to 65535),
            bool, or floating point in 0 to 1.
        background: RGB, 0 to 255, shown where the picture is transparent; None for white, or for
            black where what is opaque is nearly white, and would not show.
        max_pixels: refused before decoding above this.
        name: what the file of these bytes is called, by which alone a TGA is known; a path has its
            own.

    Raises:
        ImageError: the file is missing, not a regular file, truncated, too large or not a picture;
            or `source` is something else.

    >>> read_image(np.zeros((2, 3), dtype=bool)).size
    (3, 2)
    """
    if isinstance(source, Picture):
        return to_rgb(source, background=background)
    if hasattr(source, "__array__"):
        return to_rgb(_from_array(np.asarray(source)), background=background)
    if isinstance(source, bytes | bytearray | memoryview):
        data = bytes(source)
        return _open(data, _formats(data, name), background, max_pixels)
    if not isinstance(source, AnyPath):
        allowed = "a path, bytes, a PIL image or an array"
        raise ImageError(f"a picture is {allowed}, not of type {type(source).__name__}")
    try:
        path = expanded(source)
    except ValueError as error:  # a zero byte
        raise ImageError(f"no such file: {error}") from error
    data = read_bytes(path)
    return _open(data, _formats(data, source), background, max_pixels)


def is_tga(name: AnyPath) -> bool:
    """Return whether a file is read as TGA, by its name alone: another with its content may be
    none.
    """
    return Path(name).suffix.lower() == ".tga"


def read_bytes(path: AnyPath) -> bytes:
    """Return the content of a regular file, named as it is; a pipe, device or folder is refused
    without waiting on it.

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


class Survey(NamedTuple):
    """What is below a folder: the pictures, and of what is passed over how many files of each
    ending.
    """

    paths: list[str]
    passed_over: dict[str, int]


def list_images(folder: AnyPath, *, any_name: bool = False) -> list[str]:
    """Return the pictures below a folder by their ending, as sorted POSIX paths relative to it.

    Links to folders are not followed, and hidden files and folders are left out, and so are folders
    below this one to which ``simlab move`` moved pictures.

    Args:
        any_name: whether a file of another ending, or of none, is looked into, and listed where it
            is a picture.

    Raises:
        ValueError: the folder does not exist or holds no picture.
    """
    found = survey(folder, any_name=any_name)
    if found.paths:
        return found.paths
    others = f"; passed over: {in_words(found.passed_over)}" if found.passed_over else ""
    endings = " ".join(sorted(SUFFIXES))
    raise ValueError(f"no pictures in {str(folder)!r}; looked for {endings}{others}")


def survey(folder: AnyPath, *, any_name: bool = False) -> Survey:
    """Return what :func:`list_images` lists, where there may be none, and what it passes over,
    counted by ending.

    Raises:
        ValueError: the folder does not exist.
    """
    root = expanded(folder)
    if not root.is_dir():
        raise ValueError(f"no such folder: {str(folder)!r}")
    paths = []
    passed_over = Counter()
    for path in _walk(root):
        kind = _other_kind(path, any_name)
        if kind:
            passed_over[kind] += 1
        else:
            paths.append(path.relative_to(root).as_posix())
    return Survey(sorted(paths), dict(sorted(passed_over.items())))


def in_words(passed_over: Mapping[str, int]) -> str:
    """Return counts of files by ending as a text, the most frequent first.

    >>> in_words({".txt": 3, "without an ending": 2, ".mov": 12})
    '12 .mov, 3 .txt, 2 without an ending'
    """
    ordered = sorted(passed_over.items(), key=lambda item: (-item[1], item[0]))
    words = [f"{n:,} {kind}" for kind, n in ordered[:_ENDINGS]]
    rest = sum(n for _, n in ordered[_ENDINGS:])
    if rest:
        words.append(f"{rest:,} of other endings")
    return ", ".join(words)


def unseen(path: AnyPath) -> str:
    """Return what a picture's file holds beside the RGB that is compared, in words; "" for nothing.

    Raises:
        ImageError: it can no longer be read.
    """
    return traces_of(read_bytes(expanded(path)), path).unseen


class Traces(NamedTuple):
    """What a picture's file tells beside its RGB."""

    unseen: str
    """What it holds beside the RGB that is compared, in words; "" for nothing."""
    steps: ndarray | None
    """(8, 8): the steps, in grey levels, to which a JPEG rounds; None for other formats."""
    n_tags: int
    """How much a camera, or another program, noted in it."""


def traces_of(data: bytes, name: AnyPath = "") -> Traces:
    """Return what the bytes of a picture's file tell beside its RGB.

    Raises:
        ImageError: it is no picture.
    """
    formats = _formats(data, name)
    try:
        with _own_limits(MAX_PIXELS):
            image = Image.open(io.BytesIO(data), formats=formats)
            tables = getattr(image, "quantization", None)
            steps = np.reshape(tables[0], (8, 8)).astype(float) if tables else None
            return Traces(_unseen(image, data), steps, len(image.getexif()))
    except Exception as error:  # decoders raise whatever a damaged file makes them stumble on
        raise ImageError(f"damaged or truncated: {_one_line(error)}") from error


def _unseen(image: Picture, data: bytes) -> str:
    n_frames = getattr(image, "n_frames", 1) if image.format in _SEVERAL else 1
    if n_frames > 1:
        return f"{n_frames:,} frames or pages"
    if _is_deep(image, data):
        return "more than 8 bits a channel"
    return "transparency" if _is_transparent(image) else ""


def _is_deep(image: Picture, data: bytes) -> bool:
    """Whether a picture, which is not decoded yet, has more than 8 bits a channel."""
    if image.format == "JPEG2000":
        return data[data.find(b"\xff\x4f\xff\x51") + 42] & 0x7F > 7  # bits - 1, in its marker SIZ
    if image.format == "AVIF":
        return bool(data[data.find(b"av1C") + 6] & 0x40)
    if image.format == "HEIF":
        return data[data.find(b"hvcC") + 21] & 7 > 0  # bits - 8
    arguments = image.tile[0].args if image.tile else ()
    if image.format == "PPM" and isinstance(arguments, tuple) and arguments[-1] > 255:
        return True  # the largest value
    return image.mode.startswith(("I", "F")) or ";16" in str(arguments)


def _is_transparent(image: Picture) -> bool:
    """Whether any pixel is: screenshots have an alpha that hides nothing."""
    if image.mode not in _TRANSPARENT and "transparency" not in image.info:
        return False
    lowest, _ = image.convert("RGBA").getchannel("A").getextrema()
    return lowest < 255


def to_rgb(image: Picture, *, background: Levels | None = None) -> Picture:
    """Return a PIL image as upright RGB, as :func:`read_image` does; one that is so already comes
    back as it is.
    """
    _check_pillow(image)
    if background is not None:
        levels = listed("background", background)
        check_number("how many levels background has", len(levels), 3, 3, whole=True)
        for level in levels:
            check_number("background", level, 0, 255, whole=True)
    profile = image.info.get("icc_profile")
    rgb = _upright(image)
    if rgb.mode.startswith(("I", "F")):
        rgb = _eight_bit(rgb)
    if rgb.mode in _TRANSPARENT or "transparency" in rgb.info:
        rgb = _flatten(rgb, background)
    if profile:
        rgb = _to_srgb(rgb, profile)
    elif rgb is image and image.mode == "RGB":
        return image
    if rgb is image or rgb.mode != "RGB":
        rgb = rgb.convert("RGB")
    rgb.info = {}  # what was said of the file (orientation, profile) does not hold for these pixels
    return rgb


def to_grey(image: Picture) -> Picture:
    """Return the picture as 8-bit grey: Pillow's ITU-R 601 luma, the conversion that imagehash
    uses.
    """
    _check_pillow(image)
    return image if image.mode == "L" else image.convert("L")


def read_grey(image) -> Picture:
    """Return a picture as 8-bit grey, from what :func:`read_image` takes; a grey one as it is."""
    if isinstance(image, Picture) and image.mode == "L":
        return image
    return to_grey(read_image(image))


def reduced(image: Picture, side: int = ENOUGH) -> Picture:
    """Return a large picture as means of whole squares of its pixels; another as it is.

    Args:
        side: least pixels on the longer side of what comes back, where there were so many.

    >>> reduced(Image.new("RGB", (5000, 3000))).size, reduced(Image.new("RGB", (3199, 3000))).size
    ((1667, 1000), (3199, 3000))
    """
    factor = max(image.size) // side
    return image.reduce(factor) if factor > 1 else image


def is_flat(image: Picture) -> bool:
    """Return whether no channel of an RGB picture varies by more than 4 levels: nothing to
    compare.
    """
    _check_pillow(image)
    return bool((np.ptp(np.atleast_2d(image.getextrema()), axis=1) <= _FLAT).all())


def content_digest(image: Picture) -> bytes:
    """Return SHA-256 of a picture's size and RGB pixels: equal where these are.

    >>> len(content_digest(Image.new("RGB", (3, 2))))
    32
    """
    _check_pillow(image)
    width, height = image.size
    digest = hashlib.sha256(b"%d %d " % (width, height))
    # the bytes of all rows at once would take three times as long, and twice the memory
    n_rows = max(1, _DIGESTED // width)
    for top in range(0, height, n_rows):
        rows = image.crop((0, top, width, min(top + n_rows, height)))
        digest.update(rows.tobytes())
    return digest.digest()


def _check_pillow(image: Picture) -> None:
    check_kind("image", image, Picture, "a PIL image, such as read_image gives")


def _walk(root: Path) -> Iterator[Path]:
    """All files, and the folders that are not walked through or are named like a picture."""
    for folder, folders, files in os.walk(root):
        if MOVED in files and Path(folder) != root:
            yield Path(folder, MOVED)  # which speaks for all that is in it
            folders.clear()
            continue
        yield from (Path(folder, name) for name in files)
        for name in folders:
            path = Path(folder, name)
            if name.startswith(".") or path.suffix.lower() in SUFFIXES or path.is_symlink():
                yield path
        folders[:] = sorted(name for name in folders if not name.startswith("."))


def _other_kind(path: Path, any_name: bool) -> str:
    """What a file is that is no picture, in a word or two; "" for a picture."""
    if path.name == MOVED:
        return "folders of simlab move"
    if path.name.startswith("."):
        return "hidden"
    ending = path.suffix.lower()
    if ending in SUFFIXES:
        return ""
    if path.is_dir():
        return "links to folders"
    if any_name and _looks_like_a_picture(path):
        return ""
    return ending or "without an ending"


def _looks_like_a_picture(path: Path) -> bool:
    if not path.is_file():  # a pipe would be waited on
        return False
    try:
        with open(path, "rb") as file, _own_limits(MAX_PIXELS):
            if _is_heif(file.read(256)):
                return True
            Image.open(file, formats=FORMATS)
            return True
    except Image.DecompressionBombError:
        return True  # it will be refused with its reason
    except Exception:  # whatever a parser stumbles on in a file of another kind
        return False


def _formats(data: bytes, name: AnyPath) -> list[str]:
    """What a file may be, by its first bytes and its name."""
    if not data:
        raise ImageError("empty file")
    if is_tga(name):
        return [*FORMATS, "TGA"]
    if _is_heif(data):
        return _heif_formats()
    return FORMATS


def _open(data: bytes, formats: list[str], background: Levels | None, max_pixels: int) -> Picture:
    try:
        with _own_limits(max_pixels):
            image = _load(data, formats, max_pixels)
            rgb = to_rgb(image, background=background)
            if image.format in _SEVERAL:
                _note_frames(rgb, data, image.format)
            return rgb
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


def _load(data: bytes, formats: list[str], max_pixels: int) -> Picture:
    """A decoded picture, whose data do not end before its last pixel: most decoders pass that over
    in silence.
    """
    image = Image.open(io.BytesIO(data), formats=formats)
    limit = int(max_pixels * _PIXEL_SHARES.get(image.format, 1))
    if image.width * image.height > limit:
        size = f"{image.width} x {image.height} pixels"
        raise ImageError(f"{size} is over the limit of {limit:,} (SIMLAB_MAX_PIXELS)")
    if image.format in ("JPEG", "MPO"):
        return _load_jpeg(image, data)
    # OpenJPEG takes a file that stops between two tiles for a whole one
    if image.format == "JPEG2000" and data.rfind(b"\xff\xd9") < data.find(b"\xff\x4f\xff\x51"):
        raise ImageError("damaged or truncated: its end is missing")
    if image.format == "ICO":
        _check_icon(image, data)
    box = image.tile[0][1] if image.format == "GIF" else (0, 0, *image.size)
    image.load()
    places = _last_places(image, box)
    values = [image.getpixel(place) for place in places]
    # what Pillow fills a picture with before it is decoded
    ground = image.info.get("transparency") if image.format == "GIF" else 0
    may_be_ground = any(value == ground or not np.any(value) for value in values)
    if image.format in _STRICT or not may_be_ground:
        return image
    form = image.format
    del image  # two of them would need too much memory
    again = _load_onto_ones(data, form)
    if values != [again.getpixel(place) for place in places]:
        raise ImageError(_CUT)
    return again


def _load_jpeg(image: Picture, data: bytes) -> Picture:
    n_scans = 0
    for marker, _, _ in _segments(data):
        n_scans += marker == 0xDA
        if n_scans > MAX_SCANS:
            raise ImageError(
                f"a JPEG that goes over its pixels more than {MAX_SCANS} times, to cost time"
            )
    image.load()
    if _is_cut_jpeg(image, data):
        raise ImageError(_CUT)
    return image


def _is_cut_jpeg(image: Picture, data: bytes) -> bool:
    """Whether more data at the end of a scan would change the picture: libjpeg takes what is
    missing for grey.
    """
    segments = [segment for segment in _segments(data) if segment[0] >= 0xC0]
    markers = [marker for marker, _, _ in segments]
    if _ARITHMETIC.intersection(markers):
        return False
    if markers.count(0xDA) == 1 and not _ends_in_grey(image):
        return False
    with Image.open(io.BytesIO(_lengthened(data, segments)), formats=["JPEG"]) as longer:
        longer.load()
        for top in range(0, image.height, _BAND):
            band = (0, top, image.width, min(top + _BAND, image.height))
            if ImageChops.difference(image.crop(band), longer.crop(band)).getbbox():
                return True
    return False


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Each marker of a JPEG's first picture, its place, and the end of the segment it opens."""
    at = 2
    while found := _MARKER.search(data, at):
        at = found.end() + int.from_bytes(data[found.end() : found.end() + 2], "big")
        yield found[0][1], found.start(), at
        if found[0] == b"\xff\xd9":
            return


def _ends_in_grey(image: Picture) -> bool:
    """Whether the last pixel is of the middle grey that stands for missing data, apart from its
    colour.
    """
    last = (image.width - 1, image.height - 1)
    if image.mode == "CMYK":
        return True
    luma = image.crop((*last, *image.size)).convert("L").getpixel((0, 0))
    return abs(luma - 128) <= 2


def _lengthened(data: bytes, segments: list[tuple[int, int, int]]) -> bytes:
    """A JPEG with more data at the end of each scan, skipped by a decoder with all its pixels."""
    parts = []
    done = 0
    for (marker, _, start), (_, end, _) in itertools.pairwise(segments):
        if marker == 0xDA:
            scan = data[start:end].rstrip(b"\xff")
            restart = 0xD0 + len(_RESTART.findall(scan)) % 8
            parts += [data[done:start], scan, _FILLER, bytes((0xFF, restart)), _FILLER]
            done = end
    return b"".join([*parts, data[done:]])


def _note_frames(rgb: Picture, data: bytes, form: str) -> None:
    """Say in a picture's info how many frames or pages its file has, where there are several."""
    try:
        n_frames = getattr(Image.open(io.BytesIO(data), formats=[form]), "n_frames", 1)
    except Exception:  # damaged beyond its first frame: there is a second at least
        n_frames = 2
    if n_frames > 1:
        rgb.info["frames"] = n_frames


def _last_places(image: Picture, box: tuple[int, int, int, int]) -> list[tuple[int, int]]:
    """Where pixels are missing if any is."""
    _, top, right, bottom = box
    if image.format in ("PNG", "GIF"):  # where they are interlaced, every other row is last
        places = {(right - 1, bottom - 1), (right - 1, max(top, bottom - 2))}
    else:  # rows may go up, and TIFF be turned upright
        places = set(itertools.product((0, image.width - 1), (0, image.height - 1)))
    return [(x, y) for x, y in sorted(places) if x < image.width and y < image.height]


def _load_onto_ones(data: bytes, form: str) -> Picture:
    """The picture decoded onto another ground than Pillow's, which shows where nothing is put."""
    image = Image.open(io.BytesIO(data), formats=[form])
    prepare = image.load_prepare

    def prepare_with_ones() -> None:
        prepare()
        bands = len(image.getbands())
        image.im.paste((255,) * bands if bands > 1 else 255, (0, 0, *image.im.size))

    image.load_prepare = prepare_with_ones
    image.load()
    del image.load_prepare  # it holds the picture, which would stay in memory with it
    return image


@contextlib.contextmanager
def _own_limits(max_pixels: int) -> Iterator[None]:
    """Pillow with our limits instead of its own, and no half-decoded picture, whatever the session
    has set.
    """
    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
    with warnings.catch_warnings():
        # about odd metadata, and about pixels, which are checked here
        warnings.simplefilter("ignore")
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


def _check_icon(image: Picture, data: bytes) -> None:
    """The picture in an icon may be a PNG, of another size than the icon says."""
    entry = image.ico.entry[image.ico.getentryindex(image.size)]
    content = data[entry.offset : entry.offset + entry.size]
    if content.startswith(b"\x89PNG"):
        _open(content, ["PNG"], WHITE, MAX_PIXELS)


def _is_heif(data: bytes) -> bool:
    """By the brands in its first box: an AVIF may bear HEIF's general brands beside its own."""
    if data[4:8] != b"ftyp":
        return False
    names = data[8 : min(256, int.from_bytes(data[:4], "big"))]
    brands = {names[i : i + 4] for i in range(0, len(names), 4)}
    return not brands & {b"avif", b"avis"} and bool(
        brands & {b"heic", b"heix", b"hevc", b"hevx", b"mif1", b"msf1"}
    )


def _heif_formats() -> list[str]:
    try:
        import pillow_heif
    except ModuleNotFoundError as error:
        raise ImageError(
            "a HEIC/HEIF picture: install the extra that reads it with  pip install 'simlab[heif]'"
        ) from error
    pillow_heif.register_heif_opener()
    return ["HEIF"]


def _from_array(array: ndarray) -> Picture:
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    has_channels = array.ndim == 3 and array.shape[2] in (3, 4)
    if not (array.ndim == 2 or has_channels) or 0 in array.shape:
        raise ImageError(f"an array picture is (h, w), (h, w, 3) or (h, w, 4), not {array.shape}")
    if array.dtype == np.uint8:
        return Image.fromarray(np.ascontiguousarray(array))
    return Image.fromarray(_scale(array, _full_scale(array)))


def _full_scale(array: ndarray) -> float:
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


def _scale(array: ndarray, full: float) -> ndarray:
    """0 to `full` as 0 to 255; below and above is clipped, not-a-number and infinity are 0."""
    scaled = np.empty(array.shape, dtype=np.uint8)
    for start in range(0, len(array), _BAND):
        band = np.asarray(array[start : start + _BAND], dtype=np.float64)
        finite = np.nan_to_num(band, nan=0.0, posinf=0.0, neginf=0.0)
        scaled[start : start + _BAND] = np.rint(finite.clip(0, full) * (255.0 / full))
    return scaled


def _upright(image: Picture) -> Picture:
    try:
        turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation))
    except Exception:
        # a damaged block of metadata, on which the parser stumbles in many ways; viewers ignore it
        return image
    return image if turn is None else image.transpose(turn)


def _eight_bit(image: Picture) -> Picture:
    """A 16-bit or float grey picture in 8 bits; Pillow's own ``convert("L")`` clips it instead."""
    array = np.asarray(image)
    full = 65535.0  # mode I is that of 16-bit PPM and 32-bit TIFF
    if image.mode == "F":
        full = 255.0 if np.any((array > 1) & (array < np.inf)) else 1.0
    return Image.fromarray(_scale(array, full))


def _flatten(image: Picture, background: Levels | None) -> Picture:
    straight = image.convert("LA") if image.mode == "La" else image
    layer = straight if straight.mode == "RGBA" else straight.convert("RGBA")
    base = Image.new("RGB", layer.size, background or _ground_for(layer))
    base.paste(layer, mask=layer)
    return base


def _ground_for(layer: Picture) -> Levels:
    """White, or black where all that is opaque is so light that it would not show on white."""
    alpha = layer.getchannel("A")
    least, most = alpha.getextrema()
    if least > 252 or most < 3:  # all of it is opaque, or nothing
        return WHITE
    shown = ImageChops.multiply(alpha, ImageChops.invert(layer.convert("L")))
    _, darkest = shown.getextrema()
    return BLACK if darkest < _HARDLY_SHOWS else WHITE


def _to_srgb(image: Picture, profile: bytes) -> Picture:
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
