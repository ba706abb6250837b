"""What a search finds, how much of it is wrong, and how long it takes.

    python benchmarks/search.py FOLDER                 copies of 60 pictures planted among FOLDER's
    python benchmarks/search.py FOLDER --speed 2000    so many pictures of 0.15 megapixels made of
                                                       FOLDER's; many hashes
    python benchmarks/search.py FOLDER --sizes 64,800,4032 --csv sizes.csv
                                                       recall by size and edit, each size searched
                                                       by itself

Found pairs that were not planted are listed: some are copies that FOLDER had before, and only a
person can tell.
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from PIL import Image
from scipy.stats import binomtest

import simlab as sl
from simlab.search.indexes import near_pairs

PERTURBATIONS = [
    "crop(area=0.5)",
    "crop(area=0.25)",
    "crop(area=0.15)",
    "crop(area=0.5)+recompress(quality=30)",
    "rotate(degrees=5)",
    "rotate(degrees=20)",
    "rotate(degrees=90)",
    "mirror",
    "perspective",
    "shear(degrees=20)",
    "text(length=20)",
    "text(length=50)",
    "border(width=0.1)",
    "embed",
    "screenshot",
    "brightness(factor=2)",
    "resize(scale=0.4)",
    "recompress(quality=10)",
]

EDITS = {
    "crop to 50 %": "crop(area=0.5)",
    "crop to 30 %": "crop(area=0.3)",
    "rotated 10°": "rotate(degrees=10)",
    "sheared 10°": "shear(degrees=10)",
    "text": "text(length=20)",
    "JPEG 30": "recompress(quality=30)",
    "to a tenth": "resize(scale=0.1)",
}
"""What is done to a picture of each size."""


def main() -> None:
    """Plant, search, print."""
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        if options.speed:
            speed(options, Path(folder))
        elif options.sizes:
            by_size(options, Path(folder))
        else:
            quality(options, Path(folder))


def quality(options: argparse.Namespace, folder: Path) -> None:
    """Recall by perturbation, what was found that was not planted, and how good the groups are."""
    planted = plant(options, folder)
    cache = options.cache or folder.with_name(f"{folder.name}.sqlite")
    found = copies_of(sl.find_copies(folder, options.recipe, cache=cache, n_jobs=options.jobs))
    source = dict(zip(planted["file"], planted["source"]))
    sources = [[source.get(path, path) for path in found[side]] for side in ("reference", "query")]
    same = np.equal(*(np.array(side, dtype=object) for side in sources))
    pairs = {frozenset(pair) for pair in zip(found["reference"], found["query"])}
    linked = {*found["reference"][same], *found["query"][same]}
    planted["found"] = [
        frozenset(pair) in pairs for pair in zip(planted["source"], planted["file"])
    ]
    planted["grouped"] = planted["file"].isin(linked)
    print(planted.groupby("perturbation")[["found", "grouped"]].mean().round(3).to_string())
    for column in ("found", "grouped"):
        by_source = planted.groupby("source")[column].mean().to_numpy()
        draws = np.random.default_rng(0).choice(by_source, (2000, len(by_source))).mean(axis=1)
        low, high = np.quantile(draws, [0.025, 0.975])
        print(
            f"all {len(planted)}: {column} {by_source.mean():.3f} "
            f"(95 % {low:.3f} to {high:.3f}, sources resampled)"
        )
    others = found[~same].assign(
        pair=[" | ".join(sorted(pair)) for pair in zip(*(np.array(s)[~same] for s in sources))]
    )
    n = len(found.attrs["pictures"]["file"])
    print(
        f"{len(found):,} pairs found among {n * (n - 1) // 2:,}; "
        f"{len(others)} of them were not planted:"
    )
    print(others.groupby("pair")["probability"].agg(["size", "max"]).sort_values("max").to_string())
    truth = {file: source.get(file, file) for file in found.attrs["pictures"]["file"]}
    linkages = {name: sl.group(found, linkage=name) for name in ("single", "average", "complete")}
    groups = {name: sl.grouping.quality(groups, truth) for name, groups in linkages.items()}
    print(pd.DataFrame(groups).T.round(3).to_string())


def copies_of(found: pd.DataFrame) -> pd.DataFrame:
    """The found pairs without look-alikes."""
    return found[found["verdict"] != "look-alike"].reset_index(drop=True)


def plant(options: argparse.Namespace, folder: Path) -> pd.DataFrame:
    """Copy the pictures to `folder` and add variants of some: source, file, perturbation."""
    table, rows = sl.datasets.as_table(options.folder), []
    for path in table["path"]:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(options.folder, path), folder / path)
    (folder / "planted").mkdir()
    for n, path in enumerate(sl.datasets.sample_sources(table, options.sources, seed=3)["path"]):
        image = sl.read_image(folder / path)
        for k, spec in enumerate(PERTURBATIONS):
            file = f"planted/{n:03}_{k:02}.jpg"
            sl.perturb.apply(image, spec, seed=1).save(folder / file, quality=92)
            rows.append((path, file, spec))
    return pd.DataFrame(rows, columns=["source", "file", "perturbation"])


def by_size(options: argparse.Namespace, folder: Path) -> None:
    """Recall of each edit at each size, with what was found wrongly: a table of counts, and one to
    read.
    """
    table = sl.datasets.as_table(options.folder)
    paths = sl.datasets.sample_sources(table, options.sources, seed=3)["path"]
    rows = []
    for size in map(int, options.sizes.split(",")):
        place = folder / f"{size:05}"
        enlarged = plant_at(size, Path(options.folder), paths, place)
        found = sl.find_copies(place, options.recipe, n_jobs=options.jobs, progress=False)
        found = copies_of(found)
        found_at = _by_edit(found, len(paths), size, enlarged)
        rows.extend(found_at)
        shutil.rmtree(place)
        counts = ", ".join(f"{row['edit']} {row['found']}" for row in found_at)
        print(f"{size} px, of {len(paths)} ({enlarged} enlarged): {counts}", flush=True)
    counted = pd.DataFrame(rows)
    if options.csv:
        counted.to_csv(options.csv, index=False)
    copies = counted[counted["edit"] != "false alarms"]
    recall = copies.assign(recall=copies["found"] / copies["n"])
    shown = recall.pivot(index="size", columns="edit", values="recall")[list(EDITS)]
    print(shown.round(2).to_string())


def plant_at(size: int, root: Path, paths: pd.Series, place: Path) -> int:
    """Write every picture with this longer side, and its edits; how many had to be
    enlarged for it.
    """
    place.mkdir()
    enlarged = 0
    for number, path in enumerate(paths):
        image = sl.read_image(root / path)
        scale = size / max(image.size)
        enlarged += scale > 1
        width, height = (max(1, round(scale * side)) for side in image.size)
        image = image.resize((width, height), Image.Resampling.LANCZOS)
        image.save(place / f"{number:03}_original.jpg", quality=95)
        for at, spec in enumerate(EDITS.values()):
            edited = sl.perturb.apply(image, spec, seed=1)
            edited.save(place / f"{number:03}_{at}.jpg", quality=95)
    return enlarged


def _by_edit(found: pd.DataFrame, n: int, size: int, enlarged: int) -> list[dict]:
    """Of each edit, in how many of n pictures it was found with its original; and found pairs of
    two pictures.
    """
    pairs = {frozenset(pair) for pair in zip(found["reference"], found["query"])}
    counts = dict.fromkeys(EDITS, 0)
    for number in range(n):
        original = f"{number:03}_original.jpg"
        for at, edit in enumerate(EDITS):
            counts[edit] += frozenset((original, f"{number:03}_{at}.jpg")) in pairs
    foreign = [sorted(pair) for pair in pairs if len({name[:3] for name in pair}) > 1]
    for first, second in sorted(foreign):
        print(f"    wrong: {first} {second}")
    each = len(EDITS) + 1
    trials = dict.fromkeys(EDITS, n) | {"false alarms": n * (n - 1) // 2 * each**2}
    counts["false alarms"] = len(foreign)
    rows = []
    for name, count in counts.items():
        interval = binomtest(count, trials[name]).proportion_ci(method="wilson")
        row = {"size": size, "edit": name, "n": trials[name], "found": count}
        rows.append(row | {"low": round(interval.low, 6), "high": round(interval.high, 6)})
    return [row | {"enlarged": enlarged} for row in rows]


def speed(options: argparse.Namespace, folder: Path) -> None:
    """Seconds, of the clock and of this process, for a first search, the same again, a query, and
    near hashes.
    """
    pictures, cache = folder / "pictures", folder / "cache.sqlite"
    pictures.mkdir()
    paths = sl.datasets.as_table(options.folder)["path"]
    for at, path in enumerate(paths):
        image = sl.read_image(Path(options.folder, path))
        for n in range(at, options.speed, len(paths)):
            small_part(image, n).save(pictures / f"{n:04}.jpg", quality=90)
    search = {"cache": cache, "n_jobs": options.jobs, "progress": False}
    print(f"AKAZE of a picture of 481 x 321: {_akaze():.0f} ms, on this machine today", flush=True)
    n = f"{options.speed:,} pictures"
    _timed(f"{n}, first time", lambda: sl.find_copies(pictures, options.recipe, **search))
    _timed(f"{n}, from the cache", lambda: sl.find_copies(pictures, options.recipe, **search))
    gallery = _timed(
        f"gallery of {n}, from the cache", lambda: sl.Gallery(pictures, options.recipe, **search)
    )
    image = sl.read_image(pictures / "0007.jpg")
    gallery.query(image)
    _timed("20 queries", lambda: [gallery.query(image) for _ in range(20)])
    bits = np.random.default_rng(0).random((100_000, 64)) < 0.5
    _timed("100,000 hashes, radius 10", lambda: near_pairs(bits, bits, radius=10))


def _akaze() -> float:
    """Milliseconds of the fastest of ten, by which machines and days can be compared."""
    sample = sl.datasets.load_sample()
    picture = sl.read_image(Path(sample.attrs["root"], "camera.jpg")).resize((481, 321))
    pixels = np.asarray(picture)
    akaze = cv2.AKAZE_create()
    times = []
    for _ in range(10):
        start = time.process_time()
        akaze.detectAndCompute(pixels, None)
        times.append(time.process_time() - start)
    return 1e3 * min(times)


def small_part(image, seed: int):
    """A part of the picture of 0.15 megapixels."""
    part = sl.perturb.apply(image, "crop(area=0.3)", seed=seed)
    scale = (150_000 / (part.width * part.height)) ** 0.5
    return part.resize((max(16, round(part.width * scale)), max(16, round(part.height * scale))))


def _timed(what: str, function):
    clock, process = time.perf_counter(), time.process_time()
    value = function()
    seconds = time.perf_counter() - clock, time.process_time() - process
    print(
        f"{what}: {seconds[0]:.1f} s; of the processor in this process {seconds[1]:.1f} s",
        flush=True,
    )
    return value


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", help="folder of pictures")
    parser.add_argument(
        "--sources", type=int, default=60, help="pictures of which copies are planted (60)"
    )
    parser.add_argument(
        "--recipe", help="as from simlab tune (default: the one that ships with simlab)"
    )
    parser.add_argument("--jobs", type=int, default=-1)
    parser.add_argument("--cache", type=Path, help="features are kept here")
    parser.add_argument("--speed", type=int, help="what a search among so many pictures takes")
    parser.add_argument(
        "--sizes", help="longer sides in pixels, joined by commas: recall by size and edit"
    )
    parser.add_argument("--csv", type=Path, help="the counts of --sizes are written here")
    return parser.parse_args()


if __name__ == "__main__":
    main()
