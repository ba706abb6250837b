"""Odd pictures, made by this script: small readable ones, and files that no reader may take for a
picture.
"""

import functools
import io
import os
import re
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

WIDTH, HEIGHT = 64, 48


def textured(seed=0, width=240, height=160):
    """A picture with corners and blobs everywhere: dozens of keypoints, and a hash of its own for
    every seed.
    """
    rng = np.random.default_rng(seed)
    ground = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize(
        (width, height)
    )
    draw = ImageDraw.Draw(ground)
    for _ in range(60):
        x, y = rng.integers(0, (width, height)).tolist()
        w, h = rng.integers(6, 40, size=2).tolist()
        shape = draw.ellipse if rng.random() < 0.5 else draw.rectangle
        shape((x, y, x + w, y + h), fill=tuple(rng.integers(0, 256, 3).tolist()))
    return ground.filter(ImageFilter.GaussianBlur(0.7))


def flat(level=128, width=200, height=150):
    return Image.new("RGB", (width, height), (level,) * 3)


def ramp(width=WIDTH, height=HEIGHT):
    """Colours that differ in every corner, with a block of noise: no two orientations look the
    same.
    """
    y, x = np.mgrid[:height, :width]
    levels = np.stack([4 * x, 5 * y, 255 - x - y], axis=-1).astype(np.uint8)
    levels[5 : height // 2, 10 : width // 2] = np.random.default_rng(0).integers(
        0, 256, (height // 2 - 5, width // 2 - 10, 3)
    )
    return Image.fromarray(levels)


@functools.cache
def odd_pictures():
    """Upright RGB pictures at the edges of what a hash can be given, by name."""
    rng = np.random.default_rng(7)
    noise = Image.fromarray(rng.integers(0, 256, (90, 130, 3), dtype=np.uint8))
    board = np.kron(np.indices((8, 8)).sum(axis=0) % 2, np.ones((16, 16))) * 255
    stripes = np.tile(np.arange(128) % 2 * 255, (128, 1))
    page = Image.new("RGB", (300, 400), "white")
    ImageDraw.Draw(page).rectangle((40, 60, 120, 70), fill="black")
    logo = Image.new("RGBA", (70, 70), (0, 0, 0, 0))
    ImageDraw.Draw(logo).ellipse((10, 20, 60, 50), fill=(200, 30, 40, 180))
    on_white = Image.new("RGB", logo.size, "white")
    on_white.paste(logo, mask=logo)
    gradients = {
        "linear": Image.linear_gradient("L"),
        "linear turned": Image.linear_gradient("L").rotate(90),
        "radial": Image.radial_gradient("L"),
        "shallow": Image.fromarray(np.tile(np.linspace(100, 103, 300), (200, 1)).astype(np.uint8)),
    }
    return {
        "1 x 1": Image.new("RGB", (1, 1), (3, 200, 77)),
        "1 x 500": textured(1).resize((1, 500)),
        "500 x 1": textured(1).resize((500, 1)),
        "2 x 2": Image.fromarray(np.array([[0, 255], [255, 0]], dtype=np.uint8)).convert("RGB"),
        "7 x 9": textured(2).resize((7, 9)),
        "black": flat(0),
        "white": flat(255),
        "grey": flat(128),
        "one dot": Image.fromarray(
            np.pad([[[255, 255, 255]]], ((60, 39), (20, 79), (0, 0))).astype(np.uint8)
        ),
        "halves": Image.fromarray(
            np.repeat([[0, 255]], 100, axis=0).repeat(50, axis=1).astype(np.uint8)
        ),
        "board": Image.fromarray(board.astype(np.uint8)),
        "stripes": Image.fromarray(stripes.astype(np.uint8)),
        "almost flat": Image.fromarray(rng.integers(127, 129, (64, 64), dtype=np.uint8)),
        "noise": noise,
        "binary noise": Image.fromarray((rng.integers(0, 2, (100, 100)) * 255).astype(np.uint8)),
        "palette": noise.quantize(7).convert("RGB"),
        "page": page,
        "logo": on_white,
        "textured": textured(3),
        "wide": textured(4).resize((1500, 40)),
        "tall": textured(5).resize((40, 1500)),
        "large": textured(6).resize((2100, 1400)),
        **gradients,
    }


def encoded(image, form, **options):
    """The bytes of a file."""
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def chunk(kind, data, *, checksum=None, length=None):
    """A chunk of a PNG, with a false checksum or length where asked for."""
    checksum = zlib.crc32(kind + data) if checksum is None else checksum
    return (
        struct.pack(">I", len(data) if length is None else length)
        + kind
        + data
        + struct.pack(">I", checksum)
    )


def png(width, height, *, bits=8, colour=2, rows=(), extra=b"", data=None):
    """A PNG made by hand: what it claims and what it holds need not agree. `colour` 0 grey, 2 RGB,
    3 palette.
    """
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows)) if data is None else data
    signature = b"\x89PNG\r\n\x1a\n"
    return signature + chunk(b"IHDR", header) + extra + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def exif(orientation):
    block = Image.Exif()
    block[0x0112] = orientation
    return block


