"""What one picture costs at most: peak memory and processor time of a process that reads it and
makes its features.

    python benchmarks/limits.py                 8000 × 6000, every format
    python benchmarks/limits.py --largest       the largest that are read
    python benchmarks/limits.py --files plain.jpg --perturbations standard
                                                and each perturbation

Each file is read in a process of its own, and its memory is that process's peak, imports included
(Linux tells it). Rows are added to limits.csv, earlier ones of the same picture replaced; the table
in docs/reliability.md is made of it.
"""

import argparse
import itertools
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

import simlab as sl

FILES = {
    "plain.png": ("RGB", {"compress_level": 1}),
    "alpha.png": ("RGBA", {"compress_level": 1}),
    "16 bits.png": ("I;16", {"compress_level": 1}),
    "plain.jpg": ("RGB", {"quality": 90}),
    "progressive.jpg": ("RGB", {"quality": 90, "progressive": True}),
    "inks.jpg": ("CMYK", {"quality": 90}),
    "plain.bmp": ("RGB", {}),
    "plain.gif": ("P", {}),
    "float.tif": ("F", {"compression": "tiff_adobe_deflate"}),
    "alpha.tif": ("RGBA", {"compression": "tiff_lzw"}),
    "plain.ppm": ("RGB", {}),
    "plain.webp": ("RGB", {"quality": 80, "method": 0}),
    "lossless.webp": ("RGBA", {"lossless": True, "method": 0, "quality": 0}),
    "plain.jp2": (
        "RGB",
        {"quality_mode": "rates", "quality_layers": [10], "tile_size": (1024, 1024)},
    ),
    "untiled.jp2": ("RGB", {"quality_mode": "rates", "quality_layers": [10]}),
    "plain.avif": ("RGB", {"speed": 10}),
}
"""Name → mode and options of Pillow's ``save``."""

CSV = Path(__file__).with_suffix(".csv")
DOCS = Path(__file__).parents[1] / "docs" / "reliability.md"

LARGEST = {"webp": (10_000, 8_000), ".jp2": (10_000, 8_000)}
"""Ending → the largest size that is read; of the others it is 12,000 × 10,000."""


def main() -> None:
    """Print the table and save it."""
    options = _options()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in options.files or FILES:
            (mode, save), path = FILES[name], Path(folder, name)
            size = LARGEST.get(name[-4:], (12_000, 10_000)) if options.largest else (8000, 6000)
            _as(_picture(*size), mode).save(path, **save)
            specs = sl.perturb.resolve(options.perturbations) if options.perturbations else [""]
            for spec in specs:
                facts = {"file": name, "width": size[0], "height": size[1], "perturbation": spec}
                rows.append({**facts, "mb": path.stat().st_size / 1e6, **_apart(path, spec)})
                print(rows[-1], flush=True)
            path.unlink()
    table = pd.concat(
        [
            pd.read_csv(CSV, keep_default_na=False) if CSV.exists() else None,
            pd.DataFrame(rows).round(2),
        ]
    )
    table = table.drop_duplicates(["file", "width", "perturbation"], keep="last")
    table.to_csv(CSV, index=False)
    text = DOCS.read_text(encoding="utf-8")
    before, after = text.split("<!-- limits -->")[0], text.split("<!-- /limits -->")[1]
    told = f"{before}<!-- limits -->\n{_markdown(table)}\n<!-- /limits -->{after}"
    DOCS.write_text(told, encoding="utf-8")


def cost(path: str, spec: str) -> None:
    """Read the file, perturb it, make every default feature; print seconds and peak
    memory so far.
    """
    done = {}

    def note(step):
        # getrusage's own peak would begin with that of the process that started this one
        peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
        done[step] = (time.process_time(), int(peak.group(1)) * 1024 / 1e9)

    wanted = {method.feature for method in sl.methods.resolve(None)}
    note("start")
    image = sl.features.read_image(sl.images.read_bytes(path))
    digest = sl.perturb.content_digest(image)
    note("read")
    image = sl.perturb.parse(spec).apply(image, 0, digest) if spec else image
    note("perturb")
    sl.methods.extract_all(image, wanted)
    note("features")
    for before, step in itertools.pairwise(done):
        print(f"{step}_s", done[step][0] - done[before][0])
        print(f"{step}_gb", done[step][1])


def _markdown(table: pd.DataFrame) -> str:
    """Return the costs of every file, and of the dearest perturbations, as a table."""
    table = table.assign(
        seconds=table[["read_s", "perturb_s", "features_s"]].sum(axis=1), gb=table["features_gb"]
    )
    plain, changed = (table[table["perturbation"].eq("") == wanted] for wanted in (True, False))
    rows = [
        (row, row["file"]) for row in plain.sort_values("width", kind="stable").to_dict("records")
    ]
    for of, words in (("gb", "most memory"), ("seconds", "most time")):
        row = changed.loc[changed[of].idxmax()].to_dict()
        rows.append((row, f"{row['file']}, {row['perturbation']} ({words})"))
    lines = [
        f"| {name} | {row['width']:,} × {row['height']:,} | {_cells(row)} |" for row, name in rows
    ]
    return "\n".join(["| file | pixels | s | GB |", "|---|---|---|---|", *lines])


def _cells(row: dict) -> str:
    refused = row["failed"].rpartition(": ")[2]
    return f"refused | {refused}" if refused else f"{row['seconds']:.1f} | {row['gb']:.2f}"


def _apart(path: Path, spec: str) -> dict[str, float]:
    code = "import sys; from limits import cost; cost(*sys.argv[1:])"
    command = [sys.executable, "-c", code, str(path), spec]
    run = subprocess.run(
        command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )
    if run.returncode:
        return {"failed": (run.stderr.strip() or f"ended with {run.returncode}").splitlines()[-1]}
    return {"failed": ""} | {
        name: float(value) for name, value in map(str.split, run.stdout.splitlines())
    }


def _picture(width: int, height: int) -> Image.Image:
    """A photograph of the sample, enlarged, with grain: nothing that a decoder could skip."""
    photograph = sl.read_image(sl.datasets.DATA / "sample" / "coffee.jpg")
    photograph = photograph.resize((width, height), Image.Resampling.BILINEAR)
    rng = np.random.default_rng(0)
    for top in range(0, height, 512):
        box = (0, top, width, min(height, top + 512))
        band = np.asarray(photograph.crop(box), dtype=np.int16)
        grainy = (
            (band + rng.integers(-8, 9, band.shape, dtype=np.int16)).clip(0, 255).astype(np.uint8)
        )
        photograph.paste(Image.fromarray(grainy), box)
    return photograph


def _as(picture: Image.Image, mode: str) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    if mode == "P":
        return picture.quantize(256, method=Image.Quantize.FASTOCTREE)
    if mode == "RGBA":
        picture = picture.copy()
        picture.putalpha(picture.getchannel("G"))
        return picture
    return picture.convert(mode)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--largest", action="store_true", help="pictures at the default limit, not 8000 x 6000"
    )
    parser.add_argument("--files", nargs="+", metavar="NAME", help=f"of {', '.join(FILES)}")
    parser.add_argument("--perturbations", metavar="SPECS", help="a preset or specs")
    return parser.parse_args()


if __name__ == "__main__":
    main()
