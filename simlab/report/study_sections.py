"""The sections of a study's page; a table that a section is told from is kept beside the page."""

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from pandas import DataFrame

from simlab import evaluation, plots
from simlab.plots.pictures import plot_rows, thumbnail
from simlab.plots.style import measure
from simlab.plots.summaries import spelled
from simlab.report import sentences
from simlab.report.files import Run, passed_over, write_csv
from simlab.report.page import Figure, Section, figure_of
from simlab.report.sentences import intervals
from simlab.tables import Row

RESAMPLES = 300
_GALLERY = 16  # most pictures shown
_HARDEST = 6  # most pairs shown
_CORRECTED = "[95 % intervals, corrected for the number of comparisons]"


class Study(NamedTuple):
    """What the page is told from; without a root there are no pictures to show."""

    scores: DataFrame
    methods: list[str]
    metrics: DataFrame
    ranked: DataFrame
    thresholds: DataFrame
    root: Path | None
    folder: Path
    seed: int = 0

    @property
    def metric(self) -> str:
        return self.ranked["metric"].iloc[0]

    def keep(self, name: str, table: DataFrame) -> DataFrame:
        """Return the table, after it was written beside the page."""
        write_csv(table, self.folder / f"{name}.csv")
        return table

    def draw(self, name: str, ax: Axes, alt: str, caption: str) -> Figure:
        """Return the figure of `ax` for the page, after it was written to figures/, PNG and SVG."""
        figures = self.folder / "figures"
        figures.mkdir(exist_ok=True)
        figure = figure_of(ax, alt, caption, dpi=180, page_dpi=125, svg=figures / f"{name}.svg")
        (figures / f"{name}.png").write_bytes(figure.png)
        return figure


def answers(made: Study) -> Iterator[Section]:
    """Yield what the numbers say: kinds of copy, method against method, all pairs, thresholds."""
    if made.metrics["group"].nunique() > 2:
        yield from _kinds(made)
    behind = made.keep("ranking", made.ranked).dropna(subset=["difference"])
    if len(behind):
        yield _differences(made, behind)
    yield _curves(made)
    yield _chosen(made)


def _kinds(made: Study) -> Iterator[Section]:
    """Which method finds which kind of copy: the metric by perturbation, and against severity."""
    kinds = evaluation.evaluate(made.scores, made.methods, by="kind", n_resamples=0)
    name = measure(made.metric)
    # the best first: on a narrow screen the others are scrolled to
    place = {method: rank for rank, method in enumerate(made.ranked["method"])}
    best_first = made.metrics.sort_values(
        "method", key=lambda methods: methods.map(place), kind="stable"
    )
    heatmap = made.draw(
        "heatmap",
        plots.plot_heatmap(best_first, metric=made.metric),
        f"{name} by method and perturbation",
        "A row for each perturbation, mildest first; the best method on the left; dark is good.",
    )
    text = sentences.by_kind(kinds, made.metric)
    yield Section("Which method finds which kind of copy", text, [heatmap])
    if made.metrics["severity"].isna().all():
        return
    breaks = evaluation.break_points(
        made.scores, made.methods, metric=made.metric, n_resamples=RESAMPLES
    )
    severity = made.draw(
        "severity",
        plots.plot_severity(made.metrics, metric=made.metric, breaks=breaks),
        f"{name} against severity",
        "Mild left, harsh right. Whiskers: 95 % intervals.",
    )
    note = f"The severity at which {name} falls under 0.95, with its 95 % interval."
    table = _breaks_in_words(made, made.keep("break_points", breaks))
    yield Section("How much each method stands", figures=[severity], tables=[(table, note)])


def _breaks_in_words(made: Study, breaks: DataFrame) -> DataFrame:
    """A row for each curve, a column for each method."""
    rows = breaks.fillna({"high": float("inf")}).to_dict("records")
    cells = breaks.assign(cell=[_break_in_words(row) for row in rows])
    return _by_method(made, cells, "curve")


def _by_method(made: Study, cells: DataFrame, row: str) -> DataFrame:
    """A row for each value of a column, a column for each method, the best first."""
    shown = cells.pivot(index=row, columns="method", values="cell")
    best_first = [method for method in made.ranked["method"] if method in shown]
    return shown.loc[cells[row].unique(), best_first].reset_index()


def _break_in_words(row: Row) -> str:
    if pd.notna(row["break_point"]):
        found = sentences.interval(row, "break_point", ".2g")
        return found.replace("inf", "beyond")
    if "up to" in row["note"]:  # it stays up over all severities
        return f"beyond {row['strongest']:.3g}"
    return row["note"]


