"""One number per method and group, with its interval: ROC AUC, average precision, TPR at a stated FPR, …"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn import metrics as sk

from simlab import perturb, specs
from simlab.evaluation.resampling import FEW, Counts, Interval, Masks, Resampler, within
from simlab.evaluation.sample import Sample, read
from simlab.messages import counted

METRICS = ("roc_auc", "average_precision", "tpr@fpr=0.01", "tpr@fpr=0.001")
"""What is measured by default."""

COLUMNS = (
    "method",
    "group",
    "metric",
    "value",
    "low",
    "high",
    "n_positive",
    "n_negative",
    "n_sources",
    "threshold",
    "negatives",
    "note",
)
"""Columns of a metrics table."""


def evaluate(
    scores: pd.DataFrame,
    methods: str | Iterable[str] | None = None,
    *,
    by: str | None = None,
    negatives: str = "all",
    metrics: str | Iterable[str] = METRICS,
    n_resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Return the metrics table: how well each method tells copies, overall and per group, with 95 % intervals.

    Columns: method, group, metric, value (a fraction), low, high, n_positive, n_negative, n_sources, threshold (native
    units; where the metric has one), negatives, note. The group "all" comes first. A value that the pairs cannot give
    is NaN, and `note` says why; it also says where an interval is a bound from the number of sources, because no
    resample differs. With ``by="perturbation"``, columns kind and severity follow.

    Args:
        methods, metrics: a text with commas, one name or a list of names; None for all methods with a column.
        by: also one group per value of this column among the copies; "kind" is the kind of the perturbation.
        negatives: "all": every group is set against all negatives, with one threshold;
            "same": against those that have the group's value in the column `by`.
        metrics: roc_auc; average_precision; micro_average_precision (ties against the copies); tpr@fpr=F, at the
            largest observed distance whose FPR is at most F; recall@precision=P; equal_error_rate.
        n_resamples: resamples of the sources for the intervals; 0 for none.
        seed: of the resamples.

    Raises:
        ValueError: an unknown method, column, metric or kind of negatives.

    >>> scores = pd.DataFrame({"label": [1, 1, 0], "source_reference": ["a", "b", "a"],
    ...                        "source_query": ["a", "b", "b"], "no_evidence": "", "phash": [2.0, 10.0, 8.0]})
    >>> evaluate(scores, metrics=["roc_auc", "tpr@fpr=0.01"])[["metric", "value", "note"]]
             metric  value                             note
    0       roc_auc    0.5      Wilson bound from 2 sources
    1  tpr@fpr=0.01    NaN  not measurable with 1 negative
    """
    measures = [Measure.parse(name) for name in specs.names(metrics, "metrics")]
    sample = read(scores, methods)
    groups, resampler = (
        sample_groups(sample, by, negatives),
        Resampler.draw(sample, n_resamples, seed),
    )
    rows = [
        record
        for method in sample.methods
        for record in estimates(resampler, method, groups, measures)
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS)).assign(negatives=negatives)
    if by == "perturbation":
        used = table["group"].where(table["group"] != "all", "")
        table["kind"] = used.map(perturb.kind).where(table["group"] != "all", "all")
        table["severity"] = used.map(perturb.severity).astype(float).where(table["group"] != "all")
    table.attrs["n_errors"] = sample.n_errors
    return table


def smallest_fpr(
    scores: pd.DataFrame,
    methods: Sequence[str] | None = None,
    *,
    by: str | None = None,
    negatives: str = "all",
) -> pd.DataFrame:
    """Return the smallest FPR that the pairs can measure, that of one negative, overall and per group.

    Columns: group, n_positive, n_negative, n_sources, smallest_fpr: 1 / n_negative, or with weights the smallest
    negative's share of all (NaN without negatives). `methods`, `by` and `negatives` are those of
    :func:`evaluate`.
    """
    groups = sample_groups(read(scores, methods), by, negatives)
    return pd.DataFrame(
        [{"group": g.name, **g.counts, "smallest_fpr": g.smallest_fpr} for g in groups]
    )


