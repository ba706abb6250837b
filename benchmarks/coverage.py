"""Coverage and width of the 95 % intervals, by simulation with known truth and planted source
effects.

    python benchmarks/coverage.py [--runs 1000] [--jobs 2] [--alternatives]

fills benchmarks/coverage.csv, a cell at a time (those that are in it already are kept), and prints
the table that docs/statistics.md shows; or else the intervals beside the alternatives that were
tried. Distances are normal: a copy's is the effect of its source plus noise, a non-copy's the
effects of its two sources plus noise, three standard deviations further on average (four and a half
where errors are few); the same effect moves a source's copies and non-copies. Where the effect is
"rare", all is noise, nine standard deviations part the two, and one source in fifty is hard: its
copies lie as far away as non-copies. "Pair" pretends that every pair has sources of its own; it is
measured on a third of the runs.
"""

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy.integrate import quad
from scipy.stats import norm, t

from simlab import evaluation
from simlab.evaluation.estimates import estimates
from simlab.evaluation.intervals import spread_of, wilson
from simlab.evaluation.metrics import parse
from simlab.evaluation.resampling import Resampler
from simlab.evaluation.sample import read, sample_groups

METRICS = ("roc_auc", "average_precision", "tpr@fpr=0.01")
EFFECTS = {
    "none": (0.0, 0.0),
    "medium": (0.4, 0.3),
    "strong": (0.8, 0.6),
    "rare": (0.0, 0.0),
}  # share of the variance due to sources
USUAL = ("none", "medium", "strong")
HARD = {"rare": 0.02}  # share of the sources whose copies are as far away as non-copies
WEIGHTS = ("product weights", "product weights drawn towards 1")
WAYS = [
    f"{w}, {i}"
    for w in WEIGHTS
    for i in ("percentiles", "Wilson, normal", "Wilson, Student t by influence")
]
COPIES, OTHERS = 5, 10  # pairs a source


class Case(NamedTuple):
    """What is simulated: the sources, their effect, the step of the distances, how far apart the
    two means are.
    """

    sources: int
    effect: str
    step: float = 0.0
    apart: float = 3.0


CASES = [Case(n, effect) for n in (50, 100, 200, 500) for effect in USUAL]
CASES += [Case(n, effect, step=0.5) for n in (36, 100) for effect in USUAL]
CASES += [Case(200, effect, step=0.25) for effect in USUAL]
CASES += [Case(n, "strong", apart=4.5) for n in (36, 60, 100, 500)]
CASES += [Case(n, "rare", apart=9.0) for n in (36, 60, 100, 500)]


def simulate(rng: np.random.Generator, case: Case) -> pd.DataFrame:
    n, (copies, others), step = case.sources, EFFECTS[case.effect], case.step
    source = rng.normal(size=n)
    same, first = np.repeat(np.arange(n), COPIES), np.repeat(np.arange(n), OTHERS)
    second = (first + rng.integers(1, n, len(first))) % n
    near = np.sqrt(copies) * source[same] + np.sqrt(1 - copies) * rng.normal(size=len(same))
    far = np.sqrt(others / 2) * (source[first] + source[second]) + np.sqrt(1 - others) * rng.normal(
        size=len(first)
    )
    hard = np.arange(n) < rng.binomial(n, HARD.get(case.effect, 0.0))
    near += case.apart * hard[same]
    distance = np.concatenate([near, far + case.apart])
    return pd.DataFrame(
        {
            "label": np.repeat([1, 0], [len(near), len(far)]),
            "source_reference": np.concatenate([same, first]),
            "source_query": np.concatenate([same, second]),
            "no_evidence": "",
            "distance": np.round(distance / step) * step if step else distance,
        }
    )


def truth(case: Case) -> list[float]:
    """The three metrics of the whole population."""
    step, apart, share = case.step, case.apart, COPIES / (COPIES + OTHERS)
    hard = HARD.get(case.effect, 0.0)
    if not step:

        def copies(x, of=norm.cdf):
            return (1 - hard) * of(x) + hard * of(x - apart)

        def precision(x):
            found = share * copies(x)
            return found / (found + (1 - share) * norm.cdf(x - apart))

        average = quad(lambda x: copies(x, norm.pdf) * precision(x), -7, apart + 6, limit=200)[0]
        area = (1 - hard) * norm.cdf(apart / np.sqrt(2)) + hard / 2
        return [area, average, copies(norm.ppf(0.01) + apart)]
    edge = np.arange(-10, 14, step) + step / 2
    tpr, fpr = norm.cdf(edge), norm.cdf(edge - apart)
    copies, others = np.diff(tpr, prepend=0), np.diff(fpr, prepend=0)
    average = copies @ (share * tpr / np.maximum(share * tpr + (1 - share) * fpr, 1e-300))
    return [copies @ (1 - fpr + others / 2), average, tpr[fpr <= 0.01].max()]


def one_run(case: Case, seed: int, n_resamples: int, by: str = "source") -> np.ndarray:
    """Value, low and high of each metric, (3, metrics), by source or by pair."""
    scores = simulate(np.random.default_rng(seed), case)
    if by == "pair":
        scores = scores.assign(source_reference=scores.index, source_query=scores.index)
    options = {"metrics": METRICS, "n_resamples": n_resamples, "seed": seed}
    table = evaluation.evaluate(scores, "distance", **options)
    return table[["value", "low", "high"]].to_numpy(float).T


