"""How fast a study is, as ratios within one run on one machine; both sides of each ratio give the
same numbers.

    make bench                                     60 pictures made from the sample
    make bench ARGS="FOLDER --sources 60 --full"   your own; --full: all pairs of the plain loop
    make bench ARGS="--only hash-study"            a study of hashes alone, beside perception's own

The plain loop is what one writes first: for each pair open both files, perturb the query, take four
hashes with imagehash, extract AKAZE with OpenCV and match. By default it runs on a part of the
pairs and is extrapolated.

A study of hashes alone is compared with perception's own benchmark (perception_study.py) where
there is an environment that holds it:

    python3 -m venv build/perception
    build/perception/bin/pip install "Perception[benchmarking]==0.9.3" ImageHash scikit-learn joblib
"""

import argparse
import hashlib
import itertools
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import imagehash
import joblib
import numpy as np
import pandas as pd
from PIL import Image, ImageOps

import simlab as sl
from simlab.scoring.features import Store, Variant
from simlab.scoring.one_pair import PIXELS, needed
from simlab.search.library import SIZE_AND_DETAIL

PERTURBATIONS = [
    "text(length=20)",
    "crop(area=0.5)",
    "recompress(quality=30)",
    "resize(scale=0.5)",
    "rotate(degrees=5)",
    "blur(sigma=2)",
    "brightness(factor=1.5)",
    "noise(variance=0.01)",
    "border(width=0.1)",
    "watermark",
]
FEW = PERTURBATIONS[:6]
HASHES = ["phash", "dhash", "average_hash", "whash"]
CLASSIC = "akaze(max_side=None, max_keypoints=None)"
METHODS = [*HASHES, CLASSIC]
NEGATIVES = 3000
STEPS = ["study", "features", "hashes", "large", "hash-study", "starts"]


def main() -> None:
    """Print the table and save it."""
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        images = sl.datasets.as_table(options.folder or _sixty(Path(folder)))
        images = sl.datasets.sample_sources(images, options.sources)
        pairs = sl.make_pairs(images, PERTURBATIONS, negatives=NEGATIVES)
        print(f"{len(images)} pictures, {len(pairs):,} pairs, {joblib.cpu_count()} cores")
        steps = {
            "study": lambda: study(pairs, folder, options.full),
            "features": lambda: [feature_step(pairs)],
            "hashes": lambda: [four_hashes(pairs)],
            "large": lambda: [large_pictures(Path(folder))],
            "hash-study": lambda: hash_studies(images, Path(folder), options.perception),
            "starts": starts,
        }
        rows = []
        for name in options.only or steps:
            rows.extend(steps[name]())
    table = pd.DataFrame(rows, columns=["what", "simlab_s", "other_s", "ratio", "target"])
    print(table.round(3).to_string(index=False))
    if options.out:
        table.round(4).to_csv(options.out, index=False)


def study(pairs: pd.DataFrame, folder: str, full: bool) -> list[tuple]:
    """The whole study against the plain loop, and against itself from the cache."""
    cache = Path(folder, "cache.sqlite")
    first, scores = _timed(lambda: sl.score_pairs(pairs, METHODS, cache=cache, progress=False))
    again, repeated = _timed(lambda: sl.score_pairs(pairs, METHODS, cache=cache, progress=False))
    part = pairs if full else pairs.sample(300, random_state=0)
    seconds, plain = _timed(
        lambda: np.array([_plain(row, pairs.attrs["root"]) for row in part.itertuples()])
    )
    np.testing.assert_array_equal(plain, scores.loc[part.index, METHODS])
    pd.testing.assert_frame_equal(scores, repeated)
    seconds *= len(pairs) / len(part)
    return [
        ("study against the plain loop", first, seconds, seconds / first, "at least 10"),
        ("study from the cache against the first time", again, first, again / first, "under 0.1"),
    ]


def feature_step(pairs: pd.DataFrame) -> tuple:
    """Features of all variants against decode + perturb + raw library calls, both in parallel over
    sources.
    """
    variants = dict.fromkeys(
        Variant(path, spec, 0)
        for path in pairs["query"].unique()
        for spec in ["", *sl.perturb.resolve(PERTURBATIONS)]
    )
    features = [PIXELS, *(method.feature for method in sl.methods.resolve(METHODS))]
    root = Path(pairs.attrs["root"])
    paths = [root / path for path in pairs["query"].unique()]
    with sl.cache.Cache() as cache:
        store = Store(root, cache, progress=False)
        ours, _ = _timed(
            lambda: store.make((variant, feature) for variant in variants for feature in features)
        )
    calls = [joblib.delayed(_floor)(path, PERTURBATIONS) for path in paths]
    floor, _ = _timed(lambda: joblib.Parallel(n_jobs=-1, batch_size=1)(calls))
    return (
        "features against decode + perturb + raw library calls",
        ours,
        floor,
        ours / floor,
        "at most 1.3",
    )


