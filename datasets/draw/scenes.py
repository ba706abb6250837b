"""Landscapes, skies and textures, made of noise and a little physics."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from .tools import mix, noise, picture, ramp, random, rgb, shrink


def mountains(seed: str, sun: tuple[float, float]) -> Image.Image:
    """Return hazy ridges at sunset, 480 × 320; two seeds give two frames of the same sort."""
    width, height, generator = 960, 640, random("mountains", seed)
    y, x = np.mgrid[0:height, 0:width]
    sky = ramp(y / height, ["#3b4a78", "#8a6f9a", "#e79a7e", "#ffd9a0"], [0, 0.28, 0.52, 0.72])
    sky = mix(
        sky,
        rgb("#ffe9d8"),
        0.5 * np.clip(noise(generator, (width, height), 3), 0, 1) ** 1.5 * (y < 380),
    )
    far = np.hypot(x - sun[0] * width, y - sun[1] * height) / height
    sky = mix(sky, rgb("#fff3cf"), np.clip(0.75 - 1.9 * far, 0, 1))
    pixels = mix(sky, rgb("#fffbe8"), np.clip((0.062 - far) * 300, 0, 1))
    colours = ramp(np.linspace(0, 1, 6), ["#d99a8c", "#8f7396", "#4e5482", "#232c4c", "#10162b"])
    for layer, colour in enumerate(colours):
        crest = height * (0.46 + 0.085 * layer) - _ridge(generator, width, 150 - 16 * layer)
        depth = y - crest
        ground = mix(
            np.broadcast_to(colour, (height, width, 3)),
            rgb("#ffd2b0"),
            np.clip(depth / 900, 0, 0.22 - 0.03 * layer),
        )
        pixels = mix(pixels, ground, np.clip(depth, 0, 1))
    image = picture(pixels)
    _firs(ImageDraw.Draw(image), generator, width, height)
    return shrink(_grain(image, generator, 2.0), 2)


def _ridge(generator: np.random.Generator, width: int, rise: float) -> np.ndarray:
    """Return the height of a crest at each column, by midpoint displacement."""
    crest, step = generator.uniform(-0.55, 1, 6), 0.34
    while len(crest) < 400:
        middle = (crest[1:] + crest[:-1]) / 2 + step * generator.uniform(-1, 1, len(crest) - 1)
        crest, step = np.insert(crest, np.arange(1, len(crest)), middle), step / 2
    return rise * np.interp(np.linspace(0, len(crest) - 1, width), np.arange(len(crest)), crest)


def _firs(
    draw: ImageDraw.ImageDraw, generator: np.random.Generator, width: int, height: int
) -> None:
    for x in np.sort(generator.uniform(-20, width + 20, 46)):
        tall = generator.uniform(50, 150) * (0.55 + abs(x / width - 0.5))
        foot = height + 12
        for tier in range(7):
            top, half = foot - tall * (1 - tier / 8), (tier + 1.2) * tall / 42
            draw.polygon(
                [(x, top), (x - half, top + tall / 4.5), (x + half, top + tall / 4.5)], "#070b18"
            )


def sea() -> Image.Image:
    """Return a sea at sunset, 480 × 320: waves as a sum of sines, shaded by what each slope
    reflects.
    """
    width, height, horizon, generator = 960, 640, 250, random("sea")
    y, x = np.mgrid[0:height, 0:width].astype(float)
    colours, stops = (
        ["#1d2b53", "#6a4c7d", "#d9705f", "#ffb36b", "#ffe3a3"],
        [0, 0.35, 0.66, 0.88, 1],
    )
    clouds = noise(generator, (width, 2 * horizon), 3, 6)[:horizon]
    sky = ramp(y[:horizon] / horizon + 0.07 * clouds, colours, stops)
    far = np.hypot(x[:horizon] - 600, (y[:horizon] - 225) * 1.05)
    sky = mix(sky, rgb("#fff1c4"), np.clip(1 - far / 230, 0, 1) ** 2 * 0.9)
    sky = mix(sky, rgb("#fff8de"), np.clip((30 - far) / 2, 0, 1))
    x, down = x[horizon:], y[horizon:] - horizon
    slope_x, slope_y = _waves(generator, x - width / 2, down)
    facing = np.clip(0.94 - 0.75 * (down / (height - horizon)) ** 0.6 + 1.5 * slope_y, 0, 1)
    water = ramp(facing, colours, stops) * np.array([0.66, 0.76, 0.92])
    glitter = np.clip(1.25 - np.abs(x - 600 + 300 * slope_x) / (40 + 0.42 * down), 0, 1)
    water = mix(water, rgb("#ffedbd"), glitter * np.clip(0.42 + slope_y * 3.6, 0, 1))
    return shrink(_grain(picture(np.concatenate([sky, water])), generator, 2.0), 2)


def _waves(
    generator: np.random.Generator, x: np.ndarray, down: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the slopes of the sea at each pixel, seen from a low height: farther rows are packed
    closer.
    """
    far = 1 / (down + 4.0)
    across, along = x * far * 12, 4200 * far
    slope_x, slope_y = np.zeros_like(x), np.zeros_like(x)
    for _ in range(46):
        length, turn, phase = (
            10 ** generator.uniform(-0.15, 1.1),
            generator.normal(0, 0.85),
            generator.uniform(0, 6.28),
        )
        # waves shorter than a pixel's footprint would only sparkle
        seen = np.clip(1.4 - 9000 * far**2 / length, 0, 1) * 0.05
        swing = (
            np.cos(6.28 / length * (across * np.sin(turn) + along * np.cos(turn)) + phase) * seen
        )
        slope_x, slope_y = slope_x + swing * np.sin(turn), slope_y + swing * np.cos(turn)
    return slope_x, slope_y


