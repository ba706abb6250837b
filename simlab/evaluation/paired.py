"""Which method is better: paired differences on the same resamples, rankings, and designs of negatives side by side."""

import itertools
import math
import warnings
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from scipy import stats

from simlab import specs
from simlab.evaluation.metrics import Group, Measure, estimates, sample_groups
from simlab.evaluation.resampling import FEW, Resampler, reach
from simlab.evaluation.sample import read, read_one
from simlab.tables import check_table

Record = dict[str, object]

RANKED = [
    "method",
    "metric",
    "value",
    "low",
    "high",
    "tier",
    "difference",
    "difference_low",
    "difference_high",
    "p_adjusted",
    "n_positive",
    "n_negative",
    "note",
]


def compare(
    scores: pd.DataFrame,
    a: str,
    b: str,
    *,
    metric: str = "tpr@fpr=0.01",
    by: str | None = None,
    among: str | Iterable[str] | None = None,
    n_comparisons: int | None = None,
    n_resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Return how much more method `a` reaches than method `b`, overall and per group, with a verdict.

    Columns: group, metric, a, b (their values), difference, low, high (its 95 % interval, from the same resamples of
    sources for both), p, p_adjusted, verdict, n_positive, n_negative, n_sources. ``attrs["verdict"]`` says it all in a
    sentence. A difference is decided where its interval leaves out 0; :func:`decided` is that rule, the only one.
    Intervals and p_adjusted are corrected for the number of comparisons by Bonferroni's method: those of the groups
    for the number of groups; "all" is a question of its own.

    Args:
        metric, by, n_resamples, seed: as for :func:`simlab.evaluation.evaluate`.
        among: the methods that these two were picked from, such as all that were ranked. "all" is then corrected for
            every two of them, as in :func:`rank`, whose answer it repeats.
        n_comparisons: how many comparisons like "all" are made; by default every two of `among`.

    Raises:
        ValueError: an unknown method, metric or column, or a number out of range.

    Source: Dunn (1961), "Multiple comparisons among means", doi:10.1080/01621459.1961.10482090.

    >>> rng, label = np.random.default_rng(0), np.repeat([1, 0], [100, 900])
    >>> first, second = np.arange(1000) % 100, (np.arange(1000) + np.arange(1000) // 100) % 100
    >>> scores = pd.DataFrame({"label": label, "source_reference": first, "source_query": second, "no_evidence": ""})
    >>> scores = scores.assign(x=rng.normal(size=1000) - 4 * label, y=rng.normal(size=1000) - label)
    >>> compare(scores, "x", "y").attrs["verdict"]
    'x finds 0.82 [0.69, 0.95] more than y at FPR 0.01'
    """
    columns = list(check_table(scores, "scores"))
    a = specs.one_name(a, "a", columns)
    b = specs.one_name(b, "b", columns)
    picked_from = [] if among is None else specs.names(among, "among", columns)
    family = list(dict.fromkeys([*picked_from, a, b]))
    if n_comparisons is None:
        n_comparisons = max(math.comb(len(family), 2), 1)
    specs.check_number("n_comparisons", n_comparisons, 1, whole=True)
    resampler, groups, found = _measured(scores, family, metric, by, n_resamples, seed, [a, b])
    differences = [first["value"] - second["value"] for first, second in zip(found[a], found[b])]
    n_groups = int(np.isfinite(differences[1:]).sum())
    rows = []
    for group, first, second in zip(groups, found[a], found[b]):
        n = n_comparisons if group is groups[0] else n_groups
        rows.append(_difference(resampler, group, first, second, n))
    table = pd.DataFrame(rows)
    table["decided"] = decided(table)
    table["verdict"] = [_verdict(a, b, row) for row in table.to_dict("records")]
    words = {_better(metric): f"{a} leads on", -_better(metric): f"{b} leads on", 0: "undecided on"}
    led = sorted(table[1:].groupby("decided")["group"], reverse=True)
    leads = [f"{words[sign]} {', '.join(names)}" for sign, names in led]
    table.attrs = {
        "n_errors": resampler.sample.n_errors,
        "verdict": "; ".join([table["verdict"][0], *leads]),
    }
    return table.drop(columns=["decided", "note"])


def decided(differences: pd.DataFrame) -> np.ndarray:
    """Return the sign of each difference that is decided, its interval leaving out 0; 0 where it is undecided.

    >>> decided(pd.DataFrame({"low": [0.1, -0.3, -0.1, np.nan], "high": [0.2, -0.2, 0.3, np.nan]}))
    array([ 1, -1,  0,  0])
    """
    above = (differences["low"] > 0).to_numpy(int)
    below = (differences["high"] < 0).to_numpy(int)
    return above - below


def rank(
    scores: pd.DataFrame,
    methods: str | Iterable[str] | None = None,
    *,
    metric: str = "tpr@fpr=0.01",
    n_resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Return the methods from best to worst, in tiers: those of a tier cannot be told apart from its first.

    Columns: method, metric, value, low, high, tier (1 is best), difference, difference_low, difference_high, p_adjusted
    (of the first method minus this one), n_positive, n_negative, note. Every two methods are compared on the same
    resamples of sources; the differences' intervals and p_adjusted are corrected for their number by Bonferroni's
    method, and a new tier begins where such an interval leaves out 0.

    Args:
        metric, n_resamples, seed: as for :func:`simlab.evaluation.evaluate`.

    Raises:
        ValueError: an unknown method or metric.
    """
    resampler, (group,), found = _measured(scores, methods, metric, None, n_resamples, seed)
    worst = -_better(metric)
    records = sorted(
        (rows[0] for rows in found.values()),
        key=lambda row: np.nan_to_num(worst * row["value"], nan=2),
    )
    n_comparisons = max(math.comb(len(records), 2), 1)
    first_of_tier = records[0]
    tier = 1
    for record in records:
        apart = _difference(resampler, group, first_of_tier, record, n_comparisons)
        if apart["low"] > 0 or apart["high"] < 0:
            first_of_tier = record
            tier += 1
        record["tier"] = tier
    for record in records[1:]:
        behind = _difference(resampler, group, records[0], record, n_comparisons)
        record["p_adjusted"] = behind["p_adjusted"]
        record["difference"] = behind["difference"]
        record["difference_low"] = behind["low"]
        record["difference_high"] = behind["high"]
    return pd.DataFrame(records, columns=RANKED)


def compare_designs(
    designs: Mapping[str, pd.DataFrame],
    methods: str | Iterable[str] | None = None,
    **options: object,
) -> pd.DataFrame:
    """Return the ranking of the methods under each design of negatives, one score table per design.

    Columns: design, then those of :func:`rank`, and flips: the methods that this one is in a better tier than under
    one design and in a worse one under another. A warning names them.

    Args:
        options: as for :func:`rank`.

    Raises:
        ValueError: no design, or an unknown method or metric.
    """
    if not designs:
        raise ValueError("designs must hold at least one score table by its name; it is empty")
    table = pd.concat(
        [rank(scores, methods, **options).assign(design=name) for name, scores in designs.items()]
    )
    tiers = table.pivot(index="method", columns="design", values="tier")
    ahead = {
        (a, b)
        for a, b in itertools.permutations(tiers.index, 2)
        if (tiers.loc[a] < tiers.loc[b]).any()
    }
    flips = sorted((a, b) for a, b in ahead if (b, a) in ahead)
    for a, b in flips:
        if a < b:
            warnings.warn(
                f"which of {a} and {b} is better depends on the design of negatives", stacklevel=2
            )
    table["flips"] = [", ".join(b for a, b in flips if a == method) for method in table["method"]]
    return table[["design", *table.columns.drop("design")]].reset_index(drop=True)


def hard_negatives(scores: pd.DataFrame, method: str, n: int = 300) -> pd.DataFrame:
    """Return the copies of a score table and the `n` non-copies that `method` finds nearest, rows in their order.

    These negatives are chosen against `method`: the table says how the *other* methods do where this one fails.

    Raises:
        ValueError: `method` has no column in `scores`, or `n` is less than 1.

    >>> scores = pd.DataFrame({"label": [1, 0, 0], "source_reference": [*"aab"], "source_query": [*"abc"],
    ...                        "no_evidence": "", "dhash": [2.0, 30.0, 12.0]})
    >>> hard_negatives(scores, "dhash", n=1)["dhash"].tolist()
    [2.0, 12.0]
    """
    specs.check_number("n", n, 1, whole=True)
    sample, method = read_one(scores, method)
    # by place, not by index: a table that was put together names rows twice
    others = np.flatnonzero(~sample.label)
    order = np.argsort(sample.distance(method)[others], kind="stable")
    kept = sample.label.copy()
    kept[others[order[:n]]] = True
    return sample.table[kept]


def _measured(
    scores: pd.DataFrame,
    methods: str | Iterable[str] | None,
    metric: str,
    by: str | None,
    n_resamples: int,
    seed: int,
    wanted: Iterable[str] | None = None,
) -> tuple[Resampler, list[Group], dict[str, list[Record]]]:
    """Rows of the metrics table by method, all or those wanted, from the same resamples and weights of non-copies."""
    measure, sample = Measure.parse(metric), read(scores, methods)
    resampler, groups = Resampler.draw(sample, n_resamples, seed), sample_groups(sample, by)
    kappa = max(
        (resampler.kappa(method, *groups[0].masks) for method in sample.methods), default=1.0
    )
    found = {}
    for method in wanted or sample.methods:
        found[method] = list(estimates(resampler, method, groups, [measure], kappa))
    return resampler, groups, found


def _difference(
    resampler: Resampler, group: Group, first: Record, second: Record, n_comparisons: int
) -> Record:
    """How much more the first reaches than the second in one group; interval and p value are corrected.

    The two say the same: the interval leaves out 0 where p_adjusted is below .05.
    """
    difference = first["value"] - second["value"]
    low, high, p = np.nan, np.nan, np.nan
    if not np.isnan(difference):
        tail = 0.025 / n_comparisons
        moved = (first["replicates"] - second["replicates"])[None]
        spread = resampler.spread(moved, group.masks[0])
        variance, freedom = spread.variance[0], spread.freedom[0]
        if variance > 1e-15:
            error = np.sqrt(variance)
            if spread.carriers[0] < FEW:  # no tighter than where no source tells the two apart
                unseen = reach(resampler.n_sources(group.masks[0]))
                error = max(error, unseen / stats.t.isf(0.025, freedom))
            below = above = stats.t.isf(tail, freedom) * error
            p = 2 * stats.t.sf(abs(difference) / error, freedom)
        else:  # no resample differs: the ends of the two intervals, added as variances are
            below = np.hypot(first["value"] - first["low"], second["high"] - second["value"])
            above = np.hypot(first["high"] - first["value"], second["value"] - second["low"])
            towards_zero = below if difference > 0 else above
            single = stats.norm.isf(0.025)
            p = 2 * stats.norm.sf(single * abs(difference) / towards_zero) if difference else 1.0
            below *= stats.norm.isf(tail) / single
            above *= stats.norm.isf(tail) / single
        low, high = max(difference - below, -1.0), min(difference + above, 1.0)
    record = {
        "group": group.name,
        "metric": first["metric"],
        "a": first["value"],
        "b": second["value"],
    }
    ends = {"difference": difference, "low": low, "high": high, "p": p}
    ends["p_adjusted"] = np.minimum(n_comparisons * p, 1.0)
    return {**record, **ends, **group.counts, "note": first["note"]}


def _better(metric: str) -> int:
    """1 where a higher value is better, -1 where a lower one is."""
    return -1 if metric == "equal_error_rate" else 1


def _verdict(a: str, b: str, row: Record) -> str:
    if np.isnan(row["difference"]) or row["decided"] == 0:
        return row["note"] if np.isnan(row["difference"]) else "undecided"
    ends = [row["difference"], row["low"], row["high"]]
    if row["decided"] < 0:
        a, b, ends = b, a, [-row["difference"], -row["high"], -row["low"]]
    amount, (name, _, place) = "{:.2f} [{:.2f}, {:.2f}]".format(*ends), row["metric"].partition("@")
    more = f"finds {amount} more than {b} at {place.replace('=', ' ').replace('fpr', 'FPR')}"
    return f"{a} {more if place else f'is {amount} higher than {b} in {name}'}"
