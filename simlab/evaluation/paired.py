"""Which method is better: paired differences on the same resamples, rankings, designs."""

import itertools
import math
import warnings
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from pandas import DataFrame
from scipy import special

from simlab import specs
from simlab.cards import shown
from simlab.evaluation.estimates import Record, estimates
from simlab.evaluation.intervals import FEW, UNMOVED, reach, spread_of
from simlab.evaluation.metrics import Metric, parse
from simlab.evaluation.resampling import Resampler
from simlab.evaluation.sample import Group, read, read_one, sample_groups
from simlab.specs import Names
from simlab.tables import check_table

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


@shown
def compare(
    scores: DataFrame,
    a: str,
    b: str,
    *,
    metric: str = "tpr@fpr=0.01",
    by: str | None = None,
    among: Names | None = None,
    n_comparisons: int | None = None,
    n_resamples: int = 1000,
    seed: int = 0,
) -> DataFrame:
    """Return how much more method `a` reaches than `b`, overall and per group, with a verdict.

    Columns: group, metric, a, b (their values), difference, low, high (its 95 % interval, from the
    same resamples of sources for both), p, p_adjusted, verdict, n_positive, n_negative, n_sources.
    ``attrs["verdict"]`` says it all in a sentence. A difference is decided where its interval
    leaves out 0; :func:`decided` is that rule, the only one. Intervals and p_adjusted are corrected
    for the number of comparisons by Bonferroni's method: those of the groups for the number of
    groups; "all" is a question of its own.

    Args:
        metric, by, n_resamples, seed: as for :func:`simlab.evaluation.evaluate`.
        among: the methods that these two were picked from, such as all that were ranked. "all" is
            then corrected for every two of them, as in :func:`rank`, whose answer it repeats.
        n_comparisons: how many comparisons like "all" are made; by default every two of `among`.

    Raises:
        ValueError: an unknown method, metric or column, or a number out of range.

    Source: Dunn (1961), "Multiple comparisons among means", doi:10.1080/01621459.1961.10482090.

    >>> rng, label = np.random.default_rng(0), np.repeat([1, 0], [100, 900])
    >>> first = np.arange(1000) % 100
    >>> second = (np.arange(1000) + np.arange(1000) // 100) % 100
    >>> scores = pd.DataFrame({"label": label, "source_reference": first, "source_query": second})
    >>> scores["no_evidence"] = ""
    >>> scores["x"] = rng.normal(size=1000) - 4 * label
    >>> scores["y"] = rng.normal(size=1000) - label
    >>> compare(scores, "x", "y").attrs["verdict"]
    'x finds 0.82 [0.69, 0.95] more than y at FPR 0.01'
    """
    columns = list(check_table(scores, "scores"))
    a = specs.one_name(a, "a", columns)
    b = specs.one_name(b, "b", columns)
    picked_from = [] if among is None else specs.names(among, "among", columns)
    family = list(dict.fromkeys([*picked_from, a, b]))
    if n_comparisons is None:
        n_comparisons = _n_pairs(len(family))
    specs.check_count("n_comparisons", n_comparisons)
    parsed = parse(metric)
    sample = read(scores, family)
    resampler = Resampler.draw(sample, n_resamples, seed)
    groups = sample_groups(sample, by)
    of_a, of_b = _records(resampler, [a, b], groups, parsed)
    differences = [first["value"] - second["value"] for first, second in zip(of_a, of_b)]
    n_groups = int(np.isfinite(differences[1:]).sum())
    rows = []
    for group, first, second in zip(groups, of_a, of_b):
        n = n_groups if rows else n_comparisons
        rows.append(_difference(resampler, group, first, second, n))
    table = DataFrame(rows)
    table["decided"] = decided(table)
    table["verdict"] = [_verdict(a, b, row) for row in table.to_dict("records")]
    sentences = [table["verdict"][0], *_leads(a, b, table[1:], parsed)]
    table.attrs = {"n_errors": sample.n_errors, "verdict": "; ".join(sentences)}
    return table.drop(columns=["decided", "note"])