def city() -> Image.Image:
    """Return a skyline at night over water, 480 × 320."""
    width, height, shore, generator = 960, 640, 470, random("city", 4)
    y, x = np.mgrid[0:height, 0:width]
    pixels = ramp(y / shore, ["#070b24", "#1a1f4d", "#4b3a74", "#c06a7c"], [0, 0.4, 0.72, 1])
    moon = np.clip(34 - np.hypot(x - 758, y - 96), 0, 1) * np.clip(
        np.hypot(x - 743, y - 88) - 31, 0, 1
    )
    image = picture(mix(pixels, rgb("#f6edd0"), moon))
    draw = ImageDraw.Draw(image)
    for x, up, light in zip(*generator.uniform(0, 1, (3, 150))):
        grey = int(90 + 140 * light)
        draw.ellipse(
            [x * width, up * 300, x * width + 1.6, up * 300 + 1.6], (grey, grey, grey + 20)
        )
    for colour, low, high in (("#4a3b6c", 120, 390), ("#2b2755", 80, 330), ("#10132f", 30, 270)):
        _blocks(draw, generator, width, shore, colour, (low, high))
    pixels = np.asarray(image, dtype=float)
    rows = np.arange(shore, height)
    ripple = np.round(7 * np.sin((rows - shore) ** 0.62 * 2.6) * (rows - shore) / 110).astype(int)
    mirror = np.stack(
        [np.roll(pixels[2 * shore - row - 1], shift, axis=0) for row, shift in zip(rows, ripple)]
    )
    mirror = (
        np.asarray(picture(mirror).filter(ImageFilter.BoxBlur((1, 6))), dtype=float)
        * [0.62, 0.62, 0.74]
        + 6
    )
    return shrink(_grain(picture(np.concatenate([pixels[:shore], mirror])), generator, 2.0), 2)


