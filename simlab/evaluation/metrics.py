"""One number per method and group: ROC AUC, average precision, TPR at a stated FPR."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn import metrics as sk

from simlab import perturb
from simlab.evaluation.sample import Ranked, Sample, read

FPR = (1e-2, 1e-3)
"""The false positive rates at which recall is stated by default."""

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
    fpr: Sequence[float] = FPR,
) -> pd.DataFrame:
    """Return the metrics table: ROC AUC, average precision and TPR at stated FPRs, per method and group.

    Columns: method, group, metric, value (a fraction), low, high, n_positive, n_negative, n_sources,
    threshold (native units; for a TPR), negatives, note. The group "all" comes first. A value that the pairs
    cannot give is NaN, and `note` says why. With ``by="perturbation"``, columns kind and severity follow.

    Args:
        by: also one group per value of this column among the copies; "kind" is the kind of the perturbation.
        negatives: "all": every group is set against all negatives, with one threshold;
            "same": against those that have the group's value in the column `by`.
        fpr: false positive rates, in (0, 1). TPR is read at the largest observed distance whose FPR is not
            above.

    Raises:
        ValueError: an unknown method, column or kind of negatives, or an FPR outside (0, 1).

    >>> scores = pd.DataFrame({"label": [1, 1, 0], "source_reference": ["a", "b", "a"],
    ...                        "source_query": ["a", "b", "b"], "no_evidence": "", "phash": [2.0, 10.0, 8.0]})
    >>> evaluate(scores, fpr=[0.01])[["metric", "value", "note"]]
                  metric     value                               note
    0            roc_auc  0.500000
    1  average_precision  0.833333
    2       tpr@fpr=0.01       NaN  not measurable with 1 negatives
    """
    _check(negatives, fpr)
    sample = read(scores, methods)
    groups = list(_groups(sample, by, negatives))
    rows = [
        {"method": method, "group": group.name, **record, "negatives": negatives}
        for method in sample.methods
        for group, copies, others in _ranked(sample, method, groups)
        for record in _metrics(group, copies, others, fpr)
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    if by == "perturbation":
        table = table.join(_kinds(table["group"]))
    table.attrs["n_errors"] = sample.n_errors
    return table


def _check(negatives: str, fpr: Sequence[float]) -> None:
    if negatives not in ("all", "same"):
        raise ValueError(f"negatives must be 'all' or 'same', not {negatives!r}")
    for rate in fpr:
        if not 0 < rate < 1:
            raise ValueError(f"fpr must be between 0 and 1, not {rate!r}")


@dataclass(frozen=True)
class Group:
    """The rows that one line of a metrics table is about: masks, and what is counted in them."""

    name: str
    positive: np.ndarray
    negative: np.ndarray
    counts: dict[str, int]


def _groups(sample: Sample, by: str | None, negatives: str) -> Iterator[Group]:
    yield _group(sample, "all", sample.label, ~sample.label)
    if by is None:
        return
    codes, names = pd.factorize(_group_values(sample.table, by))
    for code in pd.unique(codes[sample.label]):
        name, inside = names[code], codes == code
        others = ~sample.label if negatives == "all" else ~sample.label & inside
        yield _group(sample, name, sample.label & inside, others)


def _group(sample: Sample, name: str, positive: np.ndarray, negative: np.ndarray) -> Group:
    counts = {"n_positive": int(positive.sum()), "n_negative": int(negative.sum())}
    n_sources = int((sample.present(positive) | sample.present(negative)).sum())
    return Group(name, positive, negative, {**counts, "n_sources": n_sources})


def _ranked(sample: Sample, method: str, groups: list[Group]) -> Iterator[tuple[Group, Ranked, Ranked]]:
    shared = sample.ranked(method, groups[0].negative)
    for group in groups:
        same = group.counts["n_negative"] == groups[0].counts["n_negative"]
        others = shared if same else sample.ranked(method, group.negative)
        yield group, sample.ranked(method, group.positive), others


def _group_values(table: pd.DataFrame, by: str) -> pd.Series:
    column = "perturbation" if by == "kind" else by
    if column not in table:
        allowed = ", ".join(map(str, table))
        raise ValueError(f"by must be 'kind' or a column of the scores ({allowed}), not {by!r}")
    if by == "kind":
        return table[column].map({spec: _kind_and_severity(spec)[0] for spec in table[column].unique()})
    return table[column].astype(str)


def _kind_and_severity(spec: str) -> tuple[str, float]:
    from simlab import perturb

    try:
        return perturb.kind(spec), perturb.severity(spec)
    except ValueError:  # a perturbation that this session has not registered: its numbers still count
        return spec, np.nan


def _kinds(groups: pd.Series) -> pd.DataFrame:
    found = {spec: ("all", np.nan) if spec == "all" else _kind_and_severity(spec) for spec in groups.unique()}
    kind, severity = (groups.map({spec: pair[i] for spec, pair in found.items()}) for i in (0, 1))
    return pd.DataFrame({"kind": kind, "severity": severity.astype(float)})


def _metrics(
    group: Group, copies: Ranked, others: Ranked, fpr: Sequence[float]
) -> Iterator[dict[str, object]]:
    n_negative = group.counts["n_negative"]
    empty = {"value": np.nan, "low": np.nan, "high": np.nan, "threshold": np.nan, "note": "", **group.counts}
    names = ["roc_auc", "average_precision", *(f"tpr@fpr={rate:g}" for rate in fpr)]
    absent = [kind for kind in ("positives", "negatives") if group.counts[f"n_{kind[:-1]}"] == 0]
    if absent:
        yield from ({**empty, "metric": name, "note": f"undefined: no {absent[0]}"} for name in names)
        return
    label, score, weight = _steps(copies, others)
    for name, metric in zip(names, (sk.roc_auc_score, sk.average_precision_score)):
        yield {**empty, "metric": name, "value": metric(label, score, sample_weight=weight)}
    for name, rate in zip(names[2:], fpr):
        if rate * n_negative < 1 - 1e-9:
            yield {**empty, "metric": name, "note": f"not measurable with {n_negative} negatives"}
        else:
            yield {**empty, "metric": name, **_at_fpr(copies, others, rate)}


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
