"""A study as a folder: its tables, its figures, and the page that tells it."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from pandas import DataFrame

from simlab import evaluation, specs
from simlab.methods import registry
from simlab.paths import AnyPath, expanded, relative_root
from simlab.report import sentences, study_sections
from simlab.report.files import TOLD, Run, versions, whole, write_csv, write_run
from simlab.report.page import Section, next_steps, write_report
from simlab.specs import Names
from simlab.tables import check_table, is_fitted, root_of

_METRICS = (
    *evaluation.METRICS,
    "micro_average_precision",
    "recall@precision=0.9",
    "equal_error_rate",
)
_SEARCH = next_steps(
    "A search finds the copies that are in a folder; its page shows each group, which file to keep,"
    " and why.",
    ["simlab find FOLDER --out found"],
)


def study(  # noqa: PLR0913
    scores: DataFrame,
    out: AnyPath,
    *,
    methods: Names | None = None,
    root: AnyPath | None = None,
    run: Run | None = None,
    title: str = "Which method finds which copies",
    audit: DataFrame | None = None,
    unreadable: DataFrame | None = None,
    example: str | None = None,
    seed: int = 0,
    first: Sequence[Section] = (),
    joined: Sequence[Section] = (),
    last: Sequence[Section] = (),
    pictures: bool = True,
) -> Path:
    """Return the path of report.html, after everything about a score table was written to `out`.

    Beside it: pairs.csv, scores.csv, the tables that the page is told from (metrics, ranking,
    comparison, thresholds, prevalence, collection, complementarity, break_points, label_audit),
    run.json and figures/ (PNG and SVG). Each file is written under another name and moved into
    place: pairs, scores and run.json first, whatever fails later; the report last.

    Args:
        methods: columns of distances, as in :func:`simlab.methods.columns`.
        root: folder that the pictures' paths are relative to; by default ``scores.attrs["root"]``.
        run: how it was made (command, seed, arguments, digests of the inputs); the root and
            versions are added.
        audit: pairs of sources that look alike, with columns reference and query; empty where none
            were found.
        unreadable: pictures that were left out before scoring, and why.
        example: the picture in the gallery of perturbations; the first one by default.
        seed: of the resamples behind the ranking and the comparisons.
        first: sections to begin with, such as those of :func:`simlab.report.tuned`.
        joined: sections on the ensemble of these methods, which come after their comparison.
        last: sections to end with, such as :func:`simlab.report.next_steps`; by default those of a
            search.
        pictures: False where there are none: the page names pairs and shows no picture.

    Raises:
        ValueError: no method, or a column of a score table is missing.
    """
    names = registry.columns(scores, methods)
    check_table(scores, "scores", "reference, query, perturbation, status, error, no_evidence")
    run = specs.by_name("run", run or {})
    if pictures:
        root = root_of(scores) if root is None else expanded(root)
        run["root"] = relative_root(root, out)
    else:
        root = None
    run |= {
        "methods": names,
        "n_pairs": len(scores),
        "versions": versions(),
    }
    # what took long is kept, whatever fails from here on
    with whole(out, stale=TOLD) as folder:
        _write_scores(scores, names, run, folder)
    with whole(out) as folder:
        metrics = evaluation.evaluate(scores, names, by="perturbation", metrics=_METRICS)
        ranked = evaluation.rank(
            scores,
            names,
            metric=sentences.headline(metrics),
            n_resamples=study_sections.RESAMPLES,
            seed=seed,
        )
        is_usable = ((scores["status"] == "ok") & (scores.get("weight", 1) > 0)).any()
        thresholds = ranked[["method"]]
        if is_usable:
            thresholds = _thresholds(scores, ranked["method"])
        made = study_sections.Study(scores, names, metrics, ranked, thresholds, root, folder, seed)
        made.keep("metrics", metrics)
        made.keep("thresholds", thresholds)
        told = list(first)
        if is_usable:
            told.extend(study_sections.answers(made))
            told.extend(joined)
            told.extend(study_sections.pictures(made, example))
            told.extend(study_sections.doubts(made))
        told.append(study_sections.limits(made, audit, unreadable, run))
        told.extend(last or [_SEARCH])
        write_report(
            folder / "report.html",
            title=title,
            lead=sentences.lead(ranked),
            facts=_facts(scores, names, metrics),
            sections=told,
            run=run,
        )
    return expanded(out) / "report.html"


def _thresholds(scores: DataFrame, methods: pd.Series) -> DataFrame:
    options = {"n_splits": 10, "n_resamples": study_sections.RESAMPLES}
    chosen = []
    for rate in (1e-2, 1e-3):
        chosen.append(evaluation.choose_threshold(scores, methods, max_fpr=rate, **options))
    return pd.concat(chosen)


def _write_scores(scores: DataFrame, methods: list[str], run: Run, folder: Path) -> None:
    beside = {"status", "error", "no_evidence", *methods}
    write_csv(scores[[name for name in scores if name not in beside]], folder / "pairs.csv")
    write_csv(scores, folder / "scores.csv")
    write_run(run, folder)


def _facts(scores: DataFrame, methods: list[str], metrics: DataFrame) -> dict[str, str]:
    overall = metrics[metrics["group"] == "all"]
    n_sources, copies, others = overall[["n_sources", "n_positive", "n_negative"]].max()
    least = evaluation.smallest_fpr(scores, methods)["smallest_fpr"].item()
    return {
        "source pictures": f"{n_sources:,}",
        "pairs that are copies": f"{copies:,}",
        "pairs that are not": f"{others:,}",
        "methods": str(sum(not is_fitted(method) for method in methods)),
        "smallest measurable false positive rate": f"1 in {1 / least:,.0f}" if others else "none",
    }
