"""The sections of a study's page; a table that a section is told from is kept beside the page."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from simlab import evaluation, plots
from simlab.plots.style import measure
from simlab.plots.summaries import spelled
from simlab.report import sentences
from simlab.report.files import passed_over, thumbnail, write_csv
from simlab.report.page import Figure, Section

RESAMPLES = 300
_GALLERY, _HARDEST = 16, 6  # most pictures and pairs shown
_CORRECTED = "[95 % intervals, corrected for the number of comparisons]"


class Study(NamedTuple):
    """What the page is told from."""

    scores: pd.DataFrame
    methods: list[str]
    metrics: pd.DataFrame
    ranked: pd.DataFrame
    thresholds: pd.DataFrame
    root: Path
    folder: Path
    seed: int = 0

    @property
    def metric(self) -> str:
        return self.ranked["metric"].iloc[0]

    def keep(self, name: str, table: pd.DataFrame) -> pd.DataFrame:
        """Return the table, after it was written beside the page."""
        write_csv(table, self.folder / f"{name}.csv")
        return table

    def draw(self, name: str, ax: Axes, alt: str, caption: str) -> Figure:
        """Return the figure of `ax` for the page, after it was written to figures/ as PNG and SVG."""
        (self.folder / "figures").mkdir(exist_ok=True)
        png, _ = (
            plots.save(ax, self.folder / "figures" / f"{name}.{suffix}", dpi=180)
            for suffix in ("png", "svg")
        )
        plt.close(ax.figure)
        return Figure(png.read_bytes(), alt, caption, width=round(125 * ax.figure.get_figwidth()))


def answers(made: Study) -> Iterator[Section]:
    """Yield what the numbers say: by kind of copy, methods against each other, all pairs, thresholds."""
    if made.metrics["group"].nunique() > 2:
        yield _kinds(made)
    yield from _differences(made)
    yield _curves(made)
    yield _chosen(made)


def _kinds(made: Study) -> Section:
    metrics, metric, name, tables = made.metrics, made.metric, measure(made.metric), []
    ax, alt = plots.plot_heatmap(metrics, metric=metric), f"{name} by method and perturbation"
    figures = [
        made.draw("heatmap", ax, alt, "A row for each perturbation, mildest first; dark is good.")
    ]
    if metrics["severity"].notna().any():
        breaks = evaluation.break_points(
            made.scores, made.methods, metric=metric, n_resamples=RESAMPLES
        )
        ax, note = (
            plots.plot_severity(metrics, metric=metric, breaks=breaks),
            "Whiskers: 95 % intervals.",
        )
        figures.append(
            made.draw("severity", ax, f"{name} against severity", f"Mild left, harsh right. {note}")
        )
        note = f"The severity at which {name} falls under 0.95, with its 95 % interval."
        tables = [(_breaks_in_words(made.keep("break_points", breaks)), note)]
    kinds = evaluation.evaluate(made.scores, made.methods, by="kind", n_resamples=0)
    return Section(
        "Which method finds which kind of copy", sentences.by_kind(kinds, metric), figures, tables
    )


def _breaks_in_words(breaks: pd.DataFrame) -> pd.DataFrame:
    rows, cells = breaks.fillna({"high": float("inf")}).to_dict("records"), []
    for row in rows:
        stays_up, there = "up to" in row["note"], pd.notna(row["break_point"])
        found = sentences.interval(row, "break_point", "low", "high", ".2g").replace(
            "inf", "beyond"
        )
        cells.append(
            found if there else f"beyond {row['strongest']:.3g}" if stays_up else row["note"]
        )
    shown = breaks.assign(cell=cells).pivot(index="curve", columns="method", values="cell")
    return shown.loc[breaks["curve"].unique(), breaks["method"].unique()].reset_index()


def _differences(made: Study) -> Iterator[Section]:
    behind = made.keep("ranking", made.ranked).dropna(subset=["difference"])
    if behind.empty:
        return
    (first, second), options = (
        made.ranked["method"].iloc[:2],
        {"metric": made.metric, "n_resamples": RESAMPLES, "seed": made.seed},
    )
    picked_from = made.ranked["method"]
    pairs = evaluation.compare(
        made.scores, first, second, by="perturbation", among=picked_from, **options
    )
    ends = behind[["difference_low", "difference_high"]].set_axis(["low", "high"], axis=1)
    rows = behind.drop(columns=["low", "high"]).join(ends).assign(group=behind["method"])
    note = "Right of 0 the first is better. A grey line is undecided: these pictures cannot tell the two apart."
    ax = plots.plot_forest(rows, a=first, b="the other")
    figures = [
        made.draw("differences", ax, f"{first} against each other method", f"{note} {_CORRECTED}")
    ]
    if len(made.keep("comparison", pairs)) > 2:
        ax, alt = (
            plots.plot_forest(pairs, a=first, b=second),
            f"{first} against {second} by perturbation",
        )
        figures.append(
            made.draw("comparison", ax, alt, f"The first two by perturbation. {_CORRECTED}")
        )
    shares = made.keep(
        "complementarity",
        evaluation.complementarity(made.scores, made.methods, n_resamples=RESAMPLES),
    )
    if shares["share"].notna().any():
        ax, note = (
            plots.plot_complementarity(shares),
            "Of the copies that one misses, the share that another finds.",
        )
        figures.append(
            made.draw(
                "complementarity", ax, "Who finds what another misses", f"{note} FPR 0.01 for all."
            )
        )
    text = f"{sentences.compared(pairs, first, second)} {sentences.completed(shares, first)}"
    yield Section("Which method is better", text, figures)


def _curves(made: Study) -> Section:
    roc, pr = (
        curve(made.scores, made.methods, n_resamples=RESAMPLES)
        for curve in (evaluation.roc_curve, evaluation.pr_curve)
    )
    figures = [
        made.draw(
            "roc",
            plots.plot_roc(roc),
            "ROC curves",
            "Left is strict: few false alarms. Shaded: 95 % intervals from resampling the source pictures.",
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
            "Precision holds for the share of copies among these pairs; among rarer copies it is lower.",
        ),
        made.draw(
            "distances",
            plots.plot_histograms(evaluation.distance_histogram(made.scores, made.methods)),
            "Distances by method",
            "The less the two colours overlap, the better a threshold can tell copies from the rest.",
        ),
    ]
    note = "All pairs together, with 95 % intervals. Methods of one tier cannot be told apart from its first."
    text = sentences.measurable(int(made.metrics["n_negative"].max()), roc["smallest_fpr"].min())
    return Section("All pairs together", text, figures, [(_overview(made), note)])


def _overview(made: Study) -> pd.DataFrame:
    overall = made.metrics[made.metrics["group"] == "all"]
    queries = evaluation.query_average_precision(
        made.scores, made.methods, n_resamples=RESAMPLES
    ).assign(metric="mean of queries' AP")
    table = made.ranked[["tier", "method"]].reset_index(drop=True)
    for metric, rows in pd.concat([overall, queries]).groupby("metric", sort=False):
        cells = {
            row["method"]: sentences.interval(row, "value", "low", "high", ".3f")
            for row in rows.to_dict("records")
        }
        table[measure(metric)] = table["method"].map(cells)
    return table


def _chosen(made: Study) -> Section:
    wanted = made.thresholds[made.thresholds["target"] == "fpr<=0.01"]
    rare = made.keep("prevalence", evaluation.prevalence_table(wanted))
    alarms = made.keep("collection", evaluation.collection_table(wanted))
    figures = [
        made.draw(
            "prevalence",
            plots.plot_prevalence(rare),
            "Precision by share of copies",
            "What share of the pairs that are called copies at an FPR of 0.01 would be copies, where copies are"
            " rarer.",
        ),
        made.draw(
            "collection",
            plots.plot_collection(alarms),
            "False alarms by size of the collection",
            "False alarms at the same thresholds, where every two pictures of a collection are compared.",
        ),
    ]
    note = "Copies found and FPR reached are those on pictures that the threshold was not chosen on. [95 % intervals]"
    text = "A pair is called a copy when its distance is at most the threshold, in the method's own unit."
    return Section("Which threshold", text, figures, [(_in_words(made.thresholds), note)])


def _in_words(thresholds: pd.DataFrame) -> pd.DataFrame:
    rows = thresholds.to_dict("records")
    return pd.DataFrame(
        {
            "method": [row["method"] for row in rows],
            "FPR wanted": [row["target"].removeprefix("fpr<=") for row in rows],
            "threshold": [
                row["note"] or sentences.interval(row, "threshold", "low", "high", ".4g")
                for row in rows
            ],
            "copies found": [
                sentences.interval(row, "tpr", "tpr_low", "tpr_high", ".3f") for row in rows
            ],
            "FPR reached": [
                sentences.interval(row, "fpr", "fpr_low", "fpr_high", ".4f") for row in rows
            ],
        }
    )


def pictures(made: Study, example: str | None) -> Iterator[Section]:
    """Yield what was done to the pictures, and the pairs that are hardest for the best method."""
    changed = made.scores.query("status == 'ok' and label == 1 and perturbation != ''")
    if len(changed):
        chosen = example if example in set(changed["query"]) else changed["query"].iloc[0]
        rows = (
            changed[changed["query"] == chosen].drop_duplicates("perturbation").head(_GALLERY - 1)
        )
        shown = [("", 0), *rows[["perturbation", "seed"]].itertuples(index=False, name=None)]
        pictures = [thumbnail(made.root / chosen, *variant) for variant in shown]
        ax = plots.plot_gallery(
            pictures, [spelled(spec, rows["perturbation"]) for spec, _ in shown]
        )
        figure = made.draw(
            "gallery", ax, "Variants", f"{chosen} and its variants, as the methods were given them."
        )
        yield Section("What was done to the pictures", "", [figure])
    best = made.ranked.dropna(subset=["value"])["method"].head(1)
    for method in best:
        text = (
            f"{method} comes first here, so what it gets wrong is hard to avoid: the copies that it finds farthest "
            "apart, and the non-copies that it finds nearest."
        )
        yield Section(f"The hardest pairs for {method}", text, list(_hardest(made, method)))


def _hardest(made: Study, method: str) -> Iterator[Figure]:
    words = {"miss": "Copies, farthest first.", "false alarm": "Non-copies, nearest first."}
    for kind, rows in evaluation.hardest(made.scores, method, _HARDEST).groupby(
        "error_kind", sort=False
    ):
        notes = _notes(made, rows, [f"distance {distance:.4g}" for distance in rows[method]])
        yield made.draw(
            f"hardest_{kind.replace(' ', '_')}", _pairs(made.root, rows, notes), kind, words[kind]
        )


def _notes(made: Study, rows: pd.DataFrame, texts: Iterable[str]) -> list[str]:
    """The texts, after the perturbation of each row where there are any."""
    specs = made.scores["perturbation"].unique()
    if not any(specs):
        return list(texts)
    return [
        f"{spelled(spec, specs)}, {text}"
        for spec, text in zip(rows["perturbation"], texts, strict=True)
    ]


def _pairs(root: Path, rows: pd.DataFrame, notes: list[str]) -> Axes:
    columns = ["reference", "perturbation_reference", "query", "perturbation", "seed"]
    rows = (
        rows.reindex(columns=columns)
        .astype(object)
        .fillna({columns[1]: "", columns[3]: "", "seed": 0})
    )
    pictures, captions = [], []
    for (reference, changed, query, spec, seed), note in zip(
        rows.itertuples(index=False), notes, strict=True
    ):
        pictures.append(
            (thumbnail(root / reference, changed, seed), thumbnail(root / query, spec, seed))
        )
        captions.append(
            "\n".join(filter(None, ["  ·  ".join(dict.fromkeys([reference, query])), note]))
        )
    return plots.plot_pairs(pictures, captions)


def doubts(made: Study) -> Iterator[Section]:
    """Yield the pairs whose label every method contradicts."""
    found = made.keep("label_audit", evaluation.label_audit(made.scores, made.methods))
    if len(found):
        shown = found.head(_HARDEST)
        ax = _pairs(made.root, shown, _notes(made, shown, shown["finding"]))
        figure = made.draw(
            "label_audit", ax, "Labels in doubt", "The labels that are contradicted most."
        )
        columns = [
            "finding",
            "strength",
            "reference",
            "query",
            "perturbation",
            *made.ranked["method"],
        ]
        note = "Pairs whose label every method contradicts, strongest first; over 0.5 a distance is on the wrong side."
        yield Section(
            "Labels to look at", sentences.doubted(found), [figure], [(found[columns], note)]
        )


def limits(
    made: Study,
    audit: pd.DataFrame | None,
    unreadable: pd.DataFrame | None,
    run: Mapping[str, Any],
) -> Section:
    """Return what the numbers leave out: failed pairs, sources that look alike."""
    failed = made.scores.loc[
        made.scores["status"] == "error", ["reference", "query", "perturbation", "error"]
    ]
    shown = [
        (audit, "Sources that look alike"),
        (unreadable, "Pictures that could not be used, and why"),
        (failed, "Pairs that could not be compared, and why"),
    ]
    figures = []
    if audit is not None and len(audit):
        ax, note = (
            _pairs(made.root, audit.head(_HARDEST), [""] * len(audit.head(_HARDEST))),
            "Sources that look alike.",
        )
        figures.append(made.draw("audit", ax, note, "Sources that look alike, nearest first."))
    text = f"{sentences.problems(made.scores)} {passed_over(run)}\n\n{sentences.audit(audit)}"
    tables = [(table, caption) for table, caption in shown if table is not None and len(table)]
    return Section("What these numbers leave out", text, figures, tables)