def _verdict(a: str, b: str, row: Record) -> str:
    """What one difference says, in words: the leader first, by a positive amount."""
    if np.isnan(row["difference"]):
        return row["note"]
    sign = row["decided"]
    if sign == 0:
        return "undecided"
    leader, other = (a, b) if sign > 0 else (b, a)
    low, high = sorted([sign * row["low"], sign * row["high"]])
    amount = f"{sign * row['difference']:.2f} [{low:.2f}, {high:.2f}]"
    name, _, place = row["metric"].partition("@")
    if not place:
        return f"{leader} is {amount} higher than {other} in {name}"
    place = place.replace("=", " ").replace("fpr", "FPR")
    return f"{leader} finds {amount} more than {other} at {place}"


def _leads(a: str, b: str, differences: DataFrame, metric: Metric) -> list[str]:
    """Who leads on which groups, the decided ones of `a`'s higher values first."""
    better = 1 if metric.larger_is_better else -1
    words = {better: f"{a} leads on", -better: f"{b} leads on", 0: "undecided on"}
    by_sign = sorted(differences.groupby("decided")["group"], reverse=True)
    return [f"{words[sign]} {', '.join(names)}" for sign, names in by_sign]


def decided(differences: DataFrame) -> np.ndarray:
    """Return the sign of each difference that is decided, its interval leaving out 0; else 0.

    >>> decided(pd.DataFrame({"low": [0.1, -0.3, -0.1, np.nan], "high": [0.2, -0.2, 0.3, np.nan]}))
    array([ 1, -1,  0,  0])
    """
    check_table(differences, "differences", "low, high")
    above = (differences["low"] > 0).to_numpy(int)
    below = (differences["high"] < 0).to_numpy(int)
    return above - below


@shown
def rank(
    scores: DataFrame,
    methods: Names | None = None,
    *,
    metric: str = "tpr@fpr=0.01",
    n_resamples: int = 1000,
    seed: int = 0,
) -> DataFrame:
    """Return the methods from best to worst, in tiers that cannot be told apart from their first.

    Columns: method, metric, value, low, high, tier (1 is best), difference, difference_low,
    difference_high, p_adjusted (of the first method minus this one), n_positive, n_negative, note.
    Every two methods are compared on the same resamples of sources; the differences' intervals and
    p_adjusted are corrected for their number by Bonferroni's method, and a new tier begins where
    such an interval leaves out 0.

    Args:
        metric, n_resamples, seed: as for :func:`simlab.evaluation.evaluate`.

    Raises:
        ValueError: an unknown method or metric.
    """
    parsed = parse(metric)
    sample = read(scores, methods)
    resampler = Resampler.draw(sample, n_resamples, seed)
    (group,) = sample_groups(sample)
    records = [record for (record,) in _records(resampler, sample.methods, [group], parsed)]
    worse = -1 if parsed.larger_is_better else 1
    # An undefined value comes last.
    records.sort(key=lambda record: np.nan_to_num(worse * record["value"], nan=2))
    n_comparisons = _n_pairs(len(records))
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
        record |= {
            "difference": behind["difference"],
            "difference_low": behind["low"],
            "difference_high": behind["high"],
            "p_adjusted": behind["p_adjusted"],
        }
    return DataFrame(records, columns=RANKED)


@shown
def compare_designs(
    designs: Mapping[str, DataFrame],
    methods: Names | None = None,
    **options: object,
) -> DataFrame:
    """Return the ranking of the methods under each design of negatives, one score table per design.

    Columns: design, then those of :func:`rank`, and flips: the methods that this one is in a better
    tier than under one design and in a worse one under another. A warning names them.

    Args:
        options: as for :func:`rank`.

    Raises:
        ValueError: no design, or an unknown method or metric.
    """
    by_design = specs.by_name("designs", designs)
    if not by_design:
        raise ValueError("designs must hold at least one score table by its name; it is empty")
    ranked = []
    for name, scores in by_design.items():
        ranked.append(rank(scores, methods, **options).assign(design=name))
    table = pd.concat(ranked)
    tiers = table.pivot(index="method", columns="design", values="tier")
    flips = {method: [] for method in tiers.index}
    for one, other in itertools.combinations(tiers.index, 2):
        is_ahead = (tiers.loc[one] < tiers.loc[other]).any()
        is_behind = (tiers.loc[one] > tiers.loc[other]).any()
        if is_ahead and is_behind:
            flips[one].append(other)
            flips[other].append(one)
            warnings.warn(
                f"which of {one} and {other} is better depends on the design of negatives",
                stacklevel=2,
            )
    table["flips"] = [", ".join(flips[method]) for method in table["method"]]
    return table[["design", *table.columns.drop("design")]].reset_index(drop=True)


