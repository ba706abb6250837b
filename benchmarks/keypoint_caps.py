"""What the caps of AKAZE cost and what they lose: benchmarks/keypoint_caps.csv, which notebook 03
reads.

    python benchmarks/keypoint_caps.py             the sample
    python benchmarks/keypoint_caps.py FOLDER      your own pictures

One cap is moved at a time, the other is open. Costs are of one core: processor time, the best of
three runs, mean over pictures and pairs. They belong to the machine they were measured on; their
ratios travel better.
"""

import argparse
import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

import simlab as sl

SIDES = (128, 192, 256, 384, None)
KEYPOINTS = (25, 100, 200, 500, None)
PERTURBATIONS = [
    "text(length=40)",
    "crop(area=0.25)",
    "rotate(degrees=20)",
    "resize(scale=0.5)",
    "recompress(quality=10)",
]
METRIC = "tpr@fpr=0.01"
RUNS = 3
DEFAULT = Path(__file__).with_suffix(".csv")


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", help="pictures; by default the sample")
    parser.add_argument(
        "--out", default=DEFAULT, type=Path, help=f"by default {DEFAULT.name} beside the script"
    )
    options = parser.parse_args()
    cv2.setNumThreads(1)
    images = (
        sl.datasets.from_folder(options.folder) if options.folder else sl.datasets.load_sample()
    )
    pairs = sl.make_pairs(images, PERTURBATIONS, negatives=1000)
    pictures = [sl.read_image(Path(pairs.attrs["root"], path)) for path in images["path"][:12]]
    caps = [("max_side", side, None) for side in SIDES] + [
        ("max_keypoints", None, n) for n in KEYPOINTS
    ]
    with threadpool_limits(1):
        rows = [
            {"cap": cap, **costs(pictures, side, n), **rates(pairs, side, n)}
            for cap, side, n in caps
        ]
    pd.DataFrame(rows).to_csv(options.out, index=False, lineterminator="\n")


def costs(pictures: list, side: int | None, n: int | None) -> dict[str, Any]:
    """The caps, the mean number of keypoints, and milliseconds per picture and per pair."""
    extracting, keypoints = best(
        lambda: [sl.akaze.extract(p, max_side=side, max_keypoints=n) for p in pictures]
    )
    both = list(itertools.combinations(keypoints, 2))
    matching, _ = best(lambda: [sl.akaze.mean_distance(a, b) for a, b in both])
    found = np.mean([len(k.points) for k in keypoints])
    return {
        "max_side": side,
        "max_keypoints": n,
        "keypoints": round(float(found), 1),
        "extract_ms": round(1e3 * extracting / len(pictures), 2),
        "match_ms": round(1e3 * matching / len(both), 3),
    }


def rates(pairs: pd.DataFrame, side: int | None, n: int | None) -> dict[str, Any]:
    """The share of copies found at one false alarm in a hundred, with its interval, and what it
    rests on.
    """
    method = f"akaze(max_side={side}, max_keypoints={n})"
    scores = sl.score_pairs(pairs, [method], n_jobs=1, progress=False)
    row = sl.evaluate(scores, metrics=[METRIC]).iloc[0]
    return {
        **{name: round(row[name], 4) for name in ("value", "low", "high")},
        "n_positive": row["n_positive"],
    }


def best(work: Callable[[], list]) -> tuple[float, list]:
    """Seconds of processor time of the fastest of some runs, and what it returned."""
    times = []
    for _ in range(RUNS):
        start = time.process_time()
        made = work()
        times.append(time.process_time() - start)
    return min(times), made


if __name__ == "__main__":
    main()
