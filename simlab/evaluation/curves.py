"""ROC and precision–recall curves, histograms of distances, and the pairs that are hardest to call."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from sklearn import metrics as sk

from simlab.evaluation.sample import Sample, read


def roc_curve(scores: pd.DataFrame, methods: Sequence[str] | None = None) -> pd.DataFrame:
    """Return the ROC curve of each method: one row per observed distance, taken as threshold, ascending.

    Columns: method, threshold (native units), fpr, tpr (fractions), n_positive, n_negative. The point (0, 0),
    which no observed threshold reaches, is left out. A rate whose class is absent is NaN.

    Raises:
        ValueError: a method has no column in `scores`.

    >>> scores = pd.DataFrame({"label": [1, 1, 0], "source_reference": ["a", "b", "a"],
    ...                        "source_query": ["a", "b", "b"], "no_evidence": "", "phash": [2.0, 10.0, 8.0]})
    >>> roc_curve(scores)[["threshold", "fpr", "tpr"]]
       threshold  fpr  tpr
    0        2.0  0.0  0.5
    1        8.0  1.0  0.5
    2       10.0  1.0  1.0
    """
    return _per_method(read(scores, methods), _roc_points)


def pr_curve(scores: pd.DataFrame, methods: Sequence[str] | None = None) -> pd.DataFrame:
    """Return the precision–recall curve of each method: one row per observed distance, ascending.

    Columns: method, threshold (native units), precision, recall (fractions), n_positive, n_negative.
    Precision is that of the table's own share of copies; without copies both are NaN.

    Raises:
        ValueError: a method has no column in `scores`.

    >>> scores = pd.DataFrame({"label": [1, 1, 0], "source_reference": ["a", "b", "a"],
    ...                        "source_query": ["a", "b", "b"], "no_evidence": "", "phash": [2.0, 10.0, 8.0]})
    >>> pr_curve(scores)[["threshold", "precision", "recall"]].round(3)
       threshold  precision  recall
    0        2.0      1.000     0.5
    1        8.0      0.500     0.5
    2       10.0      0.667     1.0
    """
    return _per_method(read(scores, methods), _pr_points)


def distance_histogram(
    scores: pd.DataFrame, methods: Sequence[str] | None = None, *, bins: int = 40
) -> pd.DataFrame:
    """Return the histogram of each method's distances, of copies and of non-copies, over the same bins.

    Columns: method, label (1 copy, 0 different), left, right (edges, native units), count (rows), share (of
    the rows of that label). Whole-numbered distances get bins of whole width, so that no bin is favoured.

    Args:
        bins: number of bins; at most that many for whole-numbered distances.

    Raises:
        ValueError: a method has no column in `scores`, or `bins` is less than 1.

    >>> scores = pd.DataFrame({"label": [1, 1, 0], "source_reference": ["a", "b", "a"],
    ...                        "source_query": ["a", "b", "b"], "no_evidence": "", "phash": [2.0, 4.0, 8.0]})
    >>> distance_histogram(scores, bins=4).query("label == 1")[["left", "right", "count", "share"]]
       left  right  count  share
    0   1.5    3.5      1    0.5
    1   3.5    5.5      1    0.5
    2   5.5    7.5      0    0.0
    3   7.5    9.5      0    0.0
    """
    if bins < 1:
        raise ValueError(f"bins must be 1 or more, not {bins!r}")
    sample = read(scores, methods)
    parts = []
    for method, distance in sample.by_method():
        edges = _edges(distance, bins)
        for label in (1, 0):
            count = np.histogram(distance[sample.label == bool(label)], edges)[0]
            columns = {"method": method, "label": label, "left": edges[:-1], "right": edges[1:]}
            parts.append(pd.DataFrame({**columns, "count": count, "share": count / max(count.sum(), 1)}))
    names = ["method", "label", "left", "right", "count", "share"]
    return _joined(parts, names, sample)


def hardest(scores: pd.DataFrame, method: str, n: int = 6) -> pd.DataFrame:
    """Return the score rows that `method` gets most wrong: the farthest copies and the nearest non-copies.

    The columns are those of `scores` after a first one, error_kind: "miss" or "false alarm"; `n` rows of
    each, hardest first. The index is that of `scores`.

    Raises:
        ValueError: `method` has no column in `scores`.

    >>> scores = pd.DataFrame({"label": [1, 1, 0], "source_reference": ["a", "b", "a"],
    ...                        "source_query": ["a", "b", "b"], "no_evidence": "", "phash": [2.0, 10.0, 8.0]})
    >>> hardest(scores, "phash", n=1)[["error_kind", "phash"]]
        error_kind  phash
    1         miss   10.0
    2  false alarm    8.0
    """
    table = read(scores, [method]).table
    far = table[table["label"] == 1].sort_values(method, ascending=False, kind="stable").head(n)
    near = table[table["label"] != 1].sort_values(method, kind="stable").head(n)
    found = pd.concat([far, near])
    found.insert(0, "error_kind", ["miss"] * len(far) + ["false alarm"] * len(near))
    return found


def _roc_points(label: np.ndarray, distance: np.ndarray, weight: np.ndarray) -> dict[str, np.ndarray]:
    if label.all() or not label.any():
        threshold, at = np.unique(distance, return_inverse=True)
        rate = np.cumsum(np.bincount(at, weight, len(threshold))) / weight.sum()
        absent = threshold * np.nan
        fpr, tpr = (absent, rate) if label.any() else (rate, absent)
        return {"threshold": threshold, "fpr": fpr, "tpr": tpr}
    fpr, tpr, score = sk.roc_curve(label, -distance, sample_weight=weight, drop_intermediate=False)
    return {"threshold": -score[1:], "fpr": fpr[1:], "tpr": tpr[1:]}  # the first score is infinite


def _pr_points(label: np.ndarray, distance: np.ndarray, weight: np.ndarray) -> dict[str, np.ndarray]:
    if not label.any():
        threshold = np.unique(distance)
        return {"threshold": threshold, "precision": threshold * np.nan, "recall": threshold * np.nan}
    precision, recall, score = sk.precision_recall_curve(label, -distance, sample_weight=weight)
    return {"threshold": -score[::-1], "precision": precision[-2::-1], "recall": recall[-2::-1]}


def _per_method(sample: Sample, points: Callable[..., dict[str, np.ndarray]]) -> pd.DataFrame:
    counts = {"n_positive": int(sample.label.sum()), "n_negative": int((~sample.label).sum())}
    parts = [
        pd.DataFrame({"method": method, **points(sample.label, distance, sample.weight), **counts})
        for method, distance in sample.by_method()
    ]
    nothing = points(np.zeros(0, bool), np.zeros(0), np.ones(0))
    return _joined(parts, ["method", *nothing, *counts], sample)


def _joined(parts: list[pd.DataFrame], names: list[str], sample: Sample) -> pd.DataFrame:
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=names)
    table.attrs["n_errors"] = sample.n_errors
    return table[names]


def _edges(distance: np.ndarray, bins: int) -> np.ndarray:
    if len(distance) == 0:
        return np.linspace(0, 1, bins + 1)
    low, high = distance.min(), distance.max()
    if not (np.equal(distance, np.round(distance)).all() and high - low < 2**31):
        return np.histogram_bin_edges(distance, bins)
    width = -(-(high - low + 1) // bins)
    return low - 0.5 + width * np.arange(-(-(high - low + 1) // width) + 1)