class Group(NamedTuple):
    """The rows that one line of a metrics table is about, and what is counted in them."""

    name: str
    masks: Masks
    counts: dict[str, int]
    smallest_fpr: float

    def refusal(self, fpr: float) -> str:
        """Return why the pairs cannot measure anything, or not at such an FPR; nothing where they can."""
        n_positive, n_negative = self.counts["n_positive"], self.counts["n_negative"]
        if n_positive == 0 or n_negative == 0:
            return f"undefined: no {'negatives' if n_positive else 'positives'}"
        if fpr >= self.smallest_fpr * (1 - 1e-9):
            return ""
        return f"not measurable with {counted(n_negative, 'negative')}"


class Measure(NamedTuple):
    """A metric: its name, the statistic of counts, and for a recall the error rate that is limited, and its limit."""

    name: str
    statistic: Callable[[Counts], np.ndarray]
    error: Callable[[Counts], np.ndarray] | None = None
    most: float = 0.0

    @classmethod
    def parse(cls, name: str) -> "Measure":
        """Return the metric of a name such as "roc_auc" or "tpr@fpr=0.01"."""
        name = specs.one_name(name, "metric")
        base, _, number = name.partition("=")
        rate = float(number) if re.fullmatch(r"[0-9]*\.?[0-9]+(e-?[0-9]+)?", number) else 0.0
        if name in STATISTICS:
            return cls(name, STATISTICS[name])
        if base in ERRORS and 0 < rate < 1:
            error, most = ERRORS[base], rate if base == "tpr@fpr" else 1 - rate
            return cls(name, partial(highest_recall, error, most), error, most)
        allowed = ", ".join([*STATISTICS, *(f"{base}=<between 0 and 1>" for base in ERRORS)])
        raise ValueError(f"a metric must be one of {allowed}; given {name!r}")


def roc_auc(counts: Counts) -> np.ndarray:
    """Return the chance that a copy is nearer than a non-copy, ties half, of each resample."""
    nearer = (counts.others_below + counts.others_up_to) / 2 / counts.n_others
    return 1 - (counts.copies * nearer).sum(axis=0) / counts.n_copies


def average_precision(counts: Counts) -> np.ndarray:
    """Return the mean, over the copies, of the precision at their distance, of each resample."""
    return (counts.copies * counts.precision).sum(axis=0) / counts.n_copies


def highest_recall(
    error: Callable[[Counts], np.ndarray], most: float, counts: Counts
) -> np.ndarray:
    """Return the largest recall among the distances whose error rate is at most `most`, of each resample."""
    return np.where(within(error(counts), most), counts.tpr, 0.0).max(axis=0)


def equal_error_rate(counts: Counts) -> np.ndarray:
    """Return the mean of FPR and miss rate where they are closest, of each resample."""
    before = np.vstack([np.zeros_like(counts.tpr[:1]), counts.tpr[:-1]])
    miss, false = (
        1 - np.vstack([counts.tpr, before]),
        np.vstack([counts.fpr, counts.others_below / counts.n_others]),
    )
    at = np.abs(miss - false).argmin(axis=0)
    return ((miss + false) / 2)[at, np.arange(len(at))]


STATISTICS = {
    "roc_auc": roc_auc,
    "average_precision": average_precision,
    "micro_average_precision": average_precision,
    "equal_error_rate": equal_error_rate,
}
ERRORS = {
    "tpr@fpr": lambda counts: counts.fpr,
    "recall@precision": lambda counts: 1 - counts.precision,
}


def sample_groups(sample: Sample, by: str | None = None, negatives: str = "all") -> list[Group]:
    """Return the group "all", then one per value of the column `by` among the copies, in order of appearance."""
    if negatives not in ("all", "same"):
        raise ValueError(f"negatives must be 'all' or 'same', not {negatives!r}")
    others = ~sample.label
    groups = [_group(sample, "all", sample.label, others)]
    codes, names = pd.factorize(_values(sample.table, by) if by else np.zeros(len(others)))
    for code in pd.unique(codes[sample.label]) if by else ():
        inside = codes == code
        against = others if negatives == "all" else others & inside
        groups.append(_group(sample, names[code], sample.label & inside, against))
    return groups


