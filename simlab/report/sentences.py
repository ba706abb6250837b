"""What the tables of a study say, in sentences: every number in them is read from a table."""

from collections.abc import Iterable

import pandas as pd

from simlab.evaluation.paired import decided
from simlab.plots.style import measure
from simlab.plots.summaries import spelled

_MEASURES = ("tpr@fpr=0.01", "roc_auc", "average_precision")
_FOUND, _DIFFERS, _SHOWN = 0.95, 0.2, 8


def headline(metrics: pd.DataFrame) -> str:
    """Return the metric that the story is told with: TPR at FPR 0.01, or what can be measured instead."""
    measured = set(metrics.loc[(metrics["group"] == "all") & metrics["value"].notna(), "metric"])
    return next((metric for metric in _MEASURES if metric in measured), _MEASURES[0])


def interval(row: pd.Series | dict, value: str, low: str, high: str, form: str = ".2f") -> str:
    """Return a value with its interval, as far as there are any: "0.96 [0.91, 0.99]"."""
    ends = (
        f" [{row[low]:{form}}, {row[high]:{form}}]"
        if pd.notna(row[low]) and pd.notna(row[high])
        else ""
    )
    return f"{row[value]:{form}}{ends}" if pd.notna(row[value]) else "n/a"


def lead(ranked: pd.DataFrame) -> str:
    """Return which methods find most, and which of them cannot be told apart."""
    rows = ranked.dropna(subset=["value"])
    if rows.empty:
        return "Copies and non-copies that can be compared are both needed to rank the methods; here one is missing."
    best, metric = rows.iloc[0], rows["metric"].iloc[0]
    size = interval(best, "value", "low", "high")
    first = f"By {measure(metric)}, {best['method']} is first: {size}."
    if metric == _MEASURES[0]:
        first = (
            f"At one false alarm in 100 non-copies, {best['method']} finds {size} of all copies."
        )
    tied, behind = (
        _listed(rows[1:][mask]) for mask in (rows["tier"][1:] == 1, rows["tier"][1:] > 1)
    )
    second = f" These pictures are too few to tell it apart from {tied}." if tied else ""
    return first + second + (f" Behind: {behind}." if behind else "")


def _listed(rows: pd.DataFrame) -> str:
    return ", ".join(f"{row.method} {row.value:.2f}" for row in rows.itertuples())


def by_kind(kinds: pd.DataFrame, metric: str) -> str:
    """Return which kinds of copy all methods find, where the choice of method matters, and what none finds."""
    rows = kinds[(kinds["metric"] == metric) & (kinds["group"] != "all")].dropna(subset=["value"])
    ranges = rows.groupby("group", sort=False)["value"].agg(["min", "max"])
    gaps = (ranges["max"] - ranges["min"])[ranges["max"] >= 0.5].sort_values(
        ascending=False, kind="stable"
    )
    split = [_span(rows[rows["group"] == kind]) for kind in gaps.index[gaps >= _DIFFERS][:_SHOWN]]
    easy, hard = ranges.index[ranges["min"] >= _FOUND], ranges.index[ranges["max"] < 0.5]
    told = {
        f"Every method finds nearly all copies ({_FOUND} or more) of these kinds:": _names(easy),
        "The choice of method matters most for": "; ".join(split),
        "No method finds half of the copies of these kinds:": _names(hard),
    }
    return " ".join(f"{start} {names}." for start, names in told.items() if names)


def _names(kinds: Iterable[str]) -> str:
    shown = [spelled(kind, []) for kind in kinds]
    return ", ".join(shown[:_SHOWN]) + (
        f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    )


def _span(rows: pd.DataFrame) -> str:
    rows = rows.sort_values("value", ascending=False, kind="stable")
    best, worst = (f"{rows['method'].iloc[at]} {rows['value'].iloc[at]:.2f}" for at in (0, -1))
    return f"{spelled(rows['group'].iloc[0], [])} (from {best} down to {worst})"


def compared(pairs: pd.DataFrame, first: str, second: str) -> str:
    """Return what the comparison of the two best says, overall and by perturbation."""
    overall, rows = pairs["verdict"].iloc[0], pairs[1:].dropna(subset=["difference"])
    signs = decided(rows)
    leads = [int((signs == sign).sum()) for sign in (1, -1)]
    text = f"{first} against {second}, on the same resamples of the source pictures: {overall}."
    if len(rows) < 2:
        return text
    return (
        f"{text} Of {len(rows)} perturbations {first} leads on {leads[0]} and {second} on {leads[1]}; "
        f"{len(rows) - sum(leads)} cannot be decided with these pictures."
    )


def completed(shares: pd.DataFrame, first: str) -> str:
    """Return which method finds most of what the first one misses."""
    rows = shares[shares["method"] == first].dropna(subset=["share"])
    if rows.empty:
        return ""
    best = rows.loc[rows["share"].idxmax()]
    found = interval(best, "share", "low", "high")
    return f"Of the {_copies(best['n_misses'])} that {first} misses at FPR 0.01, {best['other']} finds {found}."


def _copies(n: int) -> str:
    return f"{n:,} {'copy' if n == 1 else 'copies'}"


def doubted(found: pd.DataFrame) -> str:
    """Return what the labels that every method contradicts may be."""
    n_copies = int(found["label"].sum())
    return (
        f"Every method contradicts the label of {_pairs(len(found))}: copies that are unlike each other "
        f"({n_copies:,}), non-copies that are like copies ({len(found) - n_copies:,}). Some are hard, some labelled "
        "wrongly, some hidden duplicates; one of these can cost a method most of its score at low false positive rates."
    )


def measurable(n_negative: int, smallest: float) -> str:
    """Return what the non-copies allow to be said."""
    if n_negative == 0:
        return "Without non-copies no false positive rate can be measured."
    return (
        f"One false alarm among {n_negative:,} non-copies is a false positive rate of {smallest:.2g}. Nothing "
        "below it can be measured, and the curves end there; to speak about rarer false alarms, take more pictures."
    )


def problems(scores: pd.DataFrame) -> str:
    """Return what could not be compared, and which methods had nothing to go by."""
    failed = int((scores["status"] == "error").sum())
    left_out = f"{failed:,} of {_pairs(len(scores))} could not be compared and are left out of every number."
    first = left_out if failed else f"All {_pairs(len(scores))} could be compared."
    blind = (
        scores["no_evidence"]
        .str.split(";")
        .explode()
        .value_counts(sort=False)
        .drop("", errors="ignore")
    )
    second = (
        " A flat picture, or one without keypoints, leaves some methods without evidence: "
        f"{', '.join(f'{method} ({_pairs(n)})' for method, n in blind.items())}. "
        "Such a pair counts with the method's largest distance."
    )
    return first + (second if len(blind) else "")


def audit(found: pd.DataFrame | None) -> str:
    """Return what the search for hidden duplicates among the sources found."""
    if found is None or found.empty:
        return "" if found is None else "No two sources look like hidden duplicates of each other."
    return (
        f"Sources that look alike: {_pairs(len(found))}. Where both show the same thing, they stand among the "
        "non-copies by mistake, and one such pair may cost a method most of its score at low false positive rates: "
        "look at them before you trust those."
    )


def _pairs(n: int) -> str:
    return f"{n:,} pair{'' if n == 1 else 's'}"
