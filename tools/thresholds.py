"""Choose a threshold for every method on the built-in sample: simlab/widgets/thresholds.csv, which
the explorer draws.

It is the largest distance at an FPR of 0.01, with its 95 % interval: `python tools/thresholds.py`.
"""

from pathlib import Path

import pandas as pd

import simlab as sl
from simlab.cli import default_cache

FILE = Path(__file__).resolve().parents[1] / "simlab" / "widgets" / "thresholds.csv"
LEFT_OUT = (
    "pdq",
    "crop_resistant_hash",
)  # needs an extra; counts segments, where no threshold has an FPR of 0.01
COLUMNS = ["method", "threshold", "low", "high", "n_positive", "n_negative", "n_sources"]


def main() -> None:
    """Score the sample's copies of the preset "standard" and 6,000 other pairs, and write a row per
    method.
    """
    methods = [*(set(sl.methods.REGISTRY) - {*LEFT_OUT}), *sl.Ensemble.load().methods_]
    methods = [method.name for method in sl.methods.resolve(sorted(methods))]
    pairs = sl.make_pairs(sl.datasets.load_sample(), "standard", negatives=6000)
    scores = sl.score_pairs(pairs, methods, cache=default_cache())
    chosen = pd.concat([sl.choose_threshold(scores, method, max_fpr=0.01) for method in methods])
    chosen[COLUMNS].round(4).to_csv(FILE, index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
