"""True copies as people make them; fonts, words and photographs to draw look-alikes with.

``copy_of(image, draw)`` gives a copy: the picture smaller, scanned, cropped, stamped, in a
strip, on a screen, ... Everything follows from the random generator ``draw``.
"""

import functools
import io
import math
import os
import random
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

import simlab as sl
from simlab.perturb.fonts import find_font

SHARED = Path(os.environ.get("SIMLAB_SHARED", Path(__file__).resolve().parents[2] / "shared"))
"""Where more photographs are, if there are any: SHARED/data."""

WORDS_TEXT = """
harbour garden silver window autumn market bridge letter morning winter island copper
lantern orchard river engine velvet signal corner canvas summit pepper marble thunder
journal basket anchor meadow compass ribbon falcon timber saddle crystal beacon walnut
station quarter village castle planet mirror candle forest barrel ticket cotton ladder
account notice council border figure season travel supply weather library museum theatre
because through between against without during before after under about would should the
and for with from this that they have been were their when which
"""
WORDS = WORDS_TEXT.split()
JAPANESE_TEXT = """
東京 会議 資料 写真 駅前 予定 電話 住所 氏名 商品 合計 請求 天気 旅行 図書館 新聞
音楽 春夏 秋冬 連絡 確認 お知らせ ありがとう ございます ください について 日本語 情報
研究 結果 表示 設定 変更 開始 終了 価格 数量 学校 病院 公園 映画 料理
"""
JAPANESE = JAPANESE_TEXT.split()
NAMES_TEXT = """
Amara Bruno Carla Dmitri Elif Farid Greta Hugo Ines Jonas Keiko Luca Mina Noor Olga
Pavel Quinn Rosa Sven Tara Umar Vera Wanda Yusuf Zoe
"""
NAMES = NAMES_TEXT.split()
FACES = {
    "sans": "DejaVuSans.ttf",
    "bold": "DejaVuSans-Bold.ttf",
    "serif": "DejaVuSerif.ttf",
    "serif bold": "DejaVuSerif-Bold.ttf",
    "mono": "DejaVuSansMono.ttf",
}


@functools.cache
def font(size: int, face: str = "sans") -> ImageFont.FreeTypeFont:
    """Return a font that comes with matplotlib, or "japanese" where one is installed, in pixels."""
    if face == "japanese":
        return ImageFont.truetype(japanese_font(), size)
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return ImageFont.truetype(str(folder / FACES[face]), size)


@functools.cache
def japanese_font() -> str | None:
    """Return the path of a font that has Japanese characters, or None."""
    try:
        return find_font("".join(JAPANESE))
    except ValueError:
        return None


def words(draw: random.Random, count: int, vocabulary=WORDS) -> str:
    """Return so many words in a row."""
    return " ".join(draw.choices(vocabulary, k=count))


def sentence(draw: random.Random, count: int) -> str:
    """Return so many words, the first with a capital, and a full stop."""
    return words(draw, count).capitalize() + "."


def colour(draw: random.Random, darkest: int = 0, lightest: int = 255) -> tuple[int, int, int]:
    """Return a random colour."""
    return tuple(draw.randint(darkest, lightest) for _ in range(3))


def noise(draw: random.Random, shape: tuple[int, ...]) -> np.ndarray:
    """Return standard normal noise."""
    generator = np.random.default_rng(draw.getrandbits(32))
    return generator.standard_normal(shape, dtype=np.float32)


def smooth_field(draw: random.Random, size: tuple[int, int], cells: int) -> np.ndarray:
    """Return a smooth field from 0 to 1 of (width, height) with so many hills along a side."""
    small = Image.fromarray(noise(draw, (cells, cells)))
    field = np.asarray(small.resize(size, Image.Resampling.BICUBIC))
    lowest = field.min()
    return (field - lowest) / max(1e-6, field.max() - lowest)


@functools.cache
def photograph_files() -> list[Path]:
    """Return the photographs to use, each of another scene: the sample's, then SHARED's."""
    sample = sl.datasets.load_sample()
    root = Path(sample.attrs["root"])
    files = []
    for path in sample["path"]:
        files.append(root / path)
    for path in sorted((SHARED / "data" / "wallpapers").glob("*.jpg")):
        is_of_a_series = "Ubuntu-Mate" in path.name or "Stripes" in path.name
        is_of_a_series = is_of_a_series or path.stem.endswith("_dark")
        has_detail = path.stat().st_size > 45_000
        if has_detail and not is_of_a_series:
            files.append(path)
    return files


