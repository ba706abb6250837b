"""1,000 resamples of 1,000,000 scored pairs of one method: seconds of CPU and memory.

    python benchmarks/resamples.py [--sources 10000] [--step 0]

prints the line of docs/statistics.md. One pair in five is a copy; distances are normal, or with
`--step 1` whole numbers, as those of hashes are.
"""

import argparse
import resource
import time

import numpy as np
import pandas as pd

from simlab import evaluation


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sources", type=int, default=10_000)
    parser.add_argument("--step", type=float, default=0.0)
    arguments = parser.parse_args()
    scores = study(arguments.sources, arguments.step)
    before, start, wall = _memory(), time.process_time(), time.perf_counter()
    table = evaluation.evaluate(scores, "distance")
    seconds, wall = time.process_time() - start, time.perf_counter() - wall
    print(table[["metric", "value", "low", "high"]].round(4).to_string(index=False))
    print(
        f"{len(scores):,} pairs of {arguments.sources:,} sources: "
        f"{seconds:.1f} s of CPU ({wall:.1f} s by the clock), "
        f"{_memory():,.0f} MB at most, {before:,.0f} MB of it before"
    )


def study(n: int, step: float) -> pd.DataFrame:
    """Scores of n sources, each with an effect of its own on all its distances."""
    rng = np.random.default_rng(0)
    effect, first, label = (
        rng.normal(size=n),
        np.arange(1_000_000) % n,
        np.repeat([1, 0], [200_000, 800_000]),
    )
    second = np.where(label, first, (first + rng.integers(1, n, len(first))) % n)
    distance = (
        3 * (effect[first] + effect[second]) + 5 * rng.normal(size=len(first)) + 32 - 20 * label
    )
    distance = np.round(distance / step) * step if step else distance
    sides = {"source_reference": first, "source_query": second}
    return pd.DataFrame({"label": label, **sides, "no_evidence": "", "distance": distance})


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