def estimates(
    resampler: Resampler,
    method: str,
    groups: Sequence[Group],
    measures: Sequence[Measure],
    kappa: float | None = None,
) -> Iterator[dict[str, object]]:
    """Yield a row of the metrics table per group and metric, with the metric's resamples under "replicates"."""
    masks, plain = [group.masks for group in groups], resampler.plain()
    exact, drawn = (
        plain.counts(method, masks, everywhere=True),
        resampler.counts(method, masks, kappa=kappa),
    )
    empty = dict.fromkeys(("value", "low", "high", "threshold", "replicates"), np.nan)
    for group, data, counts in zip(groups, exact, drawn):
        for measure in measures:
            record = {
                "method": method,
                "group": group.name,
                "metric": measure.name,
                **empty,
                **group.counts,
            }
            record["note"] = group.refusal(measure.most if measure.name.startswith("tpr") else 1.0)
            if not record["note"]:
                record |= _value(resampler.sample, method, group.masks, measure, data)
                record["replicates"] = measure.statistic(counts)[1:]
                found = _interval(resampler, measure, group.masks, record, counts)
                record |= {"low": found.low[0], "high": found.high[0]}
                words = _about(found, resampler.n_sources(group.masks[0]))
                record["note"] = "; ".join(filter(None, [record["note"], *words]))
            yield record


def _value(
    sample: Sample, method: str, masks: Masks, measure: Measure, counts: Counts
) -> dict[str, object]:
    if measure.error:
        reached = counts.threshold[within(measure.error(counts), measure.most)[:, 0]]
        place = (
            {"threshold": reached[-1]}
            if len(reached)
            else {"note": "no observed distance reaches it"}
        )
        return {"value": measure.statistic(counts)[0], **place}
    if measure.name == "micro_average_precision":
        rows = np.flatnonzero(masks[0] | masks[1])
        rows = rows[
            np.lexsort((sample.label[rows], sample.distance(method)[rows]))
        ]  # non-copies first among ties
        points = sample.label[rows], -np.arange(len(rows)), sample.weight[rows]
        return {"value": sk.average_precision_score(points[0], points[1], sample_weight=points[2])}
    if measure.name in ("roc_auc", "average_precision"):
        label, score, weight = _points(counts)
        return {"value": getattr(sk, f"{measure.name}_score")(label, score, sample_weight=weight)}
    return {"value": measure.statistic(counts)[0]}


def _points(counts: Counts) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Label, score and weight of a few points with the ROC AUC and average precision of all the pairs.

    Non-copies between two neighbouring distances of copies are one point: a group of few copies costs little.
    """
    at = np.flatnonzero(counts.copies[:, 0])
    below, up_to, rank = (
        counts.others_below[at, 0],
        counts.others_up_to[at, 0],
        2 * np.arange(len(at) + 1),
    )
    between = np.append(below, counts.n_others[0]) - np.append(0.0, up_to)
    weight = np.concatenate([counts.copies[at, 0], up_to - below, between])
    score = -np.concatenate([rank[:-1] + 1, rank[:-1] + 1, rank])
    kept = weight > 0
    return (np.arange(len(weight)) < len(at))[kept], score[kept], weight[kept]


def _interval(
    resampler: Resampler,
    measure: Measure,
    masks: Masks,
    record: dict[str, object],
    counts: Counts,
) -> Interval:
    value = np.array([record["value"]])
    if measure.error:
        limit = np.array([measure.most])
        return resampler.recall_interval(value, counts, measure.error(counts), limit, masks)
    return resampler.interval(value, record["replicates"][None], masks[0])


def _about(interval: Interval, n_sources: int) -> Iterator[str]:
    """What a reader should know about an interval: that it is a bound, that few sources decide it."""
    if interval.bounded[0]:
        yield f"Wilson bound from {counted(n_sources, 'source')}"
    if interval.carriers[0] < min(FEW, n_sources / 2):
        yield f"most of the variance lies in {interval.carriers[0]:.0f} of {n_sources} sources"


def _group(sample: Sample, name: str, positive: np.ndarray, negative: np.ndarray) -> Group:
    counts = {"n_positive": int(positive.sum()), "n_negative": int(negative.sum())}
    counts["n_sources"] = int((sample.present(positive) | sample.present(negative)).sum())
    weight = sample.weight[negative]
    return Group(
        name, (positive, negative), counts, weight.min() / weight.sum() if len(weight) else np.nan
    )


def _values(table: pd.DataFrame, by: str) -> pd.Series:
    column = "perturbation" if by == "kind" else by
    if not isinstance(by, str) or column not in table:
        raise ValueError(
            f"by must be 'kind' or a column of the scores ({', '.join(map(str, table))}), not {by!r}"
        )
    return table[column].map(perturb.kind) if by == "kind" else table[column].astype(str)