@functools.cache
def in_every_format():
    """The same picture as a file of every kind that is read, by name."""
    image, turned = ramp(), ramp().rotate(90, expand=True).resize((WIDTH, HEIGHT))
    several = {"save_all": True, "append_images": [turned]}
    kinds = {
        "plain.png": ("PNG", {}),
        "interlaced.png": ("PNG", {"compress_level": 1}),
        "animated.png": ("PNG", several),
        "plain.jpg": ("JPEG", {}),
        "progressive.jpg": ("JPEG", {"progressive": True}),
        "plain.webp": ("WEBP", {}),
        "lossless.webp": ("WEBP", {"lossless": True}),
        "animated.webp": ("WEBP", several),
        "plain.gif": ("GIF", {}),
        "animated.gif": ("GIF", several),
        "plain.bmp": ("BMP", {}),
        "plain.tif": ("TIFF", {}),
        "lzw.tif": ("TIFF", {"compression": "tiff_lzw"}),
        "jpeg.tif": ("TIFF", {"compression": "jpeg"}),
        "pages.tif": ("TIFF", several),
        "plain.avif": ("AVIF", {}),
        "plain.jp2": ("JPEG2000", {}),
        "tiles.jp2": ("JPEG2000", {"tile_size": (16, 16)}),
        "plain.ppm": ("PPM", {}),
        "plain.ico": ("ICO", {"sizes": [(WIDTH, HEIGHT)]}),
        "bitmap.ico": ("ICO", {"sizes": [(WIDTH, HEIGHT)], "bitmap_format": "bmp"}),
        "plain.pcx": ("PCX", {}),
        "plain.qoi": ("QOI", {}),
    }
    return {name: encoded(image, form, **options) for name, (form, options) in kinds.items()}


def truncated():
    """Those files cut at many lengths; of an animation, within its first frame."""
    whole = {
        name: data
        for name, data in in_every_format().items()
        if name not in ("animated.png", "animated.gif")
    }
    shares = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9, 0.97)
    # The marker before each tile: a decoder may take what stops there for a whole picture.
    tile = b"\xff\x90"
    between = {
        f"{place} bytes of {name}": data[: place + 2]
        for name, data in whole.items()
        for place in (found.start() for found in re.finditer(tile, data))
        if name.endswith(".jp2")
    }
    return between | {
        f"{share:.0%} of {name}": data[: int(len(data) * share)]
        for name, data in whole.items()
        for share in shares
        if name != "pages.tif" or share < 0.5
    }


@functools.cache
def other_formats():
    """Pictures and documents that Pillow would read or hand to another program, and files that are
    none, named .jpg.
    """
    small = textured(1, 32, 32)
    kinds = ("TGA", "SGI", "DDS", "EPS", "PDF", "SPIDER", "XBM", "MSP", "BLP")
    modes = {"SPIDER": "F", "XBM": "1", "MSP": "1", "BLP": "P"}
    pictures = {kind: encoded(small.convert(modes.get(kind, "RGB")), kind) for kind in kinds}
    texts = {
        "text": b"a JPEG, it says here\n" * 50,
        "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n"
        b"(/tmp/canary) (w) file closefile showpage\n",
        "SVG": b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
        "HTML": b"<!doctype html><img src=x onerror=alert(1)>",
        "ZIP": b"PK\x03\x04" + bytes(100),
        "ELF": b"\x7fELF" + bytes(100),
        "SQLite": b"SQLite format 3\0" + bytes(100),
        "zeros": bytes(5000),
        "ones": b"\xff" * 5000,
        "one byte": b"\xff",
        "nothing": b"",
        "newlines": b"\n" * 1000,
    }
    return {f"{name}.jpg": data for name, data in {**pictures, **texts}.items()}


