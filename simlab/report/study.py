"""A study as a folder: its tables, its figures, and the page that tells it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from simlab import evaluation, plots
from simlab.plots.style import measure
from simlab.plots.summaries import spelled
from simlab.report import story
from simlab.report.files import thumbnail, versions, whole, write_csv, write_text
from simlab.report.page import Figure, Section, write_report

_GALLERY, _HARDEST = 16, 6  # most pictures and pairs shown
_RESAMPLES = 300


class _Study(NamedTuple):
    """What the page is told from."""

    scores: pd.DataFrame
    metrics: pd.DataFrame
    ranked: pd.DataFrame
    thresholds: pd.DataFrame
    root: Path
    folder: Path

    @property
    def metric(self) -> str:
        return self.ranked["metric"].iloc[0]


def study(
    scores: pd.DataFrame,
    out: str | Path,
    *,
    root: str | Path | None = None,
    run: Mapping[str, Any] | None = None,
    title: str = "Which method finds which copies",
    audit: pd.DataFrame | None = None,
    unreadable: pd.DataFrame | None = None,
    example: str | None = None,
    first: Sequence[Section] = (),
) -> Path:
    """Return the path of report.html, after everything about a score table was written to the folder `out`.

    Beside it: pairs.csv, scores.csv, metrics.csv, thresholds.csv, run.json and figures/ (PNG and SVG). Each file is
    written under another name and moved into place, the report last.

    Args:
        root: folder that the pictures' paths are relative to; by default ``scores.attrs["root"]``.
        run: how it was made (command, seed, arguments, digests of the inputs); versions are added.
        audit: pairs of sources that look alike, with columns reference and query; empty where none were found.
        unreadable: pictures that were left out before scoring, and why.
        example: the picture in the gallery of perturbations; the first one by default.
        first: sections to begin with, such as those of :func:`simlab.report.tuned`.
    """
    root, run = Path(scores.attrs.get("root", ".") if root is None else root), {**(run or {}), "versions": versions()}
    with whole(out) as folder:
        metrics = evaluation.evaluate(scores, by="perturbation")
        ranked = evaluation.rank(scores, metric=story.headline(metrics), n_resamples=_RESAMPLES)
        usable = scores["status"].eq("ok").any()
        thresholds = _thresholds(scores, ranked["method"]) if usable else pd.DataFrame({"method": ranked["method"]})
        made = _Study(scores, metrics, ranked, thresholds, root, folder)
        _write_tables(made, run)
        answers = [*_answers(made), *_pictures(made, example)] if usable else []
        sections = [*first, *answers, _limits(made, audit, unreadable)]
        page = {"title": title, "lead": story.lead(ranked), "facts": _facts(metrics)}
        write_report(folder / "report.html", **page, sections=sections, run=run)
    return Path(out) / "report.html"


def _thresholds(scores: pd.DataFrame, methods: pd.Series) -> pd.DataFrame:
    options = {"n_splits": 10, "n_resamples": _RESAMPLES}
    wanted = [(method, rate) for rate in (1e-2, 1e-3) for method in methods]
    return pd.concat([evaluation.choose_threshold(scores, name, max_fpr=rate, **options) for name, rate in wanted])


def _write_tables(made: _Study, run: Mapping[str, Any]) -> None:
    beside = {"status", "error", "no_evidence", *made.ranked["method"]}
    write_csv(made.scores[[name for name in made.scores if name not in beside]], made.folder / "pairs.csv")
    for name in ("scores", "metrics", "thresholds"):
        write_csv(getattr(made, name), made.folder / f"{name}.csv")
    write_text(made.folder / "run.json", json.dumps(run, indent=2, default=str, ensure_ascii=False) + "\n")


def _draw(made: _Study, name: str, ax: Axes, alt: str, caption: str) -> Figure:
    (made.folder / "figures").mkdir(exist_ok=True)
    png, _ = (plots.save(ax, made.folder / "figures" / f"{name}.{suffix}", dpi=130) for suffix in ("png", "svg"))
    plt.close(ax.figure)
    return Figure(png.read_bytes(), alt, caption)


def _facts(metrics: pd.DataFrame) -> dict[str, str]:
    n_sources, copies, others = metrics.loc[metrics["group"] == "all", ["n_sources", "n_positive", "n_negative"]].max()
    return {
        "source pictures": f"{n_sources:,}",
        "pairs that are copies": f"{copies:,}",
        "pairs that are not": f"{others:,}",
        "methods": str(metrics["method"].nunique()),
        "smallest measurable false positive rate": f"1 in {others:,}" if others else "none",
    }


def _overview(made: _Study) -> pd.DataFrame:
    overall = made.metrics[made.metrics["group"] == "all"]
    table = made.ranked[["tier", "method"]].reset_index(drop=True)
    for metric, rows in overall.groupby("metric", sort=False):
        cells = {row["method"]: story.interval(row, "value", "low", "high", ".3f") for row in rows.to_dict("records")}
        table[measure(metric)] = table["method"].map(cells)
    return table


def _chosen(made: _Study) -> pd.DataFrame:
    rows = made.thresholds.to_dict("records")
    return pd.DataFrame({
        "method": [row["method"] for row in rows],
        "FPR wanted": [row["target"].removeprefix("fpr<=") for row in rows],
        "threshold": [row["note"] or story.interval(row, "threshold", "low", "high", ".4g") for row in rows],
        "copies found": [story.interval(row, "tpr", "tpr_low", "tpr_high", ".3f") for row in rows],
        "FPR reached": [story.interval(row, "fpr", "fpr_low", "fpr_high", ".4f") for row in rows],
    })  # fmt: skip


def _answers(made: _Study) -> Iterator[Section]:
    metrics, metric, name = made.metrics, made.metric, measure(made.metric)
    if metrics["group"].nunique() > 2:
        ax, alt = plots.plot_heatmap(metrics, metric=metric), f"{name} by method and perturbation"
        figures = [_draw(made, "heatmap", ax, alt, "A row for each perturbation, mildest first; dark is good.")]
        if metrics["severity"].notna().any():
            ax, note = plots.plot_severity(metrics, metric=metric), "Mild left, harsh right; whiskers: 95 % intervals."
            figures.append(_draw(made, "severity", ax, f"{name} against severity", note))
        kinds = evaluation.evaluate(made.scores, by="kind", n_resamples=0)
        yield Section("Which method finds which kind of copy", story.by_kind(kinds, metric), figures)
    yield _curves(made)
    rare = evaluation.prevalence_table(made.thresholds[made.thresholds["target"] == "fpr<=0.01"])
    note = "What share of the pairs that are called copies at an FPR of 0.01 would be copies, where copies are rarer."
    figure = _draw(made, "prevalence", plots.plot_prevalence(rare), "Precision by share of copies", note)
    note = "Copies found and FPR reached are those on pictures that the threshold was not chosen on. [95 % intervals]"
    text = "A pair is called a copy when its distance is at most the threshold, in the method's own unit."
    yield Section("Which threshold", text, [figure], [(_chosen(made), note)])


def _curves(made: _Study) -> Section:
    scores = made.scores
    figures = [
        _draw(made, "roc", plots.plot_roc(evaluation.roc_curve(scores, n_resamples=_RESAMPLES)), "ROC curves",
              "Left is strict: few false alarms. Shaded: 95 % intervals from resampling the source pictures."),
        _draw(made, "pr", plots.plot_pr(evaluation.pr_curve(scores)), "Precision-recall curves",
              "Precision holds for the share of copies among these pairs; among rarer copies it is lower."),
        _draw(made, "distances", plots.plot_histograms(evaluation.distance_histogram(scores)), "Distances by method",
              "The less the two colours overlap, the better a threshold can tell copies from the rest."),
    ]  # fmt: skip
    note = "All pairs together, with 95 % intervals. Methods of one tier cannot be told apart from its first."
    text = story.measurable(int(made.metrics["n_negative"].max()))
    return Section("All pairs together", text, figures, [(_overview(made), note)])


def _pictures(made: _Study, example: str | None) -> Iterator[Section]:
    changed = made.scores.query("status == 'ok' and label == 1 and perturbation != ''")
    if len(changed):
        chosen = example if example in set(changed["query"]) else changed["query"].iloc[0]
        rows = changed[changed["query"] == chosen].drop_duplicates("perturbation").head(_GALLERY - 1)
        shown = [("", 0), *rows[["perturbation", "seed"]].itertuples(index=False, name=None)]
        pictures = [thumbnail(made.root / chosen, *variant) for variant in shown]
        ax = plots.plot_gallery(pictures, [spelled(spec, rows["perturbation"]) for spec, _ in shown])
        figure = _draw(made, "gallery", ax, "Variants", f"{chosen} and its variants, as the methods were given them.")
        yield Section("What was done to the pictures", "", [figure])
    best = made.ranked.dropna(subset=["value"])["method"].head(1)
    for method in best:
        text = (
            f"{method} comes first here, so what it gets wrong is hard to avoid: the copies that it finds farthest "
            "apart, and the non-copies that it finds nearest."
        )
        yield Section(f"The hardest pairs for {method}", text, list(_hardest(made, method)))


def _hardest(made: _Study, method: str) -> Iterator[Figure]:
    words = {"miss": "Copies, farthest first.", "false alarm": "Non-copies, nearest first."}
    specs = made.scores["perturbation"].unique()
    for kind, rows in evaluation.hardest(made.scores, method, _HARDEST).groupby("error_kind", sort=False):
        told = zip(rows["perturbation"], rows[method], strict=True)
        notes = [f"{spelled(spec, specs)}, distance {distance:.4g}" for spec, distance in told]
        yield _draw(made, f"hardest_{kind.replace(' ', '_')}", _pairs(made.root, rows, notes), kind, words[kind])


def _pairs(root: Path, rows: pd.DataFrame, notes: list[str]) -> Axes:
    columns = ["reference", "perturbation_reference", "query", "perturbation", "seed"]
    rows = rows.reindex(columns=columns).astype(object).fillna({columns[1]: "", columns[3]: "", "seed": 0})
    pictures, captions = [], []
    for (reference, changed, query, spec, seed), note in zip(rows.itertuples(index=False), notes, strict=True):
        pictures.append((thumbnail(root / reference, changed, seed), thumbnail(root / query, spec, seed)))
        captions.append("\n".join(filter(None, ["  ·  ".join(dict.fromkeys([reference, query])), note])))
    return plots.plot_pairs(pictures, captions)


def _limits(made: _Study, audit: pd.DataFrame | None, unreadable: pd.DataFrame | None) -> Section:
    failed = made.scores.loc[made.scores["status"] == "error", ["reference", "query", "perturbation", "error"]]
    shown = [
        (audit, "Sources that look alike"),
        (unreadable, "Pictures that could not be used, and why"),
        (failed, "Pairs that could not be compared, and why"),
    ]
    figures = []
    if audit is not None and len(audit):
        ax, note = _pairs(made.root, audit.head(_HARDEST), [""] * len(audit.head(_HARDEST))), "Sources that look alike."
        figures.append(_draw(made, "audit", ax, note, "Sources that look alike, nearest first."))
    text = f"{story.problems(made.scores)}\n\n{story.audit(audit)}"
    tables = [(table, caption) for table, caption in shown if table is not None and len(table)]
    return Section("What these numbers leave out", text, figures, tables)