def _differences(made: Study, behind: DataFrame) -> Section:
    """Which method is better: the first against all others, and by perturbation the second."""
    first, second = made.ranked["method"].iloc[:2]
    pairs = evaluation.compare(
        made.scores,
        first,
        second,
        by="perturbation",
        among=made.ranked["method"],
        metric=made.metric,
        n_resamples=RESAMPLES,
        seed=made.seed,
    )
    made.keep("comparison", pairs)
    shares = evaluation.complementarity(made.scores, made.methods, n_resamples=RESAMPLES)
    made.keep("complementarity", shares)
    text = f"{sentences.compared(pairs, first, second)} {sentences.completed(shares, first)}"
    figures = [_against_others(made, behind, first)]
    if len(pairs) > 2:
        comparison = made.draw(
            "comparison",
            plots.plot_forest(pairs, a=first, b=second),
            f"{first} against {second} by perturbation",
            f"The first two by perturbation. {_CORRECTED}",
        )
        figures.append(comparison)
    if shares["share"].notna().any():
        complementarity = made.draw(
            "complementarity",
            plots.plot_complementarity(shares),
            "Who finds what another misses",
            "Of the copies that one misses, the share that another finds. FPR 0.01 for all.",
        )
        figures.append(complementarity)
    return Section("Which method is better", text, figures)


def _against_others(made: Study, behind: DataFrame, first: str) -> Figure:
    rows = behind.assign(
        group=behind["method"], low=behind["difference_low"], high=behind["difference_high"]
    )
    return made.draw(
        "differences",
        plots.plot_forest(rows, a=first, b="the other"),
        f"{first} against each other method",
        "Right of 0 the first is better. A grey line is undecided: these pictures cannot tell the"
        f" two apart. {_CORRECTED}",
    )


def _curves(made: Study) -> Section:
    """All pairs together: what can be measured, the curves, and every metric of every method."""
    roc = evaluation.roc_curve(made.scores, made.methods, n_resamples=RESAMPLES)
    pr = evaluation.pr_curve(made.scores, made.methods, n_resamples=RESAMPLES)
    histogram = evaluation.distance_histogram(made.scores, made.methods)
    text = sentences.measurable(int(made.metrics["n_negative"].max()), roc["smallest_fpr"].min())
    figures = [
        made.draw(
            "roc",
            plots.plot_roc(roc),
            "ROC curves",
            "Left is strict: few false alarms. Shaded: 95 % intervals from resampling the source"
            " pictures.",
        ),
        made.draw(
            "det",
            plots.plot_det(roc),
            "Detection error trade-off",
            "The same as what is missed, which keeps good methods apart: low is good.",
        ),
        made.draw(
            "pr",
            plots.plot_pr(pr),
            "Precision-recall curves",
            "Precision holds for the share of copies among these pairs; among rarer copies it is"
            " lower.",
        ),
        made.draw(
            "distances",
            plots.plot_histograms(histogram),
            "Distances by method",
            "The less the two colours overlap, the better a threshold can tell copies from the"
            " rest.",
        ),
    ]
    note = (
        "All pairs together, with 95 % intervals. Methods of one tier cannot be told apart from"
        " its first."
    )
    return Section("All pairs together", text, figures, [(_overview(made), note)])


def _overview(made: Study) -> DataFrame:
    """A row for each method in the order of rank, a column for each metric."""
    overall = made.metrics[made.metrics["group"] == "all"]
    queries = evaluation.query_average_precision(
        made.scores, made.methods, n_resamples=RESAMPLES
    ).assign(metric="mean of queries' AP")
    table = made.ranked[["tier", "method"]].reset_index(drop=True)
    for metric, rows in pd.concat([overall, queries]).groupby("metric", sort=False):
        cells = dict(zip(rows["method"], intervals(rows, "value", ".3f")))
        table[measure(metric)] = table["method"].map(cells)
    return table


def _chosen(made: Study) -> Section:
    """Which threshold: those chosen, and what they cost where copies are rarer."""
    wanted = made.thresholds[made.thresholds["target"] == "fpr<=0.01"]
    rare = made.keep("prevalence", evaluation.prevalence_table(wanted))
    alarms = made.keep("collection", evaluation.collection_table(wanted))
    text = (
        "A pair is called a copy when its distance is at most the threshold, in the method's own"
        " unit."
    )
    note = (
        "Copies found and FPR reached are those on pictures that the threshold was not chosen on."
        " [95 % intervals]"
    )
    rare["cell"] = intervals(rare, "precision", ".2g")
    rare["share"] = (1 / rare["share"]).map("1 in {:,.0f}".format)
    alarms["cell"] = intervals(alarms, "false_alarms", ",.0f")
    tables = [
        (_in_words(made.thresholds), note),
        (
            _by_method(made, rare, "share"),
            "By the share of copies among the pairs: what share of those that are called copies at"
            " an FPR of 0.01 are copies.",
        ),
        (
            _by_method(made, alarms, "n_pictures"),
            "By the size of a collection, every two pictures compared: false alarms at the same"
            " thresholds.",
        ),
    ]
    return Section("Which threshold", text, tables=tables)


