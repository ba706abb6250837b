"""How exactly a search says where the one picture lies in the other, against the truth.

    python benchmarks/overlap.py [--folder FOLDER] [--sizes 256,1000,4000] [--csv FILE]

simlab makes the variants itself, and the same variant of a picture whose colours say where a pixel
is: so it is known which part of a picture a variant shows. For each size and kind: of how many
pairs a search calls them copies or look-alikes, and of these the mean of the intersection over
union (IoU) of the part that is said to be shown and the part that is; with a 95 % interval, sources
resampled. At the end, of how many pairs of different pictures an overlap is said.
"""

import argparse
import itertools
import tempfile
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from PIL import Image

import simlab as sl
from simlab.images import content_digest
from simlab.methods.overlap import outlines

KINDS = {
    "crop to 50 %": "crop(area=0.5)",
    "crop to 25 %": "crop(area=0.25)",
    "crop to 10 %": "crop(area=0.1)",
    "crop to 25 %, twice the size": "crop(area=0.25)+resize(scale=2)",
    "crop to 25 %, half the size": "crop(area=0.25)+resize(scale=0.5)",
    "crop to 40 %, turned 10°": "crop(area=0.4)+rotate(degrees=10)",
    "crop to 40 %, a quarter turn": "crop(area=0.4)+rotate(degrees=90)",
    "crop to 40 %, mirrored": "crop(area=0.4)+mirror",
    "sheared 10°": "shear(degrees=10)",
    "turned 20°": "rotate(degrees=20)",
    "from aside": "perspective(amount=0.15)",
    "whole in a collage": "embed(area=0.3)",
    "a detail in a collage": "crop(area=0.3)+resize(scale=1.5)+embed(area=0.3)",
}
RASTER = 400  # longer side of the picture in which areas are counted


def main() -> None:
    """Measure and print."""
    options = _options()
    table = sl.datasets.as_table(options.folder)
    paths = [Path(options.folder, path) for path in table["path"]][:: options.every]
    rows = []
    for size in map(int, options.sizes.split(",")):
        for path in paths:
            rows.extend(of_picture(at_size(path, size), path.name, size))
        shown = summary(pd.DataFrame(rows).query("size == @size"))
        print(f"{size} px, of {len(paths)} pictures", shown.to_string(index=False), sep="\n")
    counted = pd.DataFrame(rows)
    every = counted.assign(size="all")
    print("all sizes", summary(every).to_string(index=False), sep="\n")
    crops = every[every["kind"].str.startswith("crop")].assign(kind="all crops")
    print(summary(crops).to_string(index=False))
    if options.csv:
        counted.round(4).to_csv(options.csv, index=False)
    strangers(paths)


def at_size(path: Path, size: int) -> Image.Image:
    """The picture with this longer side."""
    image = sl.read_image(path)
    scale = size / max(image.size)
    sides = [max(16, round(scale * side)) for side in image.size]
    return image.resize(sides, Image.Resampling.LANCZOS)


