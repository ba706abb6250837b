"""Charts, plots and maps as a paper or a website would print them."""

import io
from itertools import pairwise

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LightSource
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from PIL import Image, ImageDraw

from .tools import font, mix, noise, ramp, random, shrink

SIDES = {
    "r": (30, 0, "lm"),
    "l": (-30, 0, "rm"),
    "a": (0, -26, "mb"),
    "b": (0, 26, "mt"),
    "ne": (24, -16, "lb"),
    "se": (24, 16, "lt"),
}
LINES = ("#d7263d", "#1b6ec2", "#2a9d4b", "#f08a24")


def _figure(width: int, height: int, **looks) -> Figure:
    figure = Figure(figsize=(width / 100, height / 100), dpi=100, layout="constrained", **looks)
    FigureCanvasAgg(figure)
    return figure


def _image(figure: Figure) -> Image.Image:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    return Image.open(buffer).convert("RGB")


def bar_chart(year: int) -> Image.Image:
    """Return stacked monthly bars and a line, 448 × 320; another year is the same chart with other
    values.
    """
    generator = random("bars", year)
    months = np.arange(12)
    parts = (
        generator.gamma(9, 1.0, (3, 12))
        * np.array([[1.9], [1.3], [0.8]])
        * (1 + 0.4 * np.cos((months - generator.uniform(4, 9)) / 1.9))
    )
    with matplotlib.rc_context({**matplotlib.rcParamsDefault, "font.size": 8}):
        figure = _figure(448, 320)
        axes = figure.subplots()
        base = np.zeros(12)
        for values, colour, name in zip(
            parts, ("#33658a", "#86bbd8", "#f6ae2d"), ("Rail", "Bus", "Ferry")
        ):
            axes.bar(months, values, 0.72, bottom=base, color=colour, label=name)
            base = base + values
        axes.plot(
            months,
            base.mean() + np.cumsum(generator.normal(0, 2.2, 12)),
            "o-",
            color="#d1495b",
            ms=4,
            label="Target",
        )
        axes.set(
            ylim=(0, 75),
            ylabel="Passengers (thousands)",
            xticks=months,
            xticklabels=list("JFMAMJJASOND"),
        )
        axes.set_title(f"Passengers by month, {year}", fontweight="bold", loc="left")
        axes.grid(axis="y", color="#dddddd", linewidth=0.7)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(ncols=4, loc="upper right", frameon=False, fontsize=7)
        return _image(figure)


