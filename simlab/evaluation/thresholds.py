"""Thresholds, chosen on some sources and reported on others, and what they mean in a search."""

from collections.abc import Sequence

import numpy as np
from numpy import ndarray
from pandas import DataFrame

from simlab import specs
from simlab.cards import shown
from simlab.evaluation.intervals import TAILS, Interval, fraction_interval, recall_interval
from simlab.evaluation.metrics import Limit, fpr_of
from simlab.evaluation.resampling import Counts, Resampler
from simlab.evaluation.sample import Group, Sample, read, read_one, sample_groups
from simlab.specs import Names
from simlab.tables import check_table

SHARES = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
NUMBERS = ("threshold", "low", "high", "tpr", "tpr_low", "tpr_high", "fpr", "fpr_low", "fpr_high")
N_PICTURES = (1_000, 10_000, 100_000, 1_000_000)


@shown
def choose_threshold(
    scores: DataFrame,
    method: Names | None,
    *,
    max_fpr: float | None = None,
    min_precision: float | None = None,
    prevalence: float | None = None,
    n_splits: int = 20,
    n_resamples: int = 1000,
    seed: int = 0,
) -> DataFrame:
    """Return the largest threshold that keeps an FPR or a precision, as it does on unseen sources.

    One row per method: method, target, threshold (native units, from all pairs), low, high (its
    95 % interval), tpr, tpr_low, tpr_high, fpr, fpr_low, fpr_high, n_positive, n_negative,
    n_sources, note. TPR and FPR are held out: chosen on half the sources, read on the pairs within
    the other half, averaged over `n_splits` splits both ways. Half the sources choose worse than
    all, so their intervals reach from the held-out values to those of all pairs. Where the target
    cannot be reached or measured, the threshold is NaN and `note` says why.

    Args:
        method: one name, or several as a text with commas or a list; None for all.
        max_fpr: highest FPR allowed; either this or `min_precision`.
        min_precision: lowest precision allowed, where one pair in 1 / `prevalence` is a copy. An
            FPR too small to be measured counts as the smallest that can be.
        prevalence: share of copies among the pairs compared in use; that of the table by default.

    Raises:
        ValueError: an unknown method, both targets or none, or a rate outside (0, 1).

    >>> scores = DataFrame({"label": [1, 0] * 20, "source_reference": np.arange(40) // 2})
    >>> is_other = scores["label"] == 0
    >>> scores["source_query"] = (scores["source_reference"] + is_other) % 20
    >>> scores["no_evidence"] = ""
    >>> scores["phash"] = [4.0, 30.0, 6.0, 28.0] * 10
    >>> choose_threshold(scores, "phash", max_fpr=0.1)[["target", "threshold", "tpr", "fpr"]]
         target  threshold  tpr  fpr
    0  fpr<=0.1        6.0  1.0  0.0
    """
    specs.check_count("n_splits", n_splits)
    sample = read(scores, method)
    resampler = Resampler.draw(sample, n_resamples, seed)
    (group,) = sample_groups(sample)
    if prevalence is None:
        prevalence = sample.share_of_copies
    else:
        specs.check_share("prevalence", prevalence)
    target, limit = _target(max_fpr, min_precision, prevalence, group.smallest_fpr)
    rows = []
    for name in sample.methods:
        found = _chosen(resampler, group, name, limit, n_splits, seed)
        rows.append({"method": name, "target": target, **found})
    return DataFrame(rows)


def _target(
    max_fpr: float | None, min_precision: float | None, prevalence: float, smallest_fpr: float
) -> tuple[str, Limit]:
    """What a threshold must keep, in words and as a limit."""
    if (max_fpr is None) == (min_precision is None):
        raise ValueError(
            "either max_fpr or min_precision must be given;"
            f" given max_fpr={max_fpr!r}, min_precision={min_precision!r}"
        )
    if min_precision is None:
        specs.check_share("max_fpr", max_fpr)
        return f"fpr<={max_fpr:g}", Limit(fpr_of, max_fpr, needs_fpr=max_fpr)
    specs.check_share("min_precision", min_precision)

    def false_share(counts: Counts) -> ndarray:
        false = (1 - prevalence) * np.fmax(counts.fpr, smallest_fpr)
        called = prevalence * counts.tpr + false
        return np.divide(false, called, out=np.zeros_like(called), where=called > 0)

    words = f"precision>={min_precision:g} at prevalence {prevalence:g}"
    return words, Limit(false_share, 1 - min_precision)


