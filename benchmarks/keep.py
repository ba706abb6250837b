"""Which of two copies is kept: how often it is the original, kind of edit by kind of edit.

    python benchmarks/keep.py FOLDER                     a report, on half of the pictures
    python benchmarks/keep.py FOLDER --part tune         the half on which numbers were chosen

For each picture and edit, a variant is saved as PNG or as JPEG of quality 90, and the two files
are compared. Where nobody could tell the two apart (a mirror image; a small change of tone), it is
right to say that it is undecided; elsewhere this counts as wrong. A group keeps one file even so:
the last column says how often it is the original.
"""

import argparse
import hashlib
import io
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from PIL import Image

import simlab as sl
from simlab.evaluation.intervals import wilson
from simlab.images import read_bytes, read_image
from simlab.scoring.workers import run
from simlab.search.keeping import choose

EDITS = {
    "text": ["text(length=5)", "text", "text(length=50)", "text(opacity=0.5)"],
    "watermark": ["watermark(opacity=0.2)", "watermark", "watermark(opacity=0.6)"],
    "caption": ["caption(height=0.08)", "caption", 'caption(height=0.3, position="top")'],
    "sticker": ["overlay(size=0.15)", "overlay", "overlay(size=0.5)", "overlay(opacity=0.5)"],
    "border": ["border(width=0.03)", "border", 'border(width=0.2, color="black")'],
    "screenshot": ["screenshot(frame=0.15)", "screenshot", "screenshot(frame=0.6)"],
    "embed": ["embed(area=0.8)", "embed", "embed(area=0.2)"],
    "crop": [*(f"crop(area={area})" for area in (0.9, 0.7, 0.5, 0.25))],
    "crop, size kept": [
        "crop(side=0.2, resize_back=True)",
        'crop(side=0.5, anchor="center", resize_back=True)',
    ],
    "smaller": [*(f"resize(scale={scale})" for scale in (0.9, 0.7, 0.5, 0.25))],
    "enlarged": [
        *(f"resize(scale={scale})" for scale in (1.2, 1.6, 2, 3)),
        'resize(scale=2, resample="nearest")',
        'resize(scale=2, resample="lanczos")',
    ],
    "shrunk and enlarged": ["resize(scale=0.5)+resize(scale=2)"],
    "aspect": ["aspect(ratio=1.1)", "aspect", "aspect(ratio=0.7)"],
    "rotate": ["rotate(degrees=2)", "rotate", "rotate(degrees=20)", "rotate(expand=False)"],
    "shear": ["shear(degrees=2)", "shear", "shear(degrees=15)"],
    "perspective": ["perspective(amount=0.05)", "perspective(amount=0.1)", "perspective"],
    "JPEG": [*(f"recompress(quality={quality})" for quality in (80, 70, 50, 30, 10))],
    "WebP, AVIF": [
        'recompress(quality=80, format="webp")',
        'recompress(quality=40, format="webp")',
        'recompress(quality=60, format="avif")',
    ],
    "palette": ['recompress(quality=100, format="png")', 'recompress(quality=25, format="png")'],
    "blur": ["blur(sigma=0.6)", "blur(sigma=1)", "blur", "blur(sigma=4)"],
    "median": ["median(kernel=3)", "median", "median(kernel=9)"],
    "motion": ["motion(length=5)", "motion"],
    "noise": [
        "noise(variance=0.002)",
        "noise",
        'noise(kind="speckle", variance=0.02)',
        'noise(kind="salt_pepper", amount=0.01)',
        'noise(kind="salt_pepper", amount=0.1)',
    ],
    "oversharpened": ["sharpness", "sharpness(factor=4)", "resize(scale=2)+sharpness(factor=3)"],
    "brightness": ["brightness(factor=0.5)", "brightness"],
    "contrast": ["contrast(factor=0.5)", "contrast(factor=2)"],
    "gamma": ["gamma(exponent=0.5)", "gamma", "gamma(exponent=2.2)"],
    "saturation": ["saturation(factor=0.3)", "saturation(factor=2.5)"],
    "gray": ["gray"],
    "posterize": ["posterize(bits=5)", "posterize", "posterize(bits=2)"],
    "two edits": [
        "crop(area=0.7)+recompress(quality=50)",
        "screenshot+recompress(quality=50)",
        "text+resize(scale=1.5)",
        "border+recompress(quality=50)",
        "mirror+recompress(quality=50)",
        "brightness(factor=1.2)+recompress(quality=40)",
    ],
    "resaved": [""],
}
SYMMETRICAL = {
    "mirror, turn": ["mirror", 'mirror(axis="vertical")', "rotate(degrees=90)"],
    "hue": ["hue(degrees=10)", "hue", "hue(degrees=120)"],
    "small changes of tone": [
        "brightness(factor=0.85)",
        "brightness(factor=1.2)",
        "contrast(factor=0.85)",
        "contrast(factor=1.2)",
        "saturation(factor=0.7)",
        "saturation(factor=1.4)",
        "gamma(exponent=0.8)",
    ],
    "slightly softer, sharper": ["sharpness(factor=0.5)", "sharpness(factor=1.5)"],
}
LEAST_SIDE = 48
_COLUMNS = ["file", "kind", "edit", "saved", "said", "reason", "kept"]


