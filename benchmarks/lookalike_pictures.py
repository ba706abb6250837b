"""Look-alikes of things and of photographs: series, things in other colours, shots of a scene.

Every function draws one picture of its kind from ``draw``, its own random generator, ``style``,
the generator of its layout or thing, which it shares with its look-alikes, and, where it shows
a photograph, that photograph's ``number``.
"""

import colorsys
import itertools
import random

import cv2
import numpy as np
from lookalike_copies import NAMES, colour, font, noise, photograph, sentence, smooth_field, words
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

INK = (25, 25, 25)
PAINTS = [
    (200, 30, 40),
    (240, 140, 30),
    (235, 215, 60),
    (40, 140, 60),
    (60, 190, 200),
    (30, 60, 160),
    (140, 60, 170),
    (240, 130, 180),
]
"""Colours that nobody takes for each other."""


def hue(draw: random.Random, choices: int = 12) -> tuple[int, int, int]:
    """Return a strong colour."""
    angle = draw.randrange(choices) / choices
    parts = colorsys.hsv_to_rgb(angle, draw.uniform(0.6, 0.95), draw.uniform(0.55, 0.95))
    return tuple(round(255 * part) for part in parts)


def trading_cards(draw: random.Random, style: random.Random, number: int) -> Image.Image:
    """Cards of a series: one frame, and in it a photograph, a name and numbers."""
    card = Image.new("RGB", (630, 880), hue(style))
    pen = ImageDraw.Draw(card)
    pen.rounded_rectangle(
        (22, 22, 608, 858), 26, fill=colour(style, 190, 250), outline=INK, width=4
    )
    pen.text(
        (50, 42), f"{draw.choice(NAMES)} {words(draw, 1).title()}", font=font(40, "bold"), fill=INK
    )
    pen.text(
        (580, 46),
        str(draw.randint(10, 300)),
        font=font(36, "bold"),
        fill=(180, 20, 30),
        anchor="ra",
    )
    card.paste(ImageOps.fit(photograph(number), (540, 400)), (45, 105))
    pen.rectangle((45, 105, 585, 505), outline=hue(style), width=8)
    for row in range(5):
        pen.text((60, 530 + 46 * row), sentence(draw, 5)[:36], font=font(25, "serif"), fill=INK)
    for column, label in enumerate(("ATK", "DEF", "SPD")):
        pen.text(
            (70 + 190 * column, 790),
            f"{label} {draw.randint(1, 99)}",
            font=font(34, "bold"),
            fill=INK,
        )
    return card