def _chosen(
    resampler: Resampler, group: Group, method: str, limit: Limit, n_splits: int, seed: int
) -> dict[str, object]:
    """The numbers of one method."""
    (data,) = resampler.plain().counts(method, [group])
    (drawn,) = resampler.counts(method, [group])
    place = limit.last_within(data)[0]
    note = group.refusal(limit.needs_fpr)
    if place < 0 and not note:
        note = "cannot be reached"
    record = {**dict.fromkeys(NUMBERS, np.nan), **group.sizes, "note": note}
    if note:
        return record
    record["threshold"] = data.threshold[place]
    places_again = np.maximum(limit.last_within(drawn)[1:], 0)
    if resampler.n_resamples:
        thresholds = drawn.threshold[places_again]
        record["low"], record["high"] = np.quantile(thresholds, TAILS, method="nearest")
    tpr, fpr = _held_out(resampler.sample, method, group, limit, n_splits, seed)
    # Recall moves with the threshold chosen; the FPR of every choice is the target's, so it is read
    # at this one.
    tpr_again = drawn.tpr[places_again, np.arange(1, resampler.n_resamples + 1)]
    fpr_again = drawn.fpr[np.searchsorted(drawn.threshold, record["threshold"]), 1:]
    error = limit.error(drawn)
    limits = np.array([limit.most])
    trials = _trials(drawn)
    of_tpr = [
        fraction_interval(resampler, tpr, tpr_again[None], group.is_copy),
        recall_interval(resampler, data.tpr[place], drawn, error, limits, group),
    ]
    of_fpr = [
        fraction_interval(resampler, rate, fpr_again[None], group.is_other, trials)
        for rate in (fpr, data.fpr[place])
    ]
    return record | _with_ends("tpr", tpr, of_tpr) | _with_ends("fpr", fpr, of_fpr)


def _with_ends(name: str, rate: ndarray, intervals: list[Interval]) -> dict[str, float]:
    """The columns of a rate, which reaches from the lowest to the highest end."""
    return {
        name: rate[0],
        f"{name}_low": min(interval.low[0] for interval in intervals),
        f"{name}_high": max(interval.high[0] for interval in intervals),
    }


def _held_out(
    sample: Sample, method: str, group: Group, limit: Limit, n_splits: int, seed: int
) -> ndarray:
    """TPR and FPR of thresholds chosen on half the sources, within the other half, (2, 1)."""
    every_second = np.arange(sample.n_sources)[:, None] % 2
    rng = np.random.default_rng(seed)
    half = rng.permuted(np.tile(every_second, n_splits), axis=0)
    sides = []
    for weights in (half, 1 - half):
        sides.extend(Resampler(sample, weights).counts(method, [group], kappa=1.0))
    one, other = sides
    rates = np.hstack([_read_at(limit, one, other), _read_at(limit, other, one)])
    # pandas leaves out splits without a copy or a non-copy, which are NaN.
    return DataFrame(rates).mean(axis=1).to_numpy()[:, None]


def _read_at(limit: Limit, chosen: Counts, read_on: Counts) -> ndarray:
    """TPR and FPR on one half at the thresholds chosen on the other: (2, splits), 0 of none."""
    place = limit.last_within(chosen)[1:]
    split = np.arange(1, len(place) + 1)
    rates = np.array([read_on.tpr, read_on.fpr])[:, place, split]
    return np.where(place < 0, 0 * rates, rates)


def _trials(counts: Counts) -> float | None:
    """How many independent pairs the non-copies are worth, where ten or more are false alarms.

    None where the resamples do not tell.
    """
    place = min(np.searchsorted(counts.others_up_to[:, 0], 10), len(counts.fpr) - 1)
    rate = counts.fpr[place, 0]
    variance = counts.fpr[place].var()
    return rate * (1 - rate) / variance if variance > 0 else None


@shown
def at_threshold(
    scores: DataFrame, method: str, threshold: float, *, n_resamples: int = 1000, seed: int = 0
) -> DataFrame:
    """Return what a threshold does on these pairs: no forecast if they were used to choose it.

    One row with the columns of :func:`choose_threshold`, so that :func:`prevalence_table` and
    :func:`collection_table` take it, and the pairs counted: found, missed (copies), false_alarms,
    rejected (non-copies). Rates are weighted, counts are not.

    Raises:
        ValueError: an unknown method, or a threshold that is no finite number.

    >>> scores = DataFrame({"label": [1, 1, 0], "source_reference": ["a", "b", "a"],
    ...                        "source_query": ["a", "b", "b"], "no_evidence": "",
    ...                        "phash": [2.0, 10.0, 8.0]})
    >>> row = at_threshold(scores, "phash", 8)
    >>> row[["tpr", "fpr", "found", "missed", "false_alarms", "rejected"]]
       tpr  fpr  found  missed  false_alarms  rejected
    0  0.5  1.0      1       1             1         0
    """
    specs.check_number("threshold", threshold, -np.inf)
    sample, method = read_one(scores, method)
    resampler = Resampler.draw(sample, n_resamples, seed)
    (group,) = sample_groups(sample)
    called = sample.distance(method) <= threshold
    record = {
        "method": method,
        "target": f"distance<={threshold:g}",
        **dict.fromkeys(NUMBERS, np.nan),
        "threshold": threshold,
        **group.sizes,
        "note": group.refusal(),
        "found": (called & group.is_copy).sum(),
        "missed": (~called & group.is_copy).sum(),
        "false_alarms": (called & group.is_other).sum(),
        "rejected": (~called & group.is_other).sum(),
    }
    if not record["note"]:
        (drawn,) = resampler.counts(method, [group])
        place = np.searchsorted(drawn.threshold, threshold, "right") - 1
        trials = _trials(drawn)
        for name, rows, n in (("tpr", group.is_copy, None), ("fpr", group.is_other, trials)):
            value = np.average(called[rows], weights=sample.weight[rows], keepdims=True)
            replicates = getattr(drawn, name)[place, 1:] * (place >= 0)
            interval = fraction_interval(resampler, value, replicates[None], rows, n)
            record |= _with_ends(name, value, [interval])
    return DataFrame([record])


