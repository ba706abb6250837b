"""What a query of a gallery of 250 pictures costs, step by step, and what the half-size look buys.

    python benchmarks/query_cost.py BSDS_FOLDER --out docs/query_cost.csv

CPU milliseconds on one core, best of three; the mean of a whole query is that of copies and
controls. Machines differ, and so do their days: it is told by AKAZE at full size, too. The recall
is that of pictures which the yardstick does not attack.
"""

import argparse
import time

import cv2
import faiss
import numpy as np
import pandas as pd
from yardstick import split

import simlab as sl
from simlab.methods import alignment, keypoints
from simlab.methods.alignment import Looks

ATTACKS = ["text(length=30)", "rotate(degrees=20, resize_back=True)", "recompress(quality=50)"]
HARD = [
    'crop(side=0.6, anchor="center", resize_back=True)',
    'crop(side=0.4, anchor="center", resize_back=True)',
    "shear(degrees=20)",
    "text(length=50)",
]
LAST_STEP = "all compared"
YARDSTICK = "AKAZE at full size"
DISTANCE = 0.5  # at or below which a picture counts as found


def main():
    options = _options()
    cv2.setNumThreads(1)
    faiss.omp_set_num_threads(1)
    database, attacked, controls = split(options.folder, 100, 0)
    spare = [path for path in database if path not in attacked][: options.pictures]
    wide = sl.Gallery(_table(options.folder, database + controls[:100]), n_jobs=1, progress=False)
    queries = {"copy": spare[:8], "control": split(options.folder, 150, 0)[2][100:108]}
    spent = {}
    for what, paths in queries.items():
        for step, ms in steps(wide, options.folder, paths).items():
            spent[f"{what}, {step}"] = ms
    spent["mean of copies and controls"] = [
        np.mean([np.mean(spent[f"{what}, {LAST_STEP}"]) for what in queries])
    ]
    spent |= parts(options.folder, spare[:8])
    rows = [(name, np.median(ms), np.max(ms)) for name, ms in spent.items()]
    costs = pd.DataFrame(rows, columns=["part", "median_ms", "max_ms"]).round(1)
    print(costs.to_string(index=False), flush=True)
    costs.to_csv(options.out, index=False)
    times = spent["mean of copies and controls"][0] / np.median(spent[YARDSTICK])
    print(f"a query takes {times:.2f} times as long as {YARDSTICK}\n", flush=True)
    print(
        pd.DataFrame(
            [recall(options.folder, database, spare, half) for half in (True, False)]
        ).to_string(index=False)
    )


def steps(gallery, folder, paths):
    """Milliseconds until each of the three steps is done."""
    made = [
        sl.perturb.apply(sl.read_image(f"{folder}/{path}"), spec)
        for path in paths
        for spec in ATTACKS
    ]
    spent = np.array([np.min([_times(gallery, image) for _ in range(3)], axis=0) for image in made])
    return dict(zip(("hashes judged", "likeliest compared", LAST_STEP), 1000 * spent.T))


def _times(gallery, image):
    start = time.process_time()
    return [time.process_time() - start for _ in gallery.steps(image, top=1)]


def parts(folder, paths):
    """Milliseconds of the parts of the dear steps, for each picture."""
    images = [sl.read_image(f"{folder}/{path}") for path in paths]
    one, two = ([alignment.looks(image, half=half) for image in images] for half in (False, True))
    pairs = list(zip(two, two[1:] + two[:1]))
    return {
        YARDSTICK: [_best(alignment.looks, image, half=False) for image in images],
        "AKAZE at full and half size": [_best(alignment.looks, image) for image in images],
        "aligning two pictures, one look": [
            _best(_aligned_anew, *pair) for pair in zip(one, one[1:] + one[:1])
        ],
        "aligning two pictures, two looks": [_best(_aligned_anew, *pair) for pair in pairs],
        "matching alone, two looks": [
            _best(keypoints.ratio_matches, *(keypoints.Keypoints(*look[:4]) for look in pair), 0.85)
            for pair in pairs
        ],
    }


def _aligned_anew(a, b):
    """What is worked out once for the same arrays is not known of copies of them."""
    copies = [Looks(*(column.copy() for column in looks)) for looks in (a, b)]
    return alignment.aligned_distance(*copies)


def _best(function, *arguments, **options):
    spent = []
    for _ in range(3):
        start = time.process_time()
        function(*arguments, **options)
        spent.append(time.process_time() - start)
    return 1000 * min(spent)


def recall(folder, database, paths, half):
    """Share of hard copies that are found with and without the half-size look."""
    recipe = sl.Ensemble.load()
    recipe.methods_ = [
        name if half or name != "aligned" else "aligned(half=False)" for name in recipe.methods_
    ]
    gallery, row = (
        sl.Gallery(_table(folder, database), recipe, n_jobs=1, progress=False),
        {"half-size look": half},
    )
    for spec in HARD:
        images = [sl.perturb.apply(sl.read_image(f"{folder}/{path}"), spec) for path in paths]
        found = [gallery.query(image, top=1).iloc[0] for image in images]
        hits = [
            best["file"] == path and best["distance"] <= DISTANCE
            for best, path in zip(found, paths)
        ]
        row[spec] = np.mean(hits)
    return row | {"n": len(paths)}


def _table(folder, paths):
    return sl.datasets.as_table(pd.DataFrame({"path": paths}), root=folder)


def _options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder")
    parser.add_argument(
        "--pictures", type=int, default=50, help="of which hard copies are looked for"
    )
    parser.add_argument("--out", default="query_cost.csv")
    return parser.parse_args()


if __name__ == "__main__":
    main()