def broken_pngs():
    rows = [bytes(3 * WIDTH)] * HEIGHT
    good = png(WIDTH, HEIGHT, rows=rows)
    place = good.index(b"IDAT")
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    bomb = zlib.compress(bytes(80_000_000), 1)
    return {
        "checksum of header": good[:29] + b"\0\0\0\0" + good[33:],
        "flipped byte in data": good[: place + 9]
        + bytes([good[place + 9] ^ 1])
        + good[place + 10 :],
        "no data": good[: place - 4] + chunk(b"IEND", b""),
        "not zlib": png(WIDTH, HEIGHT, data=b"not compressed at all"),
        "no rows": png(WIDTH, HEIGHT, rows=[]),
        "zero width": png(0, HEIGHT, rows=rows),
        "zero height": png(WIDTH, 0, rows=rows),
        "five bits": png(WIDTH, HEIGHT, bits=5, rows=rows),
        "colour 7": png(WIDTH, HEIGHT, colour=7, rows=rows),
        "chunk of 4 GB": good[: place - 4] + chunk(b"IDAT", b"", length=2**32 - 1),
        "filter 9": png(WIDTH, HEIGHT, data=zlib.compress((b"\x09" + bytes(3 * WIDTH)) * HEIGHT)),
        "text bomb": good[: place - 4] + chunk(b"zTXt", b"k\0\0" + bomb) + good[place - 4 :],
        "header twice": good[: place - 4] + chunk(b"IHDR", header),
        "signature only": good[:8],
    }


def broken_others():
    jpeg, gif, bmp = (encoded(ramp(), form) for form in ("JPEG", "GIF", "BMP"))
    frame = jpeg.index(b"\xff\xc0") + 5  # height and width of the picture
    tiff = encoded(ramp(), "TIFF")
    scans = encoded(ramp(), "JPEG", progressive=True)
    return {
        "jpeg of 1,000 scans": scans[:-2]
        + scans[scans.rindex(b"\xff\xda") : -2] * 1000
        + scans[-2:],
        "jpeg without tables": jpeg[:2] + jpeg[frame - 5 :],
        "jpeg of markers": b"\xff\xd8" + b"\xff\xe0\x00\x02" * 500,
        "jpeg of no size": jpeg[:frame] + bytes(4) + jpeg[frame + 4 :],
        "gif without a frame": gif[:13] + b";",
        "gif of no size": gif[:6] + bytes(4) + b"\0\0\0;",
        "bmp of 7 bits": bmp[:28] + struct.pack("<H", 7) + bmp[30:],
        "bmp that claims more": bmp[:18] + struct.pack("<ii", 3000, 3000) + bmp[26:],
        "bmp with its data beyond the end": bmp[:10] + struct.pack("<I", 2**31) + bmp[14:],
        "tiff directory beyond the end": tiff[:4] + struct.pack("<I", 2**31) + tiff[8:],
        "tiff directory in the header": tiff[:4] + struct.pack("<I", 0) + tiff[8:],
        "webp with another length": b"RIFF\xff\xff\xff\x7fWEBPVP8 " + bytes(50),
        "webp without a picture": b"RIFF\x04\0\0\0WEBP",
        "avif without a picture": b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf" + bytes(60),
        "jpeg 2000 without a picture": b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 \0\0\0\0jp2 "
        + bytes(60),
        "ppm without pixels": b"P6 64 48 255\n",
        "ppm of negative size": b"P6 -64 48 255\n" + bytes(9216),
        "ppm with maximum 0": b"P6 64 48 0\n" + bytes(9216),
        "ppm with maximum 70000": b"P6 64 48 70000\n" + bytes(20000),
        "ppm in words": b"P3 2 2 255\n one two three",
        "ppm of a long number": b"P3 " + b"9" * 5000,
    }


