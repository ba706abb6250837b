"""Pictures: whatever the file, the same upright RGB; whatever is wrong with it, one
error in words.
"""

import io
import os
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import corpus
import numpy as np
import pytest
from PIL import Image, ImageCms, ImageFile, PngImagePlugin

from simlab import images
from simlab.images import ImageError, list_images, read_image

ROOT = Path(__file__).resolve().parents[1]
LOSSLESS = (
    "plain.png",
    "plain.bmp",
    "plain.tif",
    "lzw.tif",
    "plain.ppm",
    "lossless.webp",
    "plain.jp2",
)
TURNS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
BROKEN = corpus.broken_files()


def same(a, b):
    return a.mode == b.mode == "RGB" and a.size == b.size and a.tobytes() == b.tobytes()


def difference(a, b):
    """Mean difference of two pictures of one size, in levels."""
    assert a.size == b.size
    return np.abs(np.asarray(a, dtype=float) - np.asarray(b, dtype=float)).mean()


def stored(image, orientation):
    """The picture as a camera held another way would store it."""
    turn = TURNS[orientation]
    return image if turn is None else image.transpose(turn)


def grey16(image):
    """The grey picture on 16 bits: its levels times 257, so that white stays white."""
    return np.asarray(image.convert("L"), dtype=np.uint16) * 257


# --- what becomes of the pixels


@pytest.mark.parametrize("name", LOSSLESS)
def test_lossless_files_give_the_pixels_that_were_stored(name):
    assert same(read_image(corpus.in_every_format()[name]), corpus.ramp())


@pytest.mark.parametrize("name", corpus.in_every_format())
def test_every_format_gives_the_same_picture_from_path_and_from_bytes(name, tmp_path):
    data = corpus.in_every_format()[name]
    path = tmp_path / name
    path.write_bytes(data)
    first = read_image(path)
    assert first.mode == "RGB" and first.size == (corpus.WIDTH, corpus.HEIGHT)
    assert (
        difference(first, corpus.ramp()) < 25
    )  # the block of noise suffers most, in palettes and strong compression
    assert same(first, read_image(str(path))) and same(first, read_image(data))
    assert same(first, read_image(bytearray(data))) and same(first, read_image(memoryview(data)))


@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", TURNS)
def test_orientations_of_one_picture_are_equal(form, orientation):
    options = {"lossless": True} if form == "WEBP" else {}
    file = corpus.encoded(
        stored(corpus.ramp(), orientation), form, exif=corpus.exif(orientation), **options
    )
    assert same(read_image(file), corpus.ramp())


@pytest.mark.parametrize("form", ["JPEG", "AVIF"])
@pytest.mark.parametrize("orientation", TURNS)
def test_orientations_of_compressed_pictures_are_near(form, orientation):
    soft = corpus.ramp().resize((128, 96)).resize((64, 48))
    file = corpus.encoded(
        stored(soft, orientation), form, quality=95, exif=corpus.exif(orientation)
    )
    assert difference(read_image(file), soft) < 8


@pytest.mark.parametrize("mode", ["L", "RGBA", "LA", "P", "CMYK"])
def test_orientation_holds_in_every_mode(mode):
    file = corpus.encoded(stored(corpus.ramp().convert(mode), 6), "TIFF", exif=corpus.exif(6))
    assert read_image(file).size == (corpus.WIDTH, corpus.HEIGHT)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_orientation_in_xmp_holds_in_every_mode(mode):
    words = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/>'
        "</rdf:RDF></x:xmpmeta>"
    )
    block = PngImagePlugin.PngInfo()
    block.add_itxt("XML:com.adobe.xmp", words)
    file = corpus.encoded(stored(corpus.ramp(), 6).convert(mode), "PNG", pnginfo=block)
    assert same(read_image(file), corpus.ramp())


def test_a_picture_set_upright_is_not_turned_again():
    once = read_image(corpus.encoded(stored(corpus.ramp(), 6), "PNG", exif=corpus.exif(6)))
    assert same(read_image(once), once) and same(read_image(corpus.encoded(once, "PNG")), once)


@pytest.mark.parametrize(
    "block", [b"garbage!", b"II*\0", bytes(40), b"II*\0\x08\0\0\0\xff\xff" + bytes(9)]
)
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_damaged_metadata_is_ignored(form, block):
    options = {"lossless": True} if form == "WEBP" else {}
    plain, damaged = (
        corpus.encoded(corpus.ramp(), form, **options, **extra)
        for extra in ({}, {"exif": b"Exif\0\0" + block})
    )
    assert damaged != plain and same(read_image(damaged), read_image(plain))


