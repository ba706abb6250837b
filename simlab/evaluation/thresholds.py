"""Thresholds in native units, chosen on some sources and reported on others, and what they mean in a search."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pandas as pd

from simlab import specs
from simlab.evaluation.metrics import sample_groups
from simlab.evaluation.resampling import Counts, Masks, Resampler, last, within
from simlab.evaluation.sample import Sample, read, read_one

Error = Callable[[Counts], np.ndarray]
"""The error rate that a target limits, of counts, (K, 1 + resamples)."""

SHARES = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
NUMBERS = ("threshold", "low", "high", "tpr", "tpr_low", "tpr_high", "fpr", "fpr_low", "fpr_high")
N_PICTURES = (1_000, 10_000, 100_000, 1_000_000)


def choose_threshold(
    scores: pd.DataFrame,
    method: str | Iterable[str] | None,
    *,
    max_fpr: float | None = None,
    min_precision: float | None = None,
    prevalence: float | None = None,
    n_splits: int = 20,
    n_resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Return the largest threshold that keeps a wanted FPR or precision, and what it does on sources it has not seen.

    One row per method: method, target, threshold (native units, from all pairs), low, high (its 95 % interval), tpr,
    tpr_low, tpr_high, fpr, fpr_low, fpr_high, n_positive, n_negative, n_sources, note. TPR and FPR are held out:
    chosen on half the sources, read on the pairs within the other half, averaged over `n_splits` splits both ways. Half
    the sources choose worse than all, so their intervals reach from the held-out values to those of all pairs. Where
    the target cannot be reached or measured, the threshold is NaN and `note` says why.

    Args:
        method: one name, or several as a text with commas or a list; None for all.
        max_fpr: highest FPR allowed; either this or `min_precision`.
        min_precision: lowest precision allowed, where one pair in 1 / `prevalence` is a copy. An FPR too small to be
            measured counts as the smallest that can be.
        prevalence: share of copies among the pairs compared in use; that of the table by default.

    Raises:
        ValueError: an unknown method, both targets or none, or a rate outside (0, 1).

    >>> scores = pd.DataFrame({"label": [1, 0] * 20, "source_reference": np.arange(40) // 2, "no_evidence": ""})
    >>> scores["source_query"] = (scores["source_reference"] + (scores["label"] == 0)) % 20
    >>> scores["phash"] = [4.0, 30.0, 6.0, 28.0] * 10
    >>> choose_threshold(scores, "phash", max_fpr=0.1)[["target", "threshold", "tpr", "fpr"]]
         target  threshold  tpr  fpr
    0  fpr<=0.1        6.0  1.0  0.0
    """
    specs.check_number("n_splits", n_splits, 1, whole=True)
    sample = read(scores, method)
    options = {"n_splits": n_splits, "n_resamples": n_resamples, "seed": seed}
    targets = {"max_fpr": max_fpr, "min_precision": min_precision, "prevalence": prevalence}
    rows = [_chosen(sample, name, **targets, **options) for name in sample.methods]
    return pd.DataFrame(rows)


def _chosen(
    sample: Sample,
    method: str,
    *,
    max_fpr: float | None,
    min_precision: float | None,
    prevalence: float | None,
    n_splits: int,
    n_resamples: int,
    seed: int,
) -> dict[str, object]:
    """The row of one method."""
    (group,), resampler = sample_groups(sample), Resampler.draw(sample, n_resamples, seed)
    if prevalence is not None:
        specs.check_number("prevalence", prevalence, 0, 1, within=True)
    share = sample.share_of_copies if prevalence is None else prevalence
    target, error, most = _target(max_fpr, min_precision, share, group.smallest_fpr)
    data, drawn = (
        next(r.counts(method, [group.masks], everywhere=True))
        for r in (resampler.plain(), resampler)
    )
    record = {"method": method, "target": target, **dict.fromkeys(NUMBERS, np.nan), **group.counts}
    at = last(within(error(data), most))[0]
    record["note"] = group.refusal(max_fpr or 1.0) or ("cannot be reached" if at < 0 else "")
    if not record["note"]:
        record["threshold"] = data.threshold[at]
        again = np.maximum(last(within(error(drawn), most))[1:], 0)
        if n_resamples:
            record["low"], record["high"] = np.quantile(
                drawn.threshold[again], [0.025, 0.975], method="nearest"
            )
        place = np.searchsorted(drawn.threshold, record["threshold"])
        held_out = _held_out(sample, method, group.masks, error, most, n_splits, seed)
        # Recall moves with the threshold chosen; the FPR of every choice is the target's, so it is read at this one.
        moved = drawn.tpr[again, np.arange(1, n_resamples + 1)]
        copies, others = group.masks
        limit = np.array([most])
        found = {
            "tpr": [
                resampler.interval(held_out[:1], moved[None], copies),
                resampler.recall_interval(data.tpr[at], drawn, error(drawn), limit, group.masks),
            ],
            "fpr": [
                resampler.interval(value, drawn.fpr[place, None, 1:], others, _trials(drawn))
                for value in (held_out[1:], data.fpr[at])
            ],
        }
        for name, value in zip(found, held_out):
            low = min(interval.low[0] for interval in found[name])
            high = max(interval.high[0] for interval in found[name])
            record |= {name: value, f"{name}_low": low, f"{name}_high": high}
    return record


