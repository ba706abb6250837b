"""ROC and precision–recall curves with bands, histograms of distances, and the hardest pairs."""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy import ndarray
from pandas import DataFrame

from simlab import specs
from simlab.evaluation.intervals import fraction_interval, recall_interval
from simlab.evaluation.resampling import Counts, Resampler, last, within
from simlab.evaluation.sample import Group, read, read_one, sample_groups
from simlab.specs import Names

BAND = 100
"""FPRs at which the band of an ROC curve is worked out."""

Ends = tuple[ndarray, ndarray]
"""Low and high ends of a band, (distances,) each."""


def roc_curve(
    scores: DataFrame,
    methods: Names | None = None,
    *,
    n_resamples: int = 0,
    seed: int = 0,
) -> DataFrame:
    """Return the ROC curve of each method: a row per observed distance as threshold, ascending.

    Columns: method, threshold (native units), fpr, tpr (fractions), n_positive, n_negative,
    smallest_fpr (that of one negative: nothing below it can be measured). With `n_resamples` also
    low and high, the 95 % interval of the TPR at the row's FPR, from resampling sources. The point
    (0, 0), which no observed threshold reaches, is left out. A rate whose class is absent is NaN.

    Raises:
        ValueError: a method has no column in `scores`.

    >>> scores = pd.DataFrame({"label": [1, 1, 0], "source_reference": ["a", "b", "a"],
    ...                        "source_query": ["a", "b", "b"], "no_evidence": "",
    ...                        "phash": [2.0, 10.0, 8.0]})
    >>> roc_curve(scores)[["threshold", "fpr", "tpr"]]
       threshold  fpr  tpr
    0        2.0  0.0  0.5
    1        8.0  1.0  0.5
    2       10.0  1.0  1.0
    """
    resampler = Resampler.draw(read(scores, methods), n_resamples, seed)
    return _curves(resampler, "fpr", "tpr", _tpr_at_each_fpr)


def pr_curve(
    scores: DataFrame,
    methods: Names | None = None,
    *,
    n_resamples: int = 0,
    seed: int = 0,
) -> DataFrame:
    """Return the precision–recall curve of each method: a row per observed distance, ascending.

    Columns: method, threshold (native units), precision, recall (fractions), n_positive,
    n_negative, smallest_fpr. With `n_resamples` also low and high, the 95 % interval of the
    precision at the row's recall. Precision is that of the table's own share of copies; recall is
    NaN without copies.

    Raises:
        ValueError: a method has no column in `scores`.

    >>> scores = pd.DataFrame({"label": [1, 1, 0], "source_reference": ["a", "b", "a"],
    ...                        "source_query": ["a", "b", "b"], "no_evidence": "",
    ...                        "phash": [2.0, 10.0, 8.0]})
    >>> pr_curve(scores)[["threshold", "precision", "recall"]].round(3)
       threshold  precision  recall
    0        2.0      1.000     0.5
    1        8.0      0.500     0.5
    2       10.0      0.667     1.0
    """
    resampler = Resampler.draw(read(scores, methods), n_resamples, seed)
    table = _curves(resampler, "tpr", "precision", _precision_at_each_recall)
    table = table.rename(columns={"tpr": "recall"})
    table.insert(2, "precision", table.pop("precision"))
    return table


def _curves(
    resampler: Resampler, x: str, y: str, band: Callable[[Resampler, Group, Counts], Ends]
) -> DataFrame:
    """The curve of y over x, both rates of counts; with resamples also the interval of y."""
    sample = resampler.sample
    plain = resampler.plain()
    (group,) = sample_groups(sample)
    parts = []
    for method in sample.methods:
        (data,) = plain.counts(method, [group])
        columns = {
            "method": method,
            "threshold": data.threshold,
            x: getattr(data, x)[:, 0],
            y: getattr(data, y)[:, 0],
            "n_positive": group.sizes["n_positive"],
            "n_negative": group.sizes["n_negative"],
            "smallest_fpr": group.smallest_fpr,
        }
        if resampler.n_resamples:
            (drawn,) = resampler.counts(method, [group])
            low, high = band(resampler, group, drawn)
            at = np.searchsorted(drawn.threshold, data.threshold)
            columns["low"] = np.fmin(low[at], columns[y])
            columns["high"] = np.fmax(high[at], columns[y])
        parts.append(DataFrame(columns))
    table = pd.concat(parts, ignore_index=True)
    table.attrs["n_errors"] = sample.n_errors
    return table