def interlaced_png(image, *, passes=7):
    """An interlaced PNG of an RGB picture, whose data end after some of the seven passes."""
    pixels = np.asarray(image)
    steps = (
        (0, 8, 0, 8),
        (0, 8, 4, 8),
        (4, 8, 0, 4),
        (0, 4, 2, 4),
        (2, 4, 0, 2),
        (0, 2, 1, 2),
        (1, 2, 0, 1),
    )
    rows = []
    for top, down, left, right in steps[:passes]:
        rows += [b"\0" + row.tobytes() for row in pixels[top::down, left::right]]
    whole = png(*image.size, data=zlib.compress(b"".join(rows)))
    header = struct.pack(">IIBBBBB", *image.size, 8, 2, 0, 0, 1)
    return whole[:8] + chunk(b"IHDR", header) + whole[33:]


def taller(jpeg):
    """A JPEG that claims twice the rows it has."""
    frame = re.search(rb"\xff[\xc0\xc2]", jpeg).end() + 3
    (height,) = struct.unpack(">H", jpeg[frame : frame + 2])
    return jpeg[:frame] + struct.pack(">H", 2 * height) + jpeg[frame + 2 :]


def jpegs(image):
    """A picture as JPEGs that are decoded in different ways, by name."""
    kinds = {
        "baseline": {},
        "restarts": {"restart_marker_rows": 1},
        "progressive": {"progressive": True},
        "progressive restarts": {"progressive": True, "restart_marker_blocks": 5},
    }
    modes = ("RGB", "L", "CMYK")
    return {
        f"{kind} {mode}": encoded(image.convert(mode), "JPEG", **options)
        for kind, options in kinds.items()
        for mode in modes
    }


def half_decoded():
    """Files whole in form that hold less than they claim, which decoders pass over in silence."""
    rows = [bytes(3 * WIDTH)] * 10
    jpeg, gif = encoded(ramp(), "JPEG"), encoded(ramp(), "GIF")
    image = gif.index(struct.pack("<cHHHH", b",", 0, 0, WIDTH, HEIGHT))
    tall = {f"{name}, taller.jpg": taller(data) for name, data in jpegs(ramp()).items()}
    cut = {
        f"{share:.0%} of {name}, with an end.jpg": data[: int(len(data) * share)] + b"\xff\xd9"
        for name, data in jpegs(textured(3)).items()
        for share in (0.6, 0.9)
    }
    return (
        tall
        | cut
        | {
            "ten rows.png": png(WIDTH, HEIGHT, rows=rows),
            "no end.png": png(WIDTH, HEIGHT, rows=rows)[:-12],
            "six of seven passes.png": interlaced_png(ramp(), passes=6),
            "icon with ten rows.ico": icon(png(WIDTH, HEIGHT, rows=rows)),
            "ends at once.gif": gif[: image + 10] + b"\x08\x03\x00\x03\x02\x00;",
            "data blanked.jpg": jpeg[:700] + bytes(len(jpeg) - 702) + jpeg[-2:],
        }
    )


def icon(content):
    """An ICO of one picture, which is a PNG."""
    entry = struct.pack("<BBBBHHII", WIDTH, HEIGHT, 0, 0, 1, 24, len(content), 22)
    return struct.pack("<HHH", 0, 1, 1) + entry + content


def doubtful_files():
    """Files of which no viewer can tell whether they are whole, so that a picture may
    come of them.
    """
    gif = encoded(ramp(), "GIF")
    image = gif.index(struct.pack("<cHHHH", b",", 0, 0, WIDTH, HEIGHT))
    return {
        "code size 99.gif": gif[: image + 10] + b"\x63" + gif[image + 11 :],
        "no end.gif": gif[:-1],
    }