def posters(draw: random.Random, style: random.Random, number: int) -> Image.Image:
    """Posters and covers of a series: a photograph in two colours, a title, one layout."""
    size = style.choice([(600, 600), (700, 1000), (1000, 620)])
    dark = tuple(part // 3 for part in hue(style))
    light = colour(style, 200, 255)
    seen = ImageOps.fit(photograph(number).convert("L"), (size[0], round(0.72 * size[1])))
    page = Image.new("RGB", size, dark)
    page.paste(ImageOps.colorize(ImageOps.autocontrast(seen), dark, light), (0, 0))
    pen = ImageDraw.Draw(page)
    low = round(0.72 * size[1])
    pen.rectangle((0, low, size[0], low + 12), fill=hue(style))
    pen.text((30, low + 30), words(draw, 2).upper(), font=font(size[0] // 16, "bold"), fill=light)
    pen.text(
        (30, size[1] - 50),
        f"vol. {draw.randint(1, 99)}  {draw.choice(NAMES)}",
        font=font(30, "serif"),
        fill=light,
    )
    pen.text(
        (size[0] - 30, 24),
        words(style, 1).upper(),
        font=font(34, "bold"),
        fill=hue(style),
        anchor="ra",
    )
    return page


def captioned_photographs(draw: random.Random, style: random.Random, number: int) -> Image.Image:
    """One photograph with other words in the same place: on a panel, in a bubble or on a bar."""
    page = ImageOps.fit(photograph(number), style.choice([(640, 640), (800, 600), (1100, 800)]))
    pen = ImageDraw.Draw(page)
    width, height = page.size
    size = width // style.choice([28, 31])
    lines = [words(draw, 3).capitalize()[:22] for _ in range(3)]
    form = style.choice(["panel", "bubble", "bar"])
    left, top = style.choice([(0.05, 0.06), (0.42, 0.6), (0.05, 0.62)])
    box = (left * width, top * height, (left + 0.53) * width, top * height + 4.6 * size)
    if form == "panel":
        pen.rectangle(box, fill=colour(style, 180, 255), outline=INK, width=3)
    elif form == "bubble":
        pen.rounded_rectangle(box, 2 * size, fill="white", outline=INK, width=5)
    else:
        box = (0, top * height, width, top * height + 4.6 * size)
        pen.rectangle(box, fill=(10, 10, 10))
    ink = "white" if form == "bar" else INK
    middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    pen.multiline_text(
        middle,
        "\n".join(lines),
        font=font(size, "serif bold"),
        fill=ink,
        anchor="mm",
        align="center",
    )
    return page


def icons(draw: random.Random, style: random.Random, colouring: int) -> Image.Image:
    """One sign on white; some of its parts have other colours."""
    side = style.choice([320, 512, 800])
    icon = Image.new("RGB", (side, side), "white")
    pen = ImageDraw.Draw(icon)
    unit = side / 10
    ground = (unit, unit, 9 * unit, 9 * unit)
    shades = _distinct_colours(colouring, 3)
    draw_ground = style.choice([pen.ellipse, pen.rectangle])
    draw_ground(ground, fill=shades[0])
    for _ in range(style.randint(3, 5)):
        x = style.uniform(2, 6) * unit
        y = style.uniform(2, 6) * unit
        wide = style.uniform(1.5, 3.2) * unit
        shade = shades[style.choice([1, 2])]
        form = style.choice(["polygon", "ellipse", "ring"])
        if form == "polygon":
            pen.regular_polygon(
                (x + wide / 2, y + wide / 2, wide * 0.7), style.randint(3, 6), fill=shade
            )
        elif form == "ellipse":
            pen.ellipse((x, y, x + wide, y + wide), fill=shade)
        else:
            pen.ellipse((x, y, x + wide, y + wide), outline=shade, width=round(0.5 * unit))
    pen.line((2 * unit, 8.2 * unit, 8 * unit, 8.2 * unit), fill=INK, width=round(0.3 * unit))
    return icon


def _distinct_colours(colouring: int, parts: int) -> list:
    """Return a colour for each part: no two of the first 56 colourings are alike."""
    ways = list(itertools.permutations(PAINTS, parts))
    random.Random(parts).shuffle(ways)
    return list(ways[colouring % len(ways)])


def faces(draw: random.Random, style: random.Random) -> Image.Image:
    """Drawn portraits as on identity cards: one pose, other hair, eyes, mouth and clothes."""
    width, height = style.choice([(420, 540), (700, 900)])
    unit = width / 20
    page = Image.new(
        "RGB", (width, height), style.choice([(215, 225, 235), (240, 240, 240), (200, 215, 190)])
    )
    pen = ImageDraw.Draw(page)
    skin = draw.choice([(245, 214, 186), (224, 172, 130), (165, 110, 72), (105, 68, 45)])
    hair = draw.choice([(30, 22, 18), (95, 60, 30), (200, 165, 90), (150, 150, 150), (140, 50, 30)])
    wide = draw.uniform(4.2, 5.8)
    shirt = colour(draw, 20, 220)
    pen.ellipse((2 * unit, 19 * unit, 18 * unit, 36 * unit), fill=shirt)
    pen.rectangle((8 * unit, 16 * unit, 12 * unit, 20 * unit), fill=skin)
    long = draw.uniform(9, 20)
    pen.ellipse(((9 - wide) * unit, 3 * unit, (11 + wide) * unit, long * unit), fill=hair)
    pen.ellipse(((10 - wide) * unit, 5 * unit, (10 + wide) * unit, 18.5 * unit), fill=skin)
    fringe = draw.uniform(6.5, 9)
    pen.chord(
        ((10 - wide) * unit, 4 * unit, (10 + wide) * unit, 2 * fringe * unit - 4 * unit),
        180,
        360,
        fill=hair,
    )
    apart = draw.uniform(1.8, 2.8)
    for side in (-1, 1):
        x = 10 + side * apart
        y = draw.uniform(10.3, 11)
        pen.ellipse(
            ((x - 1) * unit, (y - 0.6) * unit, (x + 1) * unit, (y + 0.6) * unit), fill="white"
        )
        pen.ellipse(
            ((x - 0.5) * unit, (y - 0.5) * unit, (x + 0.5) * unit, (y + 0.5) * unit),
            fill=colour(draw, 0, 120),
        )
        tilt = draw.uniform(-0.6, 0.6)
        pen.line(
            ((x - 1.3) * unit, (y - 1.5 + tilt) * unit, (x + 1.3) * unit, (y - 1.5) * unit),
            fill=hair,
            width=round(unit / 2),
        )
    pen.line(
        (10 * unit, 11.5 * unit, draw.uniform(9.3, 10.7) * unit, 13.8 * unit),
        fill=INK,
        width=round(unit / 4),
    )
    smile = draw.uniform(0.4, 2)
    pen.chord(
        (8 * unit, (15.5 - smile) * unit, 12 * unit, (15.5 + smile) * unit),
        0,
        180,
        fill=(170, 50, 60),
    )
    if draw.random() < 0.4:
        for side in (-1, 1):
            x = 10 + side * apart
            pen.ellipse(
                ((x - 1.7) * unit, 9.2 * unit, (x + 1.7) * unit, 12.4 * unit),
                outline=INK,
                width=round(unit / 3),
            )
    if draw.random() < 0.3:
        pen.chord(
            ((10 - wide * 0.9) * unit, 12 * unit, (10 + wide * 0.9) * unit, 19 * unit),
            20,
            160,
            fill=hair,
        )
    return page


def vases(draw: random.Random, style: random.Random) -> Image.Image:
    """Vessels on white or grey, lit from one side with a shadow, each with its own pattern."""
    side = style.choice([450, 700, 1000])
    back = style.choice([(255, 255, 255), (228, 228, 230), (205, 200, 195)])
    page = Image.new("RGB", (side, side), back)
    shadow = Image.new("RGB", (side, side), back)
    floor = (0.25 * side, 0.82 * side, 0.85 * side, 0.93 * side)
    ImageDraw.Draw(shadow).ellipse(floor, fill=tuple(part * 2 // 3 for part in back))
    page.paste(shadow.filter(ImageFilter.GaussianBlur(side / 50)))
    bottom, belly, neck = (
        style.uniform(0.1, 0.2),
        style.uniform(0.2, 0.3),
        style.uniform(0.06, 0.16),
    )
    heights = np.linspace(0, 1, 40)
    widths = np.interp(
        heights, [0, 0.15, 0.5, 0.8, 1], [neck * 1.3, neck, belly, belly * 0.9, bottom]
    )
    right = [(0.5 + wide, 0.12 + 0.76 * high) for high, wide in zip(heights, widths, strict=True)]
    left = [(1 - x, y) for x, y in reversed(right)]
    outline = [(x * side, y * side) for x, y in right + left]
    mask = Image.new("L", (side, side))
    ImageDraw.Draw(mask).polygon(outline, fill=255)
    glaze = _pattern(draw, side)
    across = np.linspace(0, 1, side, dtype=np.float32)
    light = np.clip(1.25 - 1.6 * np.abs(across - 0.42), 0.35, 1.15)
    lit = (np.asarray(glaze, np.float32) * light[None, :, None]).clip(0, 255).astype(np.uint8)
    page.paste(Image.fromarray(lit), (0, 0), mask.filter(ImageFilter.GaussianBlur(0.7)))
    return page


def _pattern(draw: random.Random, side: int) -> Image.Image:
    """Return bands, dots, rhombs or leaves in three colours."""
    glaze = Image.new("RGB", (side, side), hue(draw))
    pen = ImageDraw.Draw(glaze)
    form = draw.choice(["bands", "dots", "rhombs", "leaves"])
    shades = [hue(draw), colour(draw)]
    if form == "bands":
        y = 0.1 * side
        while y < 0.9 * side:
            thick = draw.uniform(0.015, 0.08) * side
            pen.rectangle((0, y, side, y + thick), fill=draw.choice(shades))
            y += thick + draw.uniform(0.02, 0.08) * side
        return glaze
    for _ in range(draw.randint(35, 60)):
        x = draw.uniform(0.2, 0.8) * side
        y = draw.uniform(0.12, 0.88) * side
        wide = draw.uniform(0.015, 0.05) * side
        if form == "dots":
            pen.ellipse((x - wide, y - wide, x + wide, y + wide), fill=draw.choice(shades))
        elif form == "rhombs":
            pen.regular_polygon((x, y, wide * 1.4), 4, rotation=45, fill=draw.choice(shades))
        else:
            pen.chord(
                (x - 2 * wide, y - wide, x + 2 * wide, y + wide),
                draw.randint(0, 90),
                200,
                fill=draw.choice(shades),
            )
    return glaze


def coloured_goods(draw: random.Random, style: random.Random, colouring: int) -> Image.Image:
    """Keyboards, telephones and shirts: the same thing in other colours, all else alike."""
    thing = style.choice(["keyboard", "telephone", "shirt"])
    page = Image.new("RGB", (900, 650), style.choice(["white", "#e8e8ea", "#f3ede2"]))
    pen = ImageDraw.Draw(page)
    body, part = _distinct_colours(colouring, 2)
    if thing == "keyboard":
        pen.rounded_rectangle((60, 170, 840, 500), 25, fill=body)
        for row in range(5):
            for column in range(14):
                x = 80 + 54 * column
                y = 188 + 60 * row
                shade = part if column in (0, 13) else (245, 245, 245)
                pen.rounded_rectangle((x, y, x + 46, y + 50), 8, fill=shade)
                pen.text(
                    (x + 12, y + 10), chr(65 + (row * 14 + column) % 26), font=font(24), fill=INK
                )
    elif thing == "telephone":
        pen.rounded_rectangle((300, 40, 600, 620), 45, fill=body)
        pen.rounded_rectangle((320, 90, 580, 540), 10, fill=(30, 32, 40))
        pen.ellipse((420, 555, 480, 610), fill=part)
        pen.text((450, 300), "12:45", font=font(70), fill="white", anchor="mm")
        for cell in range(12):
            x = 345 + 60 * (cell % 4)
            y = 380 + 50 * (cell // 4)
            pen.rectangle((x, y, x + 36, y + 36), fill=PAINTS[cell % len(PAINTS)])
    else:
        pen.polygon(
            [
                (300, 80),
                (600, 80),
                (800, 210),
                (730, 300),
                (640, 250),
                (640, 610),
                (260, 610),
                (260, 250),
                (170, 300),
                (100, 210),
            ],
            fill=body,
        )
        pen.chord((370, 40, 530, 140), 0, 180, fill=page.getpixel((5, 5)))
        pen.ellipse((360, 240, 540, 420), fill=part)
        pen.text((450, 330), "42", font=font(90, "bold"), fill="white", anchor="mm")
    grain = noise(style, (650, 900))[..., None] * 1.5
    return Image.fromarray((np.asarray(page, np.float32) + grain).clip(0, 255).astype(np.uint8))


def textures(draw: random.Random, style: random.Random) -> Image.Image:
    """Clouds, land from above or tissue: noise of one spectrum and palette, drawn anew."""
    side = style.choice([400, 640, 900])
    heights = np.zeros((side, side), np.float32)
    steepness = style.uniform(0.5, 0.75)
    for octave in range(7):
        heights += steepness**octave * smooth_field(draw, (side, side), 3 * 2**octave)
    heights -= heights.min()
    levels = (255 * heights / heights.max()).astype(np.uint8)
    palette = style.choice(
        [
            ("black", "white", "gray"),
            ("#183a5c", "#e8e0c8", "#3f7a3a"),
            ("#4a1050", "#ffeef8", "#d070b0"),
        ]
    )
    picture = ImageOps.colorize(Image.fromarray(levels), palette[0], palette[1], palette[2])
    pen = ImageDraw.Draw(picture)
    for _ in range(style.choice([0, 40, 90])):
        x, y = draw.uniform(0, side), draw.uniform(0, side)
        radius = draw.uniform(0.006, 0.02) * side
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=palette[0])
    return picture


def two_shots(draw: random.Random, style: random.Random, number: int) -> Image.Image:
    """Shots of one scene: near things moved against far ones, other things put in, other light."""
    scene = ImageOps.fit(photograph(number), style.choice([(800, 600), (600, 800), (640, 480)]))
    width, height = scene.size
    depth = 0.5 * smooth_field(style, scene.size, 4)
    for _ in range(style.randint(2, 4)):
        depth = np.where(
            smooth_field(style, scene.size, 5) > 0.62, depth + style.uniform(0.3, 0.6), depth
        )
    step_x = draw.choice([-1, 1]) * draw.uniform(0.03, 0.07) * width
    step_y = draw.uniform(-0.03, 0.03) * height
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    seen = cv2.remap(
        np.asarray(scene),
        (columns + step_x * (depth - 0.5)).astype(np.float32),
        (rows + step_y * (depth - 0.5)).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT,
    )
    shot = Image.fromarray(seen)
    for _ in range(draw.randint(2, 4)):
        _put_something(shot, draw)
    light = (
        draw.uniform(0.7, 0.95)
        + draw.uniform(0.1, 0.4) * smooth_field(draw, shot.size, 3)[..., None]
    )
    pixels = np.asarray(shot, np.float32) * light + 4 * noise(draw, (height, width, 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def _put_something(shot: Image.Image, draw: random.Random) -> None:
    """Put a thing cut out of another photograph into a shot."""
    side = round(draw.uniform(0.12, 0.25) * min(shot.size))
    thing = ImageOps.fit(photograph(draw.randrange(10**6)), (side, side))
    mask = Image.new("L", (side, side))
    ImageDraw.Draw(mask).ellipse((3, side // 6, side - 3, side - 3), fill=255)
    place = (draw.randint(0, shot.width - side), draw.randint(0, shot.height - side))
    shot.paste(thing, place, mask.filter(ImageFilter.GaussianBlur(2)))


def still_lifes(draw: random.Random, style: random.Random) -> Image.Image:
    """One table before one wall, with other things put on it in other places."""
    width, height = 960, 640
    picture = Image.new("RGB", (width, height), colour(style, 120, 230))
    pen = ImageDraw.Draw(picture)
    for stripe in range(0, width, style.choice([40, 64])):
        pen.line((stripe, 0, stripe, 360), fill=colour(style, 90, 200), width=6)
    pen.rectangle((0, 360, width, height), fill=(140, 95, 60))
    for plank in range(370, height, 45):
        pen.line((0, plank, width, plank + style.randint(-6, 6)), fill=(105, 70, 42), width=3)
    pen.rectangle((60, 60, 260, 240), fill=(190, 220, 240), outline=(90, 60, 40), width=10)
    for _ in range(draw.randint(5, 8)):
        x = draw.randint(20, width - 180)
        y = draw.randint(270, height - 150)
        wide = draw.randint(70, 160)
        shade = hue(draw)
        pen.ellipse((x - 10, y + wide - 22, x + wide + 40, y + wide + 14), fill=(95, 62, 38))
        form = draw.choice(["ball", "box", "bottle"])
        if form == "ball":
            pen.ellipse((x, y, x + wide, y + wide), fill=shade)
            pen.ellipse(
                (x + wide * 0.2, y + wide * 0.15, x + wide * 0.4, y + wide * 0.32), fill="white"
            )
        elif form == "box":
            pen.rectangle((x, y, x + wide, y + wide), fill=shade)
            pen.rectangle(
                (x + wide * 0.7, y, x + wide, y + wide), fill=tuple(v * 2 // 3 for v in shade)
            )
        else:
            pen.rounded_rectangle((x, y, x + wide // 2, y + wide), 14, fill=shade)
            pen.rectangle((x + wide // 6, y - wide // 2, x + wide // 3, y + 5), fill=shade)
    soft = picture.filter(ImageFilter.GaussianBlur(0.8))
    shine = Image.fromarray(
        (255 * (0.75 + 0.25 * smooth_field(draw, soft.size, 2))).astype(np.uint8)
    )
    return ImageChops.multiply(soft, shine.convert("RGB"))
