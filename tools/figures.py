"""Draw the README's figures and rewrite its table of results, all from the built-in sample: `make
figures`.

What stands in README.md and README.ja.md between ``<!-- results -->`` and ``<!-- /results -->`` is
written by this script. The pictures of widgets are taken in JupyterLab, where Chromium is
installed.
"""

import os
import re
import tempfile
from pathlib import Path

import pandas as pd
from matplotlib import pyplot as plt
from PIL import Image

import simlab as sl
from simlab import plots
from simlab.cli import default_cache
from tests.lab import CHROMIUM, Lab, chromium

ROOT = Path(__file__).resolve().parents[1]
FIGURES = ROOT / "docs" / "figures"
METHODS = ["phash", "dhash", "average_hash", "whash", "akaze"]
EXAMPLE = ("cat.jpg", ["text(length=40)", "crop", "recompress(quality=10)"])
SHOWN = ["average_hash", "phash", "akaze"]
COPIES = [
    ("coffee.jpg", "crop(area=0.6)"),
    ("astronaut.jpg", "caption"),
    ("cat.jpg", "text"),
    ("rocket.jpg", "recompress(quality=20)"),
]
CAPTIONS = {
    "README.md": (
        "Share of copies found at one false alarm in 100; {} copies of {} pictures, {} other pairs."
    ),
    "README.ja.md": (
        "見つかったコピーの割合(誤検出は100ペアに1ペア)。"
        "コピー {} ペア(画像 {} 枚)、別の画像 {} ペア。"
    ),
}
WIDGETS = {
    "explore": """
import simlab as sl
explorer = sl.widgets.explore(sl.datasets.load_sample())
explorer.reference, explorer.perturbation = "cat.jpg", "crop(area=0.5)"
explorer""",
    "failures": """
import simlab as sl
pairs = sl.make_pairs(sl.datasets.load_sample(), "basic", negatives=2000)
scores = sl.score_pairs(pairs, ["phash", "average_hash", "akaze"], progress=False)
browser = sl.widgets.failures(scores)
browser.choose_cell("phash", "crop")
browser""",
}


def main() -> None:
    """Score the sample, draw, and rewrite the table."""
    FIGURES.mkdir(parents=True, exist_ok=True)
    sample = sl.datasets.load_sample()
    trap(Path(sample.attrs["root"], EXAMPLE[0]))
    basic, standard = (
        sl.score_pairs(sl.make_pairs(sample, preset, negatives=n), METHODS, cache=default_cache())
        for preset, n in (("basic", 3000), ("standard", 6000))
    )
    plots.save(
        plots.plot_heatmap(sl.evaluate(standard, by="perturbation")),
        FIGURES / "heatmap.png",
        dpi=110,
    )
    for name, caption in CAPTIONS.items():
        rewrite(table(sl.evaluate(basic, by="kind"), caption), ROOT / name)
    screenshots()


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


def screenshots() -> None:
    """The widgets as they stand in JupyterLab."""
    if CHROMIUM is None:
        print("no Chromium: the pictures of widgets stay as they are")
        return
    with tempfile.TemporaryDirectory() as home, Lab(Path(home)) as lab, chromium() as browser:
        page_of_a_search(Path(home), browser)
        os.environ["SIMLAB_SCREENSHOTS"] = home
        for name, code in WIDGETS.items():
            with lab.open(browser, lab.write(f"{name}.ipynb", code.strip())) as notebook:
                notebook.run_all()
                notebook.screenshot(name, notebook.wait_for_widget(name))
            picture = Image.open(Path(home, f"{name}.png")).convert("RGB")
            picture.save(FIGURES / f"{name}.jpg", quality=85, optimize=True)


def page_of_a_search(home: Path, browser) -> None:
    """The page of a small folder: pictures of the sample, and what was made of some."""
    folder = home / "Pictures"
    folder.mkdir()
    for name, spec in COPIES:
        picture = sl.read_image(sl.datasets.DATA / "sample" / name)
        picture.save(folder / name, quality=92)
        edited = sl.perturb.apply(picture, spec)
        edited.save(folder / f"{Path(name).stem} {spec.split('(')[0]}.jpg", quality=90)
    found = sl.find_copies(folder, progress=False)
    groups = sl.group(found)
    path = sl.report.found(found, groups, home / "found", plan=sl.make_plan(found, groups))
    page = browser.new_page(viewport={"width": 1280, "height": 1020})
    page.goto(path.as_uri())
    page.screenshot(path=home / "found.png")
    page.close()
    picture = Image.open(home / "found.png").convert("RGB")
    picture.save(FIGURES / "found.jpg", quality=85, optimize=True)


def table(metrics: pd.DataFrame, caption: str) -> str:
    """The TPR at FPR 0.01 by kind and method, with 95 % intervals, as Markdown."""
    chosen = metrics[metrics["metric"] == "tpr@fpr=0.01"]
    kinds = [kind for kind in dict.fromkeys(chosen["group"]) if kind != "all"]
    rows = ["| method | " + " | ".join(["all", *kinds]) + " |", "|---|" + "---|" * (len(kinds) + 1)]
    for method in METHODS:
        own = chosen[chosen["method"] == method].set_index("group")
        rows.append(
            f"| {method} | " + " | ".join(_cell(own.loc[group]) for group in ["all", *kinds]) + " |"
        )
    first = chosen[chosen["group"] == "all"].iloc[0]
    n = (f"{first[name]:,}" for name in ("n_positive", "n_sources", "n_negative"))
    return "\n".join([*rows, "", caption.format(*n)])


def rewrite(text: str, readme: Path) -> None:
    """Put the text between the two marks of the README."""
    marks = re.compile(r"(<!-- results -->\n).*?(<!-- /results -->)", re.DOTALL)
    old = readme.read_text(encoding="utf-8")
    readme.write_text(
        marks.sub(lambda found: f"{found[1]}{text}\n{found[2]}", old), encoding="utf-8"
    )


def _cell(row: pd.Series) -> str:
    interval = "" if pd.isna(row["low"]) else f" [{row['low']:.2f}, {row['high']:.2f}]"
    return f"{row['value']:.2f}{interval}"


if __name__ == "__main__":
    main()