def logo(left, hidden=0):
    """Half of it opaque red, the other half transparent, with other colours hidden there."""
    levels = np.full((40, 60, 4), (hidden, 255 - hidden, hidden, 0), dtype=np.uint8)
    levels[:, (slice(0, 30) if left else slice(30, 60))] = (200, 0, 0, 255)
    return Image.fromarray(levels)


@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF"])
def test_transparency_shows_the_background(form):
    options = {"lossless": True, "exact": True} if form == "WEBP" else {}
    files = [
        corpus.encoded(logo(*arguments), form, **options) for arguments in ((1, 0), (1, 90), (0, 0))
    ]
    picture, other_hidden, other_logo = map(read_image, files)
    assert picture.getpixel((0, 0)) == (200, 0, 0) and picture.getpixel((59, 0)) == (255, 255, 255)
    assert files[0] != files[1] and same(picture, other_hidden)
    assert difference(picture, other_logo) > 50
    assert read_image(files[0], background=(10, 20, 30)).getpixel((59, 0)) == (10, 20, 30)


def test_what_is_nearly_white_is_shown_on_black():
    """Two white logos are not the same."""
    pictures = []
    for left in (True, False):
        mark = logo(left)
        levels = np.asarray(mark).copy()
        levels[levels[..., 3] > 0, :3] = 250
        pictures.append(read_image(Image.fromarray(levels)))
    assert pictures[0].getpixel((0, 0)) == (250, 250, 250)
    assert pictures[0].getpixel((59, 0)) == (0, 0, 0)
    assert difference(*pictures) > 50
    assert read_image(Image.fromarray(levels), background=(255, 255, 255)).getpixel((0, 0)) == (
        255,
        255,
        255,
    )
    assert read_image(Image.new("RGBA", (4, 4), (0, 0, 0, 0))).getpixel((0, 0)) == (255, 255, 255)


def test_half_transparent_pixels_are_mixed():
    half = Image.new("RGBA", (4, 4), (0, 100, 200, 128))
    assert read_image(half).getpixel((0, 0)) == (127, 177, 227)
    assert read_image(half, background=(0, 0, 0)).getpixel((0, 0)) == (0, 50, 100)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "RGBa", "La"])
def test_every_mode_with_alpha_shows_the_background(mode):
    image = logo(True).convert("LA" if mode in ("LA", "La") else "RGBA")
    if mode == "PA":
        image = logo(True).convert("RGB").convert("P")
        image.putalpha(logo(True).getchannel("A"))
    picture = read_image(image.convert(mode))
    assert picture.getpixel((59, 0)) == (255, 255, 255) != picture.getpixel((0, 0))


def test_palette_with_transparency():
    palette = corpus.ramp().quantize(16)
    index = palette.getpixel((0, 0))
    whole = read_image(corpus.encoded(palette, "PNG"))
    holed = read_image(corpus.encoded(palette, "PNG", transparency=index))
    assert same(whole, palette.convert("RGB"))
    gone = np.asarray(palette) == index
    assert (np.asarray(holed)[gone] == 255).all() and (np.asarray(holed) == np.asarray(whole))[
        ~gone
    ].all()
    assert same(read_image(corpus.encoded(palette, "GIF", transparency=index)), holed)


def test_one_transparent_grey_or_colour():
    grey = read_image(
        corpus.encoded(Image.linear_gradient("L"), "PNG", transparency=0), background=(9, 9, 9)
    )
    assert grey.getpixel((0, 0)) == (9, 9, 9) and grey.getpixel((0, 200)) == (200, 200, 200)
    colour = read_image(
        corpus.encoded(corpus.ramp(), "PNG", transparency=corpus.ramp().getpixel((63, 47)))
    )
    assert colour.getpixel((63, 47)) == (255, 255, 255)


def test_cmyk():
    picture = read_image(corpus.encoded(corpus.ramp().convert("CMYK"), "TIFF"))
    assert difference(picture, corpus.ramp()) < 3
    inks = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    assert read_image(corpus.encoded(inks, "JPEG", quality=100)).getpixel((4, 4))[0] < 30


