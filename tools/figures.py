"""Draw the README's figures and rewrite its table of results, all from the built-in sample: `make figures`.

What stands in README.md between ``<!-- results -->`` and ``<!-- /results -->`` is written by this script.
"""

import re
from pathlib import Path

import pandas as pd
from matplotlib import pyplot as plt

import simlab as sl
from simlab import plots
from simlab.cli import default_cache

ROOT = Path(__file__).resolve().parents[1]
FIGURES = ROOT / "docs" / "figures"
METHODS = ["phash", "dhash", "average_hash", "whash", "akaze"]
EXAMPLE = ("cat.jpg", ["text(length=40)", "crop", "recompress(quality=10)"])
SHOWN = ["average_hash", "phash", "akaze"]


def main() -> None:
    """Score the sample, draw, and rewrite the table."""
    FIGURES.mkdir(parents=True, exist_ok=True)
    sample = sl.datasets.load_sample()
    trap(Path(sample.attrs["root"], EXAMPLE[0]))
    basic, standard = (
        sl.score_pairs(sl.make_pairs(sample, preset, negatives=n), METHODS, cache=default_cache())
        for preset, n in (("basic", 3000), ("standard", 6000))
    )
    plots.save(plots.plot_heatmap(sl.evaluate(standard, by="perturbation")), FIGURES / "heatmap.png", dpi=110)
    plots.save(plots.plot_roc(sl.evaluation.roc_curve(basic)), FIGURES / "roc.png", dpi=110)
    rewrite(table(sl.evaluate(basic, by="kind")), ROOT / "README.md")


def trap(path: Path) -> None:
    """One picture, three copies of it, and what three methods say of each."""
    original = sl.read_image(path)
    variants = [sl.perturb.apply(original, spec) for spec in EXAMPLE[1]]
    axes = plt.figure(figsize=(10, 2.6), layout="constrained").subplots(1, 4)
    for axis, picture, spec in zip(axes, [original, *variants], ["the picture", *EXAMPLE[1]]):
        axis.imshow(picture)
        axis.set_title(spec, fontsize=10, loc="left")
        axis.set_axis_off()
    for axis, variant in zip(axes[1:], variants):
        distances = sl.distances(original, variant, SHOWN).iloc[0]
        lines = [f"{name} {distances[name]:.0f}" for name in SHOWN]
        axis.text(0, -0.04, "\n".join(lines), transform=axis.transAxes, va="top", fontsize=10)
    words = "distance in bits:\nhashes of 64 bits,\nAKAZE of 486"
    axes[0].text(0, -0.04, words, transform=axes[0].transAxes, va="top", fontsize=10, color="0.4")
    plots.save(axes[0], FIGURES / "trap.png", dpi=110)


def table(metrics: pd.DataFrame) -> str:
    """The TPR at FPR 0.01 by kind and method, with 95 % intervals, as Markdown."""
    chosen = metrics[metrics["metric"] == "tpr@fpr=0.01"]
    kinds = [kind for kind in dict.fromkeys(chosen["group"]) if kind != "all"]
    rows = ["| method | " + " | ".join(["all", *kinds]) + " |", "|---|" + "---|" * (len(kinds) + 1)]
    for method in METHODS:
        own = chosen[chosen["method"] == method].set_index("group")
        rows.append(f"| {method} | " + " | ".join(_cell(own.loc[group]) for group in ["all", *kinds]) + " |")
    first = chosen[chosen["group"] == "all"].iloc[0]
    n = f"{first['n_positive']:,} copies of {first['n_sources']} pictures, {first['n_negative']:,} other pairs"
    return "\n".join([*rows, "", f"Share of copies found at one false alarm in 100; {n}."])


def rewrite(text: str, readme: Path) -> None:
    """Put the text between the two marks of the README."""
    marks = re.compile(r"(<!-- results -->\n).*?(<!-- /results -->)", re.DOTALL)
    old = readme.read_text(encoding="utf-8")
    readme.write_text(marks.sub(lambda found: f"{found[1]}{text}\n{found[2]}", old), encoding="utf-8")


def _cell(row: pd.Series) -> str:
    interval = "" if pd.isna(row["low"]) else f" [{row['low']:.2f}, {row['high']:.2f}]"
    return f"{row['value']:.2f}{interval}"


if __name__ == "__main__":
    main()