def _blocks(draw, generator, width: int, shore: int, colour: str, tall: tuple[int, int]) -> None:
    x = -20
    while x < width:
        wide = int(generator.integers(40, 110))
        top = shore - int(tall[0] + (tall[1] - tall[0]) * generator.random() ** 1.8)
        draw.rectangle([x, top, x + wide, shore], colour)
        middle, roof = x + wide // 2, generator.random()
        if roof < 0.25:
            draw.polygon([(x, top), (middle, top - wide // 2), (x + wide, top)], colour)
        elif roof < 0.5:
            draw.rectangle([x + wide // 4, top - 16, x + 3 * wide // 4, top], colour)
            draw.line([middle, top - 52, middle, top], colour, 3)
        _windows(draw, generator, (x, top, x + wide, shore))
        x += wide + int(generator.integers(-6, 22))


def _windows(draw, generator, box: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = box
    across, down = (int(generator.integers(low, high)) for low, high in ((9, 16), (12, 20)))
    lit, tint = (
        0.08 + 0.6 * generator.random(),
        generator.choice(["#ffd98a", "#ffbf69", "#fff2c9", "#a9d4ff"]),
    )
    for row in range(top + 9, bottom - 8, down):
        for column in range(left + 6, right - across + 3, across):
            if generator.random() < lit:
                light = np.array(rgb(str(tint))) * generator.uniform(0.55, 1)
                draw.rectangle(
                    [column, row, column + across // 2, row + down // 2], tuple(light.astype(int))
                )


def planet() -> Image.Image:
    """Return a ringed gas giant, lit from one side, 384 × 384: large smooth areas, few features."""
    side, radius, tilt, generator = 768, 0.5, 0.38, random("planet")
    y, x = (np.mgrid[0:side, 0:side] - side / 2) / (side / 2)
    u, v = x * np.cos(tilt) + y * np.sin(tilt), -x * np.sin(tilt) + y * np.cos(tilt)
    z = np.sqrt(np.clip(radius**2 - x**2 - y**2, 0, None))
    strips = np.interp(v + 0.12 * z, np.linspace(-0.7, 0.7, 15), generator.uniform(0, 1, 15))
    swirl = strips + 0.05 * noise(generator, (side, side), 6, 4)
    light = np.clip((-0.62 * x - 0.40 * y + 0.42 * z) / radius, 0, 1)
    body = ramp(swirl, ["#b5835a", "#e0b98a", "#f2dcb8", "#c99a6b", "#fbeed3"]) * (
        0.03 + 0.97 * light[..., None]
    )
    pixels = ramp(np.hypot(x + 0.4, y + 0.4) / 2, ["#11162c", "#05060f"])
    for star_x, star_y, glow in zip(*generator.uniform(0, 1, (3, 110))):
        pixels[int(star_y * side) :, int(star_x * side) :][:2, :2] = 110 + 145 * glow
    around = np.hypot(u, v / 0.24)
    rings = np.interp(around, np.linspace(0.6, 0.98, 20), generator.uniform(0.25, 0.95, 20))
    rings *= np.clip((around - 0.6) * 80, 0, 1) * np.clip((0.98 - around) * 80, 0, 1)
    rings *= 1 - 0.85 * np.clip(1.6 - np.abs(around - 0.85) / 0.012, 0, 1)
    behind = np.clip((0.62 * x + 0.40 * y - 0.12) * 5, 0, 1) * np.clip(
        (radius * 0.72 - np.abs(0.62 * y - 0.40 * x)) * 12, 0, 1
    )
    rings *= 1 - 0.85 * behind
    bright = ramp(around, ["#efdcb9", "#b79a77"], [0.6, 1])
    pixels = mix(pixels, bright, np.where(v < 0, rings, 0))
    pixels = mix(pixels, body, np.clip((radius - np.hypot(x, y)) * side / 2, 0, 1))
    return shrink(picture(mix(pixels, bright, np.where(v >= 0, rings, 0))), 2)


def julia() -> Image.Image:
    """Return a Julia set, 416 × 312, in plain real arithmetic: complex products are fused on some
    CPUs.
    """
    b, a = np.mgrid[0:624, 0:832]
    a, b = (a - 416) / 290, (b - 312) / 290
    steps, size = np.zeros(a.shape), np.full(a.shape, 4.0)
    for _ in range(150):
        square_a, square_b = a * a, b * b
        alive = square_a + square_b < 64
        steps, size = steps + alive, np.where(alive, square_a + square_b, size)
        a, b = (
            np.where(alive, square_a - square_b - 0.7436, a),
            np.where(alive, 2 * a * b + 0.1318, b),
        )
    smooth = np.clip((steps - np.log2(np.log2(np.maximum(size, 2)) + 1)) / 110, 0, 1) ** 0.55
    colours = [
        "#0a0b2e",
        "#1b3a8f",
        "#2f9fd8",
        "#e6f7e9",
        "#ffd166",
        "#ef6f3c",
        "#7a1f3d",
        "#12061f",
    ]
    return shrink(picture(ramp(smooth, colours, [0, 0.2, 0.36, 0.5, 0.62, 0.76, 0.9, 1])), 2)


def turing() -> Image.Image:
    """Return a reaction-diffusion pattern lit from the side, 384 × 384.

    Source: Gray & Scott (1984); parameters after Pearson, Science 261 (1993) 189.
    """
    side, generator = 128, random("turing")
    food, eater = np.full((side, side), 1.0), generator.uniform(0, 0.02, (side, side))
    for row, column in generator.integers(6, side - 6, (40, 2)):
        spot = np.s_[row - 3 : row + 3, column - 3 : column + 3]
        food[spot], eater[spot] = 0.5, 0.25
    for _ in range(3000):
        reaction = food * eater * eater
        food = food + 0.14 * _laplace(food) - reaction + 0.037 * (1 - food)
        eater = eater + 0.07 * _laplace(eater) + reaction - 0.097 * eater
    relief = Image.fromarray(eater.astype(np.float32)).resize((384, 384), Image.Resampling.BICUBIC)
    relief = np.asarray(relief, dtype=float) / 0.36
    light = np.clip(np.gradient(relief, axis=1) + np.gradient(relief, axis=0), -0.1, 0.1)
    colours = ramp(relief, ["#12343b", "#2c6e6f", "#e1b382", "#f7e8cf"], [0.1, 0.4, 0.75, 1])
    return picture(colours * (1 - 3.2 * light)[..., None])


def _laplace(values: np.ndarray) -> np.ndarray:
    around = sum(np.roll(values, shift, axis) for shift in (1, -1) for axis in (0, 1))
    return around - 4 * values


def _grain(image: Image.Image, generator: np.random.Generator, level: float) -> Image.Image:
    pixels = np.asarray(image, dtype=float)
    return picture(pixels + generator.normal(0, level, pixels.shape[:2])[..., None])