@shown
def prevalence_table(chosen: DataFrame, *, shares: Sequence[float] = SHARES) -> DataFrame:
    """Return the precision of chosen thresholds where copies are rare.

    Columns: method, share (of copies among the pairs compared), precision, low, high, false_alarms
    (per copy found), threshold, tpr, fpr (held out), note. The interval joins the ends of those of
    TPR and FPR, so it covers at least 95 %. Where no false alarm was seen, precision and
    false_alarms are NaN and only `low` says something.

    Args:
        chosen: rows of :func:`choose_threshold`, of one method or several.
        shares: each between 0 and 1.

    Raises:
        ValueError: a share that is not.

    >>> chosen = DataFrame({"method": ["phash"], "tpr": 0.9, "fpr": 0.001})
    >>> chosen[["threshold", "note"]] = [6.0, ""]
    >>> chosen[["tpr_low", "tpr_high", "fpr_low", "fpr_high"]] = [0.8, 1.0, 0.0005, 0.002]
    >>> table = prevalence_table(chosen, shares=[0.01, 0.001])
    >>> table[["share", "precision", "low", "high"]].round(3)
       share  precision    low   high
    0  0.010      0.901  0.802  0.953
    1  0.001      0.474  0.286  0.667
    """
    _check_chosen(chosen)
    for share in specs.listed("shares", shares):
        specs.check_share("shares", share)
    table = chosen.merge(DataFrame({"share": shares}), how="cross")
    odds = (1 - table["share"]) / table["share"]
    is_seen = table["fpr"] > 0
    table["false_alarms"] = (table["fpr"] / table["tpr"] * odds).where(is_seen)
    table["precision"] = 1 / (1 + table["false_alarms"])
    table["low"] = 1 / (1 + table["fpr_high"] / table["tpr_low"] * odds)
    table["high"] = 1 / (1 + table["fpr_low"] / table["tpr_high"] * odds)
    numbers = ["share", "precision", "low", "high", "false_alarms"]
    return table[["method", *numbers, "threshold", "tpr", "fpr", "note"]]


def _check_chosen(chosen: DataFrame) -> None:
    columns = "method, threshold, tpr, tpr_low, tpr_high, fpr, fpr_low, fpr_high, note"
    check_table(chosen, "chosen", columns)


@shown
def collection_table(chosen: DataFrame, *, n_pictures: Sequence[int] = N_PICTURES) -> DataFrame:
    """Return the false alarms to expect when every two pictures of a collection are compared.

    Columns: method, n_pictures, n_pairs, false_alarms, low, high (95 % interval), per_query (false
    alarms of one picture that is looked up in the collection), threshold, tpr, fpr (held out),
    note.

    Args:
        chosen: rows of :func:`choose_threshold`, of one method or several.
        n_pictures: sizes of collections, whole numbers of 1 or more.

    Raises:
        ValueError: a size that is none.
    """
    _check_chosen(chosen)
    for size in specs.listed("n_pictures", n_pictures):
        specs.check_count("n_pictures", size)
    table = chosen.merge(DataFrame({"n_pictures": n_pictures}), how="cross")
    table["n_pairs"] = table["n_pictures"] * (table["n_pictures"] - 1) // 2
    table["false_alarms"] = table["fpr"] * table["n_pairs"]
    table["low"] = table["fpr_low"] * table["n_pairs"]
    table["high"] = table["fpr_high"] * table["n_pairs"]
    table["per_query"] = table["fpr"] * table["n_pictures"]
    numbers = ["n_pictures", "n_pairs", "false_alarms", "low", "high", "per_query"]
    return table[["method", *numbers, "threshold", "tpr", "fpr", "note"]]