def hard_negatives(scores: DataFrame, method: str, n: int = 300) -> DataFrame:
    """Return the copies of a score table and the `n` non-copies that `method` finds nearest.

    The rows keep their order. These negatives are chosen against `method`: the table says how the
    *other* methods do where this one fails.

    Raises:
        ValueError: `method` has no column in `scores`, or `n` is less than 1.

    >>> scores = pd.DataFrame({"label": [1, 0, 0], "source_reference": [*"aab"],
    ...                        "source_query": [*"abc"], "no_evidence": "",
    ...                        "dhash": [2.0, 30.0, 12.0]})
    >>> hard_negatives(scores, "dhash", n=1)["dhash"].tolist()
    [2.0, 12.0]
    """
    specs.check_count("n", n)
    sample, method = read_one(scores, method)
    # By place, not by index: a table that was put together may name rows twice.
    others = np.flatnonzero(~sample.label)
    order = np.argsort(sample.distance(method)[others], kind="stable")
    kept = sample.label.copy()
    kept[others[order[:n]]] = True
    return sample.table[kept]


def _records(
    resampler: Resampler, methods: Iterable[str], groups: list[Group], metric: Metric
) -> list[list[Record]]:
    """Rows of the metrics table by method, one per group; the non-copies weigh the same for all."""
    factors = [resampler.kappa(method, groups[0]) for method in resampler.sample.methods]
    kappa = max(factors)
    return [list(estimates(resampler, method, groups, [metric], kappa)) for method in methods]


def _n_pairs(n_methods: int) -> int:
    """How many comparisons every two of the methods make; 1 of one method."""
    return max(math.comb(n_methods, 2), 1)


def _difference(
    resampler: Resampler, group: Group, first: Record, second: Record, n_comparisons: int
) -> Record:
    """How much more the first reaches than the second in a group; interval and p are corrected.

    The two say the same: the interval leaves out 0 where p_adjusted is below .05.
    """
    difference = first["value"] - second["value"]
    below = above = p = np.nan
    if not np.isnan(difference):
        tail = 0.025 / n_comparisons
        below, above, p = _uncertainty(resampler, group, first, second, tail)
    return {
        "group": group.name,
        "metric": first["metric"],
        "a": first["value"],
        "b": second["value"],
        "difference": difference,
        "low": max(difference - below, -1.0),
        "high": min(difference + above, 1.0),
        "p": p,
        "p_adjusted": np.minimum(n_comparisons * p, 1.0),
        **group.sizes,
        "note": first["note"],
    }


def _uncertainty(
    resampler: Resampler, group: Group, first: Record, second: Record, tail: float
) -> tuple[float, float, float]:
    """How far the interval of a difference reaches down and up, and the p value of no difference.

    Both are by Student's t; the interval leaves out `tail` on either side.
    """
    moved = first["replicates"] - second["replicates"]
    spread = spread_of(resampler, moved[None], group.is_copy)
    variance = spread.variance[0]
    freedom = spread.freedom[0]
    if np.isnan(variance) or variance <= UNMOVED:
        return _joined_uncertainty(first, second, tail)
    error = np.sqrt(variance)
    if spread.carriers[0] < FEW:
        # No tighter than where no source tells the two apart.
        unseen = reach(resampler.sample.n_sources_in(group.is_copy))
        error = max(error, unseen / -special.stdtrit(freedom, 0.025))
    half_width = -special.stdtrit(freedom, tail) * error
    difference = first["value"] - second["value"]
    p = 2 * special.stdtr(freedom, -abs(difference) / error)
    return half_width, half_width, p


def _joined_uncertainty(first: Record, second: Record, tail: float) -> tuple[float, float, float]:
    """The same where no resample moves the difference: both intervals, added as variances are."""
    difference = first["value"] - second["value"]
    below = np.hypot(first["value"] - first["low"], second["high"] - second["value"])
    above = np.hypot(first["high"] - first["value"], second["value"] - second["low"])
    single = -special.ndtri(0.025)
    p = 1.0
    if difference:
        towards_zero = below if difference > 0 else above
        p = 2 * special.ndtr(-single * abs(difference) / towards_zero)
    wider = -special.ndtri(tail) / single
    return below * wider, above * wider, p
