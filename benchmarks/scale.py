"""What each step of a search takes, by how many pictures it is among: processor time and memory.

    python benchmarks/scale.py FOLDER --sizes 500,2000 --csv docs/scale.csv
    python benchmarks/scale.py docs/scale.csv --figure docs/figures/scale.png
    python benchmarks/scale.py FOLDER --index 2000,8000,30000,100000   the index alone

Pictures of 160 to 200 pixels are cut from those of FOLDER, warped and toned until few of them
look like another, and one in twenty is a copy of one before it. All is written below --work, and
removed. Each size runs in a process of its own, on one core; with --jobs on more, whose processor
time is added, while the memory stays that of the process that searches. The index alone is
measured with the keypoints of 60 such pictures, again and again, a quarter of whose bits are drawn
anew.
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import psutil
from PIL import Image

import simlab as sl
from simlab.scoring.cache import Cache
from simlab.scoring.features import FRAMES, Store
from simlab.scoring.one_pair import PIXELS, needed
from simlab.search import copies, library
from simlab.search.forecast import forecast
from simlab.search.indexes import KeypointIndex, Rows
from simlab.search.library import SIZE_AND_DETAIL, Library

COPY_OF = 20
"""One picture in so many is a copy of one before it."""

EDITS = ["recompress(quality=40)", "crop(area=0.7)", "resize(scale=0.5)", "text(length=12)"]


def main() -> None:
    """Measure each size in a process of its own, and write a row for each step."""
    options = _options()
    if options.figure:
        draw(pd.read_csv(options.folder), options.figure)
        return
    if options.index:
        index_alone(Path(options.folder), list(map(int, options.index.split(","))))
        return
    if options.one:
        work = Path(options.work)
        print(json.dumps(measured(Path(options.folder), options.one, work, options.jobs)))
        return
    rows = []
    for size in map(int, options.sizes.split(",")):
        command = [sys.executable, __file__, options.folder, "--work", options.work]
        # libraries that wait for their threads by spinning would count that as work
        threads = {
            "OMP_NUM_THREADS": str(options.jobs),
            "OMP_WAIT_POLICY": "passive",
            "OPENBLAS_NUM_THREADS": "1",
        }
        done = subprocess.run(
            [*command, "--one", str(size), "--jobs", str(options.jobs)],
            stdout=subprocess.PIPE,
            env={**os.environ, **threads},
            text=True,
            check=True,
        )
        rows.extend(json.loads(done.stdout.splitlines()[-1]))
        table = pd.DataFrame(rows)
        table.to_csv(options.csv, index=False, lineterminator="\n")
        print(table[table["pictures"] == size].to_string(index=False), flush=True)


def measured(folder: Path, size: int, work: Path, n_jobs: int) -> list[dict[str, Any]]:
    """A row for each step of a search among so many pictures."""
    with tempfile.TemporaryDirectory(dir=work) as place:
        pictures = Path(place, "pictures")
        begun = time.perf_counter()
        pictures.mkdir()
        # what they are cut from must not count as memory of a search
        with multiprocessing.get_context("spawn").Pool(n_jobs) as pool:
            shares = np.array_split(np.arange(size), n_jobs)
            pool.starmap(cut, [(folder, share.tolist(), pictures) for share in shares])
        print(f"{size:,} cut in {time.perf_counter() - begun:.0f} s", file=sys.stderr, flush=True)
        return _steps(pictures, size, Path(place, "cache.sqlite"), n_jobs)


def _steps(pictures: Path, size: int, path: Path, n_jobs: int) -> list[dict[str, Any]]:
    steps = Steps(size)
    recipe = sl.Ensemble.load()
    table = sl.datasets.as_table(pictures)
    with Cache(path) as cache:
        methods = sl.methods.resolve(recipe.methods_)
        features = [PIXELS, FRAMES, SIZE_AND_DETAIL, *needed(methods, query=True)]
        made = {"n_jobs": n_jobs, "progress": False}
        store = Store(pictures, cache, **made)
        files = list(table["path"])
        expected = steps.take("forecast", lambda: forecast(store, files, methods, features))
        # what the search itself would say again
        library.LONG = size + 1
        opened = steps.take("features", lambda: Library(table, recipe, cache, **made))
        steps.within("index", KeypointIndex, "filled")
        steps.take("candidates", opened.candidates)
        steps.within("matches", copies, "judge_pairs")
        search = {"recipe": recipe, "cache": cache, **made}
        found = steps.take("rest", lambda: sl.find_copies(table, **search))
        steps.take("groups", lambda: sl.group(found))
        steps.take("again", lambda: sl.find_copies(table, **search))
        steps.less("candidates", "index", named="votes")
        steps.less("rest", "matches", named="the rest")
    n_bytes = sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))
    facts = {
        "forecast_features_s": round(expected.features, 1),
        "forecast_search_s": round(expected.search, 1),
        "forecast_memory_mb": round(expected.memory / 1e6),
        "cache_mb": round(n_bytes / 1e6),
        "candidates": found.attrs["n_candidates"],
        "found": len(found),
    }
    said = [{"pictures": size, "step": name, "value": value} for name, value in facts.items()]
    return [*steps.rows, *said]


def draw(table: pd.DataFrame, file: str) -> None:
    """Draw the time of each step by the number of pictures, carried on to 100,000."""
    names = {
        "matches": "comparing",
        "features": "features",
        "votes": "votes",
        "the rest": "keep, overlap",
        "index": "index",
    }
    styles = ["-", "--", "-.", ":", (0, (3, 1, 1, 1, 1, 1))]
    with mpl.style.context("seaborn-v0_8-whitegrid"):
        figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
        colours = np.array(mpl.color_sequences["okabe_ito"])[[0, 1, 2, 3, 5]]
        ends = []
        for (step, name), style, colour in zip(names.items(), styles, colours):
            of_step = table[table["step"] == step]
            sizes = of_step["pictures"].to_numpy()
            seconds = of_step["cpu_s"].to_numpy()
            exponent, constant = np.polyfit(np.log(sizes), np.log(seconds), 1)
            reach = np.array([sizes[0], 100_000])
            line = np.exp(constant) * reach**exponent
            axes.plot(reach, line, linestyle=style, color=colour)
            axes.plot(sizes, seconds, "o", color=colour)
            ends.append((line[1], f"{name} (exponent {exponent:.2f})"))
        lowest = 0.0
        for seconds, label in sorted(ends):
            # each label above the one below
            lowest = max(seconds, 1.6 * lowest)
            beside = {"xytext": (6, 0), "textcoords": "offset points", "va": "center"}
            axes.annotate(label, (reach[1], lowest), **beside)
        axes.set(xscale="log", yscale="log", xlabel="pictures", ylabel="seconds of one core")
        axes.set_yticks([1, 60, 600, 3600, 36_000], ["1 s", "1 min", "10 min", "1 h", "10 h"])
        axes.set_xticks([2_000, 8_000, 30_000, 100_000], ["2,000", "8,000", "30,000", "100,000"])
        axes.minorticks_off()
        axes.set_title("A search by its steps: dots are measured, lines computed", loc="left")
        figure.savefig(file, dpi=130)


def index_alone(folder: Path, sizes: list[int]) -> None:
    """Print what the index of the keypoints of so many pictures takes, and a query among them."""
    sources = [np.asarray(image) for image in _sources(folder)]
    (method,) = sl.methods.resolve("aligned(orientations=8)")
    pictures = [_warped(sources, np.random.default_rng([7, number])) for number in range(60)]
    packed = [method.feature.extract(picture) for picture in pictures]
    rng = np.random.default_rng(0)
    for size in sizes:
        index = KeypointIndex(mirrored=True)
        rows = _again(index.rows(packed), size // len(packed), rng)
        _forget_peak()
        before = _peak()
        began = time.process_time()
        index.fill(rows)
        filled = time.process_time()
        index.candidates([packed], n=7)
        voted = time.process_time()
        print(
            f"{size:,} pictures, {len(rows.values):,} keypoints: filled in {filled - began:.1f} s,"
            f" {1e3 * (voted - filled) / len(packed):.1f} ms a query,"
            f" {(_peak() - before) / 1e3 + rows.values.nbytes / 1e6:.0f} MB",
            flush=True,
        )


def _again(rows: Rows, times: int, rng: np.random.Generator) -> Rows:
    """The keypoints of so many times the pictures."""
    n_pictures = rows.picture.max() + 1
    picture = np.concatenate([rows.picture + n_pictures * time for time in range(times)])
    codes = np.tile(rows.values, (times, 1))
    for block in np.array_split(codes, times):
        noise = rng.integers(0, 256, (2, *block.shape), np.uint8)
        np.bitwise_xor(block, noise[0] & noise[1], out=block)
    return Rows(picture.astype(np.int32), codes)


class Steps:
    """Processor seconds and the most memory of each step, in rows.

    Those of this process alone, which hands out the work, are named the caller's.
    """

    def __init__(self, size: int):
        self.size = size
        self.rows: list[dict[str, Any]] = []

    def take(self, name: str, work: Callable[[], Any]) -> Any:
        """Return what a step gives, noting what it took."""
        _forget_peak()
        before = _processor_seconds()
        own_before = time.process_time()
        begun = time.perf_counter()
        result = work()
        seconds = _processor_seconds() - before
        row = {"pictures": self.size, "step": name, "cpu_s": round(seconds, 2)}
        row["caller_s"] = round(time.process_time() - own_before, 2)
        row["wall_s"] = round(time.perf_counter() - begun, 2)
        row["peak_mb"] = round(_peak() / 1e3)
        self.rows.append(row)
        print(row, file=sys.stderr, flush=True)
        return result

    def within(self, name: str, module: Any, function: str) -> None:
        """From here on, note what a function takes when others call it."""
        original = getattr(module, function)

        def noted(*arguments: Any, **options: Any) -> Any:
            setattr(module, function, original)
            return self.take(name, lambda: original(*arguments, **options))

        setattr(module, function, noted)

    def less(self, whole: str, part: str, *, named: str) -> None:
        """Name what is left of a step when a step within it is taken away."""
        of = {row["step"]: row for row in self.rows}
        for column in ("cpu_s", "caller_s", "wall_s"):
            of[whole][column] = round(of[whole][column] - of[part][column], 2)
        of[whole]["step"] = named


def _processor_seconds() -> float:
    """Those of this process and of its workers, also of such as have ended."""
    own = psutil.Process()
    for process in [own, *own.children(recursive=True)]:
        times = process.cpu_times()
        _SECONDS[process.pid] = times.user + times.system
    return sum(_SECONDS.values())


_SECONDS: dict[int, float] = {}


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _peak() -> int:
    """The most memory since it was forgotten, in kB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def cut(folder: Path, numbers: list[int], place: Path) -> None:
    """Write the pictures of these numbers, whatever others there are."""
    sources = [np.asarray(image) for image in _sources(folder)]
    for number in numbers:
        rng = np.random.default_rng([7, number])
        image = _warped(sources, rng)
        if number % COPY_OF == COPY_OF - 1:
            before = number - 1 - int(rng.integers(min(number - 1, COPY_OF - 2)))
            original = _warped(sources, np.random.default_rng([7, before]))
            image = sl.perturb.apply(original, EDITS[number // COPY_OF % len(EDITS)], seed=1)
        image.save(place / f"{number:06}.jpg", quality=90)


def _sources(folder: Path) -> list[Image.Image]:
    """The pictures of a folder in which there is something to cut, at most a megapixel each."""
    sources = []
    for path in sl.datasets.as_table(folder)["path"]:
        image = sl.read_image(folder / path)
        if min(image.size) < 200:
            continue
        image.thumbnail((1200, 1200))
        sources.append(image)
    return sources


def _warped(sources: list[np.ndarray], rng: np.random.Generator) -> Image.Image:
    """A place of one of the sources, stretched and bent, with other tones and colours."""
    width, height = rng.integers(160, 201, 2)
    source = sources[rng.integers(len(sources))]
    reach = min(source.shape[:2]) * rng.uniform(0.2, 0.45)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    # bent by two slow waves, and stretched along one direction more than along the other
    bend = rng.uniform(0.15, 0.4, 2)
    slow = rng.uniform(1.5, 4, 2)
    phase = rng.uniform(0, 2 * np.pi, 2)
    u = x + bend[0] * np.sin(slow[0] * y + phase[0])
    v = y + bend[1] * np.sin(slow[1] * x + phase[1])
    angle = rng.uniform(0, 2 * np.pi)
    stretch = rng.uniform(0.45, 1)
    along = reach * (np.cos(angle) * u - np.sin(angle) * v)
    across = reach * stretch * (np.sin(angle) * u + np.cos(angle) * v)
    at = rng.uniform(0.3, 0.7, 2) * source.shape[1::-1]
    place = (at[0] + along).astype(np.float32), (at[1] + across).astype(np.float32)
    piece = cv2.remap(source, *place, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    toned = 255 * (piece / 255) ** rng.uniform(0.6, 1.6)
    return Image.fromarray(toned[..., rng.permutation(3)].astype(np.uint8))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--sizes", default="500,2000")
    parser.add_argument("--csv", default="scale.csv")
    parser.add_argument("--figure", help="where to draw what stands in the table named as FOLDER")
    parser.add_argument("--index", help="sizes, for the index of keypoints alone")
    parser.add_argument("--work", default=tempfile.gettempdir())
    parser.add_argument("--jobs", type=int, default=1, help="processes, and threads of the index")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