def _in_words(thresholds: DataFrame) -> DataFrame:
    chosen = intervals(thresholds, "threshold", ".4g")
    notes = thresholds["note"]
    return DataFrame(
        {
            "method": thresholds["method"].tolist(),
            "FPR wanted": [target.removeprefix("fpr<=") for target in thresholds["target"]],
            "threshold": [note or interval for note, interval in zip(notes, chosen, strict=True)],
            "copies found": intervals(thresholds, "tpr", ".3f"),
            "FPR reached": intervals(thresholds, "fpr", ".4f"),
        }
    )


def pictures(made: Study, example: str | None) -> Iterator[Section]:
    """Yield what was done to the pictures, and the pairs that are hardest for the best method."""
    changed = made.scores.query("status == 'ok' and label == 1 and perturbation != ''")
    if len(changed) and made.root:
        queries = changed["query"]
        chosen = example if example in set(queries) else queries.iloc[0]
        rows = changed[queries == chosen].drop_duplicates("perturbation")
        figure = _gallery(made, chosen, rows.head(_GALLERY - 1))
        yield Section("What was done to the pictures", "", [figure])
    best = made.ranked.dropna(subset=["value"])["method"].head(1)
    for method in best:
        text = (
            f"{method} comes first here, so what it gets wrong is hard to avoid: the copies that it"
            " finds farthest apart, and the non-copies that it finds nearest."
        )
        rows = evaluation.hardest(made.scores, method, _HARDEST)
        figures = []
        tables = []
        if made.root:
            figures = _hardest(made, method, rows)
        else:
            tables.append((rows[["error_kind", "reference", "query", method]], "Hardest first."))
        yield Section(f"The hardest pairs for {method}", text, figures, tables)


def _gallery(made: Study, chosen: str, rows: DataFrame) -> Figure:
    """One picture as it is, and its variants."""
    path = made.root / chosen
    specs = rows["perturbation"]
    shown = [thumbnail(path)]
    for spec, seed in zip(specs, rows["seed"], strict=True):
        shown.append(thumbnail(path, spec, seed))
    captions = [spelled(spec, specs) for spec in ("", *specs)]
    return made.draw(
        "gallery",
        plots.plot_gallery(shown, captions),
        "Variants",
        f"{chosen} and its variants, as the methods were given them.",
    )


def _hardest(made: Study, method: str, hardest: DataFrame) -> list[Figure]:
    captions = {"miss": "Copies, farthest first.", "false alarm": "Non-copies, nearest first."}
    figures = []
    for error_kind, rows in hardest.groupby("error_kind", sort=False):
        texts = [f"distance {distance:.4g}" for distance in rows[method]]
        ax = plot_rows(made.root, rows, _notes(made, rows, texts))
        name = f"hardest_{error_kind.replace(' ', '_')}"
        figures.append(made.draw(name, ax, error_kind, captions[error_kind]))
    return figures


def _notes(made: Study, rows: DataFrame, texts: Iterable[str]) -> list[str]:
    """The texts, after the perturbation of each row where there are any."""
    specs = made.scores["perturbation"].unique()
    if not any(specs):
        return list(texts)
    pairs = zip(rows["perturbation"], texts, strict=True)
    return [f"{spelled(spec, specs)}, {text}" for spec, text in pairs]


def doubts(made: Study) -> Iterator[Section]:
    """Yield the pairs whose label every method contradicts."""
    found = made.keep("label_audit", evaluation.label_audit(made.scores, made.methods))
    if found.empty:
        return
    figures = []
    if made.root:
        shown = found.head(_HARDEST)
        ax = plot_rows(made.root, shown, _notes(made, shown, shown["finding"]))
        caption = "The labels that are contradicted most."
        figures.append(made.draw("label_audit", ax, "Labels in doubt", caption))
    columns = ["finding", "strength", "reference", "query", "perturbation", *made.ranked["method"]]
    note = (
        "Pairs whose label every method contradicts, strongest first; over 0.5 a distance is on the"
        " wrong side."
    )
    yield Section("Labels to look at", sentences.doubted(found), figures, [(found[columns], note)])


def limits(
    made: Study,
    audit: DataFrame | None,
    unreadable: DataFrame | None,
    run: Run,
) -> Section:
    """Return what the numbers leave out: failed pairs, sources that look alike."""
    text = f"{sentences.problems(made.scores)} {passed_over(run)}\n\n{sentences.audit(audit)}"
    failed = made.scores[made.scores["status"] == "error"]
    tables = []
    for table, caption in (
        (audit, "Sources that look alike"),
        (unreadable, "Pictures that could not be used, and why"),
        (
            failed[["reference", "query", "perturbation", "error"]],
            "Pairs that could not be compared, and why",
        ),
    ):
        if table is not None and len(table):
            tables.append((table, caption))
    figures = []
    if audit is not None and len(audit):
        ax = plot_rows(made.root, audit.head(_HARDEST), itertools.repeat(""))
        caption = "Sources that look alike, nearest first."
        figures.append(made.draw("audit", ax, "Sources that look alike.", caption))
    return Section("What these numbers leave out", text, figures, tables)
