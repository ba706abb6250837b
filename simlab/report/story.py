"""What the tables of a study say, in sentences: every number in them is read from a table."""

from collections.abc import Sequence

import pandas as pd

from simlab.plots.style import measure

FOUND, DIFFERS = 0.95, 0.2
_SHOWN = 8


def headline(metrics: pd.DataFrame) -> str:
    """Return the metric that the story is told with: TPR at FPR 0.01, or what can be measured instead."""
    overall = metrics[(metrics["group"] == "all") & metrics["value"].notna()]
    wanted = ("tpr@fpr=0.01", "roc_auc", "average_precision")
    return next((metric for metric in wanted if metric in set(overall["metric"])), wanted[0])


def ranking(metrics: pd.DataFrame, metric: str, group: str = "all") -> pd.Series:
    """Return the values of a metric by method, best first."""
    rows = metrics[(metrics["metric"] == metric) & (metrics["group"] == group)].dropna(subset=["value"])
    return rows.set_index("method")["value"].sort_values(ascending=False, kind="stable")


def lead(metrics: pd.DataFrame, metric: str) -> str:
    """Return how much each method finds."""
    values = ranking(metrics, metric)
    if values.empty:
        return "Copies and non-copies are both needed to say which method finds more; these pairs have one of them."
    if metric != "tpr@fpr=0.01":
        return f"By {measure(metric)}, the methods rank: {_listed(values)}."
    first, rest = values.index[0], values.iloc[1:]
    others = f" The others find less: {_listed(rest)}." if len(rest) and rest.iloc[0] < values.iloc[0] else ""
    others = others or (f" Beside it: {_listed(rest)}." if len(rest) else "")
    return (
        "Each method gets the threshold at which it raises at most one false alarm in 100 non-copies. "
        f"There {first} finds {values.iloc[0]:.2f} of all copies.{others}"
    )


def by_kind(kinds: pd.DataFrame, metric: str) -> str:
    """Return which kinds of copy all methods find, which only some, and which none."""
    rows = kinds[(kinds["metric"] == metric) & (kinds["group"] != "all")].dropna(subset=["value"])
    range_ = rows.groupby("group", sort=False)["value"].agg(["min", "max"])
    easy, hard = range_.index[range_["min"] >= FOUND], range_.index[range_["max"] < 0.5]
    gaps = (range_["max"] - range_["min"]).sort_values(ascending=False, kind="stable")
    split = [kind for kind in gaps.index[gaps >= DIFFERS] if kind not in hard]
    parts = [
        f"Every method finds nearly all copies ({FOUND} or more) of these kinds: {_names(easy)}." if len(easy) else "",
        f"The choice of method matters most for {'; '.join(_span(kinds, metric, kind) for kind in split[:_SHOWN])}."
        if split else "",
        f"No method finds half of the copies of these kinds: {_names(hard)}." if len(hard) else "",
    ]  # fmt: skip
    return " ".join(filter(None, parts))


def measurable(metrics: pd.DataFrame) -> str:
    """Return what the number of non-copies allows to be said."""
    n = int(metrics["n_negative"].max()) if len(metrics) else 0
    if n == 0:
        return "Without non-copies no false positive rate can be measured."
    return (
        f"One false alarm among {n:,} non-copies is a false positive rate of {1 / n:.2g}. Nothing below it can be "
        "measured, and the curves end there; to speak about rarer false alarms, take more pictures."
    )


def problems(scores: pd.DataFrame, methods: Sequence[str]) -> str:
    """Return what could not be compared, and where a method had nothing to go by."""
    failed = int((scores["status"] == "error").sum())
    left_out = f"{failed:,} of {_pairs(len(scores))} could not be compared and are left out of every number."
    first = left_out if failed else f"All {_pairs(len(scores))} could be compared."
    n = scores["no_evidence"].str.split(";").explode().value_counts()
    blind = [f"{method} ({_pairs(n[method])})" for method in methods if method in n]
    second = (
        f" A flat picture, or one without keypoints, leaves some methods without evidence: {', '.join(blind)}. "
        "Such a pair counts with the method's largest distance."
    )
    return first + (second if blind else "")


def audit(found: pd.DataFrame | None) -> str:
    """Return what the search for hidden duplicates among the sources found."""
    if found is None:
        return ""
    if found.empty:
        return "No two sources look like hidden duplicates of each other."
    return (
        f"Sources that look alike: {_pairs(len(found))}. Where both show the same thing, they stand among the "
        "non-copies by mistake, and one such pair may cost a method most of its score at low false positive rates: "
        "look at them before you trust those."
    )


def _pairs(n: int) -> str:
    return f"{n:,} pair{'' if n == 1 else 's'}"


def _listed(values: pd.Series) -> str:
    return ", ".join(f"{method} {value:.2f}" for method, value in values.items())


def _names(names: Sequence[str]) -> str:
    shown = [name or "unchanged" for name in names]
    return ", ".join(shown[:_SHOWN]) + (f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else "")


def _span(kinds: pd.DataFrame, metric: str, kind: str) -> str:
    values = ranking(kinds, metric, kind)
    best, worst = (f"{values.index[at]} {values.iloc[at]:.2f}" for at in (0, -1))
    return f"{kind or 'unchanged'} (from {best} down to {worst})"
