"""Look-alikes on paper and on screens: one layout, in which each picture has its own content.

Every function draws one picture of its kind from ``draw``, its own random generator, and
``style``, the generator of its layout, which it shares with its look-alikes.
"""

import random
from typing import NamedTuple

from lookalike_copies import (
    JAPANESE,
    NAMES,
    WORDS,
    colour,
    font,
    japanese_font,
    photograph,
    sentence,
    words,
)
from PIL import Image, ImageDraw, ImageOps

INK = (25, 25, 25)


def receipts(draw: random.Random, style: random.Random) -> Image.Image:
    """A shop's receipts: other articles, prices and sums."""
    width = style.choice([380, 460, 560])
    size = width // 23
    shop = f"{style.choice(NAMES).upper()} {style.choice(WORDS).upper()}"
    count = draw.randint(12, 18)
    page = Image.new(
        "RGB", (width, (count + 16) * size * 3 // 2), style.choice(["white", "#f4f1e6"])
    )
    pen = ImageDraw.Draw(page)
    pen.text((width // 2, size), shop, font=font(size * 3 // 2, "bold"), fill=INK, anchor="ma")
    lines = [f"{words(style, 1)} street {style.randint(1, 90)}", "-" * 34]
    date = f"{draw.randint(1, 28):02d}.{draw.randint(1, 12):02d}.2024"
    lines.append(f"{date}   No. {draw.randint(10**4, 10**5)}")
    lines.append("=" * 34)
    total = 0.0
    for _ in range(count):
        price = draw.randint(49, 4999) / 100
        total += price
        lines.append(f"{words(draw, 2)[:20]:<22}{price:>10.2f}")
    lines.extend(
        ["=" * 34, f"{'TOTAL':<22}{total:>10.2f}", f"{'VAT 19 %':<22}{0.19 * total:>10.2f}"]
    )
    lines.append(
        f"Card ****{draw.randint(1000, 9999)}  {draw.randint(8, 20)}:{draw.randint(10, 59)}"
    )
    lines.extend(["", "THANK YOU FOR YOUR VISIT"])
    for row, line in enumerate(lines):
        pen.text((size, (row + 3) * size * 3 // 2), line, font=font(size, "mono"), fill=INK)
    return page


def invoices(draw: random.Random, style: random.Random) -> Image.Image:
    """A firm's invoices: letterhead, address, positions, sum; some are Japanese."""
    page = Image.new("RGB", (990, 1400), "white")
    pen = ImageDraw.Draw(page)
    is_japanese = style.random() < 0.5 and japanese_font() is not None
    face = "japanese" if is_japanese else "sans"
    vocabulary = JAPANESE if is_japanese else WORDS
    accent = colour(style, 20, 160)
    pen.rectangle((0, 0, 990, style.randint(70, 130)), fill=accent)
    pen.text((60, 25), words(style, 2, vocabulary).upper(), font=font(44, face), fill="white")
    for row in range(4):
        pen.text((70, 190 + 34 * row), words(draw, 3, vocabulary), font=font(24, face), fill=INK)
    title = "請求書" if is_japanese else "Invoice"
    pen.text((70, 380), f"{title} {draw.randint(10**5, 10**6)}", font=font(40, face), fill=accent)
    pen.line((70, 450, 920, 450), fill=accent, width=4)
    count = draw.randint(9, 13)
    for row in range(count):
        y = 480 + 52 * row
        amount = draw.randint(100, 99999) / 100
        pen.text((80, y), str(row + 1), font=font(24), fill=INK)
        pen.text((140, y), words(draw, 4, vocabulary)[:38], font=font(24, face), fill=INK)
        pen.text((910, y), f"{amount:.2f}", font=font(24), fill=INK, anchor="ra")
        pen.line((70, y + 40, 920, y + 40), fill=(205, 205, 205), width=2)
    total = f"{draw.randint(10**4, 10**6) / 100:.2f}"
    pen.text((910, 490 + 52 * count), total, font=font(34, "bold"), fill=INK, anchor="ra")
    pen.line((70, 1310, 920, 1310), fill=accent, width=2)
    pen.text((495, 1330), sentence(style, 9), font=font(20), fill=(110, 110, 110), anchor="ma")
    return page


def letters(draw: random.Random, style: random.Random) -> Image.Image:
    """Letters under one letterhead, each with its own text."""
    face = style.choice(["serif", "sans"])
    page = Image.new("RGB", (1060, 1500), style.choice(["white", "#fbfaf3", "#eef2f5"]))
    pen = ImageDraw.Draw(page)
    accent = colour(style, 0, 150)
    middle = style.choice([160, 530, 900])
    pen.regular_polygon((middle, 110, 60), style.randint(3, 8), fill=accent)
    pen.text((middle, 185), words(style, 2).title(), font=font(30, face), fill=accent, anchor="ma")
    pen.text(
        (110, 280), f"{draw.choice(NAMES)} {words(draw, 1).title()}", font=font(26, face), fill=INK
    )
    pen.text(
        (110, 318), f"{words(draw, 1).title()} {draw.randint(1, 99)}", font=font(26, face), fill=INK
    )
    pen.text((110, 440), sentence(draw, 4), font=font(29, "serif bold"), fill=INK)
    y = 510
    for _ in range(draw.randint(3, 4)):
        for _ in range(draw.randint(4, 6)):
            pen.text((110, y), words(draw, 10)[:62], font=font(25, face), fill=INK)
            y += 37
        y += 22
    pen.text(
        (110, y + 20),
        f"{draw.choice(NAMES)} {words(draw, 1).title()}",
        font=font(28, face),
        fill=INK,
    )
    pen.line((110, 1410, 950, 1410), fill=accent, width=3)
    pen.text((110, 1425), sentence(style, 10), font=font(19, face), fill=accent)
    return page


def spreadsheets(draw: random.Random, style: random.Random) -> Image.Image:
    """One table with other numbers in its cells; the heads of rows and columns stay."""
    columns = style.randint(5, 8)
    rows = style.randint(14, 20)
    wide = 130
    page = Image.new("RGB", (200 + columns * wide, 100 + rows * 42), "white")
    pen = ImageDraw.Draw(page)
    accent = colour(style, 30, 170)
    pen.rectangle((0, 0, page.width, 50), fill=accent)
    pen.text((20, 10), words(style, 3).title(), font=font(26, "bold"), fill="white")
    heads = [words(style, 1) for _ in range(columns)]
    names = [words(style, 1) for _ in range(rows)]
    for column, head in enumerate(heads):
        pen.text(
            (190 + (column + 1) * wide, 60), head, font=font(20, "bold"), fill=accent, anchor="ra"
        )
    for row, name in enumerate(names):
        y = 96 + row * 42
        if row % 2:
            pen.rectangle((0, y, page.width, y + 42), fill=(238, 242, 247))
        pen.text((15, y + 9), name, font=font(21), fill=INK)
        for column in range(columns):
            number = f"{draw.randint(0, 999999) / 100:.2f}"
            pen.text(
                (190 + (column + 1) * wide, y + 9), number, font=font(21), fill=INK, anchor="ra"
            )
    return page


def charts(draw: random.Random, style: random.Random) -> Image.Image:
    """Bars, lines or points in the same axes, of other data."""
    width = style.choice([700, 900, 1200])
    height = width * 2 // 3
    form = style.choice(["bars", "lines", "points", "areas"])
    page = Image.new("RGB", (width, height), style.choice(["white", "#f5f5f5", "#16202c"]))
    is_dark = page.getpixel((0, 0))[0] < 100
    ink = (225, 225, 225) if is_dark else INK
    pen = ImageDraw.Draw(page)
    left, top, right, bottom = 90, 70, width - 40, height - 70
    pen.text((width // 2, 20), sentence(style, 4), font=font(26, "bold"), fill=ink, anchor="ma")
    for tick in range(6):
        y = bottom - tick * (bottom - top) // 5
        pen.line((left, y, right, y), fill=(120, 130, 140), width=1)
        pen.text((left - 12, y), str(20 * tick), font=font(20), fill=ink, anchor="rm")
    pen.line((left, top, left, bottom, right, bottom), fill=ink, width=3)
    count = style.randint(8, 14)
    for series in range(style.randint(1, 3)):
        shade = colour(style, 60, 220)
        _series(pen, draw, Axes(form, left, top, right, bottom, count), series, shade)
    for column in range(count):
        x = left + (column + 0.5) * (right - left) / count
        pen.text((x, bottom + 12), str(2000 + column), font=font(15), fill=ink, anchor="ma")
    return page


class Axes(NamedTuple):
    """The form of a chart, its place on the page, and how many values a series has."""

    form: str
    left: int
    top: int
    right: int
    bottom: int
    count: int


def _series(pen, draw, axes, series, shade):
    """Draw one series of data into a chart."""
    form, left, top, right, bottom, count = axes
    step = (right - left) / count
    points = []
    for column in range(count):
        x = left + (column + 0.5) * step
        points.append((x, bottom - draw.uniform(0.06, 0.97) * (bottom - top)))
    if form == "bars":
        for x, y in points:
            start = x - 0.35 * step + series * 0.24 * step
            pen.rectangle((start, y, start + 0.22 * step, bottom), fill=shade)
    elif form == "lines":
        pen.line(points, fill=shade, width=6, joint="curve")
    elif form == "areas" and series == 0:
        pen.polygon([(points[0][0], bottom), *points, (points[-1][0], bottom)], fill=shade)
    else:
        for _ in range(50):
            x = draw.uniform(left, right)
            y = draw.uniform(top, bottom)
            pen.ellipse((x - 8, y - 8, x + 8, y + 8), fill=shade)


def barcodes(draw: random.Random, style: random.Random) -> Image.Image:
    """Labels with bars of digits, as EAN and the like have them."""
    module = style.choice([4, 5, 7])
    digits = [draw.randint(0, 9) for _ in range(13)]
    page = Image.new("RGB", (module * 140, module * style.choice([60, 85])), "white")
    pen = ImageDraw.Draw(page)
    low = page.height - module * 18
    bars = [1, 0, 1]
    for digit in digits:
        coded = random.Random(digit + 77)
        first, second, third = coded.randint(1, 3), coded.randint(1, 3), coded.randint(1, 2)
        bars += [0] * first + [1] * second + [0] * third + [1] * (9 - first - second - third)
    bars += [0, 1, 0, 1]
    for place, bar in enumerate(bars):
        if bar:
            x = module * (8 + place)
            pen.rectangle((x, module * 6, x + module - 1, low), fill="black")
    text = "".join(str(digit) for digit in digits)
    pen.text(
        (page.width // 2, low + module),
        text,
        font=font(module * 13, "mono"),
        fill="black",
        anchor="ma",
    )
    return page


def dot_matrices(draw: random.Random, style: random.Random) -> Image.Image:
    """Square codes with a solid edge on two sides and a dotted one on the others."""
    cells = style.choice([18, 24, 32])
    size = style.choice([300, 480, 640]) // cells
    ink = style.choice(["black", "#10305a"])
    page = Image.new("RGB", ((cells + 4) * size, (cells + 4) * size), "white")
    pen = ImageDraw.Draw(page)
    for row in range(cells):
        for column in range(cells):
            is_dark = draw.random() < 0.5
            if row == 0 or column == cells - 1:
                is_dark = (row + column) % 2 == 0
            if column == 0 or row == cells - 1:
                is_dark = True
            if is_dark:
                x = (column + 2) * size
                y = (row + 2) * size
                pen.rectangle((x, y, x + size - 1, y + size - 1), fill=ink)
    return page


def puzzles(draw: random.Random, style: random.Random) -> Image.Image:
    """Number grids (sudoku) or black-and-white word grids, each with other signs in it."""
    is_sudoku = style.random() < 0.5
    cells = 9 if is_sudoku else style.choice([11, 13, 15])
    size = 720 // cells
    page = Image.new(
        "RGB", (cells * size + 80, cells * size + 160), style.choice(["white", "#fdf8ea"])
    )
    pen = ImageDraw.Draw(page)
    pen.text(
        (40, 20),
        f"{words(style, 2).title()}  No. {draw.randint(100, 999)}",
        font=font(40, "serif bold"),
        fill=INK,
    )
    number = 1
    for row in range(cells):
        for column in range(cells):
            x = 40 + column * size
            y = 110 + row * size
            box = (x, y, x + size, y + size)
            pen.rectangle(box, outline=INK, width=2)
            middle = (x + size // 2, y + size // 2)
            if is_sudoku and draw.random() < 0.5:
                pen.text(
                    middle, str(draw.randint(1, 9)), font=font(size * 2 // 3), fill=INK, anchor="mm"
                )
            if not is_sudoku and draw.random() < 0.3:
                pen.rectangle(box, fill=INK)
            elif not is_sudoku and draw.random() < 0.35:
                pen.text((x + 4, y + 2), str(number), font=font(size // 3), fill=INK)
                number += 1
    if is_sudoku:
        for line in (0, 3, 6, 9):
            pen.line((40 + line * size, 110, 40 + line * size, 110 + 9 * size), fill=INK, width=6)
            pen.line((40, 110 + line * size, 40 + 9 * size, 110 + line * size), fill=INK, width=6)
    return page


def tickets(draw: random.Random, style: random.Random) -> Image.Image:
    """Tickets and badges of one event: name, seat, hour and a code of their own."""
    width = style.choice([640, 900, 1240])
    height = width * 2 // 5
    paper = colour(style, 170, 245)
    accent = colour(style, 10, 120)
    page = Image.new("RGB", (width, height), paper)
    pen = ImageDraw.Draw(page)
    unit = height // 12
    pen.rectangle((0, 0, width, 2 * unit), fill=accent)
    pen.text(
        (unit, unit),
        words(style, 3).upper(),
        font=font(unit * 5 // 4, "bold"),
        fill=paper,
        anchor="lm",
    )
    pen.line((width * 3 // 4, 2 * unit, width * 3 // 4, height), fill=accent, width=3)
    for row, label in enumerate(("Name", "Seat", "Gate", "Date")):
        y = 2.6 * unit + row * 2.3 * unit
        pen.text((unit, y), label, font=font(unit * 3 // 4), fill=accent)
        value = (
            f"{draw.choice(NAMES)} {words(draw, 1).title()}",
            f"Row {draw.randint(1, 60)}  No. {draw.randint(1, 99)}",
            f"{draw.choice('ABCDEFGH')}{draw.randint(1, 30)}  {words(draw, 1)}",
            f"{draw.randint(1, 28)}.{draw.randint(1, 12)}."
            f"  {draw.randint(9, 22)}:{draw.randint(10, 59)}",
        )[row]
        pen.text((4 * unit, y - unit // 3), value, font=font(unit * 3 // 2, "bold"), fill=INK)
    x = width * 3 // 4 + unit
    while x < width - unit:
        thick = draw.randint(1, 4) * max(1, width // 400)
        pen.rectangle((x, 3 * unit, x + thick, 10 * unit), fill=INK)
        x += thick + draw.randint(1, 4) * max(1, width // 400)
    return page


def calendars(draw: random.Random, style: random.Random) -> Image.Image:
    """Pages of one calendar: another month and first weekday, other appointments in the days."""
    page = Image.new("RGB", (1300, 1000), "white")
    pen = ImageDraw.Draw(page)
    accent = colour(style, 20, 170)
    face = "japanese" if style.random() < 0.4 and japanese_font() else "sans"
    vocabulary = JAPANESE if face == "japanese" else WORDS
    months = "January February March April May June July August September October November December"
    month = f"{draw.choice(months.split())} {draw.randint(1990, 2040)}"
    pen.rectangle((0, 0, 1300, 110), fill=accent)
    pen.text((650, 55), month, font=font(60, "bold"), fill="white", anchor="mm")
    first = draw.randint(0, 6)
    for column, name in enumerate(["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]):
        pen.text((110 + 180 * column, 135), name, font=font(26, "bold"), fill=accent, anchor="mm")
    for cell in range(35):
        x = 20 + 180 * (cell % 7)
        y = 160 + 165 * (cell // 7)
        pen.rectangle((x, y, x + 180, y + 165), outline=(140, 140, 140), width=2)
        if first <= cell < first + 30:
            pen.text((x + 10, y + 6), str(cell - first + 1), font=font(34, "bold"), fill=INK)
        if draw.random() < 0.55:
            pen.rectangle((x + 8, y + 60, x + 172, y + 100), fill=colour(draw, 150, 240))
            pen.text(
                (x + 14, y + 66), words(draw, 2, vocabulary)[:12], font=font(22, face), fill=INK
            )
        if draw.random() < 0.35:
            pen.text(
                (x + 14, y + 112),
                words(draw, 2, vocabulary)[:12],
                font=font(22, face),
                fill=(170, 30, 30),
            )
    return page


def sheet_music(draw: random.Random, style: random.Random) -> Image.Image:
    """Staves with other notes on them."""
    gap = style.choice([9, 11, 13])
    staves = style.randint(5, 8)
    page = Image.new("RGB", (900, 190 + staves * gap * 12), style.choice(["white", "#fffdf2"]))
    pen = ImageDraw.Draw(page)
    pen.text((450, 40), sentence(draw, 3), font=font(38, "serif bold"), fill=INK, anchor="ma")
    for stave in range(staves):
        top = 150 + stave * gap * 12
        for line in range(5):
            pen.line((50, top + line * gap, 850, top + line * gap), fill=INK, width=2)
        for bar in (50, 250, 450, 650, 850):
            pen.line((bar, top, bar, top + 4 * gap), fill=INK, width=3)
        x = 75
        while x < 835:
            y = top + draw.randint(-1, 9) * gap / 2
            is_full = draw.random() < 0.7
            shade = INK if is_full else None
            pen.ellipse(
                (x - gap * 0.65, y - gap / 2, x + gap * 0.65, y + gap / 2),
                fill=shade,
                outline=INK,
                width=2,
            )
            pen.line((x + gap * 0.6, y, x + gap * 0.6, y - 3.2 * gap), fill=INK, width=3)
            if draw.random() < 0.4:
                pen.line(
                    (x + gap * 0.6, y - 3.2 * gap, x + gap * 1.7, y - 2 * gap), fill=INK, width=4
                )
            x += draw.choice([28, 36, 50])
    return page


def maps(draw: random.Random, style: random.Random) -> Image.Image:
    """Tiles of one map: streets, parks and water elsewhere; colours and legend are the same."""
    ground = style.choice([(242, 239, 233), (229, 227, 223), (38, 46, 60)])
    street = style.choice([(255, 255, 255), (250, 214, 130), (120, 130, 150)])
    size = style.choice([512, 800, 1024])
    page = Image.new("RGB", (size, size), ground)
    pen = ImageDraw.Draw(page)
    for _ in range(draw.randint(4, 8)):
        x, y = draw.uniform(0, size), draw.uniform(0, size)
        shade = draw.choice([(186, 218, 170), (160, 200, 225), (215, 205, 190)])
        corners = []
        for _ in range(6):
            corners.append((x + draw.uniform(-0.2, 0.2) * size, y + draw.uniform(-0.2, 0.2) * size))
        pen.polygon(corners, fill=shade)
    for _ in range(draw.randint(20, 30)):
        start = (draw.uniform(0, size), draw.choice([0, size]))
        end = (draw.choice([0, size]), draw.uniform(0, size))
        bend = (draw.uniform(0, size), draw.uniform(0, size))
        thick = draw.choice([4, 6, 12, 20]) * size // 1024 + 1
        pen.line((start, bend, end), fill=(150, 140, 130), width=thick + 3, joint="curve")
        pen.line((start, bend, end), fill=street, width=thick, joint="curve")
    for _ in range(12):
        place = (draw.uniform(0, 0.85) * size, draw.uniform(0, 0.9) * size)
        pen.text(place, words(draw, 1).title(), font=font(size // 40, "bold"), fill=(120, 50, 50))
    pen.rectangle(
        (size * 0.02, size * 0.8, size * 0.26, size * 0.98), fill="white", outline=INK, width=2
    )
    for row, name in enumerate(("park", "water", "road")):
        pen.text((size * 0.06, size * (0.82 + 0.05 * row)), name, font=font(size // 36), fill=INK)
    return page


def newspapers(draw: random.Random, style: random.Random) -> Image.Image:
    """Front pages under one masthead: other headlines, columns and a photograph."""
    page = Image.new("RGB", (1150, 1600), style.choice(["#f7f3e8", "white", "#efefef"]))
    pen = ImageDraw.Draw(page)
    title = f"The {words(style, 1).title()} {style.choice(['Times', 'Post', 'Gazette', 'Herald'])}"
    pen.text((575, 30), title, font=font(84, "serif bold"), fill=INK, anchor="ma")
    pen.line((40, 150, 1110, 150), fill=INK, width=4)
    pen.text(
        (575, 160),
        f"{draw.randint(1, 28)} {words(draw, 2)} {draw.randint(1950, 2024)}",
        font=font(22, "serif"),
        fill=INK,
        anchor="ma",
    )
    pen.line((40, 195, 1110, 195), fill=INK, width=2)
    pen.text((40, 215), sentence(draw, 4)[:30], font=font(60, "serif bold"), fill=INK)
    seen = ImageOps.fit(photograph(draw.randint(0, 10**6)).convert("L"), (700, 460)).convert("RGB")
    page.paste(seen, (40, 310))
    pen.text((40, 790), sentence(draw, 7)[:52], font=font(34, "serif bold"), fill=INK)
    for column in range(4):
        x = 40 + 275 * column
        top = 850 if column < 3 and x < 740 else 310
        for y in range(top, 1550, 24):
            pen.text((x, y), words(draw, 5)[:24], font=font(18, "serif"), fill=(50, 50, 50))
    return page


def app_screens(draw: random.Random, style: random.Random) -> Image.Image:
    """Windows of one program: a list, a side bar and cards with other content."""
    width, height = style.choice([(1366, 768), (720, 1440), (1920, 1080)])
    is_dark = style.random() < 0.4
    ground = (32, 34, 40) if is_dark else (250, 250, 252)
    ink = (225, 225, 230) if is_dark else (40, 40, 45)
    accent = colour(style, 60, 200)
    screen = Image.new("RGB", (width, height), ground)
    pen = ImageDraw.Draw(screen)
    unit = max(width, height) // 50
    pen.rectangle((0, 0, width, 3 * unit), fill=accent)
    pen.text(
        (unit, 1.5 * unit),
        words(style, 1).title(),
        font=font(unit * 3 // 2, "bold"),
        fill="white",
        anchor="lm",
    )
    left = width // 5 if width > height else 0
    for row in range(10 if left else 0):
        pen.text((unit, (5 + 2 * row) * unit), words(style, 1), font=font(unit), fill=accent)
    face = "japanese" if style.random() < 0.3 and japanese_font() else "sans"
    vocabulary = JAPANESE if face == "japanese" else WORDS
    y = 4 * unit
    while y < height - 4 * unit:
        circle = (left + unit, y, left + 4 * unit, y + 3 * unit)
        pen.ellipse(circle, fill=colour(draw, 60, 220))
        pen.text(
            (left + 5 * unit, y),
            words(draw, 2, vocabulary),
            font=font(unit * 6 // 5, face),
            fill=ink,
        )
        detail = words(draw, 5 if left else 3, vocabulary)
        pen.text(
            (left + 5 * unit, y + 1.7 * unit), detail, font=font(unit, face), fill=(135, 135, 145)
        )
        clock = f"{draw.randint(0, 23)}:{draw.randint(10, 59)}"
        pen.text((width - unit, y), clock, font=font(unit), fill=accent, anchor="ra")
        pen.line((left, y + 3.5 * unit, width, y + 3.5 * unit), fill=(128, 128, 135), width=1)
        y += 4 * unit
    return screen


def boards(draw: random.Random, style: random.Random) -> Image.Image:
    """Positions of one game: stones on a grid or pieces on squares."""
    is_go = style.random() < 0.5
    cells = style.choice([9, 13]) if is_go else 8
    size = style.choice([400, 640, 960]) // cells
    light, dark = style.choice(
        [((238, 216, 180), (180, 135, 95)), ((235, 235, 210), (115, 150, 85))]
    )
    board = Image.new("RGB", (cells * size, cells * size), light)
    pen = ImageDraw.Draw(board)
    for row in range(cells):
        for column in range(cells):
            x = column * size
            y = row * size
            if not is_go and (row + column) % 2:
                pen.rectangle((x, y, x + size, y + size), fill=dark)
            if is_go:
                pen.line((x + size // 2, 0, x + size // 2, board.height), fill=INK, width=2)
                pen.line((0, y + size // 2, board.width, y + size // 2), fill=INK, width=2)
    for cell in range(cells * cells):
        if draw.random() > 0.45:
            continue
        x = cell % cells * size + size // 2
        y = cell // cells * size + size // 2
        is_white = draw.random() < 0.5
        shade = "white" if is_white else "black"
        if is_go:
            pen.ellipse(
                (x - size * 0.46, y - size * 0.46, x + size * 0.46, y + size * 0.46),
                fill=shade,
                outline=INK,
            )
        else:
            piece = draw.choice("♚♛♜♝♞♟")
            pen.text(
                (x, y),
                piece,
                font=font(size * 4 // 5),
                fill=shade,
                stroke_width=2,
                stroke_fill=INK,
                anchor="mm",
            )
    return board
