"""Seconds that `Ensemble.fit` takes by the number of pairs, and what more of them change.

    python benchmarks/fit_cost.py [--pairs 10000,100000,1000000]

The distances are made: of six methods, five of which tell copies, two of these in the same way. One
pair in five is a copy, and each source has an effect of its own on all its distances. The last
columns are the largest change of a method's share of the weights against the fit before, and how
many of the shares lie outside the 95 % intervals of that fit.
"""

import argparse
import time

import numpy as np
import pandas as pd

import simlab as sl

N_SOURCES = 10_000
METHODS = ["phash", "dhash", "whash", "correlation", "aligned", "akaze"]
APART = [2.0, 2.0, 1.0, 2.5, 3.0, 0.0]
"""How far copies lie from others, in standard deviations of a method's distances."""


def main() -> None:
    """Print a row for each number of pairs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", default="10000,100000,1000000")
    parser.add_argument("--sources", type=int, default=N_SOURCES)
    options = parser.parse_args()
    rows = []
    before = None
    for n_pairs in map(int, options.pairs.split(",")):
        scores = made_scores(n_pairs, options.sources)
        start = time.process_time()
        wall = time.perf_counter()
        weights = sl.Ensemble(METHODS).fit(scores).weights_.set_index("method")
        row = {
            "pairs": n_pairs,
            "cpu_s": time.process_time() - start,
            "clock_s": time.perf_counter() - wall,
        }
        if before is not None:
            share = weights["share"]
            row["share_moved"] = (share - before["share"]).abs().max()
            row["outside"] = int((~share.between(before["low"], before["high"])).sum())
        rows.append(row)
        print(pd.DataFrame(rows).round(3).to_string(index=False), flush=True)
        before = weights


def made_scores(n_pairs: int, n_sources: int) -> pd.DataFrame:
    """A score table, pairs of sources in turn."""
    rng = np.random.default_rng(0)
    label = (np.arange(n_pairs) % 5 == 0).astype(int)
    first = rng.integers(0, n_sources, n_pairs)
    other = (first + rng.integers(1, n_sources, n_pairs)) % n_sources
    second = np.where(label == 1, first, other)
    effect = rng.normal(size=n_sources)
    of_pair = 0.3 * (effect[first] + effect[second])
    scores = pd.DataFrame(
        {
            "label": label,
            "reference": first.astype(str),
            "query": second.astype(str),
            "source_reference": first.astype(str),
            "source_query": second.astype(str),
            "perturbation": np.where(label == 1, "text", ""),
            "no_evidence": "",
        }
    )
    common = rng.normal(size=n_pairs)
    for method, apart in zip(METHODS, APART):
        own = rng.normal(size=n_pairs)
        noise = 0.8 * common + 0.6 * own if method in ("phash", "dhash") else own
        scores[method] = 1 / (1 + np.exp(apart * label - noise - of_pair))
    return scores


if __name__ == "__main__":
    main()