def at_threshold(
    scores: pd.DataFrame, method: str, threshold: float, *, n_resamples: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Return what a given threshold does on these pairs, which is no forecast if they were used to choose it.

    One row with the columns of :func:`choose_threshold`, so that :func:`prevalence_table` and :func:`collection_table`
    take it, and the pairs counted: found, missed (copies), false_alarms, rejected (non-copies). Rates are weighted,
    counts are not.

    Raises:
        ValueError: an unknown method, or a threshold that is no finite number.

    >>> scores = pd.DataFrame({"label": [1, 1, 0], "source_reference": ["a", "b", "a"],
    ...                        "source_query": ["a", "b", "b"], "no_evidence": "", "phash": [2.0, 10.0, 8.0]})
    >>> at_threshold(scores, "phash", 8)[["tpr", "fpr", "found", "missed", "false_alarms", "rejected"]]
       tpr  fpr  found  missed  false_alarms  rejected
    0  0.5  1.0      1       1             1         0
    """
    specs.check_number("threshold", threshold, -np.inf)
    sample, method = read_one(scores, method)
    (group,), resampler = sample_groups(sample), Resampler.draw(sample, n_resamples, seed)
    record = {
        "method": method,
        "target": f"distance<={threshold:g}",
        **dict.fromkeys(NUMBERS, np.nan),
        **group.counts,
    }
    record |= {"threshold": threshold, "note": group.refusal(1.0)}
    called, (copies, others) = sample.distance(method) <= threshold, group.masks
    counted = {
        "found": called & copies,
        "missed": ~called & copies,
        "false_alarms": called & others,
    }
    record |= {name: rows.sum() for name, rows in {**counted, "rejected": ~called & others}.items()}
    if not record["note"]:
        drawn = next(resampler.counts(method, [group.masks], everywhere=True))
        place = np.searchsorted(drawn.threshold, threshold, "right") - 1
        for name, rows, n in (("tpr", copies, None), ("fpr", others, _trials(drawn))):
            value = np.average(called[rows], weights=sample.weight[rows], keepdims=True)
            replicates = getattr(drawn, name)[None, place, 1:] * (place >= 0)
            found = resampler.interval(value, replicates, rows, n)
            record |= {name: value[0], f"{name}_low": found.low[0], f"{name}_high": found.high[0]}
    return pd.DataFrame([record])


def prevalence_table(chosen: pd.DataFrame, *, shares: Sequence[float] = SHARES) -> pd.DataFrame:
    """Return the precision of chosen thresholds where copies are rare.

    Columns: method, share (of copies among the pairs compared), precision, low, high, false_alarms (per copy found),
    threshold, tpr, fpr (held out), note. The interval joins the ends of those of TPR and FPR, so it covers at least
    95 %. Where no false alarm was seen, precision and false_alarms are NaN and only `low` says something.

    Args:
        chosen: rows of :func:`choose_threshold`, of one method or several.
        shares: each between 0 and 1.

    Raises:
        ValueError: a share that is not.

    >>> chosen = pd.DataFrame({"method": ["phash"], "tpr": 0.9, "fpr": 0.001, "threshold": 6.0, "note": ""})
    >>> chosen[["tpr_low", "tpr_high", "fpr_low", "fpr_high"]] = [0.8, 1.0, 0.0005, 0.002]
    >>> prevalence_table(chosen, shares=[0.01, 0.001])[["share", "precision", "low", "high"]].round(3)
       share  precision    low   high
    0  0.010      0.901  0.802  0.953
    1  0.001      0.474  0.286  0.667
    """
    for share in shares:
        specs.check_number("shares", share, 0, 1, within=True)
    table = chosen.merge(pd.DataFrame({"share": shares}), how="cross")
    odds, seen = (1 - table["share"]) / table["share"], table["fpr"] > 0
    table["false_alarms"] = (table["fpr"] / table["tpr"] * odds).where(seen)
    table["precision"] = 1 / (1 + table["false_alarms"])
    table["low"] = 1 / (1 + table["fpr_high"] / table["tpr_low"] * odds)
    table["high"] = 1 / (1 + table["fpr_low"] / table["tpr_high"] * odds)
    return table[
        [
            "method",
            "share",
            "precision",
            "low",
            "high",
            "false_alarms",
            "threshold",
            "tpr",
            "fpr",
            "note",
        ]
    ]


def collection_table(
    chosen: pd.DataFrame, *, n_pictures: Sequence[int] = N_PICTURES
) -> pd.DataFrame:
    """Return the false alarms to expect of chosen thresholds when every two pictures of a collection are compared.

    Columns: method, n_pictures, n_pairs, false_alarms, low, high (95 % interval), per_query (false alarms of one
    picture that is looked up in the collection), threshold, tpr, fpr (held out), note.

    Args:
        chosen: rows of :func:`choose_threshold`, of one method or several.
        n_pictures: sizes of collections, whole numbers of 1 or more.

    Raises:
        ValueError: a size that is none.
    """
    for n in n_pictures:
        specs.check_number("n_pictures", n, 1, whole=True)
    table = chosen.merge(pd.DataFrame({"n_pictures": n_pictures}), how="cross")
    table["n_pairs"] = table["n_pictures"] * (table["n_pictures"] - 1) // 2
    for name, rate in (("false_alarms", "fpr"), ("low", "fpr_low"), ("high", "fpr_high")):
        table[name] = table[rate] * table["n_pairs"]
    table["per_query"] = table["fpr"] * table["n_pictures"]
    numbers = ["n_pictures", "n_pairs", "false_alarms", "low", "high", "per_query"]
    return table[["method", *numbers, "threshold", "tpr", "fpr", "note"]]


def _target(
    max_fpr: float | None, min_precision: float | None, share: float, least: float
) -> tuple[str, Error, float]:
    """The target in words, the error rate that it limits, and the limit."""
    if (max_fpr is None) == (min_precision is None):
        raise ValueError(
            "either max_fpr or min_precision must be given;"
            f" given max_fpr={max_fpr!r}, min_precision={min_precision!r}"
        )
    if min_precision is None:
        specs.check_number("max_fpr", max_fpr, 0, 1, within=True)
        return f"fpr<={max_fpr:g}", lambda counts: counts.fpr, max_fpr
    specs.check_number("min_precision", min_precision, 0, 1, within=True)

    def false_share(counts: Counts) -> np.ndarray:
        false = (1 - share) * np.fmax(counts.fpr, least)
        called = share * counts.tpr + false
        return np.divide(false, called, out=np.zeros_like(called), where=called > 0)

    most = 1 - min_precision
    return f"precision>={min_precision:g} at prevalence {share:g}", false_share, most


def _held_out(
    sample: Sample,
    method: str,
    masks: Masks,
    error: Error,
    most: float,
    n_splits: int,
    seed: int,
) -> np.ndarray:
    """TPR and FPR of thresholds chosen on half the sources, among the pairs within the other half, (2,)."""
    turn = np.arange(sample.sources.max(initial=0) + 1)[:, None] % 2
    half = np.random.default_rng(seed).permuted(np.tile(turn, n_splits), axis=0)
    sides = [
        next(Resampler(sample, s).counts(method, [masks], kappa=1.0, everywhere=True))
        for s in (half, 1 - half)
    ]
    rates = []
    for chosen, other in (sides, sides[::-1]):
        at = last(within(error(chosen), most))[1:]
        both = np.array([other.tpr, other.fpr])[:, at, np.arange(1, n_splits + 1)]
        rates.append(np.where(at < 0, 0 * both, both))
    return pd.DataFrame(np.hstack(rates)).mean(axis=1).to_numpy()


def _trials(counts: Counts) -> float:
    """How many independent pairs the non-copies are worth at low FPR: where ten or more are false alarms."""
    at = min(np.searchsorted(counts.others_up_to[:, 0], 10), len(counts.fpr) - 1)
    rate, variance = counts.fpr[at, 0], counts.fpr[at].var()
    return rate * (1 - rate) / variance if variance > 0 else None