@functools.lru_cache(maxsize=200)
def photograph(number: int, side: int = 900) -> Image.Image:
    """Return a photograph, at most so many pixels on the longer side."""
    files = photograph_files()
    image = sl.read_image(files[number % len(files)])
    return ImageOps.contain(image, (side, side))


def copy_of(image: Image.Image, draw: random.Random, edit: str) -> Image.Image:
    """Return a copy of a picture: one edit, in two of five cases followed by a light one."""
    copy = EDITS[edit](image.convert("RGB"), draw)
    if draw.random() < 0.4:
        copy = draw.choice([smaller, recompressed, blurred])(copy, draw)
    return copy


def smaller(image, draw):
    """Return it with a third to four fifths of the pixels a side."""
    scale = draw.uniform(0.35, 0.8)
    scale = max(scale, 200 / min(image.size))
    size = (round(scale * image.width), round(scale * image.height))
    return image.resize(size, Image.Resampling.LANCZOS)


def recompressed(image, draw):
    """Return it after a strong JPEG compression."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=draw.randint(20, 55))
    return Image.open(buffer).convert("RGB")


def trimmed(image, draw):
    """Return it without a little of each side."""
    left = round(draw.uniform(0.01, 0.09) * image.width)
    top = round(draw.uniform(0.01, 0.09) * image.height)
    right = image.width - round(draw.uniform(0.01, 0.09) * image.width)
    bottom = image.height - round(draw.uniform(0.01, 0.09) * image.height)
    return image.crop((left, top, right, bottom))


def detail(image, draw):
    """Return 40 % of its area."""
    area = 0.4
    width = round(math.sqrt(area) * image.width)
    height = round(math.sqrt(area) * image.height)
    left = draw.randint(0, image.width - width)
    top = draw.randint(0, image.height - height)
    return image.crop((left, top, left + width, top + height))


def scanned(image, draw):
    """Return it as a scanner sees it: a little turned, softer, darker, with noise."""
    turned = image.rotate(
        draw.choice([-1, 1]) * draw.uniform(0.4, 1.8),
        resample=Image.Resampling.BICUBIC,
        fillcolor=(235, 235, 235),
        translate=(draw.randint(-9, 9), draw.randint(-9, 9)),
    )
    soft = turned.filter(ImageFilter.GaussianBlur(draw.uniform(0.3, 0.9)))
    pixels = np.asarray(soft, np.float32) * draw.uniform(0.86, 0.98)
    grain = noise(draw, pixels.shape[:2])[..., None] * draw.uniform(2, 7)
    return Image.fromarray((pixels + grain).clip(0, 255).astype(np.uint8))


def photographed(image, draw):
    """Return it as a camera sees it from a little aside, in uneven light, on a table."""
    width, height = image.size
    corners = []
    for x, y in ((0, 0), (0, height), (width, height), (width, 0)):
        corners.append(x + draw.uniform(-0.05, 0.05) * width)
        corners.append(y + draw.uniform(-0.05, 0.05) * height)
    table = colour(draw, 60, 200)
    seen = image.transform(
        image.size,
        Image.Transform.QUAD,
        corners,
        resample=Image.Resampling.BICUBIC,
        fillcolor=table,
    )
    light = 0.75 + 0.3 * smooth_field(draw, image.size, 2)[..., None]
    pixels = np.asarray(seen, np.float32) * light
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def bordered(image, draw):
    """Return it with a plain border."""
    width = round(draw.uniform(0.02, 0.12) * max(image.size))
    return ImageOps.expand(image, width, colour(draw))


def with_strip(image, draw):
    """Return it with a strip below that says where it was posted."""
    height = max(18, round(draw.uniform(0.04, 0.09) * image.height))
    shade = draw.choice([(255, 255, 255), (0, 0, 0), (30, 60, 120), (220, 220, 220)])
    strip = ImageOps.expand(image, (0, 0, 0, height), shade)
    ink = (250, 250, 250) if sum(shade) < 300 else (40, 40, 40)
    text = f"{words(draw, 2)} - {draw.choice(NAMES).lower()}.example"
    place = (12, image.height + height // 2)
    ImageDraw.Draw(strip).text(place, text, font=font(height // 2), fill=ink, anchor="lm")
    return strip


def stamped(image, draw):
    """Return it with a rubber stamp."""
    side = max(image.size)
    text = draw.choice(["RECEIVED", "PAID", "COPY", "DRAFT", "ARCHIVE", "SAMPLE"])
    letters = font(max(14, side // 22), "bold")
    box = letters.getbbox(text)
    stamp = Image.new("L", (box[2] + 30, box[3] + 30))
    pen = ImageDraw.Draw(stamp)
    pen.rectangle((2, 2, box[2] + 26, box[3] + 26), outline=230, width=5)
    pen.text((14, 12), text, font=letters, fill=230)
    stamp = stamp.rotate(draw.uniform(-35, 35), expand=True, resample=Image.Resampling.BICUBIC)
    ink = draw.choice([(190, 20, 30), (20, 50, 160), (20, 120, 60)])
    return _pasted(image, draw, Image.new("RGB", stamp.size, ink), stamp)


def signed(image, draw):
    """Return it with a signature in its lower part."""
    signed_image = image.copy()
    width, height = image.size
    left = draw.uniform(0.1, 0.5) * width
    middle = draw.uniform(0.8, 0.93) * height
    points = []
    for step in range(24):
        x = left + step * 0.014 * width
        y = middle + draw.uniform(-0.035, 0.035) * height
        points.append((x, y))
    ink = draw.choice([(20, 30, 120), (10, 10, 10), (250, 250, 250)])
    ImageDraw.Draw(signed_image).line(points, fill=ink, width=max(2, width // 250), joint="curve")
    return signed_image


def watermarked(image, draw):
    """Return it with a translucent text across it."""
    text = f"{draw.choice(NAMES)} {draw.choice(['archive', 'stock', 'photo', 'press'])}"
    size = max(16, min(image.size) // 11)
    layer = Image.new("L", image.size)
    pen = ImageDraw.Draw(layer)
    step = draw.choice([3, 4, 6]) * size
    for row, y in enumerate(range(0, image.height, step)):
        pen.text((-row * size % (4 * size), y), text, font=font(size), fill=draw.randint(60, 110))
    ink = draw.choice([(255, 255, 255), (90, 90, 90)])
    return Image.composite(Image.new("RGB", image.size, ink), image, layer)


def captioned(image, draw):
    """Return it with a text on a bar that lies over it, at the top or the bottom."""
    captioned_image = image.copy()
    width, height = image.size
    size = max(12, width // 26)
    top = draw.choice([0, height - 2 * size])
    pen = ImageDraw.Draw(captioned_image)
    pen.rectangle((0, top, width, top + 2 * size), fill=colour(draw, 0, 90))
    pen.text(
        (width // 2, top + size), words(draw, 4), font=font(size), fill=(250, 240, 120), anchor="mm"
    )
    return captioned_image


def with_sticker(image, draw):
    """Return it with a round sticker."""
    side = round(draw.uniform(0.14, 0.24) * min(image.size))
    sticker = Image.new("RGB", (side, side), colour(draw, 40, 230))
    pen = ImageDraw.Draw(sticker)
    text = draw.choice(["NEW", "-20%", "50%", "TOP", "SALE"])
    pen.text(
        (side // 2, side // 2),
        text,
        font=font(max(8, side // 4), "bold"),
        fill="white",
        anchor="mm",
    )
    mask = Image.new("L", (side, side))
    ImageDraw.Draw(mask).ellipse((0, 0, side - 1, side - 1), fill=255)
    return _pasted(image, draw, sticker, mask)


def annotated(image, draw):
    """Return it with a ring and an arrow in red, or with marker pen over some lines."""
    width, height = image.size
    marks = Image.new("RGB", image.size, "white")
    pen = ImageDraw.Draw(marks)
    x = round(draw.uniform(0.1, 0.6) * width)
    y = round(draw.uniform(0.1, 0.7) * height)
    if draw.random() < 0.5:
        for line in range(3):
            low = y + round(line * 0.045 * height)
            right = x + round(draw.uniform(0.15, 0.35) * width)
            pen.rectangle((x, low, right, low + round(0.022 * height)), fill=(255, 240, 70))
        return ImageChops.multiply(image, marks)
    thick = max(3, width // 130)
    pen.ellipse((x, y, x + 0.3 * width, y + 0.16 * height), outline=(220, 20, 20), width=thick)
    pen.line((x + 0.3 * width, y + 0.2 * height, 0.95 * width, 0.95 * height), fill=(220, 20, 20))
    return ImageChops.multiply(image, marks)


def toned(image, draw):
    """Return it brighter or darker, with another contrast, and warmer or colder as a whole."""
    toned_image = ImageEnhance.Brightness(image).enhance(draw.uniform(0.75, 1.2))
    toned_image = ImageEnhance.Contrast(toned_image).enhance(draw.uniform(0.7, 1.25))
    toned_image = ImageEnhance.Color(toned_image).enhance(draw.uniform(0.7, 1.4))
    warmth = draw.uniform(-0.15, 0.15)
    gains = np.array([1 + warmth, 1, 1 - warmth], np.float32)
    pixels = np.asarray(toned_image, np.float32) * gains
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def greyed(image, draw):
    """Return it in grey, or in sepia."""
    grey = image.convert("L")
    if draw.random() < 0.6:
        return grey.convert("RGB")
    return ImageOps.colorize(grey, (35, 20, 10), (255, 240, 210))


def blurred(image, draw):
    """Return it out of focus: up to a pixel and a half at 384 pixels a side."""
    radius = draw.uniform(0.5, 1.5) * max(image.size) / 384
    return image.filter(ImageFilter.GaussianBlur(radius))


def on_a_screen(image, draw):
    """Return a screenshot in which it is shown between two bars."""
    inner = ImageOps.contain(image, (900, 1300))
    bar = draw.randint(50, 130)
    margin = draw.choice([0, 0, 40])
    size = (inner.width + 2 * margin, inner.height + 3 * bar)
    screen = Image.new("RGB", size, draw.choice([(255, 255, 255), (18, 18, 18)]))
    screen.paste(inner, (margin, round(1.5 * bar)))
    pen = ImageDraw.Draw(screen)
    shade = colour(draw, 40, 150)
    pen.rectangle((0, 0, size[0], bar), fill=shade)
    clock = f"{draw.randint(10, 23)}:{draw.randint(10, 59)}"
    pen.text((20, bar // 2), clock, font=font(bar // 3), fill="white", anchor="lm")
    pen.text(
        (size[0] // 2, bar // 2), words(draw, 1), font=font(bar // 2), fill="white", anchor="mm"
    )
    pen.rectangle((0, size[1] - bar, size[0], size[1]), fill=shade)
    for part in (1, 2, 3):
        x = part * size[0] // 4
        y = size[1] - bar // 2
        pen.ellipse(
            (x - bar // 5, y - bar // 5, x + bar // 5, y + bar // 5), outline="white", width=4
        )
    return screen


def unfinished(image, draw):
    """Return an earlier state of a page: a lower part of it is still empty."""
    earlier = image.copy()
    width, height = image.size
    top = round(draw.uniform(0.55, 0.75) * height)
    empty = (0, top, width, round(0.93 * height))
    counted = image.crop(empty).getcolors(width * height)
    ground = max(counted)[1]
    earlier.paste(ground, empty)
    return earlier


def _pasted(image, draw, patch, mask):
    """Return a picture with a patch somewhere that is not at its rim."""
    pasted = image.copy()
    free_x = max(1, image.width - patch.width)
    free_y = max(1, image.height - patch.height)
    place = (round(draw.uniform(0.05, 0.95) * free_x), round(draw.uniform(0.05, 0.95) * free_y))
    pasted.paste(patch, place, mask)
    return pasted


EDITS = {
    edit.__name__: edit
    for edit in (
        smaller,
        recompressed,
        trimmed,
        detail,
        scanned,
        photographed,
        bordered,
        with_strip,
        stamped,
        signed,
        watermarked,
        captioned,
        with_sticker,
        annotated,
        toned,
        greyed,
        blurred,
        on_a_screen,
        unfinished,
    )
}
"""How a copy is made."""