def sixteen_bit_files(levels):
    """The same 16-bit grey picture as PNG, TIFF in either byte order, and PGM."""
    height, width = levels.shape
    rows = [row.astype(">u2").tobytes() for row in levels]
    return {
        "png": corpus.png(width, height, bits=16, colour=0, rows=rows),
        "tiff": corpus.encoded(Image.fromarray(levels), "TIFF"),
        "big-endian tiff": corpus.encoded(
            Image.frombytes("I;16B", (width, height), b"".join(rows)), "TIFF"
        ),
        "pgm": b"P5 %d %d 65535\n" % (width, height) + b"".join(rows),
    }


@pytest.mark.parametrize("form", ["png", "tiff", "big-endian tiff", "pgm"])
def test_16_bits_are_scaled_not_clipped(form):
    grey = corpus.ramp().convert("L")
    picture = read_image(sixteen_bit_files(grey16(grey))[form])
    assert same(picture, grey.convert("RGB"))


def test_16_bits_of_a_dim_scene_are_near_the_8_bit_picture():
    levels = (grey16(corpus.textured()) * 0.4 + 123).astype(np.uint16)
    dim = Image.fromarray(np.rint(levels / 257).astype(np.uint8)).convert("RGB")
    assert all(
        difference(read_image(file), dim) < 0.5 for file in sixteen_bit_files(levels).values()
    )


def test_ten_bit_pgm_is_scaled():
    rows = np.tile(np.arange(1024, dtype=">u2"), (2, 1)).tobytes()
    picture = np.asarray(read_image(b"P5 1024 2 1023\n" + rows))
    assert (
        picture[0, 0, 0] == 0
        and picture[0, -1, 0] == 255
        and abs(int(picture[0, 512, 0]) - 128) <= 1
    )


def test_floating_point_grey():
    unit = np.linspace(0, 1, 100, dtype=np.float32).reshape(10, 10)
    expected = read_image(unit)
    assert same(read_image(Image.fromarray(unit)), expected)
    assert same(read_image(corpus.encoded(Image.fromarray(unit), "TIFF")), expected)
    assert same(read_image(Image.fromarray(unit * 255)), expected)
    odd = np.array([[np.nan, np.inf, -np.inf, -5, 0.5, 1]], dtype=np.float32)
    assert np.asarray(read_image(Image.fromarray(odd)))[0, :, 0].tolist() == [0, 0, 0, 0, 128, 255]


def test_32_bit_grey_is_taken_as_16_bit():
    wide = Image.fromarray(np.array([[-7, 0, 32768, 65535, 10**6]], dtype=np.int32))
    assert np.asarray(read_image(wide))[0, :, 0].tolist() == [0, 0, 128, 255, 255]


@pytest.mark.parametrize(
    "mode", ["1", "L", "P", "HSV", "YCbCr", "LAB", "RGBX", "I", "F", "I;16", "I;16B", "I;16L"]
)
def test_every_mode_becomes_rgb(mode):
    assert read_image(Image.new(mode, (5, 4))).mode == "RGB"


@pytest.mark.parametrize("name", ["animated.png", "animated.webp", "animated.gif", "pages.tif"])
def test_first_frame_of_an_animation(name):
    single = {
        "animated.png": "plain.png",
        "animated.webp": "plain.webp",
        "animated.gif": "plain.gif",
    }
    files = corpus.in_every_format()
    assert difference(read_image(files[name]), read_image(files[single.get(name, "plain.tif")])) < 3


def gamma_profile():
    """An sRGB profile whose tone curves are made linear: a picture under it is stored darker than
    it looks.
    """
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = int.from_bytes(profile[128:132], "big")
    for i in range(count):
        tag, offset, size = (profile[132 + 12 * i + 4 * k :][:4] for k in range(3))
        start, length = int.from_bytes(offset, "big"), int.from_bytes(size, "big")
        if tag in (b"rTRC", b"gTRC", b"bTRC"):
            curve = b"curv" + bytes(4) + bytes(4)  # no entries: the identity
            profile[start : start + length] = curve.ljust(length, b"\0")
    return bytes(profile)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_colour_profile_is_converted_to_srgb(form):
    grey = Image.new("RGB", (16, 16), (55, 55, 55))
    plain = read_image(corpus.encoded(grey, form)).getpixel((8, 8))
    seen = read_image(corpus.encoded(grey, form, icc_profile=gamma_profile())).getpixel((8, 8))
    # a linear 55 of 255 is 0.216, which sRGB writes as about 128
    assert max(plain) < 60 and all(abs(level - 128) <= 3 for level in seen)


def test_a_converted_profile_is_not_converted_again():
    seen = read_image(
        corpus.encoded(Image.new("RGB", (4, 4), (55,) * 3), "PNG", icc_profile=gamma_profile())
    )
    assert same(read_image(seen), seen) and same(read_image(corpus.encoded(seen, "PNG")), seen)


