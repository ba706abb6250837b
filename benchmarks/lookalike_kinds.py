"""Folders of look-alikes of many kinds with a few true copies among them, and the truth.

    python benchmarks/lookalike_kinds.py OUT [KIND ...] [--seed N] [--count N]

OUT/<kind>/pictures holds the files, OUT/<kind>/truth.csv (file, group) says which show the same
picture: copies agree wherever they overlap, apart from what only one of them has in a place;
look-alikes each have something of their own in the same places. ``benchmarks/lookalikes.py``
scores a search in them.

Everything follows from the seed. Photographs come from the sample that ships with the package
and, where it is there, from ../shared/data (or SIMLAB_SHARED/data); only the kind
``real_scenes`` needs the latter.
"""

import argparse
import csv
import inspect
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import lookalike_pages as pages
import lookalike_pictures as things
from lookalike_copies import EDITS, SHARED, copy_of, photograph_files
from PIL import Image

import simlab as sl

MOST = 56
"""So many different pictures of a kind there can be: two parts in two of eight colours."""

COPIES = 3
"""Every so many pictures one has a copy."""

COLOURLESS = frozenset({"greyed", "scanned"})
HIDES_A_PART = frozenset({"trimmed", "detail", "with_sticker", "captioned", "stamped", "annotated"})
"""Edits after which a copy may lack the only place in which its look-alikes differ."""

UNFINISHED = frozenset({"unfinished"})
FINISHED = frozenset({"calendars", "invoices", "letters", "puzzles", "receipts", "spreadsheets"})
"""Kinds of which an earlier state, with an empty lower part, may be a copy too."""

SCENES = [
    ["opencv_samples/aero1.jpg", "opencv_samples/aero3.jpg"],
    ["opencv_samples/aloeL.jpg", "opencv_samples/aloeR.jpg"],
    ["opencv_samples/basketball1.jpg", "opencv_samples/basketball2.jpg"],
    ["opencv_samples/left01.jpg", "opencv_samples/left02.jpg", "opencv_samples/right01.jpg"],
    ["skimage_wheel/motorcycle_left.png", "skimage_wheel/motorcycle_right.png"],
]
"""Real shots of one scene each, from another place or at another time."""

SCENE_COPIES = [
    "recompress(quality=25)",
    "resize(scale=0.5)",
    "crop(area=0.6)",
    "rotate(degrees=4)",
    "text(length=20)",
    "border(width=0.06)",
    "brightness(factor=1.3)",
    "screenshot",
    "crop(area=0.8)+recompress(quality=40)",
]


class Kind(NamedTuple):
    """How a kind is drawn, how many layouts it has, and which edits would leave no copy."""

    draw_one: Callable[..., Image.Image]
    layouts: int = 2
    avoid: frozenset[str] = frozenset()


KINDS = {
    "receipts": Kind(pages.receipts),
    "invoices": Kind(pages.invoices, layouts=3),
    "letters": Kind(pages.letters, layouts=3),
    "spreadsheets": Kind(pages.spreadsheets),
    "charts": Kind(pages.charts, layouts=5),
    "barcodes": Kind(pages.barcodes),
    "dot_matrices": Kind(pages.dot_matrices),
    "puzzles": Kind(pages.puzzles, layouts=3),
    "tickets": Kind(pages.tickets, avoid=frozenset({"detail"})),
    "calendars": Kind(pages.calendars),
    "sheet_music": Kind(pages.sheet_music),
    "maps": Kind(pages.maps),
    "newspapers": Kind(pages.newspapers),
    "app_screens": Kind(pages.app_screens, layouts=4),
    "boards": Kind(pages.boards, layouts=3),
    "trading_cards": Kind(things.trading_cards),
    "posters": Kind(things.posters, layouts=3),
    "captioned_photographs": Kind(things.captioned_photographs, layouts=8, avoid=HIDES_A_PART),
    "icons": Kind(things.icons, layouts=8, avoid=COLOURLESS | HIDES_A_PART),
    "faces": Kind(things.faces),
    "vases": Kind(things.vases, layouts=3),
    "coloured_goods": Kind(things.coloured_goods, layouts=4, avoid=COLOURLESS | HIDES_A_PART),
    "textures": Kind(things.textures, layouts=3),
    "two_shots": Kind(things.two_shots, layouts=15),
    "still_lifes": Kind(things.still_lifes, layouts=2),
}


