"""How well a search tells copies from look-alikes, folder by folder.

    python benchmarks/lookalikes.py FOLDER [--csv OUT.csv] [--errors DIR]

Each folder inside FOLDER that has pictures/ and truth.csv (file, group) is searched with the
shipped defaults. Pairs are counted over groups: any two pictures of one found group are a found
pair. ``--errors`` writes every false and every missed pair side by side.
``benchmarks/lookalike_kinds.py`` writes such folders.
"""

import argparse
import itertools
import time
from pathlib import Path

import pandas as pd
from PIL import Image, ImageDraw, ImageOps

import simlab as sl

PANEL = 600


def main() -> None:
    """Search every folder, print the table."""
    options = _options()
    rows = []
    for truth_file in sorted(options.folder.glob("*/truth.csv")):
        row, false_pairs, missed_pairs = measure(truth_file, options.recipe, options.jobs)
        rows.append(row)
        if options.errors:
            pictures = truth_file.parent / "pictures"
            target = options.errors / truth_file.parent.name
            write_errors(pictures, false_pairs, target, "false")
            write_errors(pictures, missed_pairs, target, "missed")
        print(pd.DataFrame([row]).to_string(index=False, header=len(rows) == 1), flush=True)
    if not rows:
        raise SystemExit(f"no folder with truth.csv in {options.folder}")
    table = pd.DataFrame(rows)
    print()
    print(table.to_string(index=False))
    if options.csv:
        table.to_csv(options.csv, index=False)


def measure(truth_file: Path, recipe: str | None, n_jobs: int) -> tuple[dict, set, set]:
    """Return a folder's row of the table, its false pairs and its missed pairs."""
    truth = pd.read_csv(truth_file, dtype=str)
    began = time.perf_counter()
    pictures = truth_file.parent / "pictures"
    found = sl.find_copies(pictures, recipe, n_jobs=n_jobs, progress=False)
    groups = sl.group(found)
    seconds = time.perf_counter() - began
    true = pairs_of(truth)
    said = pairs_of(groups)
    row = {
        "folder": truth_file.parent.name,
        "pictures": len(truth),
        "true_pairs": len(true),
        "precision": round(len(true & said) / max(1, len(said)), 3),
        "recall": round(len(true & said) / max(1, len(true)), 3),
        "false": len(said - true),
        "missed": len(true - said),
        "seconds": round(seconds, 1),
    }
    return row, said - true, true - said


def pairs_of(table: pd.DataFrame) -> set[tuple[str, str]]:
    """Return every two files that a table (file, group) puts into one group."""
    pairs = set()
    for _, files in table.groupby("group")["file"]:
        names = sorted(Path(file).name for file in files)
        pairs.update(itertools.combinations(names, 2))
    return pairs


def write_errors(pictures: Path, pairs: set, folder: Path, what: str) -> None:
    """Write each pair side by side, with the names below."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, names in enumerate(sorted(pairs)):
        sheet = Image.new("RGB", (2 * PANEL, PANEL + 30), "white")
        pen = ImageDraw.Draw(sheet)
        for side, name in enumerate(names):
            seen = ImageOps.contain(sl.read_image(pictures / name), (PANEL - 10, PANEL - 10))
            sheet.paste(seen, (side * PANEL + 5, 5))
            pen.text((side * PANEL + 5, PANEL + 5), f"{what}: {name}", fill="black", font_size=18)
        sheet.save(folder / f"{what}_{number:04d}.jpg", quality=80)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--csv", type=Path, help="write the table there too")
    parser.add_argument("--errors", type=Path, metavar="DIR", help="write every wrong pair there")
    parser.add_argument("--recipe", help="a fitted ensemble's file; else the one that ships")
    parser.add_argument("--jobs", type=int, default=-1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
