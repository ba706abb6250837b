"""What tempering does to an ensemble's probabilities where copies are rare.

    python benchmarks/tempering.py [--cache SCRATCH.sqlite] [--jobs N]

prints the figures of docs/ensemble.md: the built-in sample, preset "standard", 8,000 other pairs,
the default methods. All of it is out of fold.
"""

import argparse

import numpy as np
from scipy.special import expit, logit

import simlab as sl
from simlab.ensemble import reading, validation

PRIORS = (0.05, 0.01)


def main():
    options = _options()
    pairs = sl.make_pairs(sl.datasets.load_sample(), "standard", negatives=8000)
    scores = sl.score_pairs(pairs, cache=options.cache, n_jobs=options.jobs, progress=False)
    methods = sl.methods.columns(scores)
    table = validation.usable(scores, methods)
    rows = validation.folded_rows(table, methods, folds=5, seed=0)
    evidence = validation.out_of_fold(rows)
    slope, offset = validation.tempering(rows, evidence)
    counts = f"{rows.label.sum():,} copies, {(~rows.label).sum():,} other pairs"
    print(f"{counts}: slope {slope:.2f}, offset {offset:+.2f} nats")
    for prior in PRIORS:
        print(f"\nwere one pair in {1 / prior:.0f} a copy")
        at_prior = rows.with_share_of_copies(prior)
        for name, total in (("as fitted", evidence), ("tempered", slope * evidence + offset)):
            probability = expit(total + logit(prior))
            loss = log_loss_a_copy(probability, at_prior)
            print(f"{name}: log loss {loss:.2f} nats a copy")
            told = reading.reliability(probability, at_prior, 10)
            print(told.round(2).to_string(index=False), flush=True)


def log_loss_a_copy(probability, rows):
    """The log loss of all pairs, for each copy among them."""
    right = np.where(rows.label, probability, 1 - probability)
    return -(rows.weight * np.log(right)).sum() / rows.weight[rows.label].sum()


def _options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cache")
    parser.add_argument("--jobs", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
