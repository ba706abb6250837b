"""Folders whose pictures all have something in common: false pairs and lost copies of a search.

    python benchmarks/common_parts.py FOLDER

The same photographs four times: as they are, under an agency's watermark in tiles, between an
agency's bars, and on a letterhead. Of some there is a smaller copy, of some a crop, both with what
is common; of some the bare photograph.
"""

import argparse
import itertools
import random
import tempfile
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

import simlab as sl

FONT = Path(mpl.get_data_path()) / "fonts/ttf/DejaVuSans-Bold.ttf"
SMALLER = "resize(scale=0.8)+recompress(quality=50)"
CROP = "crop(area=0.7)"
LONGER_SIDE = 360


def main() -> None:
    """Search each folder, and print a row of counts."""
    options = _options()
    files = sorted(Path(options.folder).rglob("*.jpg"))
    files = random.Random(options.seed).sample(files, options.pictures)
    rows = []
    for name, add in COMMON.items():
        with tempfile.TemporaryDirectory() as folder:
            write(files, Path(folder), add, options.copies)
            found = sl.find_copies(folder, n_jobs=options.jobs, progress=False)
            rows.append({"common": name} | counts(found, Path(folder)))
        print(pd.DataFrame(rows).to_string(index=False), flush=True)


def write(files: list[Path], folder: Path, add: Callable, n_copies: int) -> None:
    """Write every photograph with what is common, and copies of the first ones."""
    for at, file in enumerate(files):
        photograph = sl.read_image(file)
        photograph.thumbnail((LONGER_SIDE, LONGER_SIDE))
        made = add(photograph)
        made.save(folder / f"{at:03}.png")
        if at < n_copies:
            smaller = sl.perturb.apply(made, SMALLER)
            smaller.save(folder / f"{at:03}_smaller.jpg", quality=90)
        elif at < 2 * n_copies:
            sl.perturb.apply(made, CROP).save(folder / f"{at:03}_crop.png")
        elif at < 3 * n_copies and add is not plain:
            photograph.save(folder / f"{at:03}_bare.png")


def counts(found: pd.DataFrame, folder: Path) -> dict[str, int | str]:
    """How many copies of each kind are found, and how many pairs of other photographs."""
    pictures = sorted(file.name for file in folder.iterdir())
    copies = set()
    n_others = 0
    for pair in itertools.combinations(pictures, 2):
        if _photograph(pair[0]) == _photograph(pair[1]):
            copies.add(frozenset(pair))
        else:
            n_others += 1
    is_copy = found["verdict"].isin(["copy", "identical"])
    said = set(map(frozenset, found.loc[is_copy, ["reference", "query"]].to_numpy()))
    row = {"pictures": len(pictures), "others": n_others, "false": len(said - copies)}
    for kind in ("smaller", "crop", "bare"):
        of_kind = {pair for pair in copies if any(kind in file for file in pair)}
        row[kind] = f"{len(of_kind & said)} of {len(of_kind)}"
    row["look_alikes"] = int((found["verdict"] == "look-alike").sum())
    return row


def _photograph(file: str) -> str:
    return Path(file).stem.split("_")[0]


def plain(photograph: Image.Image) -> Image.Image:
    """The photograph as it is."""
    return photograph


def watermark(photograph: Image.Image) -> Image.Image:
    """An agency's name all over it."""
    layer = Image.new("RGBA", photograph.size)
    draw = ImageDraw.Draw(layer)
    for row, y in enumerate(range(-20, photograph.height, 60)):
        for x in range(-40 + row % 2 * 70, photograph.width, 150):
            draw.text((x, y), "AGENCY PHOTO", fill=(255, 255, 255, 130), font=_font(18))
    marked = Image.alpha_composite(photograph.convert("RGBA"), layer.rotate(20))
    return marked.convert("RGB")


def bars(photograph: Image.Image) -> Image.Image:
    """An agency's bars over its top and bottom."""
    made = photograph.copy()
    width, height = made.size
    bar = height // 7
    draw = ImageDraw.Draw(made)
    draw.rectangle((0, 0, width, bar), fill=(150, 20, 30))
    draw.rectangle((0, height - bar, width, height), fill=(20, 20, 20))
    draw.text((8, bar // 4), "WORLD NEWS AGENCY", fill="white", font=_font(bar // 2))
    address = "www.agency.example  No 1 in pictures"
    draw.text((8, height - bar + bar // 4), address, fill="white", font=_font(bar // 2))
    return made


def letterhead(photograph: Image.Image) -> Image.Image:
    """A page of an institute, on which it is half of the width."""
    page = Image.new("RGB", (420, 594), "white")
    draw = ImageDraw.Draw(page)
    draw.rectangle((0, 0, 420, 70), fill=(230, 235, 245))
    draw.ellipse((15, 10, 65, 60), fill=(30, 60, 140))
    draw.text((80, 15), "Institute of Pictures", fill=(30, 60, 140), font=_font(24))
    address = "12 Long Street, 1000 Town, phone 555 123"
    draw.text((80, 46), address, fill="black", font=_font(12))
    draw.line((0, 545, 420, 545), fill="black", width=2)
    imprint = "Director: A. B. Sample   VAT 123 456 789   bank 99 8877 6655"
    draw.text((15, 552), imprint, fill="black", font=_font(10))
    smaller = photograph.copy()
    smaller.thumbnail((300, 300))
    page.paste(smaller, (60, 120))
    return page


def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(FONT), size)


COMMON = {"nothing": plain, "watermark": watermark, "bars": bars, "letterhead": letterhead}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="of photographs")
    parser.add_argument("--pictures", type=int, default=60)
    parser.add_argument("--copies", type=int, default=10, help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=-1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
