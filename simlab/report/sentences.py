"""What the tables of a study say, in sentences: every number in them is read from a table."""

from collections.abc import Iterable

import pandas as pd
from pandas import DataFrame

from simlab.evaluation.paired import decided
from simlab.messages import counted
from simlab.plots.style import measure
from simlab.plots.summaries import spelled

_MEASURES = ("tpr@fpr=0.01", "roc_auc", "average_precision")
_FOUND = 0.95
_DIFFERS = 0.2
_SHOWN = 8


def headline(metrics: DataFrame) -> str:
    """Return the metric of the story: TPR at FPR 0.01, or what can be measured instead."""
    measured = set(metrics.loc[(metrics["group"] == "all") & metrics["value"].notna(), "metric"])
    return next((metric for metric in _MEASURES if metric in measured), _MEASURES[0])


def interval(row: pd.Series | dict, name: str, form: str = ".2f") -> str:
    """Return a value with its interval, as far as there are any: "0.96 [0.91, 0.99]".

    The ends of tpr are tpr_low and tpr_high where there are such, else low and high.
    """
    before = f"{name}_" if f"{name}_low" in row else ""
    value = row[name]
    low = row[f"{before}low"]
    high = row[f"{before}high"]
    if pd.isna(value):
        return "n/a"
    if pd.isna(low) or pd.isna(high):
        return f"{value:{form}}"
    return f"{value:{form}} [{low:{form}}, {high:{form}}]"


def intervals(rows: DataFrame, name: str, form: str = ".2f") -> list[str]:
    """Return the same of each row of a table."""
    return [interval(row, name, form) for row in rows.to_dict("records")]


def lead(ranked: DataFrame) -> str:
    """Return which methods find most, and which of them cannot be told apart."""
    rows = ranked.dropna(subset=["value"])
    if rows.empty:
        return (
            "Copies and non-copies that can be compared are both needed to rank the methods; here"
            " one is missing."
        )
    best = rows.iloc[0]
    size = interval(best, "value")
    text = f"By {measure(best['metric'])}, {best['method']} is first: {size}."
    if best["metric"] == _MEASURES[0]:
        text = f"At one false alarm in 100 non-copies, {best['method']} finds {size} of all copies."
    others = rows[1:]
    if tied := _listed(others[others["tier"] == 1]):
        text += f" These pictures are too few to tell it apart from {tied}."
    if behind := _listed(others[others["tier"] > 1]):
        text += f" Behind: {behind}."
    return text


def _listed(rows: DataFrame) -> str:
    return ", ".join(f"{row.method} {row.value:.2f}" for row in rows.itertuples())


def by_kind(kinds: DataFrame, metric: str) -> str:
    """Return which kinds of copy every method finds, on which they differ, and what none finds."""
    rows = kinds[(kinds["metric"] == metric) & (kinds["group"] != "all")].dropna(subset=["value"])
    ranges = rows.groupby("group", sort=False)["value"].agg(["min", "max"])
    gaps = (ranges["max"] - ranges["min"])[ranges["max"] >= 0.5]
    widest = gaps[gaps >= _DIFFERS].sort_values(ascending=False, kind="stable").head(_SHOWN)
    split = [_span(rows[rows["group"] == kind]) for kind in widest.index]
    easy = ranges.index[ranges["min"] >= _FOUND]
    hard = ranges.index[ranges["max"] < 0.5]
    told = {
        f"Every method finds nearly all copies ({_FOUND} or more) of these kinds:": _names(easy),
        "The choice of method matters most for": "; ".join(split),
        "No method finds half of the copies of these kinds:": _names(hard),
    }
    return " ".join(f"{start} {names}." for start, names in told.items() if names)


def _names(kinds: Iterable[str]) -> str:
    shown = [spelled(kind, []) for kind in kinds]
    text = ", ".join(shown[:_SHOWN])
    if len(shown) > _SHOWN:
        text += f" and {len(shown) - _SHOWN} more"
    return text


def _span(rows: DataFrame) -> str:
    ranked = rows.sort_values("value", ascending=False, kind="stable")
    best = _listed(ranked.head(1))
    worst = _listed(ranked.tail(1))
    return f"{spelled(ranked['group'].iloc[0], [])} (from {best} down to {worst})"


