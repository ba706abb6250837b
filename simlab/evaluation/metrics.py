"""One number per method and group, with its interval: ROC AUC, average precision, TPR at a stated FPR, …"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from sklearn import metrics as sk

from simlab import perturb
from simlab.evaluation.resampling import Counts, Resampler, Spread
from simlab.evaluation.sample import Ranked, Sample, read

METRICS = ("roc_auc", "average_precision", "tpr@fpr=0.01", "tpr@fpr=0.001")
"""What is measured by default."""

COLUMNS = (
    "method", "group", "metric", "value", "low", "high", "n_positive", "n_negative", "n_sources", "threshold",
    "negatives", "note",
)  # fmt: skip
"""Columns of a metrics table."""


def evaluate(
    scores: pd.DataFrame,
    methods: Sequence[str] | None = None,
    *,
    by: str | None = None,
    negatives: str = "all",
    metrics: Sequence[str] = METRICS,
    n_resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Return the metrics table: how well each method tells copies, overall and per group, with 95 % intervals.

    Columns: method, group, metric, value (a fraction), low, high, n_positive, n_negative, n_sources,
    threshold (native units; where the metric has one), negatives, note. The group "all" comes first. A value
    that the pairs cannot give is NaN, and `note` says why; it also says where an interval is the bound by
    number of sources, because no resample differs. With ``by="perturbation"``, columns kind and severity follow.

    Args:
        by: also one group per value of this column among the copies; "kind" is the kind of the perturbation.
        negatives: "all": every group is set against all negatives, with one threshold;
            "same": against those that have the group's value in the column `by`.
        metrics: roc_auc; average_precision; micro_average_precision (ties against the copies); tpr@fpr=F, at
            the largest observed distance whose FPR is at most F; recall@precision=P; equal_error_rate.
        n_resamples: resamples of the sources for the intervals; 0 for none.
        seed: of the resamples.

    Raises:
        ValueError: an unknown method, column, metric or kind of negatives.

    >>> scores = pd.DataFrame({"label": [1, 1, 0], "source_reference": ["a", "b", "a"],
    ...                        "source_query": ["a", "b", "b"], "no_evidence": "", "phash": [2.0, 10.0, 8.0]})
    >>> evaluate(scores, metrics=["roc_auc", "tpr@fpr=0.01"])[["metric", "value", "note"]]
             metric  value                             note
    0       roc_auc    0.5      Wilson bound from 2 sources
    1  tpr@fpr=0.01    NaN  not measurable with 1 negatives
    """
    if negatives not in ("all", "same"):
        raise ValueError(f"negatives must be 'all' or 'same', not {negatives!r}")
    measures = [Measure.parse(name) for name in metrics]
    sample = read(scores, methods)
    groups = list(sample_groups(sample, by, negatives))
    resampler = Resampler(sample, n_resamples, seed)
    masks = [group.masks for group in groups]
    rows = [
        {"method": method, "group": group.name, **record, "negatives": negatives}
        for method in sample.methods
        for group, ranked, counts in zip(groups, _ranked(sample, method, groups), resampler.counts(method, masks))
        for record in _records(group, ranked, counts, measures, resampler.spread)
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    if by == "perturbation":
        table = table.join(_kinds(table["group"]))
    table.attrs["n_errors"] = sample.n_errors
    return table


@dataclass(frozen=True)
class Group:
    """The rows that one line of a metrics table is about: masks, and what is counted in them."""

    name: str
    masks: tuple[np.ndarray, np.ndarray]
    counts: dict[str, int]


@dataclass(frozen=True)
class Measure:
    """A metric by name: the statistic of counts, and the rate it is read at."""

    name: str
    statistic: Callable[[Counts], np.ndarray]
    rate: float | None = None

    @classmethod
    def parse(cls, name: str) -> "Measure":
        """Return the metric of a name such as "roc_auc" or "tpr@fpr=0.01"."""
        base, _, number = name.partition("=")
        try:
            rate = float(number) if number else None
            if base in AT_RATE and rate is not None and 0 < rate < 1:
                return cls(name, partial(AT_RATE[base], rate=rate), rate)
            if number == "":
                return cls(name, PLAIN[base])
        except (KeyError, ValueError):
            pass
        allowed = ", ".join([*PLAIN, *(f"{base}=<between 0 and 1>" for base in AT_RATE)])
        raise ValueError(f"a metric must be one of {allowed}; given {name!r}")


def roc_auc(counts: Counts) -> np.ndarray:
    """Return the chance that a copy is nearer than a non-copy, ties half, of each resample."""
    below = (counts.others_below + counts.others_up_to) / 2 / counts.n_others
    return 1 - (counts.copies * below).sum(axis=0) / counts.n_copies


def average_precision(counts: Counts) -> np.ndarray:
    """Return the mean, over the copies, of the precision at their distance, of each resample."""
    return (counts.copies * precision(counts)).sum(axis=0) / counts.n_copies


def precision(counts: Counts) -> np.ndarray:
    """Return the share of copies among the pairs up to each distance, of each resample; 1 where there are none."""
    found = np.cumsum(counts.copies, axis=0)
    called = found + counts.others_up_to
    return np.divide(found, called, out=np.ones_like(found), where=called > 0)


def tpr_at_fpr(counts: Counts, rate: float) -> np.ndarray:
    """Return the largest TPR at an FPR of at most `rate`, of each resample."""
    return np.where(counts.fpr <= rate * (1 + 1e-9), counts.tpr, 0.0).max(axis=0)


def recall_at_precision(counts: Counts, rate: float) -> np.ndarray:
    """Return the largest recall at a precision of at least `rate`, of each resample."""
    return np.where(precision(counts) >= rate * (1 - 1e-9), counts.tpr, 0.0).max(axis=0)


def equal_error_rate(counts: Counts) -> np.ndarray:
    """Return the mean of FPR and miss rate where they are closest, of each resample."""
    before = np.vstack([np.zeros_like(counts.tpr[:1]), counts.tpr[:-1]])
    miss = 1 - np.vstack([counts.tpr, before])
    false = np.vstack([counts.fpr, counts.others_below / counts.n_others])
    at = np.abs(miss - false).argmin(axis=0)[None]
    return ((np.take_along_axis(miss, at, 0) + np.take_along_axis(false, at, 0)) / 2)[0]


PLAIN = {
    "roc_auc": roc_auc,
    "average_precision": average_precision,
    "micro_average_precision": average_precision,
    "equal_error_rate": equal_error_rate,
}
SKLEARN = {"roc_auc": sk.roc_auc_score, "average_precision": sk.average_precision_score}
AT_RATE = {"tpr@fpr": tpr_at_fpr, "recall@precision": recall_at_precision}


def sample_groups(sample: Sample, by: str | None, negatives: str = "all") -> Iterator[Group]:
    """Yield the group "all", then one per value of the column `by` among the copies, in order of appearance."""
    everything = ~sample.label
    yield _group(sample, "all", sample.label, everything)
    if by is None:
        return
    codes, names = pd.factorize(_group_values(sample.table, by))
    for code in pd.unique(codes[sample.label]):
        name, inside = names[code], codes == code
        others = everything if negatives == "all" else everything & inside
        yield _group(sample, name, sample.label & inside, others)


def _group(sample: Sample, name: str, positive: np.ndarray, negative: np.ndarray) -> Group:
    counts = {"n_positive": int(positive.sum()), "n_negative": int(negative.sum())}
    n_sources = int((sample.present(positive) | sample.present(negative)).sum())
    return Group(name, (positive, negative), {**counts, "n_sources": n_sources})


def _group_values(table: pd.DataFrame, by: str) -> pd.Series:
    column = "perturbation" if by == "kind" else by
    if column not in table:
        allowed = ", ".join(map(str, table))
        raise ValueError(f"by must be 'kind' or a column of the scores ({allowed}), not {by!r}")
    if by == "kind":
        return table[column].map({spec: _kind_and_severity(spec)[0] for spec in table[column].unique()})
    return table[column].astype(str)


def _kind_and_severity(spec: str) -> tuple[str, float]:
    try:
        return perturb.kind(spec), perturb.severity(spec)
    except ValueError:  # a perturbation that this session has not registered: its numbers still count
        return spec, np.nan


def _kinds(groups: pd.Series) -> pd.DataFrame:
    found = {spec: ("all", np.nan) if spec == "all" else _kind_and_severity(spec) for spec in groups.unique()}
    kind, severity = (groups.map({spec: pair[i] for spec, pair in found.items()}) for i in (0, 1))
    return pd.DataFrame({"kind": kind, "severity": severity.astype(float)})


def _ranked(sample: Sample, method: str, groups: Sequence[Group]) -> Iterator[tuple[Ranked, Ranked]]:
    negative, others = None, None
    for group in groups:
        if group.masks[1] is not negative:
            negative, others = group.masks[1], sample.ranked(method, group.masks[1])
        yield sample.ranked(method, group.masks[0]), others


def _records(
    group: Group,
    ranked: tuple[Ranked, Ranked],
    counts: Counts,
    measures: Sequence[Measure],
    spread: Callable[..., Spread],
) -> Iterator[dict[str, object]]:
    empty = {"value": np.nan, "low": np.nan, "high": np.nan, "threshold": np.nan, "note": "", **group.counts}
    for measure in measures:
        record = {**empty, "metric": measure.name, "note": _refusal(measure, **group.counts)}
        if not record["note"]:
            record |= _value(measure, *ranked)
            record |= _interval(record, spread(measure.statistic(counts)[None, 1:], group.masks[0]))
        yield record


def _refusal(measure: Measure, n_positive: int, n_negative: int, **_: int) -> str:
    """Why the pairs cannot give a metric, or nothing."""
    if n_positive == 0 or n_negative == 0:
        return f"undefined: no {'negatives' if n_positive else 'positives'}"
    if "fpr" in measure.name and measure.rate * n_negative < 1 - 1e-9:
        return f"not measurable with {n_negative} negatives"
    return ""


def _value(measure: Measure, copies: Ranked, others: Ranked) -> dict[str, object]:
    if "fpr" in measure.name:
        return _at_fpr(copies, others, measure.rate)
    if measure.name in SKLEARN:
        label, score, weight = _steps(copies, others)
        return {"value": SKLEARN[measure.name](label, score, sample_weight=weight)}
    # Worst-case ties: each copy comes after all the non-copies at its distance, one copy at a time.
    at = copies.values if measure.name.startswith("micro") else np.unique(copies.values)
    up_to = copies.total[1:] if measure.name.startswith("micro") else copies.up_to(at)
    weights = [np.diff(up_to, prepend=0.0), others.below(at), others.up_to(at)]
    counts = Counts(*(weight[:, None] for weight in weights), others.total[-1:], at)
    return {"value": measure.statistic(counts)[0]}


def _interval(record: dict[str, object], spread: Spread) -> dict[str, object]:
    value = np.array([record["value"]])
    low, high = spread.interval(value)
    words = f"Wilson bound from {spread.n_sources} sources" if spread.bounded(value)[0] else ""
    return {"low": low[0], "high": high[0], "note": "; ".join(filter(None, (record["note"], words)))}


def _steps(copies: Ranked, others: Ranked) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Label, score and weight of a few points that give scikit-learn the same ROC AUC and average precision.

    Negatives between two neighbouring distances of copies are one point: a group of few copies costs little,
    however many negatives it is set against.
    """
    values = np.unique(copies.values)
    before, up_to = others.below(values), others.up_to(values)
    between = np.append(before, others.total[-1]) - np.append(0.0, up_to)
    weight = np.concatenate([np.diff(copies.up_to(values), prepend=0.0), up_to - before, between])
    rank = np.arange(len(values))
    score = -np.concatenate([2 * rank + 1, 2 * rank + 1, 2 * np.append(rank, len(values))])
    label = np.arange(len(weight)) < len(values)
    return label[weight > 0], score[weight > 0], weight[weight > 0]


def _at_fpr(copies: Ranked, others: Ranked, fpr: float) -> dict[str, object]:
    """TPR at the largest observed distance whose FPR is at most `fpr`, and that distance."""
    allowed = fpr * others.total[-1] * (1 + 1e-12)  # 3 of 30 are an FPR of .1, whatever the rounding
    cut = others.values[np.searchsorted(others.total[1:], allowed, "right")]
    called = [ranked.values[np.searchsorted(ranked.values, cut, "left") - 1] for ranked in (copies, others)]
    below = [value for value in called if value < cut]
    if not below:
        return {"value": 0.0, "note": f"no observed distance has an FPR of {fpr:g} or less"}
    return {"value": copies.below(cut) / copies.total[-1], "threshold": max(below)}
