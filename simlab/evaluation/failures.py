"""The pairs behind a number: which method calls which pair right, and what came nearer."""

from pandas import DataFrame

from simlab import specs
from simlab.evaluation.estimates import recalls_at
from simlab.evaluation.sample import check_index, read, read_one
from simlab.specs import Names


def judge(scores: DataFrame, methods: Names | None = None, *, fpr: float = 0.01) -> DataFrame:
    """Return which pairs each method calls as they are labelled, all at one FPR: bool columns.

    The index is that of `scores`, without rows of errors. ``attrs["thresholds"]`` holds the
    threshold of each method: the largest observed distance with at most this FPR. Where there is
    none, or the FPR is below 1 / non-copies and cannot be measured, the threshold is NaN and
    nothing is called a copy.

    Raises:
        ValueError: an unknown method or an FPR outside (0, 1).

    >>> scores = DataFrame({"label": [1, 1, 0, 0], "source_reference": [*"abab"],
    ...                        "source_query": [*"abba"], "no_evidence": "",
    ...                        "phash": [2.0, 10.0, 8.0, 20.0], "dhash": [40.0, 1.0, 3.0, 30.0]})
    >>> right = judge(scores, fpr=0.5)
    >>> right.join(scores["label"])
       phash  dhash  label
    0   True  False      1
    1   True   True      1
    2  False  False      0
    3   True   True      0
    >>> right.attrs["thresholds"]
    {'phash': 10.0, 'dhash': 3.0}
    """
    specs.check_share("fpr", fpr)
    sample = read(scores, methods)
    thresholds = {}
    right = DataFrame(index=sample.table.index)
    for method, recall in recalls_at(sample, fpr).items():
        thresholds[method] = float(recall["threshold"])
        right[method] = (sample.distance(method) <= thresholds[method]) == sample.label
    right.attrs["thresholds"] = thresholds
    return right


def rivals(scores: DataFrame, method: str) -> DataFrame:
    """Return, for each pair, what the same query is nearest to among its pairs of the other label.

    For a copy that is the nearest wrong picture, for a non-copy the picture that it should have
    been.
    Columns: rival (the index of that row of `scores`), distance (by `method`, native units). Pairs
    whose query was never compared with a picture of the other label are left out.

    Raises:
        ValueError: `method` has no column in `scores`, or the index of `scores` names a row twice.

    >>> scores = DataFrame({"query": ["a", "a", "a", "b"], "label": [1, 0, 0, 1],
    ...                        "source_reference": [*"abcb"], "source_query": [*"aaab"],
    ...                        "no_evidence": "", "phash": [2.0, 10.0, 8.0, 4.0]})
    >>> rivals(scores, "phash")
       rival  distance
    0      2       8.0
    1      0       2.0
    2      0       2.0
    """
    sample, method = read_one(scores, method)
    table = sample.table
    check_index(table)
    pairs = DataFrame({"query": sample.query, "label": table["label"]}, index=table.index)
    others = pairs.assign(rival=table.index, distance=table[method], label=1 - pairs["label"])
    nearest = others.sort_values("distance", kind="stable").drop_duplicates(["query", "label"])
    found = pairs.merge(nearest, how="left", on=["query", "label"]).set_index(pairs.index)
    return found[["rival", "distance"]].dropna().astype({"rival": table.index.dtype})