def main():
    options = _options()
    root = Path(options.folder)
    rows = []
    for file, found in run(_judged, _tasks(root, options), n_jobs=options.jobs):
        if not isinstance(found, list):
            raise SystemExit(f"{file}: {found}")
        rows.extend((file, *row) for row in found)
    rows.sort()
    table = pd.DataFrame(rows, columns=_COLUMNS)
    _print(table)
    if options.out:
        table.to_csv(options.out, index=False)


def _options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--part", choices=["tune", "report"], default="report")
    parser.add_argument("--each", type=int, default=8, help="pictures of each subfolder")
    parser.add_argument("--share", type=float, default=1, help="of the edits, drawn by picture")
    parser.add_argument("--jobs", type=int, default=-1)
    parser.add_argument("--out", help="a CSV with every answer")
    return parser.parse_args()


def _tasks(root, options):
    """Some pictures of every subfolder that belong to the part, by a digest of their names."""
    images = sl.datasets.as_table(root)["path"]
    digest = images.map(lambda path: hashlib.sha256(path.encode()).digest())
    in_part = digest.map(lambda value: value[0] % 2 == 0) == (options.part == "tune")
    chosen = pd.DataFrame({"path": images, "digest": digest})[in_part].sort_values("digest")
    folder = chosen["path"].map(lambda path: path.rpartition("/")[0])
    for path in chosen.groupby(folder).head(options.each)["path"]:
        yield path, (str(root / path), path, options.share)


def _judged(file, name, share):
    """What is said of every variant of a picture."""
    data = read_bytes(file)
    image = read_image(data)
    rows = []
    for kind, edits in (EDITS | SYMMETRICAL).items():
        for edit in edits:
            draw = hashlib.sha256(f"{name} {edit}".encode()).digest()
            variant = sl.perturb.apply(image, edit, seed=0) if edit else image
            if draw[1] >= 256 * share or min(*image.size, *variant.size) < LEAST_SIDE:
                continue
            saved = ["PNG", "JPEG"][draw[0] % 2]
            if not edit:
                saved = "JPEG" if Image.open(io.BytesIO(data)).format == "PNG" else saved
            file_of_variant = io.BytesIO()
            variant.save(file_of_variant, saved, quality=90)
            # the original is now the first, now the second
            place = draw[2] % 2
            pair = [data, file_of_variant.getvalue()]
            choice = choose(*(pair if place == 0 else pair[::-1]))
            said = "undecided"
            if choice.better >= 0:
                said = "original" if choice.better == place else "variant"
            kept = _kept(choice, [image, variant] if place == 0 else [variant, image])
            kept = "original" if kept == place else "variant"
            rows.append((kind, edit or "saved anew", saved, said, choice.reason, kept))
    return rows


def _kept(choice, pictures):
    """Which of the two a group keeps: 0 or 1."""
    files = ["0", "1", ""]  # the last where nothing is said
    row = {"reference": "0", "query": "1", "distance": 0.1}
    row |= {"keep": files[choice.better], "likelier": files[choice.likelier]}
    details = {"file": files[:2], "pixels": [], "sharpness": []}
    for picture in pictures:
        details["pixels"].append(picture.width * picture.height)
        laplacian = cv2.Laplacian(np.asarray(picture.convert("L")), cv2.CV_16S)
        details["sharpness"].append(laplacian.var())
    groups = sl.group(pd.DataFrame([row]), pictures=details)
    return int(groups["representative"].iloc[0])


def _print(table):
    print(f"{table['file'].nunique()} pictures, {len(table):,} pairs\n")
    print("| kind | pairs | right | 95 % | undecided | wrong | original kept |")
    print("|---|---|---|---|---|---|---|")
    for kinds, may_be_undecided in ((EDITS, False), (SYMMETRICAL, True)):
        for kind in kinds:
            _print_row(kind, table[table["kind"] == kind], may_be_undecided)
        _print_row("**all of these**", table[table["kind"].isin(list(kinds))], may_be_undecided)
    wrong = table[(table["said"] != "original") & table["kind"].isin(list(EDITS))]
    wrong = pd.concat([wrong, table[(table["said"] == "variant") & ~table["kind"].isin(EDITS)]])
    print("\nThose that are wrong:\n")
    print(wrong.to_string(index=False))


def _print_row(kind, rows, may_be_undecided):
    if rows.empty:
        return
    is_right = rows["said"] == "original"
    if may_be_undecided:
        is_right |= rows["said"] == "undecided"
    low, high = wilson(is_right.mean(), len(rows), 1.96)
    undecided = int((rows["said"] == "undecided").sum())
    variant = int((rows["said"] == "variant").sum())
    kept = (rows["kept"] == "original").mean()
    share = f"{is_right.mean():.2f} | {low:.2f} to {high:.2f}"
    print(f"| {kind} | {len(rows)} | {share} | {undecided} | {variant} | {kept:.2f} |")


if __name__ == "__main__":
    main()
