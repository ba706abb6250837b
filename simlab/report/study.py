"""A study as a folder: tables, figures and the report, each file whole or absent."""

import functools
import importlib.metadata
import json
import os
import platform
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from PIL import Image

from simlab import __version__, evaluation, perturb, plots, tables
from simlab.images import read_image
from simlab.plots.style import measure
from simlab.plots.summaries import spelled
from simlab.report import story
from simlab.report.page import Figure, Section, write_report, write_text

_PACKAGES = (
    "numpy", "scipy", "pandas", "pillow", "opencv-python-headless", "imagehash", "faiss-cpu", "scikit-learn",
    "matplotlib",
)  # fmt: skip
_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")
_GALLERY = 16
"""Most pictures that the gallery of perturbations shows."""


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
) -> Path:
    """Return the path of report.html, after everything about a score table was written to the folder `out`.

    Beside it: pairs.csv, scores.csv, metrics.csv, run.json and figures/ (PNG and SVG). Each file is written under
    another name and moved into place, the report last.

    Args:
        root: folder that the pictures' paths are relative to; by default ``scores.attrs["root"]``.
        run: how it was made (command, seed, arguments, digests of the inputs); versions are added.
        audit: pairs of sources that look alike, with columns reference and query; empty where none were found.
        unreadable: pictures that were left out before scoring, and why.
        example: the picture in the gallery of perturbations; the first one by default.
    """
    out, root = Path(out), Path(scores.attrs.get("root", ".") if root is None else root)
    out.mkdir(parents=True, exist_ok=True)
    run = {**(run or {}), "versions": versions()}
    told = _Told(scores, root, evaluation.evaluate(scores, by="perturbation"), evaluation.evaluate(scores, by="kind"))
    with tempfile.TemporaryDirectory(dir=out, prefix=".partial-") as folder:
        made = Path(folder)
        (made / "figures").mkdir()
        _write_tables(made, told, run)
        draw = functools.partial(_draw, made / "figures")
        sections = [*_answers(told, draw), *_pictures(told, draw, example), _limits(told, draw, audit, unreadable)]
        page = {"title": title, "lead": story.lead(told.metrics, told.metric), "facts": _facts(told)}
        write_report(made / "report.html", **page, sections=sections, run=run)
        _move(made, out)
    return out / "report.html"


class _Told(NamedTuple):
    """What the report is told from."""

    scores: pd.DataFrame
    root: Path
    metrics: pd.DataFrame
    kinds: pd.DataFrame

    @property
    def metric(self) -> str:
        return story.headline(self.metrics)

    @property
    def methods(self) -> list[str]:
        return tables.method_columns(self.scores)


def versions() -> dict[str, str]:
    """Return the versions that a result depends on: packages, Python, and the kind of machine."""
    installed = {str(d.name).lower(): d.version for d in importlib.metadata.distributions()}
    packages = {name: installed[name] for name in _PACKAGES if name in installed}
    system = {"python": platform.python_version(), "machine": f"{platform.system()} {platform.machine()}"}
    return {"simlab": __version__, **packages, **system}


def write_csv(table: pd.DataFrame, path: Path) -> Path:
    """Return the path, after the table was written there so that a spreadsheet takes no name for a formula.

    A text that begins with = + - @, a tab or a line break (or with apostrophes before one) gets an apostrophe in
    front; taking one away from such a text when reading gives back what it was.
    """
    text = table.select_dtypes(exclude=["number", "bool"])
    table = table.assign(**{name: text[name].map(_plain) for name in text})
    table.to_csv(path, index=False, lineterminator="\n", errors="surrogateescape")
    return path