def compared(pairs: DataFrame, first: str, second: str) -> str:
    """Return what the comparison of the two best says, overall and by perturbation."""
    overall = pairs["verdict"].iloc[0]
    text = f"{first} against {second}, on the same resamples of the source pictures: {overall}."
    rows = pairs[1:].dropna(subset=["difference"])
    if len(rows) < 2:
        return text
    signs = list(decided(rows))
    return (
        f"{text} Of {len(rows)} perturbations {first} leads on {signs.count(1)} and {second} on"
        f" {signs.count(-1)}; {signs.count(0)} cannot be decided with these pictures."
    )


def completed(shares: DataFrame, first: str) -> str:
    """Return which method finds most of what the first one misses."""
    rows = shares[shares["method"] == first].dropna(subset=["share"])
    if rows.empty:
        return ""
    best = rows.loc[rows["share"].idxmax()]
    found = interval(best, "share")
    missed = counted(best["n_misses"], "copy", "copies")
    return f"Of the {missed} that {first} misses at FPR 0.01, {best['other']} finds {found}."


def doubted(found: DataFrame) -> str:
    """Return what the labels that every method contradicts may be."""
    n_copies = int(found["label"].sum())
    return (
        f"Every method contradicts the label of {counted(len(found), 'pair')}: copies that are"
        f" unlike each other ({n_copies:,}), non-copies that are like copies"
        f" ({len(found) - n_copies:,}). Some are hard, some labelled wrongly, some hidden"
        " duplicates; one of these can cost a method most of its score at low false positive rates."
    )


def measurable(n_negative: int, smallest: float) -> str:
    """Return what the non-copies allow to be said."""
    if n_negative == 0:
        return "Without non-copies no false positive rate can be measured."
    return (
        f"One false alarm among {n_negative:,} non-copies is a false positive rate of"
        f" {smallest:.2g}. Nothing below it can be measured, and the curves end there; to speak"
        " about rarer false alarms, take more pictures."
    )


def problems(scores: DataFrame) -> str:
    """Return what could not be compared, and which methods had nothing to go by."""
    n_failed = int((scores["status"] == "error").sum())
    pairs = counted(len(scores), "pair")
    text = f"All {pairs} could be compared."
    if n_failed:
        text = f"{n_failed:,} of {pairs} could not be compared and are left out of every number."
    names = scores["no_evidence"].str.split(";").explode()
    blind = names[names != ""].value_counts(sort=False)
    if blind.empty:
        return text
    told = ", ".join(f"{method} ({counted(n, 'pair')})" for method, n in blind.items())
    return (
        f"{text} A flat picture, or one without keypoints, leaves some methods without evidence:"
        f" {told}. Such a pair counts with the method's largest distance."
    )


def audit(found: DataFrame | None) -> str:
    """Return what the search for hidden duplicates among the sources found."""
    if found is None:
        return ""
    if found.empty:
        return "No two sources look like hidden duplicates of each other."
    return (
        f"Sources that look alike: {counted(len(found), 'pair')}. Where both show the same thing,"
        " they stand among the non-copies by mistake, and one such pair may cost a method most of"
        " its score at low false positive rates: look at them before you trust those."
    )


def what_was_read(scores: DataFrame, similarities: Iterable[str] = ()) -> str:
    """Return what a reader should know of scores that :func:`simlab.read_distances` read."""
    n_sources = scores[["source_reference", "source_query"]].stack().nunique()
    text = "Labels and distances are those of a file; no picture was looked at."
    if scores.attrs.get("sources") == "columns":
        text += f" Its columns name {counted(n_sources, 'source')}."
    else:
        text += (
            f" It names no sources: {counted(n_sources, 'source')} are told from names, where pairs"
            " labelled copies are of one. If files of one source have no such pair, intervals are"
            " too narrow: name the sources in columns source_reference and source_query."
        )
    for name in similarities:
        text += (
            f" {name} grows with likeness: here its sign is turned, so that a threshold of -0.9"
            " means a likeness of 0.9 or more."
        )
    return text
