"""What a pair of pictures costs the two dear methods of the shipped recipe, in a search.

    python benchmarks/guard_cost.py FOLDER [FOLDER ...] [--pairs N] [--csv OUT.csv]

Of each folder N candidates of a search, drawn at random, are compared by ``aligned`` and then, as a
search does, by ``contradiction``: processor milliseconds of one core. A pair is related where one
picture can be laid on the other at all. Each pair is compared twice, and the quicker time counts.
"""

import argparse
import random
import time
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

import simlab as sl
from simlab.methods import alignment, frames, registry
from simlab.methods.alignment import Looks
from simlab.methods.packing import unpack
from simlab.scoring.cache import opened
from simlab.search.library import Library

KEPT = (alignment.best_alignment, frames.likely_transforms, frames._common_frame)
"""What is worked out once for several methods: emptied, so that each run starts alike."""


def main() -> None:
    """Measure every folder, print the table."""
    options = _options()
    cv2.setNumThreads(1)
    measured = pd.concat([measure(folder, options) for folder in options.folders])
    rows = [_row("all", measured)]
    for folder, its in measured.groupby("folder", sort=False):
        rows.append(_row(folder, its))
    table = pd.DataFrame(rows).round(1)
    print(table.to_string(index=False))
    if options.csv:
        table.to_csv(options.csv, index=False)


def measure(folder: Path, options: argparse.Namespace) -> pd.DataFrame:
    """Return a row for each pair that was compared: whether it is related, and milliseconds."""
    aligned = registry.get("aligned(orientations=8)")
    guard = registry.get("contradiction(orientations=8)")
    with opened(options.cache) as kept:
        table = sl.datasets.as_table(folder)
        library = Library(table, sl.Ensemble.load(), kept, n_jobs=options.jobs, progress=False)
        packed = dict(zip(library.files, library.packed(guard.feature)))
        candidates = [pair for pair in library.candidates() if packed[pair[0]] and packed[pair[1]]]
    chosen = random.Random(0).sample(candidates, min(options.pairs, len(candidates)))
    rows = []
    for reference, query in sorted(chosen):
        pair = [Looks._make(unpack(packed[name])) for name in (reference, query)]
        times = []
        for _ in range(2):
            for kept in KEPT:
                kept.cache_clear()
            began = time.process_time()
            aligned.compare(*pair)
            between = time.process_time()
            distance = guard.compare(*pair)
            times.append((between - began, time.process_time() - between))
        of_aligned, of_guard = 1000 * np.min(times, axis=0)
        rows.append((folder.parent.name, distance != 1, of_aligned, of_guard))
    return pd.DataFrame(rows, columns=["folder", "related", "aligned", "contradiction"])


def _row(name: str, measured: pd.DataFrame) -> dict:
    related = measured[measured["related"]]
    unrelated = measured[~measured["related"]]
    return {
        "folder": name,
        "pairs": len(measured),
        "related": len(related),
        "ms_related": related["contradiction"].mean(),
        "ms_unrelated": unrelated["contradiction"].mean(),
        "ms_mean": measured["contradiction"].mean(),
        "ms_aligned": measured["aligned"].mean(),
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--pairs", type=int, default=60, help="of each folder")
    parser.add_argument("--cache", help="of an earlier search, so that no feature is made")
    parser.add_argument("--jobs", type=int, default=-1)
    parser.add_argument("--csv", type=Path, help="write the table there too")
    return parser.parse_args()


if __name__ == "__main__":
    main()