@pytest.mark.parametrize(
    "profile",
    [b"x", b"not a profile" * 20, gamma_profile()[:100], gamma_profile()[:-500]],
    ids=["one byte", "text", "header", "cut"],  # it holds the time at which it was made
)
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_a_damaged_profile_is_ignored(profile, mode):
    image = corpus.ramp().convert(mode)
    picture = read_image(corpus.encoded(image, "PNG", icc_profile=profile))
    assert same(picture, read_image(image))


def test_a_profile_for_another_colour_model_is_ignored():
    grey = corpus.ramp().convert("L")
    file = corpus.encoded(grey, "PNG", icc_profile=gamma_profile())
    assert same(read_image(file), grey.convert("RGB"))


def test_a_picture_of_the_caller_stays_as_it_is():
    image = corpus.ramp()
    image.info["icc_profile"] = b"damaged"
    image.info["note"] = "mine"
    picture = read_image(image)
    assert same(picture, image) and picture is not image
    assert image.info == {"icc_profile": b"damaged", "note": "mine"}
    plain = corpus.ramp()
    assert read_image(plain) is plain


# --- arrays


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array([[0, 128, 255]], dtype=np.uint8), [0, 128, 255]),
        (np.array([[0, 128 * 257, 65535]], dtype=np.uint16), [0, 128, 255]),
        (np.array([[0, 128 * 257, 65535]], dtype=">u2"), [0, 128, 255]),
        (np.array([[False, True, True]]), [0, 255, 255]),
        (np.array([[0, 0.5, 1]], dtype=np.float16), [0, 128, 255]),
        (np.array([[0, 0.5, 1]], dtype=np.float32), [0, 128, 255]),
        (np.array([[0, 0.5, 1]], dtype=np.float64), [0, 128, 255]),
    ],
    ids=lambda value: str(value.dtype) if isinstance(value, np.ndarray) else "",
)
def test_arrays_of_each_kind(array, expected):
    assert np.asarray(read_image(array))[0, :, 1].tolist() == expected
    colour = np.stack([array] * 3, axis=-1)
    assert np.asarray(read_image(colour))[0, :, 2].tolist() == expected
    clear = np.concatenate([colour, np.zeros_like(colour[..., :1])], axis=-1)
    assert (np.asarray(read_image(clear)) == 255).all()


def test_an_array_that_is_a_slice_is_read_and_left_alone():
    array = np.asarray(corpus.ramp())[::-1, ::2, ::-1]
    copy = array.copy()
    assert np.array_equal(np.asarray(read_image(array)), copy) and np.array_equal(array, copy)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((0, 5), np.uint8), r"not \(0, 5\)"),
        (np.zeros(5, np.uint8), r"\(h, w\)"),
        (np.zeros((5, 5, 2), np.uint8), r"not \(5, 5, 2\)"),
        (np.zeros((5, 5, 2), np.uint8), r"not \(5, 5, 2\)"),
        (np.zeros((2, 5, 5, 3), np.uint8), r"\(h, w\)"),
        (np.zeros((5, 5), np.int64), "not int64"),
        (np.zeros((5, 5), complex), "not complex128"),
        (np.zeros((5, 5), object), "not object"),
        (np.full((5, 5), np.nan), "from 0 to 1"),
        (np.full((5, 5), 1.5), "from 0 to 1"),
        (np.full((5, 5), -0.5), "from 0 to 1"),
    ],
)
def test_other_arrays_are_refused(array, words):
    with pytest.raises(ImageError, match=words):
        read_image(array)


# --- what is not a picture


def test_there_are_many_broken_files():
    assert len(BROKEN) >= 150


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_refused_at_once_and_in_one_line(name):
    start = time.perf_counter()
    with pytest.raises(ImageError) as caught:
        read_image(BROKEN[name])
    words = str(caught.value)
    assert words and "\n" not in words and len(words) < 300
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize("name", corpus.doubtful_files())
def test_files_that_hold_less_than_they_claim_do_no_harm(name):
    try:
        assert read_image(corpus.doubtful_files()[name]).mode == "RGB"
    except ImageError as error:
        assert "damaged" in str(error)


@pytest.mark.parametrize("name", corpus.half_decoded())
def test_what_decoders_fill_up_in_silence_is_an_error(name):
    with pytest.raises(ImageError, match="damaged or truncated"):
        read_image(corpus.half_decoded()[name])


