"""Which method is better: paired differences on the same resamples, rankings, and designs of negatives side by side."""

import itertools
import warnings
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from scipy import stats

from simlab import specs
from simlab.evaluation.metrics import Group, Measure, estimates, sample_groups
from simlab.evaluation.resampling import Resampler
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
    n_resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Return how much more method `a` reaches than method `b`, overall and per group, with a verdict.

    Columns: group, metric, a, b (their values), difference, low, high (its 95 % interval, from the same resamples of
    sources for both), p, p_adjusted, verdict, n_positive, n_negative, n_sources. ``attrs["verdict"]`` says it all in a
    sentence. A difference is decided where p_adjusted is below .05: the groups' p values are adjusted for their
    number by Holm's method; "all" is a question of its own.

    Args:
        metric, by, n_resamples, seed: as for :func:`simlab.evaluation.evaluate`.

    Raises:
        ValueError: an unknown method, metric or column.

    Source: Holm (1979), "A simple sequentially rejective multiple test procedure".

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
    resampler, groups, found = _measured(scores, [a, b], metric, by, n_resamples, seed)
    table = pd.DataFrame(
        [_difference(resampler, group, *pair) for group, *pair in zip(groups, found[a], found[b])]
    )
    table["p_adjusted"] = [*table["p"][:1], *_holm(table["p"][1:].to_numpy())]
    table["decided"] = np.sign(table["difference"]).where(table["p_adjusted"] < 0.05, 0)
    table["verdict"] = [_verdict(a, b, row) for row in table.to_dict("records")]
    words = {_better(metric): f"{a} leads on", -_better(metric): f"{b} leads on", 0: "undecided on"}
    led = sorted(table[1:].groupby("decided")["group"], reverse=True)
    leads = [f"{words[sign]} {', '.join(names)}" for sign, names in led]
    table.attrs = {
        "n_errors": resampler.sample.n_errors,
        "verdict": "; ".join([table["verdict"][0], *leads]),
    }
    return table.drop(columns=["decided", "note"])


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
    resamples of sources; p values are adjusted for their number by Holm's method.

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
    couples = list(itertools.combinations(range(len(records)), 2))
    differences = [_difference(resampler, group, records[i], records[j]) for i, j in couples]
    adjusted = dict(zip(couples, _holm(np.array([row["p"] for row in differences]))))
    tier, first = 1, 0
    for place, record in enumerate(records):
        if adjusted.get((first, place), 1.0) < 0.05:
            tier, first = tier + 1, place
        record |= {"tier": tier, "p_adjusted": adjusted.get((0, place))}
    for record, row in zip(
        records[1:], differences
    ):  # the first couples are those of the first method
        record |= {
            "difference": row["difference"],
            "difference_low": row["low"],
            "difference_high": row["high"],
        }
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
) -> tuple[Resampler, list[Group], dict[str, list[Record]]]:
    """Rows of the metrics table by method, from the same resamples and the same weights of the non-copies."""
    measure, sample = Measure.parse(metric), read(scores, methods)
    resampler, groups = Resampler.draw(sample, n_resamples, seed), sample_groups(sample, by)
    kappa = max(
        (resampler.kappa(method, *groups[0].masks) for method in sample.methods), default=1.0
    )
    return (
        resampler,
        groups,
        {m: list(estimates(resampler, m, groups, [measure], kappa)) for m in sample.methods},
    )


def _difference(resampler: Resampler, group: Group, first: Record, second: Record) -> Record:
    """How much more the first reaches than the second in one group, with interval and p value."""
    difference, low, high, p = first["value"] - second["value"], np.nan, np.nan, np.nan
    if not np.isnan(difference):
        variance, freedom = resampler.spread(
            (first["replicates"] - second["replicates"])[None], group.masks[0]
        )[:2, 0]
        if variance > 1e-15:
            below = above = stats.t.ppf(0.975, freedom) * np.sqrt(variance)
            p = 2 * stats.t.sf(abs(difference) / np.sqrt(variance), freedom)
        else:  # no resample differs: the ends of the two intervals, added as variances are
            below = np.hypot(first["value"] - first["low"], second["high"] - second["value"])
            above = np.hypot(first["high"] - first["value"], second["value"] - second["low"])
            p = float(-above <= difference <= below)
        low, high = max(difference - below, -1.0), min(difference + above, 1.0)
    record = {
        "group": group.name,
        "metric": first["metric"],
        "a": first["value"],
        "b": second["value"],
    }
    ends = {"difference": difference, "low": low, "high": high, "p": p}
    return {**record, **ends, **group.counts, "note": first["note"]}


def _better(metric: str) -> int:
    """1 where a higher value is better, -1 where a lower one is."""
    return -1 if metric == "equal_error_rate" else 1


def _holm(p: np.ndarray) -> np.ndarray:
    """Holm's adjusted p values; NaN stays and does not count."""
    adjusted, order = np.full(len(p), np.nan), np.argsort(p, kind="stable")[: np.isfinite(p).sum()]
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)), 1)
    return adjusted


def _verdict(a: str, b: str, row: Record) -> str:
    if np.isnan(row["difference"]) or row["decided"] == 0:
        return row["note"] if np.isnan(row["difference"]) else "undecided"
    ends = [row["difference"], row["low"], row["high"]]
    if row["decided"] < 0:
        a, b, ends = b, a, [-row["difference"], -row["high"], -row["low"]]
    amount, (name, _, place) = "{:.2f} [{:.2f}, {:.2f}]".format(*ends), row["metric"].partition("@")
    more = f"finds {amount} more than {b} at {place.replace('=', ' ').replace('fpr', 'FPR')}"
    return f"{a} {more if place else f'is {amount} higher than {b} in {name}'}"
