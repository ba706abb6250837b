"""Rebuild the sample: photographs from scikit-image's wheel, everything else drawn here from seeds.

    python datasets/make_sample.py            write sample/, sample.csv and contact_sheet.jpg
    python datasets/make_sample.py --check    rebuild in memory and compare with what is there

Needs the extra `simlab[sample]` for the photographs; --check leaves them out where scikit-image is
absent.
"""

import argparse
import csv
import hashlib
import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from draw import figures, papers, scenes
from draw.contents import INVOICES, METROS, PAGES, PHOTOS
from draw.tools import font
from PIL import Image, ImageDraw, ImageOps

HERE = Path(__file__).resolve().parent
WHEEL = "scikit-image 0.26.0, skimage/data/"
DRAWN = "drawn by datasets/make_sample.py"
COLUMNS = (
    "path",
    "category",
    "look_alike",
    "description",
    "licence",
    "origin",
    "sha256",
    "width",
    "height",
)
CLOSE = 2.0
"""Mean difference in grey levels up to which a rebuilt picture counts as the same one.

Another build of Pillow, matplotlib or FreeType sets a letter or a JPEG block slightly differently.
"""


@dataclass(frozen=True)
class Entry:
    """One picture of the sample: where it goes, what is known about it, and how it is made."""

    path: str
    category: str
    description: str
    make: Callable[[], Image.Image]
    look_alike: str = ""
    licence: str = "CC0-1.0"
    origin: str = DRAWN
    colours: int = 0


def from_wheel(name: str, side: int) -> Image.Image:
    """Return a picture of scikit-image's wheel, laid on white, at most `side` pixels
    wide and high.
    """
    folder = Path(find_spec("skimage").origin).parent / "data"
    with Image.open(folder / name) as image:
        if image.mode == "RGBA":
            ground = Image.new("RGBA", image.size, "white")
            shown = Image.alpha_composite(ground, image).convert("L")
        else:
            shown = image.copy()
    shown.thumbnail((side, side), Image.Resampling.LANCZOS)
    return shown


def _photographs() -> list[Entry]:
    return [
        Entry(
            path,
            category,
            shows,
            partial(from_wheel, name, side),
            "",
            licence,
            f"{WHEEL}{name}; {credit}",
        )
        for name, path, side, category, licence, credit, shows in PHOTOS
    ]


def _scenes() -> list[Entry]:
    ridges = {"1": ("a", (0.62, 0.36)), "2": ("b", (0.55, 0.33))}
    return [
        Entry("planet.jpg", "low texture", "ringed planet", scenes.planet),
        Entry("海.jpg", "scene", "sea at sunset; the name is Japanese for sea", scenes.sea),
        Entry("city.jpg", "scene", "skyline at night over water", scenes.city),
        *(
            Entry(
                f"mountains_{n}.jpg",
                "scene",
                "hazy ridges at sunset",
                partial(scenes.mountains, *frame),
                "mountains",
            )
            for n, frame in ridges.items()
        ),
        Entry("julia.jpg", "texture", "Julia set", scenes.julia),
        Entry("turing.jpg", "texture", "reaction-diffusion pattern", scenes.turing),
    ]


def _papers() -> list[Entry]:
    document = partial(Entry, category="document")
    return [
        document(
            path="書類.jpg",
            description="stamped form on a desk; the name is Japanese for papers",
            make=papers.form_on_a_desk,
        ),
        *(
            document(
                path=f"{name}.png",
                description=f"filled-in invoice {content['number']}",
                make=partial(papers.invoice, **content),
                look_alike="invoice",
                colours=48,
            )
            for name, content in INVOICES.items()
        ),
        *(
            document(
                path=f"{name}.png",
                description=f"page of a book, “{content['chapter']}”",
                make=partial(papers.page, **content),
                look_alike="page",
                colours=64,
            )
            for name, content in PAGES.items()
        ),
        *(
            document(
                path=f"sudoku_{name}.png",
                description=f"printed sudoku with {givens} digits",
                make=partial(papers.sudoku, name, givens),
                look_alike="sudoku",
            )
            for name, givens in (("1", 31), ("2", 28))
        ),
    ]