@pytest.mark.parametrize("name", corpus.jpegs(corpus.ramp()))
def test_what_follows_a_whole_jpeg_does_no_harm(name):
    for image in (corpus.textured(3), corpus.flat(), corpus.flat(0, 33, 17)):
        data = corpus.jpegs(image)[name]
        assert same(read_image(data + b"more\xff\xd9\0"), read_image(data))


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "1", "LA", "RGBA", "I;16", "F", "CMYK"])
def test_black_pictures_are_whole(mode):
    forms = {"RGB": ["PNG", "GIF", "BMP", "TIFF", "PPM", "PCX", "TGA", "JPEG2000"]}
    tiff_only = ["TIFF"] if mode in ("F", "CMYK") else ["PNG", "TIFF"]
    for form in forms.get(mode, tiff_only):
        data = corpus.encoded(Image.new(mode, (31, 20)), form)
        assert read_image(data, name=f"black.{form.lower()}").size == (31, 20)


def test_a_whole_interlaced_png_and_a_frame_smaller_than_its_screen_are_read():
    assert same(read_image(corpus.interlaced_png(corpus.ramp())), corpus.ramp())
    data = corpus.encoded(corpus.flat(0).quantize(2), "GIF")
    assert read_image(data[:6] + b"\xff\0\xff\0" + data[10:]).size == (255, 255)


@pytest.mark.parametrize("options", [{}, {"compression": "tga_rle"}])
def test_a_tga_is_read_by_its_name_alone(options, tmp_path):
    data = corpus.encoded(corpus.ramp(), "TGA", **options)
    (tmp_path / "a.TGA").write_bytes(data)
    (tmp_path / "a.jpg").write_bytes(data)
    assert same(read_image(tmp_path / "a.TGA"), corpus.ramp())
    assert same(read_image(data, name="a.tga"), corpus.ramp())
    with pytest.raises(ImageError, match="not a picture"):
        read_image(tmp_path / "a.jpg")
    for share in (0.1, 0.5, 0.97):
        with pytest.raises(ImageError):
            read_image(data[: int(len(data) * share)], name="a.tga")


@pytest.mark.parametrize(
    "name", ["animated.png", "animated.gif", "animated.webp", "pages.tif", "plain.gif", "plain.jpg"]
)
def test_a_picture_says_how_many_frames_or_pages_its_file_has(name):
    image = read_image(corpus.in_every_format()[name])
    assert image.info.get("frames", 1) == (1 if name.startswith("plain") else 2)


@pytest.mark.parametrize("name", corpus.bombs())
def test_bombs_are_named_as_such(name):
    with pytest.raises(ImageError, match="limit of 120,000,000"):
        read_image(corpus.bombs()[name])