def of_picture(image: Image.Image, name: str, size: int) -> list[dict]:
    """Whether each variant is found, and how exactly it is said where it lies."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        image.save(Path(folder, "picture.png"), compress_level=0)
        gallery = sl.Gallery(folder, n_jobs=1, progress=False)
        for kind, spec in KINDS.items():
            variant, codes = with_codes(image, spec)
            answer = gallery.query(variant, top=2, prior=0.001).iloc[0]
            shown = of_truth(codes, image.size)
            said = of_answer(answer, image.size)
            row = {"size": size, "kind": kind, "source": name}
            row["found"] = answer["verdict"] != "different"
            row["iou"] = (said & shown).sum() / max(1, (said | shown).sum())
            rows.append(row)
    return rows


def with_codes(image: Image.Image, spec: str) -> tuple[Image.Image, np.ndarray]:
    """A variant, and the same one of a picture whose red and green say where a pixel is."""
    chain = sl.perturb.parse(spec)
    digest = content_digest(image)
    width, height = image.size
    codes = np.full((height, width, 3), 128, np.uint8)
    codes[..., 0] = np.rint(20 + 200 * (np.arange(width) + 0.5) / width)
    codes[..., 1] = np.rint(20 + 200 * (np.arange(height)[:, None] + 0.5) / height)
    coded = chain.apply(Image.fromarray(codes), 1, digest)
    return chain.apply(image, 1, digest), np.asarray(coded).astype(float)


def of_truth(codes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The part of the picture that a variant shows, bool: fitted through what its pixels say."""
    shown = cv2.erode((abs(codes[..., 2] - 128) <= 1).astype(np.uint8), np.ones((5, 5)))
    _, numbers, boxes, _ = cv2.connectedComponentsWithStats(shown)
    shown = (numbers == 1 + np.argmax(boxes[1:, cv2.CC_STAT_AREA])).astype(np.uint8)
    y, x = np.nonzero(shown)
    step = max(1, len(x) // 20_000)
    y, x = y[::step], x[::step]
    points = np.column_stack([x, y]).astype(float) + 0.5
    places = (codes[y, x, :2] - 20) / 200 * size
    transform, _ = cv2.findHomography(points, places, cv2.RANSAC, max(size) / 100)
    whole = cv2.dilate(shown, np.ones((5, 5)))
    scale = RASTER / max(codes.shape)
    small = cv2.resize(255 * whole, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    to_small = np.diag([small.shape[1] / codes.shape[1], small.shape[0] / codes.shape[0], 1.0])
    enlarge = np.diag([RASTER / max(size)] * 2 + [1.0])
    moved = np.linalg.inv(half) @ enlarge @ transform @ np.linalg.inv(to_small) @ half
    return cv2.warpPerspective(small, moved, _raster(size)) > 127


def of_answer(row: pd.Series, size: tuple[int, int]) -> np.ndarray:
    """The part of the picture that a row says is shown."""
    canvas = np.zeros(_raster(size)[::-1], np.uint8)
    said = outlines(row)
    if said is not None:
        points = said[0] * (RASTER / max(size)) - 0.5
        cv2.fillConvexPoly(canvas, np.rint(points * 256).astype(np.int32), 1, shift=8)
    return canvas > 0


def _raster(size: tuple[int, int]) -> tuple[int, int]:
    scale = RASTER / max(size)
    return round(scale * size[0]), round(scale * size[1])


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """By kind: pairs, how many were found, their mean IoU with its interval, and the lowest."""
    lines = []
    for kind, of_kind in rows.groupby("kind", sort=False):
        found = of_kind[of_kind["found"]]
        line = {"kind": kind, "n": len(of_kind), "found": len(found)}
        by_source = found.groupby("source")["iou"].mean().to_numpy()
        if len(by_source):
            rng = np.random.default_rng(0)
            means = rng.choice(by_source, (2000, len(by_source))).mean(axis=1)
            low, high = np.quantile(means, [0.025, 0.975])
            line |= {"IoU": by_source.mean(), "low": low, "high": high}
            line["least"] = found["iou"].min()
        lines.append(line)
    return pd.DataFrame(lines).round(3)


def strangers(paths: list[Path]) -> None:
    """Of how many pairs of different pictures an overlap is said."""
    pairs = list(itertools.combinations(paths, 2))[:: max(1, len(paths) // 8)]
    said = [pair for pair in pairs if sl.overlap(*pair)["overlap"].notna().all()]
    print(f"different pictures: an overlap is said of {len(said)} of {len(pairs)} pairs")
    for first, second in said:
        print("   ", first.name, second.name)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--folder", default=sl.datasets.DATA / "sample", help="of pictures")
    parser.add_argument("--sizes", default="256,1000,4000", help="longer sides, joined by commas")
    parser.add_argument("--every", type=int, default=2, help="take every such picture (2)")
    parser.add_argument("--csv", type=Path, help="a row per pair is written here")
    return parser.parse_args()


if __name__ == "__main__":
    main()