def main() -> None:
    """Draw the kinds that are asked for."""
    options = _options()
    for name in options.kinds or [*KINDS, "real_scenes"]:
        began = time.perf_counter()
        folder = Folder(options.out, name)
        if name == "real_scenes":
            real_scenes(folder, options.seed)
        else:
            draw_kind(folder, name, options.seed, options.count)
        if not folder.rows:
            print(f"{name}: left out, there is no {SHARED / 'data'}")
            continue
        folder.close()
        different = len({group for _, group in folder.rows})
        seconds = time.perf_counter() - began
        print(f"{name}: {len(folder.rows)} pictures, {different} different ones, {seconds:.1f} s")


def draw_kind(folder: "Folder", name: str, seed: int, count: int) -> None:
    """Draw so many different pictures of a kind, and a copy of every third."""
    kind = KINDS[name]
    avoided = set(kind.avoid)
    if name not in FINISHED:
        avoided |= UNFINISHED
    allowed = sorted(set(EDITS) - avoided)
    random.Random(f"{seed} {name} edits").shuffle(allowed)
    for number in range(count):
        draw = random.Random(f"{seed} {name} {number}")
        image = _drawn(kind, name, seed, number, draw)
        folder.add(image, f"{name}_{number:03d}", number, draw)
        if number % COPIES == 0:
            edit = allowed[number // COPIES % len(allowed)]
            folder.add(copy_of(image, draw, edit), f"{name}_{number:03d}_{edit}", number, draw)


def _drawn(kind, name, seed, number, draw):
    """Return one picture of a kind."""
    layout = number // COPIES % kind.layouts
    style = random.Random(f"{seed} {name} layout {layout}")
    parameters = inspect.signature(kind.draw_one).parameters
    if "colouring" in parameters:
        return kind.draw_one(draw, style, number)
    if "number" not in parameters:
        return kind.draw_one(draw, style)
    shares_photograph = name in ("captioned_photographs", "two_shots")
    order = list(range(len(photograph_files())))
    random.Random(f"{seed} {name} photographs").shuffle(order)
    chosen = layout if shares_photograph else number
    return kind.draw_one(draw, style, order[chosen % len(order)])


def real_scenes(folder: "Folder", seed: int) -> None:
    """Write the shots that are there, each with two copies."""
    group = 0
    for shots in SCENES:
        for shot in shots:
            path = SHARED / "data" / shot
            if not path.exists():
                continue
            draw = random.Random(f"{seed} {shot}")
            image = sl.read_image(path)
            folder.add(image, path.stem, group, draw)
            for number, spec in enumerate(draw.sample(SCENE_COPIES, 2)):
                copy = sl.perturb.apply(image, spec, seed=seed)
                folder.add(copy, f"{path.stem}_copy{number}", group, draw)
            group += 1


class Folder:
    """Pictures written one by one, with the group each belongs to."""

    def __init__(self, root: Path, name: str):
        self.root = Path(root) / name
        self.rows: list[tuple[str, int]] = []

    def add(self, image: Image.Image, stem: str, group: int, draw: random.Random) -> None:
        """Write a picture, as PNG or as JPEG of a usual quality."""
        folder = self.root / "pictures"
        folder.mkdir(parents=True, exist_ok=True)
        if draw.random() < 0.3:
            name = f"{stem}.png"
            image.save(folder / name, compress_level=1)
        else:
            name = f"{stem}.jpg"
            image.save(folder / name, quality=draw.randint(70, 95))
        self.rows.append((name, group))

    def close(self) -> None:
        """Write the truth."""
        with open(self.root / "truth.csv", "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("file", "group"), *self.rows])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join([*KINDS, "real_scenes"]))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=30, help="different pictures of each kind")
    options = parser.parse_args()
    if not 1 <= options.count <= MOST:
        parser.error(f"--count must be from 1 to {MOST}, got {options.count}")
    unknown = sorted(set(options.kinds) - {*KINDS, "real_scenes"})
    if unknown:
        parser.error(
            f"no kind {', '.join(unknown)}; there are {', '.join([*KINDS, 'real_scenes'])}"
        )
    return options


if __name__ == "__main__":
    main()
