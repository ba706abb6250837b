"""Coverage and width of the 95 % intervals, by simulation with known truth and planted source effects.

    python benchmarks/coverage.py [--runs 240] [--jobs 2]

prints the table of docs/statistics.md. Distances are normal: a copy's is the effect of its source plus noise, a
non-copy's the effects of its two sources plus noise, three standard deviations further on average; the same effect
moves a source's copies and non-copies. "Pair" pretends that every pair has sources of its own.
"""

import argparse

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy.integrate import quad
from scipy.stats import norm

from simlab import evaluation

METRICS = ("roc_auc", "average_precision", "tpr@fpr=0.01")
EFFECTS = {"none": (0.0, 0.0), "medium": (0.4, 0.3), "strong": (0.8, 0.6)}  # share of the variance due to sources
COPIES, OTHERS, APART = 5, 10, 3.0  # pairs a source, and how far apart the two means are


def simulate(rng: np.random.Generator, n: int, effect: str, step: float) -> pd.DataFrame:
    copies, others = EFFECTS[effect]
    source = rng.normal(size=n)
    same, first = np.repeat(np.arange(n), COPIES), np.repeat(np.arange(n), OTHERS)
    second = (first + rng.integers(1, n, len(first))) % n
    near = np.sqrt(copies) * source[same] + np.sqrt(1 - copies) * rng.normal(size=len(same))
    far = np.sqrt(others / 2) * (source[first] + source[second]) + np.sqrt(1 - others) * rng.normal(size=len(first))
    distance = np.concatenate([near, far + APART])
    return pd.DataFrame({
        "label": np.repeat([1, 0], [len(near), len(far)]),
        "source_reference": np.concatenate([same, first]),
        "source_query": np.concatenate([same, second]),
        "no_evidence": "",
        "distance": np.round(distance / step) * step if step else distance,
    })  # fmt: skip


def truth(step: float) -> list[float]:
    """The three metrics of the whole population."""
    share = COPIES / (COPIES + OTHERS)
    if not step:
        precision = lambda x: share * norm.cdf(x) / (share * norm.cdf(x) + (1 - share) * norm.cdf(x - APART))  # noqa: E731
        average = quad(lambda x: norm.pdf(x) * precision(x), -7, 9)[0]
        return [norm.cdf(APART / np.sqrt(2)), average, norm.cdf(norm.ppf(0.01) + APART)]
    edge = np.arange(-10, 14, step) + step / 2
    tpr, fpr = norm.cdf(edge), norm.cdf(edge - APART)
    copies, others = np.diff(tpr, prepend=0), np.diff(fpr, prepend=0)
    average = copies @ (share * tpr / np.maximum(share * tpr + (1 - share) * fpr, 1e-300))
    return [copies @ (1 - fpr + others / 2), average, tpr[fpr <= 0.01].max()]


def one_run(n: int, effect: str, step: float, seed: int, n_resamples: int) -> np.ndarray:
    """Value, low and high of each metric: (2, 3, metrics), by source and by pair."""
    scores = simulate(np.random.default_rng(seed), n, effect, step)
    alone = scores.assign(source_reference=scores.index, source_query=scores.index)
    options = {"metrics": METRICS, "n_resamples": n_resamples, "seed": seed}
    tables = [evaluation.evaluate(table, **options) for table in ((scores, alone) if n_resamples else (scores,))]
    return np.array([table[["value", "low", "high"]].to_numpy(float).T for table in tables])


def cell(n: int, effect: str, step: float, runs: int, jobs: int) -> pd.DataFrame:
    with Parallel(jobs) as parallel:
        found = np.array(parallel(delayed(one_run)(n, effect, step, seed, 300) for seed in range(runs)))
        more = parallel(delayed(one_run)(n, effect, step, seed, 0) for seed in range(runs, 5 * runs))
    value = np.concatenate([found[:, 0, 0], np.array(more)[:, 0, 0]])
    oracle = np.diff(np.quantile(value, [0.025, 0.975], axis=0), axis=0)[0]
    low, high = found[:, :, 1], found[:, :, 2]
    covered, width = ((low <= truth(step)) & (truth(step) <= high)).mean(axis=0), (high - low).mean(axis=0) / oracle
    columns = {"sources": n, "effect": effect, "distances": f"steps of {step}" if step else "continuous"}
    columns |= {"metric": METRICS, "truth": truth(step), "oracle width": oracle}
    columns |= {"coverage": covered[0], "width / oracle": width[0]}
    return pd.DataFrame({**columns, "coverage by pair": covered[1], "width by pair / oracle": width[1]})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=240)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    cells = [(n, effect, 0.0) for n in (50, 100, 200, 500) for effect in EFFECTS]
    cells += [(200, effect, 0.25) for effect in EFFECTS]
    for first, (n, effect, step) in enumerate(cells):
        table = cell(n, effect, step, arguments.runs, arguments.jobs)
        print(table.to_csv(index=False, header=first == 0, sep="|", float_format="%.3f").strip(), flush=True)


if __name__ == "__main__":
    main()