def four_hashes(pairs: pd.DataFrame) -> tuple:
    """The four classic hashes of pictures against imagehash's own time for the four."""
    root = Path(pairs.attrs["root"])
    images = [sl.read_image(root / path) for path in pairs["query"].unique()]
    features = [method.feature for method in sl.methods.resolve(HASHES)]
    ours, _ = _timed(lambda: [sl.methods.extract_all(image, features) for image in images])
    theirs, _ = _timed(
        lambda: [getattr(imagehash, name)(image) for image in images for name in HASHES]
    )
    n = len(images)
    return (
        "four hashes of a picture against imagehash",
        ours / n,
        theirs / n,
        ours / theirs,
        "at most 0.5",
    )


def large_pictures(folder: Path) -> tuple:
    """All that a search makes of pictures of 12 megapixels, from their files, against decoding and
    raw library calls for its pixels' digest, its hash and its keypoints: processor time of one
    core, the best of five rounds.
    """
    recipe = sl.Ensemble.load()
    methods = sl.methods.resolve(recipe.methods_)
    features = [PIXELS, SIZE_AND_DETAIL, *needed(methods, query=True)]
    paths = _of_12_megapixels(folder)
    ours = []
    floors = []
    wanted = list(itertools.product([Variant(path.name) for path in paths], features))
    for _ in range(5):
        ours.append(_of_processor(lambda: _make_anew(folder, wanted)))
        floors.append(_of_processor(lambda: [_floor_of_a_search(path) for path in paths]))
    n = len(paths)
    best = min(ours) / n
    floor = min(floors) / n
    what = "features of a search, 12 megapixels, against decode + raw library calls"
    return (what, best, floor, best / floor, "at most 1")


def _of_12_megapixels(folder: Path, n_pictures: int = 3) -> list[Path]:
    """Pictures of the sample, enlarged, with grain."""
    sample = sl.datasets.load_sample()
    rng = np.random.default_rng(0)
    paths = []
    for n, path in enumerate(sample["path"][:n_pictures]):
        image = sl.read_image(Path(sample.attrs["root"], path))
        levels = np.asarray(image.resize((4000, 3000), Image.Resampling.LANCZOS), dtype=np.int16)
        grain = rng.integers(-6, 7, (3000, 4000, 1), dtype=np.int16)
        target = folder / f"large_{n}.jpg"
        Image.fromarray((levels + grain).clip(0, 255).astype(np.uint8)).save(target, quality=90)
        paths.append(target)
    return paths


def _make_anew(folder: Path, wanted: list) -> None:
    with sl.cache.Cache() as cache:
        Store(folder, cache, n_jobs=1, progress=False).make(wanted)


def _floor_of_a_search(path: Path) -> None:
    cv2.setNumThreads(1)
    image = Image.open(path)
    hashlib.sha256(image.tobytes())
    imagehash.phash(image)
    blue_first = np.asarray(image)[:, :, ::-1]
    working = cv2.resize(blue_first, (800, 600), interpolation=cv2.INTER_AREA)
    half = cv2.resize(working, (400, 300), interpolation=cv2.INTER_AREA)
    detector = cv2.AKAZE_create(threshold=0.0001, max_points=800)
    detector.detectAndCompute(working, None)
    detector.detectAndCompute(half, None)


def hash_studies(images: pd.DataFrame, folder: Path, python: Path) -> list[tuple]:
    """Twenty pictures, and two of 12 megapixels, in six perturbations by four hashes."""
    small = folder / "small"
    small.mkdir()
    for path in images["path"][:20]:
        image = sl.read_image(Path(images.attrs["root"], path))
        image.save(small / f"{Path(path).stem}.jpg", quality=92)
    large = folder / "of_12_megapixels"
    large.mkdir()
    _of_12_megapixels(large, 2)
    return [
        *_hash_study(small, f"hashes alone, {len(images[:20])} pictures", python, times=2),
        *_hash_study(large, "hashes alone, 2 of 12 megapixels", python, times=1),
    ]