def _plain(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell


def _write_tables(folder: Path, told: _Told, run: Mapping[str, Any]) -> None:
    columns = [name for name in told.scores if name not in ("status", "error", "no_evidence", *told.methods)]
    write_csv(told.scores[columns], folder / "pairs.csv")
    write_csv(told.scores, folder / "scores.csv")
    write_csv(told.metrics, folder / "metrics.csv")
    write_text(folder / "run.json", json.dumps(run, indent=2, default=str, ensure_ascii=False) + "\n")


def _move(made: Path, out: Path) -> None:
    (out / "figures").mkdir(exist_ok=True)
    for path in sorted(made.rglob("*.*"), key=lambda path: (path.name == "report.html", path)):
        os.replace(path, out / path.relative_to(made))


def _draw(folder: Path, name: str, ax: Axes, alt: str, caption: str) -> Figure:
    png = plots.save(ax, folder / f"{name}.png", dpi=130)
    plots.save(ax, folder / f"{name}.svg", dpi=130)
    plt.close(ax.figure)
    return Figure(png.read_bytes(), alt, caption)


def _facts(told: _Told) -> dict[str, str]:
    overall = told.metrics[told.metrics["group"] == "all"]
    copies, others = overall["n_positive"].max(), overall["n_negative"].max()
    return {
        "source pictures": f"{overall['n_sources'].max():,}",
        "pairs that are copies": f"{copies:,}",
        "pairs that are not": f"{others:,}",
        "methods": str(len(told.methods)),
        "smallest measurable false positive rate": f"1 in {others:,}" if others else "none",
    }


def _overview(told: _Told) -> pd.DataFrame:
    overall = told.metrics[told.metrics["group"] == "all"]
    order = [*story.ranking(told.metrics, told.metric).index, *told.methods]
    table = pd.DataFrame({"method": list(dict.fromkeys(order))})
    for metric, rows in overall.groupby("metric", sort=False):
        rows = rows.set_index("method").reindex(table["method"])
        table[measure(metric)] = rows["value"].to_numpy()
        if "@" in metric:
            table[f"threshold at {metric.partition('=')[2]}"] = rows["threshold"].to_numpy()
    return table


def _answers(told: _Told, draw: Callable[..., Figure]) -> Iterator[Section]:
    metrics, metric, name = told.metrics, told.metric, measure(told.metric)
    if metrics["group"].nunique() > 2:
        ax, alt = plots.plot_heatmap(metrics, metric=metric), f"{name} by method and perturbation"
        figures = [draw("heatmap", ax, alt, "A row for each perturbation, mildest first; dark is good.")]
        if metrics["severity"].notna().any():
            ax, alt = plots.plot_severity(metrics, metric=metric), f"{name} against severity"
            figures.append(draw("severity", ax, alt, "Left is mild, right is harsh, one panel for each kind."))
        yield Section("Which method finds which kind of copy", story.by_kind(told.kinds, metric), figures)
    curves = [
        draw("roc", plots.plot_roc(evaluation.roc_curve(told.scores)), "ROC curves",
             "Left is strict: few false alarms. The curves begin where these pairs stop telling anything."),
        draw("pr", plots.plot_pr(evaluation.pr_curve(told.scores)), "Precision-recall curves",
             "Precision holds for the share of copies among these pairs; among rarer copies it is lower."),
        draw("distances", plots.plot_histograms(evaluation.distance_histogram(told.scores)), "Distances by method",
             "The less the two colours overlap, the better a threshold can tell copies from the rest."),
    ]  # fmt: skip
    table = _overview(told), "All pairs together. A pair is called a copy when its distance is at most the threshold."
    yield Section("All pairs together", story.measurable(metrics), curves, [table])


def _pictures(told: _Told, draw: Callable[..., Figure], example: str | None) -> Iterator[Section]:
    usable = told.scores[told.scores["status"] == "ok"]
    changed = usable[(usable["label"] == 1) & (usable["perturbation"] != "")]
    if len(changed):
        chosen = example if example in set(changed["query"]) else changed["query"].iloc[0]
        rows = changed[changed["query"] == chosen].drop_duplicates("perturbation")
        yield Section("What was done to the pictures", "", [_gallery(told.root, rows.head(_GALLERY - 1), draw)])
    best = story.ranking(told.metrics, told.metric).index
    if len(best):
        text = (
            f"{best[0]} does best here, so its errors are the ones that are hard to avoid: "
            "the copies that it finds farthest apart, and the non-copies that it finds nearest."
        )
        yield Section(f"The hardest pairs for {best[0]}", text, list(_hardest(told, best[0], draw)))


def _gallery(root: Path, rows: pd.DataFrame, draw: Callable[..., Figure]) -> Figure:
    rows = rows[["query", "perturbation", "seed"]]
    shown = [(rows["query"].iloc[0], "", 0), *rows.itertuples(index=False, name=None)]
    specs = [spec for _, spec, _ in shown]
    ax = plots.plot_gallery([_picture(root, *row) for row in shown], [spelled(spec, specs) for spec in specs])
    caption = f"{shown[0][0]} and its variants, as the methods were given them."
    return draw("gallery", ax, "One picture and its variants", caption)


def _hardest(told: _Told, method: str, draw: Callable[..., Figure]) -> Iterator[Figure]:
    words = {"miss": "Copies, farthest first.", "false alarm": "Non-copies, nearest first."}
    specs = told.scores["perturbation"].unique()
    for kind, rows in evaluation.hardest(told.scores, method).groupby("error_kind", sort=False):
        notes = [
            f"{spelled(spec, specs)}, distance {distance:.4g}"
            for spec, distance in zip(rows["perturbation"], rows[method], strict=True)
        ]
        ax = _pairs(told.root, rows, notes)
        yield draw(f"hardest_{kind.replace(' ', '_')}", ax, words[kind], words[kind])


def _pairs(root: Path, rows: pd.DataFrame, notes: list[str]) -> Axes:
    rows = rows.reindex(columns=["reference", "perturbation_reference", "query", "perturbation", "seed"])
    rows = rows.astype(object).fillna({"perturbation_reference": "", "perturbation": "", "seed": 0})
    pictures, captions = [], []
    for row, note in zip(rows.itertuples(index=False), notes, strict=True):
        reference, spec_reference, query, spec, seed = row
        pictures.append((_picture(root, reference, spec_reference, seed), _picture(root, query, spec, seed)))
        names = dict.fromkeys([reference, query])
        captions.append("\n".join(filter(None, ["  ·  ".join(names), note])))
    return plots.plot_pairs(pictures, captions)


def _picture(root: Path, path: str, spec: str, seed: int) -> Image.Image:
    """Return the picture as a pair sees it, small; grey where it can no longer be read."""
    try:
        image = perturb.apply(read_image(root / path), spec, seed=int(seed))
    except (ValueError, OSError):
        return Image.new("RGB", (240, 180), "#d0d0d0")
    image.thumbnail((360, 360))
    return image


def _limits(
    told: _Told, draw: Callable[..., Figure], audit: pd.DataFrame | None, unreadable: pd.DataFrame | None
) -> Section:
    scores, figures, shown = told.scores, [], []
    failed = scores.loc[scores["status"] == "error", ["reference", "query", "perturbation", "error"]]
    if audit is not None and len(audit):
        ax = _pairs(told.root, audit.head(6), [""] * len(audit.head(6)))
        figures.append(draw("audit", ax, "Sources that look alike", "Sources that look alike, nearest first."))
        shown.append((audit, "Sources that look alike"))
    if unreadable is not None and len(unreadable):
        shown.append((unreadable, "Pictures that could not be used, and why"))
    if len(failed):
        shown.append((failed, "Pairs that could not be compared, and why"))
    text = "\n\n".join([story.problems(scores, told.methods), story.audit(audit)])
    return Section("What these numbers leave out", text, figures, shown)