def _figures() -> list[Entry]:
    return [
        *(
            Entry(
                path=f"passengers_{year}.png",
                category="chart",
                description=f"stacked bars by month and a line, {year}",
                make=partial(figures.bar_chart, year),
                look_alike="passengers",
                colours=64,
            )
            for year in (2023, 2024)
        ),
        Entry(
            "stars.png",
            "chart",
            "Hertzsprung-Russell diagram of invented stars",
            figures.star_plot,
            colours=128,
        ),
        Entry("contours.jpg", "map", "topographic map with relief", figures.contour_map),
        *(
            Entry(
                path=f"{name}.png",
                category="map",
                description=f"metro map, {content['title']}",
                make=partial(figures.metro_map, **content),
                look_alike="metro",
                colours=64,
            )
            for name, content in METROS.items()
        ),
    ]


ENTRIES = [*_photographs(), *_scenes(), *_papers(), *_figures()]


def encode(entry: Entry) -> bytes:
    """Return the file of an entry: JPEG at quality 88, or PNG, with a palette if it names its
    colours.
    """
    image, buffer = entry.make(), io.BytesIO()
    if entry.path.endswith(".jpg"):
        image.save(buffer, "JPEG", quality=88, optimize=True)
    else:
        image = image.quantize(entry.colours, dither=Image.Dither.NONE) if entry.colours else image
        image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def write() -> None:
    """Write the pictures, the data sheet and the contact sheet."""
    folder, rows = HERE / "sample", []
    folder.mkdir(exist_ok=True)
    for entry in sorted(ENTRIES, key=lambda entry: entry.path):
        data = encode(entry)
        (folder / entry.path).write_bytes(data)
        known = (
            entry.path,
            entry.category,
            entry.look_alike,
            entry.description,
            entry.licence,
            entry.origin,
        )
        rows.append((*known, hashlib.sha256(data).hexdigest(), *Image.open(io.BytesIO(data)).size))
    with open(HERE / "sample.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])
    contact_sheet().save(HERE / "contact_sheet.jpg", quality=85, optimize=True)


def contact_sheet() -> Image.Image:
    """Return all pictures of the sample in the order of the list above, six in a row."""
    cell, across = 160, 6
    sheet = Image.new("RGB", (cell * across, (cell + 18) * -(-len(ENTRIES) // across)), "#f4f4f2")
    draw = ImageDraw.Draw(sheet)
    for number, entry in enumerate(ENTRIES):
        x, y = cell * (number % across), (cell + 18) * (number // across)
        with Image.open(HERE / "sample" / entry.path) as image:
            small = ImageOps.contain(
                image.convert("RGB"), (cell - 10, cell - 10), Image.Resampling.LANCZOS
            )
        sheet.paste(small, (x + (cell - small.width) // 2, y + 6 + (cell - 10 - small.height) // 2))
        # DejaVu has no Japanese glyphs: such a picture is named by what it shows
        name = entry.path if entry.path.isascii() else f"({entry.description.split(';')[0]})"
        draw.text(
            (x + cell / 2, y + cell + 6), name, "#333333", font("DejaVuSans", 11), anchor="mm"
        )
    return sheet


def check() -> int:
    """Print for each picture how a rebuild compares with the file; return how many differ."""
    different = 0
    for entry in ENTRIES:
        if entry.origin != DRAWN and find_spec("skimage") is None:
            print(f"left out   {entry.path} (scikit-image is not installed)")
            continue
        there, made = (
            _pixels(source) for source in (HERE / "sample" / entry.path, io.BytesIO(encode(entry)))
        )
        gap = np.abs(there - made).mean() if there.shape == made.shape else np.inf
        word = "identical" if gap == 0 else "close" if gap <= CLOSE else "different"
        different += word == "different"
        print(f"{word:10} {entry.path}" + (f" (mean difference {gap:.3g} levels)" if gap else ""))
    return different


def _pixels(source) -> np.ndarray:
    with Image.open(source) as image:
        return np.asarray(image.convert("RGB"), dtype=float)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--check",
        action="store_true",
        help="compare a rebuild with the files instead of writing them",
    )
    # file names in any script, whatever the console's own encoding
    sys.stdout.reconfigure(encoding="utf-8")
    if parser.parse_args().check:
        sys.exit(min(1, check()))
    write()