def _tpr_at_each_fpr(resampler: Resampler, group: Group, counts: Counts) -> Ends:
    """The ends of the TPR at the data's own FPRs; between many FPRs by straight lines."""
    fpr = counts.fpr[:, 0]
    limits = np.unique(fpr)
    if len(limits) > BAND:
        limits = limits[np.linspace(0, len(limits) - 1, BAND).astype(int)]
    place = last(within(fpr[:, None], limits))
    tpr = np.append(0.0, counts.tpr[:, 0])[place + 1]
    interval = recall_interval(resampler, tpr, counts, counts.fpr, limits, group)
    low = np.interp(fpr, limits, interval.low)
    high = np.interp(fpr, limits, interval.high)
    return low, high


def _precision_at_each_recall(resampler: Resampler, group: Group, counts: Counts) -> Ends:
    """The ends of the precision at the data's own recalls."""
    recalls = counts.tpr[:, 0] * (1 - 1e-9)
    furthest = len(counts.tpr) - 1
    replicates = np.empty_like(counts.precision)
    for column, (tpr, precision) in enumerate(zip(counts.tpr.T, counts.precision.T)):
        at = np.searchsorted(tpr, recalls).clip(max=furthest)
        replicates[:, column] = precision[at]
    precision = counts.precision[:, 0]
    interval = fraction_interval(resampler, precision, replicates[:, 1:], group.is_copy)
    return interval.low, interval.high


def distance_histogram(
    scores: DataFrame, methods: Names | None = None, *, bins: int = 40
) -> DataFrame:
    """Return the histogram of each method's distances, of copies and of others, over the same bins.

    Columns: method, label (1 copy, 0 different), left, right (edges, native units), count (rows),
    share (of the weight of that label). Whole-numbered distances get bins of whole width, so that
    no bin is favoured.

    Args:
        bins: number of bins; at most that many for whole-numbered distances.

    Raises:
        ValueError: a method has no column in `scores`, or `bins` is less than 1.

    >>> scores = pd.DataFrame({"label": [1, 1, 0], "source_reference": ["a", "b", "a"],
    ...                        "source_query": ["a", "b", "b"], "no_evidence": "",
    ...                        "phash": [2.0, 4.0, 8.0]})
    >>> distance_histogram(scores, bins=4).query("label == 1")[["left", "right", "count", "share"]]
       left  right  count  share
    0   1.5    3.5      1    0.5
    1   3.5    5.5      1    0.5
    2   5.5    7.5      0    0.0
    3   7.5    9.5      0    0.0
    """
    specs.check_count("bins", bins)
    sample = read(scores, methods)
    parts = []
    for method in sample.methods:
        distance = sample.distance(method)
        edges = _edges(distance, bins)
        for label in (1, 0):
            rows = sample.label == bool(label)
            count, _ = np.histogram(distance[rows], edges)
            weight, _ = np.histogram(distance[rows], edges, weights=sample.weight[rows])
            columns = {
                "method": method,
                "label": label,
                "left": edges[:-1],
                "right": edges[1:],
                "count": count,
                "share": weight / (weight.sum() or 1.0),
            }
            parts.append(DataFrame(columns))
    table = pd.concat(parts, ignore_index=True)
    table.attrs["n_errors"] = sample.n_errors
    return table


def _edges(distance: ndarray, bins: int) -> ndarray:
    """The edges of the bins; those of whole-numbered distances lie half-way between two of them."""
    if len(distance) == 0:
        return np.linspace(0, 1, bins + 1)
    low = distance.min()
    n_whole = distance.max() - low + 1
    is_whole = np.equal(distance, np.round(distance)).all()
    if not (is_whole and n_whole <= 2**31):
        return np.histogram_bin_edges(distance, bins)
    width = math.ceil(n_whole / bins)
    return low - 0.5 + width * np.arange(math.ceil(n_whole / width) + 1)


def hardest(scores: DataFrame, method: str, n: int = 6) -> DataFrame:
    """Return the rows that `method` gets most wrong: the farthest copies, the nearest non-copies.

    The columns are those of `scores` after a first one, error_kind: "miss" or "false alarm"; `n`
    rows of each, hardest first. The index is that of `scores`.

    Raises:
        ValueError: `method` has no column in `scores`.

    >>> scores = pd.DataFrame({"label": [1, 1, 0], "source_reference": ["a", "b", "a"],
    ...                        "source_query": ["a", "b", "b"], "no_evidence": "",
    ...                        "phash": [2.0, 10.0, 8.0]})
    >>> hardest(scores, "phash", n=1)[["error_kind", "phash"]]
        error_kind  phash
    1         miss   10.0
    2  false alarm    8.0
    """
    specs.check_count("n", n)
    sample, method = read_one(scores, method)
    copies = sample.table[sample.label]
    others = sample.table[~sample.label]
    far = copies.sort_values(method, ascending=False, kind="stable").head(n)
    near = others.sort_values(method, kind="stable").head(n)
    rows = pd.concat([far, near])
    rows.insert(0, "error_kind", ["miss"] * len(far) + ["false alarm"] * len(near))
    return rows