@pytest.mark.parametrize(
    "name", ["plain.png", "progressive.jpg", "plain.gif", "plain.bmp", "plain.tif", "plain.ppm"]
)
def test_a_half_decoded_picture_is_an_error_even_where_the_session_allows_it(name, monkeypatch):
    data = corpus.in_every_format()[name]
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    Image.open(io.BytesIO(data[: len(data) // 2])).load()
    with pytest.raises(ImageError, match="truncated"):
        read_image(data[: len(data) // 2])
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


def test_pixels_are_limited_before_decoding(monkeypatch):
    file = corpus.png(300, 200, rows=[bytes(900)] * 200)
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("decoded"))
    with pytest.raises(
        ImageError, match=r"300 x 200 pixels is over the limit of 59,999 \(SIMLAB_MAX_PIXELS\)"
    ):
        read_image(file, max_pixels=59_999)


@pytest.mark.parametrize("name", ["plain.webp", "plain.jp2"])
def test_decoders_that_need_more_memory_get_fewer_pixels(name):
    file, pixels = corpus.in_every_format()[name], corpus.WIDTH * corpus.HEIGHT
    assert read_image(file, max_pixels=pixels * 3 // 2).size == (corpus.WIDTH, corpus.HEIGHT)
    with pytest.raises(ImageError, match=f"over the limit of {(pixels * 3 // 2 - 2) * 2 // 3:,}"):
        read_image(file, max_pixels=pixels * 3 // 2 - 2)


def test_pixels_at_the_limit_are_read():
    assert read_image(corpus.png(300, 200, rows=[bytes(900)] * 200), max_pixels=60_000).size == (
        300,
        200,
    )


def test_the_limit_can_be_raised_above_pillows_own(monkeypatch):
    file = corpus.png(300, 200, rows=[bytes(900)] * 200)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert read_image(file).size == (300, 200)
    assert Image.MAX_IMAGE_PIXELS == 1000


def test_reading_warns_of_nothing(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50_000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_image(corpus.png(300, 200, rows=[bytes(900)] * 200))


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"mif1", b"msf1", b"hevc"])
def test_heic_without_its_reader_names_the_extra(brand, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ImageError, match=r"simlab\[heif\]"):
        read_image(b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0mif1heic" + bytes(200))


def test_heic_with_its_reader():
    heif = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    heif.from_pillow(corpus.textured()).save(file, quality=90)
    assert difference(read_image(file.getvalue()), corpus.textured()) < 10
    with pytest.raises(ImageError, match="damaged"):
        read_image(file.getvalue()[:-200])


def test_an_avif_under_heifs_general_brand_is_no_heic(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    file = corpus.in_every_format()["plain.avif"]
    assert file[8:12] == b"avif" and b"mif1" in file[16:32]
    renamed = file[:8] + b"mif1" + file[12:32].replace(b"mif1", b"avif", 1) + file[32:]
    assert same(read_image(renamed), read_image(file))


def test_no_program_and_no_file_is_touched_by_a_postscript_picture(tmp_path, monkeypatch):
    monkeypatch.setattr("subprocess.Popen", lambda *_, **__: pytest.fail("started a program"))
    monkeypatch.chdir(tmp_path)
    for name in ("PostScript.jpg", "EPS.jpg", "SVG.jpg"):
        with pytest.raises(ImageError, match="not a picture"):
            read_image(corpus.other_formats()[name])
    assert not list(tmp_path.iterdir())


# --- paths


@pytest.mark.skipif(os.name != "posix", reason="such names are Linux's")
@pytest.mark.parametrize("name", corpus.NAMES)
def test_names_in_any_script(name, tmp_path, monkeypatch):
    corpus.ramp().save(tmp_path / "plain.png")
    (tmp_path / "plain.png").rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert list_images(".") == [name]
    assert same(read_image(name), corpus.ramp()) and same(
        read_image(tmp_path / name), corpus.ramp()
    )


@pytest.mark.skipif(os.name != "posix", reason="such names are Linux's")
def test_a_name_that_is_not_unicode(tmp_path):
    path = os.fsencode(tmp_path) + b"/latin-\xe9.png"
    with open(path, "wb") as file:
        file.write(corpus.encoded(corpus.ramp(), "PNG"))
    (name,) = list_images(tmp_path)
    assert os.fsencode(name) == b"latin-\xe9.png" and same(
        read_image(tmp_path / name), corpus.ramp()
    )


def within(seconds, function):
    """The outcome of a call that must not hang: its value, or the exception that it raised."""
    outcome = []

    def call():
        try:
            outcome.append(function())
        except Exception as error:
            outcome.append(error)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(seconds)
    assert outcome, f"hung for {seconds} s"
    return outcome[0]


@pytest.mark.skipif(os.name != "posix", reason="needs links and pipes")
def test_pipes_devices_folders_and_loops_are_refused_without_waiting(tmp_path):
    names = corpus.special_files(tmp_path)
    words = {name: within(10, lambda name=name: read_image(tmp_path / name)) for name in names}
    assert all(isinstance(error, ImageError) for error in words.values())
    assert str(words["folder.jpg"]) == str(words["ring.png"]) == "a folder, not a picture"
    assert str(words["loop.jpg"]) == "a link that leads in a circle"
    assert str(words["dangling.jpg"]) == "no such file"
    assert {str(words[name]) for name in names if name.startswith(("fifo", "zero", "null"))} <= {
        "not a regular file"
    }


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts open files in /proc")
def test_no_file_stays_open(tmp_path):
    names = corpus.special_files(tmp_path)
    (tmp_path / "text.jpg").write_text("text")
    before = len(os.listdir("/proc/self/fd"))
    for name in [*names, "text.jpg", "absent.jpg"] * 3:
        with pytest.raises(ImageError):
            read_image(tmp_path / name)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    "name", ["absent.png", "a" * 300 + ".png", "text.txt/picture.png", "zero\0byte.png"]
)
def test_paths_that_lead_nowhere(name, tmp_path):
    (tmp_path / "text.txt").write_text("text")
    with pytest.raises(ImageError):
        read_image(os.path.join(tmp_path, name))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission(tmp_path):
    path = tmp_path / "secret.png"
    corpus.ramp().save(path)
    path.chmod(0)
    with pytest.raises(ImageError, match="no permission"):
        read_image(path)


def test_no_permission_and_other_faults_are_said_in_words(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(ImageError, match=r"^no permission to read it$"):
        read_image(tmp_path / "any.png")


def test_a_file_over_the_limit_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "MAX_BYTES", 1000)
    path = tmp_path / "big.png"
    path.write_bytes(bytes(1001))
    with pytest.raises(ImageError, match="1,001 bytes is larger than the limit of 1,000"):
        read_image(path)


# --- folders


def test_list_images_knows_endings_in_any_case_below_any_folder(tmp_path):
    kept = ["Z.PNG", "a/b/c.JpEg", "a.jpg", "ö/日本.webp", "x.heic"]
    left = [".hidden.jpg", ".git/y.png", "notes.txt", "jpg", "a.jpg.txt", "a/.b/d.png", "b/.jpg"]
    for name in kept + left:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert list_images(tmp_path) == list_images(str(tmp_path)) == sorted(kept)


@pytest.mark.skipif(os.name != "posix", reason="needs links and pipes")
def mixed_folder(folder):
    picture = corpus.encoded(corpus.ramp(), "PNG")
    names = ("a.png", "b.txt", "c", "d.mov", "e.MOV", "g.tga~", ".hidden.png", "sub/i.txt")
    (folder / "sub").mkdir()
    (folder / ".cache").mkdir()
    for name in names:
        (folder / name).write_bytes(picture if name in ("a.png", "b.txt", "c") else b"no picture")
    (folder / ".cache" / "z.png").write_bytes(picture)


def test_what_is_passed_over_is_counted_by_ending(tmp_path):
    mixed_folder(tmp_path)
    found = images.survey(tmp_path)
    assert found.paths == ["a.png"]
    assert found.passed_over == {
        ".mov": 2,
        ".tga~": 1,
        ".txt": 2,
        "hidden": 2,
        "without an ending": 1,
    }
    assert images.in_words(found.passed_over).startswith("2 .mov, 2 .txt, 2 hidden, 1 ")
    many = images.in_words({f".{n:03}": 1 for n in range(50)})
    assert many.endswith(", 38 of other endings")


def test_pictures_are_found_by_content_where_asked(tmp_path):
    mixed_folder(tmp_path)
    (tmp_path / "bomb").write_bytes(corpus.bombs()["bomb.png"])
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
    found = within(10, lambda: list_images(tmp_path, any_name=True))
    assert found == ["a.png", "b.txt", "bomb", "c"]
    assert same(read_image(tmp_path / "c"), corpus.ramp())


def test_list_images_follows_no_link_to_a_folder_and_keeps_what_is_named_like_a_picture(tmp_path):
    names = corpus.special_files(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "one.png").write_bytes(b"")
    (elsewhere / "again").symlink_to("..")
    (tmp_path / "linked").symlink_to("elsewhere")
    (tmp_path / "file.png").symlink_to("elsewhere/one.png")
    assert within(10, lambda: list_images(tmp_path)) == sorted(
        [*names, "elsewhere/one.png", "file.png"]
    )


@pytest.mark.parametrize("name", ["empty", "absent", "file.png"])
def test_list_images_without_pictures(name, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"no pictures in|no such folder"):
        list_images(tmp_path / name)


# --- small questions


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (corpus.flat(0), True),
        (corpus.flat(255), True),
        (Image.new("RGB", (1, 1), (1, 2, 3)), True),
        (corpus.odd_pictures()["almost flat"].convert("RGB"), True),
        (corpus.odd_pictures()["one dot"], False),
        (corpus.ramp(), False),
        (Image.linear_gradient("L"), False),
        (Image.new("L", (5, 5), 9), True),
    ],
)
def test_is_flat(image, expected):
    assert images.is_flat(image) is expected


def test_flat_in_two_channels_is_not_flat():
    levels = np.zeros((10, 10, 3), np.uint8)
    levels[0, 0, 2] = 5
    assert not images.is_flat(Image.fromarray(levels))
    levels[0, 0, 2] = 4
    assert images.is_flat(Image.fromarray(levels))


def test_grey_is_pillows_luma():
    image = corpus.textured()
    assert images.to_grey(image).tobytes() == image.convert("L").tobytes()
    grey = image.convert("L")
    assert images.to_grey(grey) is grey


def test_read_bytes_returns_the_file(tmp_path):
    path = tmp_path / "file.bin"
    path.write_bytes(b"a\r\nb\0c" * 1000)
    assert images.read_bytes(path) == b"a\r\nb\0c" * 1000


def test_pictures_in_memory_are_read_in_several_threads():
    file, expected = corpus.in_every_format()["plain.jpg"], []
    threads = [
        threading.Thread(target=lambda: expected.append(read_image(io.BytesIO(file).getvalue())))
        for _ in "1234"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(expected) == 4 and all(same(picture, expected[0]) for picture in expected)


PEAK = """
import re, sys
from simlab import read_image
def peak():  # getrusage's own begins with that of the process that started this one
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) * 1024
read_image(b"P5 1 1 255\\n0")
before = peak()
image = read_image(sys.argv[1])
if sys.argv[2:]:
    from simlab.methods import registry as methods
    from simlab import perturb
    image = perturb.apply(image, sys.argv[2])
    methods.extract_all(image, {method.feature for method in methods.resolve(None)})
print(before, peak())
"""


def peak_of(path, *perturbation):
    """Memory of a process of its own before and at most: where the picture is read, and a variant's
    features made.
    """
    run = subprocess.run(
        [sys.executable, "-c", PEAK, path, *perturbation], cwd=ROOT, capture_output=True, check=True
    )
    return [int(number) for number in run.stdout.split()]


@pytest.mark.skipif(
    not os.path.exists("/proc/self/status"), reason="Linux tells the peak of memory there"
)
@pytest.mark.parametrize(
    "name", ["alpha.png", "16 bits.png", "float.tif", "progressive.jpg", "alpha.webp", "plain.jp2"]
)
def test_no_kind_of_picture_takes_more_than_2_gb_at_the_limit(name, tmp_path):
    """At a tenth of the limit: the peak is counted in bytes per pixel."""
    mode, size = (
        {"alpha": "RGBA", "16 bits": "I;16", "float": "F"}.get(name.split(".")[0], "RGB"),
        (4000, 3000),
    )
    options = {
        "png": {"compress_level": 1},
        "tif": {"compression": "tiff_lzw"},
        "jpg": {"progressive": True},
        "webp": {"lossless": True, "method": 0},
        "jp2": {},
    }
    Image.new(mode, size).save(tmp_path / name, **options[name.split(".")[1]])
    before, peak = peak_of(tmp_path / name)
    pixels = images.MAX_PIXELS * (2 / 3 if name.endswith(("webp", "jp2")) else 1)
    assert (peak - before) / (size[0] * size[1]) * pixels < 1.8e9  # 0.2 GB are a worker's own


@pytest.mark.skipif(
    not os.path.exists("/proc/self/status"), reason="Linux tells the peak of memory there"
)
def test_48_megapixels_with_noise_and_their_features_take_less_than_2_gb(tmp_path):
    corpus.textured().resize((8000, 6000)).save(tmp_path / "large.jpg")
    assert 8000 * 6000 * 4 < peak_of(tmp_path / "large.jpg", "noise")[1] < 2e9


def test_limits_are_raised_by_the_environment(tmp_path):
    (tmp_path / "large.png").write_bytes(corpus.bombs()["just over the limit.png"])
    script = "import sys, simlab as sl; sl.read_image(sys.argv[1])"
    for limit, words in (
        ("130000000", b"damaged or truncated"),
        ("120000000", b"over the limit of 120,000,000"),
    ):
        environment = {**os.environ, "SIMLAB_MAX_PIXELS": limit}
        command = [sys.executable, "-c", script, tmp_path / "large.png"]
        run = subprocess.run(command, cwd=ROOT, capture_output=True, env=environment, check=False)
        assert run.returncode == 1 and words in run.stderr


def test_a_jpeg_that_goes_over_its_pixels_again_and_again_is_refused():
    whole = corpus.in_every_format()["progressive.jpg"]
    plain = corpus.in_every_format()["plain.jpg"]
    scans = [
        sum(marker == 0xDA for marker, _, _ in images._segments(data)) for data in (whole, plain)
    ]
    assert 8 < scans[0] < 12 and scans[1] == 1
    with pytest.raises(ImageError, match="more than 100 times"):
        read_image(corpus.broken_others()["jpeg of 1,000 scans"])
    # bytes like those of a scan, in what follows the picture (a film, say) and before it (a
    # preview), count nothing
    marks = b"\xff\xda\0\x02" * 200
    before = whole[:2] + b"\xff\xe1" + (len(marks) + 2).to_bytes(2, "big") + marks + whole[2:]
    assert same(read_image(before + marks), read_image(whole))