def star_plot() -> Image.Image:
    """Return a Hertzsprung-Russell diagram of invented stars on black, 416 × 416."""
    heat, light = _stars(random("stars"))
    spectrum = ["#ff5a36", "#ff9a4a", "#ffd48a", "#fff6e5", "#c9dcff", "#8fb4ff"]
    colours = ramp(heat, spectrum, [0, 0.2, 0.35, 0.5, 0.7, 1]) / 255
    words = dict.fromkeys(
        ("text.color", "axes.labelcolor", "xtick.labelcolor", "ytick.labelcolor"), "#e0e0e0"
    )
    with matplotlib.rc_context({**matplotlib.rcParamsDefault, **words, "font.size": 8}):
        figure = _figure(416, 416, facecolor="#0a0a14")
        axes = figure.subplots()
        axes.set_facecolor("#0a0a14")
        size = 2 + 3 * np.clip(light + 4, 0.3, None) ** 1.1
        axes.scatter(heat, light, s=size, color=colours, alpha=0.85, linewidths=0)
        axes.set(xlim=(1.02, -0.02), ylim=(-5.2, 7.2))
        axes.set(xlabel="Surface temperature (K)", ylabel="Luminosity (log$_{10}$, Sun = 0)")
        axes.set_xticks([0.95, 0.7, 0.45, 0.2], ["30 000", "10 000", "6 000", "3 500"])
        for x, y, word in (
            (0.31, 3.5, "giants"),
            (0.83, -3.9, "white dwarfs"),
            (0.76, 1.3, "main sequence"),
        ):
            axes.text(x, y, word, ha="center", style="italic", color="#ffffff", fontsize=9)
        axes.grid(color="#26263a", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[:].set_color("#55556a")
        return _image(figure)


def _stars(generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return heat (0 to 1) and luminosity (decades) of the main sequence, the giants and the white
    dwarfs.
    """
    main, giants, dwarfs = (
        generator.beta(1.6, 2.8, 900),
        generator.normal(0.22, 0.05, 190),
        generator.normal(0.66, 0.1, 60),
    )
    light = (
        -3.2 + 10.5 * main**0.85 + generator.normal(0, 0.32, main.size),
        1.9 - 5 * (giants - 0.22) + generator.normal(0, 0.55, giants.size),
        -3.1 + 2.2 * (dwarfs - 0.66) + generator.normal(0, 0.25, dwarfs.size),
    )
    return np.concatenate([main, giants, dwarfs]), np.concatenate(light)


def contour_map() -> Image.Image:
    """Return a topographic map with shaded relief, contours, heights and a lake, 448 × 384."""
    generator = random("contours", 3)
    ground = noise(generator, (224, 192), 3, 5)
    ground = np.round(620 + 380 * ground - 120 * np.hypot(*(np.mgrid[-1:1:192j, -1:1:224j])), 3)
    shade = LightSource(315, 45).hillshade(ground, vert_exag=0.05)
    tint = ramp(
        ground,
        ["#a9cf8f", "#d6e2a6", "#f1e3b0", "#dcb98a", "#c7a07c", "#f4efe9"],
        np.linspace(330, 1050, 6),
    )
    pixels = np.clip(tint * (0.55 + 0.5 * shade[..., None]), 0, 255)
    pixels = mix(pixels, (142, 190, 222), np.clip((330 - ground) / 6, 0, 1)).astype(np.uint8)
    with matplotlib.rc_context({**matplotlib.rcParamsDefault, "font.size": 7}):
        figure = _figure(448, 384)
        axes = figure.subplots()
        axes.imshow(pixels, extent=(0, 14, 0, 12), origin="lower", interpolation="bilinear")
        x, y = np.linspace(0, 14, 224), np.linspace(0, 12, 192)
        axes.contour(x, y, ground, np.arange(340, 1400, 40), colors="#8a5a2b", linewidths=0.45)
        major = axes.contour(
            x, y, ground, np.arange(400, 1400, 200), colors="#6e4218", linewidths=1.1
        )
        axes.clabel(major, fontsize=6, fmt="%d")
        axes.contour(x, y, ground, [330], colors="#2c7fb8", linewidths=1)
        for name, (row, column) in zip(("Grey Cap", "Anvil", "Low Tor"), _summits(ground)):
            axes.plot(x[column], y[row], "^", color="#222222", ms=5)
            label = axes.annotate(
                f"{name} {ground[row, column]:.0f}",
                (x[column], y[row]),
                (4, 4),
                textcoords="offset points",
            )
            label.set_path_effects([withStroke(linewidth=2, foreground="#ffffffb0")])
        axes.grid(color="#444444", linewidth=0.3, alpha=0.6)
        axes.set(
            xlabel="east (km)", ylabel="north (km)", xticks=range(0, 15, 2), yticks=range(0, 13, 2)
        )
        return _image(figure)


def _summits(ground: np.ndarray, n: int = 3) -> list[tuple[int, int]]:
    """Return the (row, column) of the highest points that are well apart and off the edge."""
    ground, found = ground.copy(), []
    ground[:6], ground[-16:], ground[:, :6], ground[:, -52:] = 0, 0, 0, 0
    for _ in range(n):
        row, column = np.unravel_index(ground.argmax(), ground.shape)
        found.append((int(row), int(column)))
        ground[max(0, row - 45) : row + 45, max(0, column - 45) : column + 45] = 0
    return found


def metro_map(
    title: str, lines: list[list[tuple]], stations: list[tuple], river: list[tuple]
) -> Image.Image:
    """Return a metro map, 480 × 384, in cells of 30 pixels.

    Args:
        lines: corner points of each line.
        stations: (x, y, name, side of the label as in SIDES); one on several lines is an
        interchange. river: corner points.
    """
    scale, unit = 3, 90
    image = Image.new("RGB", (480 * scale, 384 * scale), "#fdfdfb")
    draw = ImageDraw.Draw(image)
    draw.line(_rounded([(x * unit, y * unit) for x, y in river], 130), "#cfe6f5", 60, joint="curve")
    for points, colour in zip(lines, LINES):
        draw.line(
            _rounded([(x * unit, y * unit) for x, y in points], 60), colour, 17, joint="curve"
        )
    for x, y, name, side in stations:
        on = [colour for points, colour in zip(lines, LINES) if _on(points, (x, y))]
        radius, edge = (21, "#1c1c1c") if len(on) > 1 else (14, on[0])
        draw.circle((x * unit, y * unit), radius, "#ffffff", edge, 7)
        across, down, anchor = SIDES[side]
        at = (x * unit + across, y * unit + down)
        face = font("DejaVuSans-Bold" if len(on) > 1 else "DejaVuSans", 25)
        draw.text(at, name, "#1c1c1c", face, anchor=anchor, stroke_width=5, stroke_fill="#fdfdfb")
    draw.rectangle([0, 0, 480 * scale, 66], "#1f2a44")
    draw.text((36, 33), title, "#ffffff", font("DejaVuSans-Bold", 34), anchor="lm")
    for number, colour in enumerate(LINES):
        draw.circle((990 + 115 * number, 33), 24, colour)
        draw.text(
            (990 + 115 * number, 33),
            str(number + 1),
            "#ffffff",
            font("DejaVuSans-Bold", 28),
            anchor="mm",
        )
    return shrink(image, scale)


def _on(points: list[tuple], spot: tuple[float, float]) -> bool:
    for (ax, ay), (bx, by) in pairwise(points):
        across = abs((bx - ax) * (spot[1] - ay) - (by - ay) * (spot[0] - ax))
        inside = min(ax, bx) <= spot[0] <= max(ax, bx) and min(ay, by) <= spot[1] <= max(ay, by)
        if across < 1e-9 and inside:
            return True
    return False


def _rounded(points: list[tuple[float, float]], radius: float) -> list[tuple[float, float]]:
    """Return the corner points with each corner replaced by a curve that starts `radius`
    before it.
    """
    points = np.array(points, dtype=float)
    path = [points[0]]
    for before, corner, after in zip(points, points[1:], points[2:]):
        start, end = (
            corner + (to - corner) * min(0.5, radius / np.hypot(*(to - corner)))
            for to in (before, after)
        )
        t = np.linspace(0, 1, 12)[:, None]
        path += list((1 - t) ** 2 * start + 2 * t * (1 - t) * corner + t**2 * end)
    return [tuple(point) for point in [*path, points[-1]]]
