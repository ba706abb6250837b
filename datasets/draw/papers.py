"""Forms, pages of text and puzzles: the same layout filled in differently is the hardest
negative.
"""

import numpy as np
from PIL import Image, ImageDraw

from .tools import font, mix, noise, picture, ramp, random, shrink

RULES = (
    "The reader handles one sheet at a time, keeps it flat on the table, and",
    "returns it to the desk before the next is fetched. Ink, food and wet coats",
    "stay outside. Copies are for private study; ask before you publish them.",
)
INK, BLUE, RULE = "#20242c", "#1d4f91", "#b9c2cf"


def invoice(
    number: str, date: str, client: list[str], items: list[tuple[str, int, float]]
) -> Image.Image:
    """Return a filled-in invoice, 362 × 512."""
    image = Image.new("RGB", (724, 1024), "#ffffff")
    draw = ImageDraw.Draw(image)
    draw.rectangle([0, 0, 724, 18], BLUE)
    for corner, colour in ((0, BLUE), (1, "#f2a33a"), (2, "#1d4f91")):
        draw.regular_polygon(
            (84 + 17 * corner, 96, 26), 6, rotation=30, fill=None, outline=colour, width=7
        )
    draw.text((156, 66), "Larkspur Optics", INK, font("DejaVuSans-Bold", 30))
    draw.text(
        (157, 106), "12 Mill Lane · Ashford · lenses and mirrors", "#5a6472", font("DejaVuSans", 16)
    )
    draw.text((60, 176), "INVOICE", BLUE, font("DejaVuSans-Bold", 50))
    for row, (word, value) in enumerate(
        (("Number", number), ("Date", date), ("Due", "30 days net"))
    ):
        draw.text((430, 178 + 28 * row), word, "#5a6472", font("DejaVuSans", 18))
        draw.text((664, 178 + 28 * row), value, INK, font("DejaVuSans-Bold", 18), anchor="ra")
    draw.text((60, 280), "Bill to", "#5a6472", font("DejaVuSans", 17))
    for row, line in enumerate(client):
        draw.text((60, 304 + 27 * row), line, INK, font("DejaVuSans", 20))
    _items(draw, items)
    _signature(draw, number)
    draw.text(
        (60, 960),
        "Please quote the number when you pay. Thank you for your order.",
        "#5a6472",
        font("DejaVuSans", 16),
    )
    return shrink(image, 2)


def _items(draw: ImageDraw.ImageDraw, items: list[tuple[str, int, float]]) -> None:
    edges, top, row = (60, 404, 470, 566, 664), 408, 37
    draw.rectangle([60, top, 664, top + row], BLUE)
    for word, x, anchor in (
        ("Item", 72, "lm"),
        ("Qty", 458, "rm"),
        ("Price", 554, "rm"),
        ("Amount", 654, "rm"),
    ):
        draw.text((x, top + row / 2), word, "#ffffff", font("DejaVuSans-Bold", 18), anchor=anchor)
    for line in range(9):
        y = top + row * (line + 1)
        draw.rectangle([60, y, 664, y + row], "#ffffff" if line % 2 else "#eef3f9")
        for word, x, anchor in _cells(items[line]) if line < len(items) else ():
            draw.text((x, y + row / 2), word, INK, font("DejaVuSans", 18), anchor=anchor)
    for x in edges:
        draw.line([x, top, x, top + 10 * row], RULE, 2)
    draw.line([60, top + 10 * row, 664, top + 10 * row], RULE, 2)
    net = sum(count * price for _, count, price in items)
    for line, (word, value) in enumerate(
        (("Net", net), ("Tax 20 %", 0.2 * net), ("Total", 1.2 * net))
    ):
        face = font("DejaVuSans-Bold" if word == "Total" else "DejaVuSans", 20)
        draw.text((470, 800 + 30 * line), word, INK, face)
        draw.text((654, 800 + 30 * line), f"{value:,.2f}", INK, face, anchor="ra")
    draw.line([470, 856, 664, 856], INK, 2)


def _cells(item: tuple[str, int, float]) -> tuple[tuple[str, int, str], ...]:
    name, count, price = item
    return (
        (name, 72, "lm"),
        (str(count), 458, "rm"),
        (f"{price:,.2f}", 554, "rm"),
        (f"{count * price:,.2f}", 654, "rm"),
    )