def _hash_study(folder: Path, what: str, python: Path, times: int) -> list[tuple]:
    """From pictures to recall at a threshold, processor time of one core, the best of `times`."""

    def least(seconds_of) -> float:
        return min(seconds_of() for _ in range(times))

    paths = sorted(folder.iterdir())
    ours = least(lambda: _of_processor(lambda: _study_of_hashes(folder)))
    changed = least(lambda: _of_processor(lambda: _floor_of_hashes(paths, [])))
    floor = least(lambda: _of_processor(lambda: _floor_of_hashes(paths, HASHES)))
    ratio = ours / floor
    rows = [(f"{what}: against decode + perturb + imagehash", ours, floor, ratio, "at most 1")]
    if not python.exists():
        print(f"no {python}: perception is left out")
        return rows
    theirs = least(lambda: _of_perception(folder, python))
    rows.append((f"{what}: against perception", ours, theirs, ours / theirs, "at most 0.2"))
    both = f"{what}: decode + perturb alone against perception"
    rows.append((both, changed, theirs, changed / theirs, "-"))
    return rows


def _study_of_hashes(folder: Path) -> None:
    pairs = sl.make_pairs(folder, FEW)
    scores = sl.score_pairs(pairs, HASHES, n_jobs=1, progress=False)
    sl.evaluate(scores, by="perturbation")


def _floor_of_hashes(paths: list[Path], hashes: list[str]) -> None:
    cv2.setNumThreads(1)
    for path in paths:
        image = sl.read_image(path)
        for spec in ["", *FEW]:
            variant = sl.perturb.apply(image, spec) if spec else image
            for name in hashes:
                getattr(imagehash, name)(variant)


def _of_perception(folder: Path, python: Path) -> float:
    script = Path(__file__).with_name("perception_study.py")
    package = Path(sl.__file__).parents[1]
    one_core = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    done = subprocess.run(
        [python, script, folder, *FEW],
        env=os.environ | one_core | {"PYTHONPATH": str(package)},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def _of_processor(function) -> float:
    start = time.process_time()
    function()
    return time.process_time() - start


def starts() -> list[tuple]:
    """How long a Python process takes to import simlab and to show the help, less the bare
    interpreter.
    """
    bare = _process("pass")
    rows = []
    for what, code, limit in (
        ("import simlab", "import simlab", 0.5),
        (
            "simlab --help",
            "import simlab.cli as c\ntry: c.main(['--help'])\nexcept SystemExit: pass",
            0.3,
        ),
    ):
        seconds = _process(code)
        rows.append(
            (f"{what} against bare python", seconds, bare, seconds / bare, f"under {limit} s")
        )
    return rows


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "folder", nargs="?", help="folder of pictures (default: sixty made from the sample)"
    )
    parser.add_argument("--sources", type=int, default=60)
    parser.add_argument("--full", action="store_true", help="the plain loop on every pair")
    parser.add_argument("--only", nargs="+", choices=STEPS, help="(default: all)")
    parser.add_argument(
        "--perception",
        type=Path,
        default=Path("build/perception/bin/python"),
        help="Python of an environment that holds perception (default: %(default)s)",
    )
    parser.add_argument("--out", type=Path, help="CSV to write")
    return parser.parse_args()


def _sixty(folder: Path) -> Path:
    """The sample and mirror images of some of it: sixty different pictures."""
    sample = sl.datasets.load_sample()
    target = folder / "pictures"
    target.mkdir()
    for n, path in enumerate(sample["path"]):
        image = sl.read_image(Path(sample.attrs["root"], path))
        image.save(target / f"{n:02}.png")
        if n < 60 - len(sample):
            ImageOps.mirror(image).save(target / f"{n:02}_mirrored.png")
    return target


def _plain(row, root: str) -> list[float]:
    a = sl.read_image(Path(root, row.reference))
    b = sl.perturb.apply(sl.read_image(Path(root, row.query)), row.perturbation, row.seed)
    distances = [
        float(getattr(imagehash, name)(a) - getattr(imagehash, name)(b)) for name in HASHES
    ]
    pixels = [np.asarray(image)[:, :, ::-1].copy() for image in (a, b)]
    descriptors = [cv2.AKAZE_create().detectAndCompute(image, None)[1] for image in pixels]
    if a == b:
        return [*distances, 0.0]
    if any(d is None for d in descriptors):
        return [*distances, float(sl.akaze.BITS)]
    matches = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(*descriptors)
    return [*distances, float(np.mean([match.distance for match in matches]))]


def _floor(path: Path, perturbations: list[str]) -> None:
    cv2.setNumThreads(1)
    image = sl.read_image(path)
    for spec in ["", *perturbations]:
        variant = sl.perturb.apply(image, spec) if spec else image
        for name in HASHES:
            getattr(imagehash, name)(variant)
        cv2.AKAZE_create().detectAndCompute(np.asarray(variant)[:, :, ::-1].copy(), None)


def _process(code: str) -> float:
    command = [sys.executable, "-c", code]
    times = [
        _timed(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))[0]
        for _ in range(5)
    ]
    return min(times)


def _timed(function):
    start = time.perf_counter()
    value = function()
    return time.perf_counter() - start, value


if __name__ == "__main__":
    main()