@functools.cache
def bombs():
    """Small files that claim pixels by the billion."""
    gif, bmp = encoded(ramp(), "GIF"), encoded(ramp(), "BMP")
    jpeg = encoded(ramp(), "JPEG")
    frame = jpeg.index(b"\xff\xc0") + 5
    tiff = bytearray(encoded(ramp(), "TIFF"))
    for tag in (256, 257):
        at = tiff.index(struct.pack("<H", tag), struct.unpack("<I", tiff[4:8])[0])
        tiff[at : at + 12] = struct.pack("<HHII", tag, 4, 1, 100_000)
    return {
        "bomb.png": png(100_000, 100_000, rows=[bytes(9)]),
        "bomb of 2 billion squared.png": png(2**31 - 1, 2**31 - 1, rows=[bytes(9)]),
        "just over the limit.png": png(12_001, 10_000, colour=0, rows=[bytes(9)]),
        "bomb.gif": gif[:6] + b"\xff\xff\xff\xff" + gif[10:],
        "bomb.bmp": bmp[:18] + struct.pack("<ii", 100_000, 100_000) + bmp[26:],
        "bomb.jpg": jpeg[:frame] + b"\xff\xff\xff\xff" + jpeg[frame + 4 :],
        "bomb.tif": bytes(tiff),
        "bomb.ppm": b"P6 100000 100000 255\n" + bytes(100),
        "bomb.pbm": b"P4 100000 100000\n" + bytes(100),
    }


def broken_files():
    """Every file that must be refused, by name: more than 200 of them."""
    pngs = {f"{name}.png": data for name, data in broken_pngs().items()}
    formed = {**pngs, **broken_others(), **half_decoded()}
    return {**truncated(), **other_formats(), **formed, **bombs()}


def special_files(folder: Path):
    """Things in a folder that are named like pictures and are no files; those that this
    system has.
    """
    (folder / "folder.jpg").mkdir()
    (folder / "loop.jpg").symlink_to("loop.jpg")
    (folder / "dangling.jpg").symlink_to("nowhere.jpg")
    (folder / "ring.png").symlink_to(".")
    names = ["folder.jpg", "loop.jpg", "dangling.jpg", "ring.png"]
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "fifo.jpg")
        names.append("fifo.jpg")
    for device in ("/dev/zero", "/dev/null"):
        if Path(device).exists():
            name = device.rsplit("/", 1)[1] + ".jpg"
            (folder / name).symlink_to(device)
            names.append(name)
    return names


NAMES = (
    "日本語.png",
    "写真 (1).png",
    "صورة.png",
    "תמונה.png",
    "Ωμέγα.png",
    "naïve café.png",
    "😀👨‍👩‍👧.png",
    "-rf.png",
    "--help.png",
    "a\nb.png",
    " leading and trailing .png",
    "'quoted'.png",
    '"double".png',
    "<img src=x onerror=alert(1)>.png",
    "=HYPERLINK(1).png",
    "%00%2e.png",
    "$HOME.png",
    "~.png",
    "back\\slash.png",
    "semi;colon,comma.png",
    "e\u0301.png",
    "tab\there.png",
    "\u202eright-to-left.png",
    "NULL.png",
    "NA.png",
    "nan.png",
    "001.png",
    "1e5.png",
    "True.png",
)
"""File names that a picture may have on Linux."""


HOSTILE = ("海.png", "<b onload=x>&.png", "a.png", "b.png", "c.png", "d.png")


def scored_pairs(root):
    """Scores of small pictures made in `root`, with made-up distances: some copies far, some others
    near, many ties.
    """
    import simlab as sl

    for seed, name in enumerate(HOSTILE):
        textured(seed).save(root / name)
    pairs = sl.make_pairs(root, ["crop(area=0.5)", "crop(area=0.3)", "text"], negatives=150, seed=0)
    copy, rng = pairs["label"].eq(1).to_numpy(), np.random.default_rng(3)
    columns = {
        "weight": rng.integers(1, 4, len(pairs)).astype(float),
        "status": "ok",
        "error": "",
        "no_evidence": "",
    }
    columns["phash"] = rng.normal(np.where(copy, 14, 30), 7).round().clip(0)
    columns["akaze"] = rng.normal(np.where(copy, 60, 130), 30)
    scores = pairs.assign(**columns)
    scores.attrs.update(root=str(root), methods=["phash", "akaze"])
    return scores