def _signature(
    draw: ImageDraw.ImageDraw, seed: str, at: tuple[int, int] = (80, 872), wide: int = 230
) -> None:
    generator = random("signature", seed)
    t = np.linspace(0, 1, 400)
    loops = sum(
        generator.normal(0, 1 / k) * np.sin(2 * np.pi * (k * 2.2 * t + generator.random()))
        for k in range(1, 6)
    )
    sway = sum(generator.normal(0, 0.06) * np.cos(2 * np.pi * k * 2.1 * t) for k in range(1, 5))
    points = [
        (at[0] + wide * (a + b), at[1] - 20 * c * (1 - 0.6 * a)) for a, b, c in zip(t, sway, loops)
    ]
    draw.line(points, "#1a2f7a", 3, joint="curve")
    draw.line([at[0] - 20, at[1] + 34, at[0] + wide + 20, at[1] + 34], RULE, 2)


def page(chapter: str, folio: int, paragraphs: list[str]) -> Image.Image:
    """Return a page of a book in justified serif type, 352 × 512; it opens with a drop cap."""
    image = Image.new("RGB", (704, 1024), "#fbf7ec")
    draw = ImageDraw.Draw(image)
    face, left, right, y = font("STIXGeneral", 24), 76, 628, 150
    draw.text((352, 78), chapter, INK, font("STIXGeneralItalic", 24), anchor="mm")
    draw.line([300, 104, 404, 104], "#8a7f68", 2)
    first = paragraphs[0]
    draw.text((left - 2, y - 23), first[0], "#7a2318", font("STIXGeneralBol", 100))
    indent = 20 + font("STIXGeneralBol", 100).getlength(first[0])
    for number, paragraph in enumerate(paragraphs):
        words = (paragraph[1:] if number == 0 else paragraph).split()
        line = 0
        while words and y < 940:
            start = left + (
                indent if number == 0 and line < 3 else 34 if number and line == 0 else 0
            )
            words, y, line = _line(draw, words, face, (start, right, y)), y + 32, line + 1
    draw.text((352, 976), f"{folio}", INK, font("STIXGeneral", 24), anchor="mm")
    return shrink(image, 2)


def _line(
    draw: ImageDraw.ImageDraw, words: list[str], face, place: tuple[float, float, float]
) -> list[str]:
    """Set one justified line and return the words that are left."""
    left, right, y = place
    count = 1
    while count < len(words) and face.getlength(" ".join(words[: count + 1])) <= right - left:
        count += 1
    free = right - left - sum(face.getlength(word) for word in words[:count])
    gap = free / max(1, count - 1) if count < len(words) else face.getlength(" ")
    for word in words[:count]:
        draw.text((round(left), y), word, INK, face)
        left += face.getlength(word) + gap
    return words[count:]


