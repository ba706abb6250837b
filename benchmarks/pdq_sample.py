"""Measure PDQ on pairs of the built-in sample: datasets/pdq_sample.csv, which notebook 15 reads.

It needs the extra simlab[pdq], which notebooks do without: `python benchmarks/pdq_sample.py`.
"""

import simlab as sl

FILE = sl.datasets.DATA / "pdq_sample.csv"
COLUMNS = ["reference", "query", "perturbation", "seed", "label", "pdq"]


def main() -> None:
    """Write a row for each of 324 copies and 6,000 other pairs, with its distance in bits."""
    pairs = sl.make_pairs(sl.datasets.load_sample(), "basic", negatives=6000)
    scores = sl.score_pairs(pairs, "pdq")
    table = scores[COLUMNS].astype({"pdq": int})
    table.to_csv(FILE, index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