def cell(case: Case, runs: int, jobs: int) -> pd.DataFrame:
    with Parallel(jobs) as parallel:
        found = np.array(parallel(delayed(one_run)(case, seed, 300) for seed in range(runs)))
        more = parallel(delayed(one_run)(case, seed, 0) for seed in range(runs, 5 * runs))
        pairs = parallel(delayed(one_run)(case, seed, 100, "pair") for seed in range(runs // 3))
    value = np.concatenate([found[:, 0], np.array(more)[:, 0]])
    oracle = np.diff(np.quantile(value, [0.025, 0.975], axis=0), axis=0)[0]
    columns = {**case._asdict(), "runs": runs, "metric": METRICS, "truth": truth(case)}
    columns["oracle width"] = oracle
    columns["coverage"], columns["width / oracle"] = _covered(found, case, oracle)
    by_pair = _covered(np.array(pairs), case, oracle)
    columns["coverage by pair"], columns["width by pair / oracle"] = by_pair
    return pd.DataFrame(columns)


def _covered(found: np.ndarray, case: Case, oracle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coverage, and width relative to the oracle's, of each metric, from the runs (runs, 3,
    metrics).
    """
    _, low, high = np.moveaxis(found, 1, 0)
    covered = (low <= truth(case)) & (truth(case) <= high)
    return covered.mean(axis=0), (high - low).mean(axis=0) / oracle


def alternatives(case: Case, seed: int) -> np.ndarray:
    """Low and high of each metric, (ways, 2, metrics), for the ways of :data:`WAYS`, from the same
    resamples.
    """
    sample = read(simulate(np.random.default_rng(seed), case), "distance")
    resampler = Resampler.draw(sample, 300, seed)
    (group,) = sample_groups(sample)
    metrics = [parse(name) for name in METRICS]
    ends = []
    for kappa in (1.0, resampler.kappa("distance", group)):
        records = list(estimates(resampler, "distance", [group], metrics, kappa))
        replicates = np.array([record["replicates"] for record in records])
        value = np.array([record["value"] for record in records])
        spread = spread_of(resampler, replicates, group.is_copy)
        trials = value * (1 - value) / np.maximum(spread.variance, 1e-12)
        ends += [
            [spread.least, spread.most],
            wilson(value, trials, 1.96),
            wilson(value, trials, t.ppf(0.975, spread.freedom)),
        ]
    return np.array(ends)


def alternatives_cell(case: Case, runs: int, jobs: int) -> pd.DataFrame:
    with Parallel(jobs) as parallel:
        low, high = np.moveaxis(
            parallel(delayed(alternatives)(case, seed) for seed in range(runs)), 2, 0
        )
        more = parallel(delayed(one_run)(case, seed, 0) for seed in range(5 * runs))
    oracle = np.diff(np.quantile(np.array(more)[:, 0], [0.025, 0.975], axis=0), axis=0)
    covered, width = (
        ((low <= truth(case)) & (truth(case) <= high)).mean(axis=0),
        (high - low).mean(axis=0) / oracle,
    )
    cells = {
        f"{name} {what}": table[:, i]
        for i, name in enumerate(METRICS)
        for what, table in (("coverage", covered), ("width", width))
    }
    return pd.DataFrame({**case._asdict(), "way": WAYS, **cells})


def filled(path: Path, runs: int, jobs: int) -> pd.DataFrame:
    """The table, after the cells that the file lacks were added to it."""
    table = pd.read_csv(path) if path.exists() else pd.DataFrame(columns=Case._fields)
    for case in CASES:
        if not (table[list(Case._fields)] == list(case)).all(axis=1).any():
            added = cell(case, runs, jobs)
            table = pd.concat([table, added]) if len(table) else added
            table.to_csv(path, index=False, float_format="%.4f")
    return table


def in_markdown(table: pd.DataFrame) -> str:
    """The table of the docs: a row per case, "coverage (width / oracle)" by source and by pair for
    each metric.
    """
    metrics = {"ROC AUC": "roc_auc", "AP": "average_precision", "TPR at FPR .01": "tpr@fpr=0.01"}
    head = ["sources", "effect", *(cell for name in metrics for cell in (name, "by pair")), "runs"]
    lines = [head, ["---"] * len(head)]
    for case, rows in table.groupby(list(Case._fields), sort=False):
        n, effect, step, apart = case
        notes = [f"steps of {step:g}"] * bool(step) + ["few errors"] * (3 < apart < 9)
        row, cells = rows.set_index("metric"), []
        for name in metrics.values():
            for covered, width in (
                ("coverage", "width / oracle"),
                ("coverage by pair", "width by pair / oracle"),
            ):
                cells.append(f"{row.loc[name, covered]:.3f} ({row.loc[name, width]:.2f})")
        lines.append([str(n), ", ".join([effect, *notes]), *cells, str(rows["runs"].iloc[0])])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--alternatives", action="store_true")
    arguments = parser.parse_args()
    if arguments.alternatives:
        cases = [*(Case(100, effect) for effect in USUAL), Case(200, "none", step=0.25)]
        tables = [alternatives_cell(case, arguments.runs, arguments.jobs) for case in cases]
        print(pd.concat(tables).to_csv(index=False, sep="|", float_format="%.3f").strip())
        return
    print(in_markdown(filled(Path(__file__).with_suffix(".csv"), arguments.runs, arguments.jobs)))


if __name__ == "__main__":
    main()