def sudoku(seed: str, givens: int) -> Image.Image:
    """Return a printed sudoku, 320 × 320; the digits come from a valid grid."""
    generator = random("sudoku", seed)
    order = [
        3 * band + row for band in generator.permutation(3) for row in generator.permutation(3)
    ]
    columns = [
        3 * stack + column
        for stack in generator.permutation(3)
        for column in generator.permutation(3)
    ]
    digits = generator.permutation(9) + 1
    shown = set(generator.permutation(81)[:givens].tolist())
    image = Image.new("L", (960, 960), 255)
    draw = ImageDraw.Draw(image)
    for line in range(10):
        at, thick = 42 + 97.3 * line, 9 if line % 3 == 0 else 3
        draw.line([at, 42, at, 918], 20, thick)
        draw.line([38, at, 922, at], 20, thick)
    for row, a in enumerate(order):
        for column, b in enumerate(columns):
            if 9 * row + column in shown:
                digit = digits[(3 * (a % 3) + a // 3 + b) % 9]
                draw.text(
                    (90.6 + 97.3 * column, 90.6 + 97.3 * row),
                    str(digit),
                    20,
                    font("DejaVuSans", 62),
                    anchor="mm",
                )
    return shrink(image, 3)


def form_on_a_desk() -> Image.Image:
    """Return a stamped application form lying on a wooden desk, seen at an angle, 480 × 360."""
    width, height, generator = 960, 720, random("desk")
    y, x = np.mgrid[0:height, 0:width].astype(float)
    planks = (y / 178 + 0.02 * noise(generator, (width, height), 2, 2)) % 1
    fibre = noise(generator, (width, height), 3, 3)
    grain = (
        np.sin(26 * (y / 178 + 0.35 * fibre))
        + 0.6 * noise(generator, (60, height), 60, 3)[:, (np.arange(width) // 16) % 60]
    )
    wood = ramp(0.5 + 0.16 * grain + 0.1 * fibre, ["#6b4226", "#8d5a34", "#a8713f", "#c08a54"])
    wood *= (0.55 + 0.45 * np.clip(planks * 40, 0, 1))[..., None]
    sheet = _form().convert("RGBA")
    corners = ((250, 52), (742, 82), (800, 690), (150, 640))
    laid = sheet.transform(
        (width, height),
        Image.Transform.PERSPECTIVE,
        _perspective(corners, sheet.size),
        Image.Resampling.BICUBIC,
    )
    shadow = Image.new("RGBA", sheet.size, "#000000").transform(
        (width, height),
        Image.Transform.PERSPECTIVE,
        _perspective([(a + 12, b + 14) for a, b in corners], sheet.size),
    )
    soft = (
        np.asarray(
            shadow.getchannel("A").reduce(8).resize((width, height), Image.Resampling.BICUBIC),
            dtype=float,
        )
        / 255
    )
    pixels = mix(wood, (20, 10, 5), 0.6 * soft)
    pixels = mix(
        pixels,
        np.asarray(laid.convert("RGB"), dtype=float),
        np.asarray(laid.getchannel("A"), dtype=float) / 255,
    )
    lamp = 1.08 - 0.55 * np.hypot(x / width - 0.35, y / height - 0.3) ** 1.5
    pixels = pixels * lamp[..., None] * np.array([1.0, 0.975, 0.92]) + generator.normal(
        0, 2.5, (height, width, 1)
    )
    return shrink(picture(pixels), 2)


def _perspective(corners, size: tuple[int, int]) -> list[float]:
    """Return Pillow's eight coefficients that take a picture's corners (clockwise) to `corners`."""
    width, height = size
    rows, wanted = [], []
    for (x, y), (u, v) in zip(corners, ((0, 0), (width, 0), (width, height), (0, height))):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        wanted += [u, v]
    return (
        np.linalg.solve(np.array(rows, dtype=float), np.array(wanted, dtype=float))
        .round(9)
        .tolist()
    )


def _form() -> Image.Image:
    image = Image.new("RGB", (620, 800), "#fdfcf8")
    draw = ImageDraw.Draw(image)
    draw.text((310, 54), "APPLICATION FOR ACCESS", INK, font("DejaVuSerif-Bold", 30), anchor="mm")
    draw.text(
        (310, 88),
        "Reading room · rare maps and prints",
        "#555555",
        font("DejaVuSerif", 18),
        anchor="mm",
    )
    fields = (
        ("Name", "H. Tanabe"),
        ("Address", "4 Quay Street"),
        ("Subject", "Coast charts, 1780–1820"),
        ("From", "3 March"),
    )
    for row, (word, written) in enumerate(fields):
        y = 138 + 62 * row
        draw.rectangle([48, y, 572, y + 50], None, "#444444", 2)
        draw.line([180, y, 180, y + 50], "#444444", 2)
        draw.text((60, y + 25), word, INK, font("DejaVuSans", 20), anchor="lm")
        draw.text((200, y + 26), written, "#1a2f7a", font("DejaVuSerif-Italic", 25), anchor="lm")
    for row, word in enumerate(
        ("I will use pencil only", "I need the large table", "I bring a camera")
    ):
        y = 412 + 44 * row
        draw.rectangle([50, y, 74, y + 24], None, INK, 2)
        draw.text((92, y + 12), word, INK, font("DejaVuSans", 20), anchor="lm")
        if row != 1:
            draw.line([53, y + 11, 61, y + 21, 80, y - 7], "#1a2f7a", 4)
    for row, line in enumerate(RULES):
        draw.text((50, 552 + 22 * row), line, "#333333", font("DejaVuSerif", 14))
    _signature(draw, "desk", (70, 700), 200)
    for radius, thick in ((62, 6), (50, 3)):
        draw.ellipse(
            [480 - radius, 690 - radius, 480 + radius, 690 + radius], None, "#c8281e", thick
        )
    draw.text((480, 672), "SEEN", "#c8281e", font("DejaVuSans-Bold", 27), anchor="mm")
    draw.text((480, 706), "14 FEB", "#c8281e", font("DejaVuSans-Bold", 20), anchor="mm")
    return image
