"""What each method sees and what it costs: the tables of docs/methods.md.

    python benchmarks/methods.py                                the sample
    python benchmarks/methods.py FOLDER --sources 60 --jobs 2   your own pictures

Seen is a kind of copy whose true positive rate at FPR 1e-2 is .9 or more; it defeats a method where
that is under .5. Costs are of one core: processor time, the best of three runs, mean over pictures
and pairs.
"""

import argparse
from pathlib import Path

import pandas as pd
from cost import cost_table

import simlab as sl
from simlab.methods.registry import REGISTRY, Method, resolve
from simlab.perturb import kind

PERTURBATIONS = [
    "recompress(quality=10)",
    "resize(scale=0.4)",
    "blur(sigma=3)",
    "noise(variance=0.02)",
    "brightness(factor=1.6)",
    "gray",
    "text(length=30)",
    "border(width=0.1)",
    "crop(area=0.8)",
    "crop(area=0.4)",
    "rotate(degrees=5)",
    "rotate(degrees=40)",
    "shear(degrees=10)",
    "perspective",
    "embed",
    "mirror",
]
FURTHER = ['whash(mode="db4")', "phash(mirror=True)", "akaze_inliers(mirror=True)"]
METRIC = "tpr@fpr=0.01"


def main() -> None:
    """Print costs and rates as Markdown."""
    options = _options()
    images = sl.datasets.as_table(options.folder) if options.folder else sl.datasets.load_sample()
    images = sl.datasets.sample_sources(images, options.sources)
    methods = resolve(options.methods or [*_available(), *FURTHER])
    pairs = sl.make_pairs(images, PERTURBATIONS, negatives=3000)
    print(f"{len(images)} pictures, {(pairs['label'] == 0).sum():,} negative pairs\n")
    print(
        costs(
            [sl.read_image(Path(pairs.attrs["root"], path)) for path in images["path"][:12]],
            methods,
        )
    )
    names = [method.name for method in methods]
    scores = sl.score_pairs(pairs, names, cache=options.cache, n_jobs=options.jobs, progress=False)
    print("\n" + rates(scores, names))


def costs(images: list, methods: list[Method]) -> str:
    """A Markdown table: milliseconds per picture, microseconds per pair, bytes per picture, maximum
    and unit.
    """
    table = cost_table(images, {method.name: [method.name] for method in methods})
    rows = [
        f"| `{row.method}` | {method.maximum:g} {method.unit} | {row.ms_per_picture:.1f} "
        f"| {float(f'{1e3 * row.ms_per_pair:.2g}'):,g} | {row.bytes_per_picture:,.0f} |"
        for method, row in zip(methods, table.itertuples())
    ]
    return "\n".join(
        [
            "| method | maximum | ms a picture | µs a pair | bytes a picture |",
            "|---|--:|--:|--:|--:|",
            *rows,
        ]
    )


def rates(scores: pd.DataFrame, names: list[str]) -> str:
    """A Markdown table: true positive rate at FPR 1e-2 by perturbation, overall last."""
    metrics = sl.evaluate(scores, names, by="perturbation", metrics=[METRIC], n_resamples=0)
    overall = sl.evaluate(scores, names, metrics=[METRIC], n_resamples=0).assign(group="all")
    table = pd.concat([metrics, overall]).pivot_table(
        index="method", columns="group", values="value", sort=False
    )
    columns = [*dict.fromkeys(map(sl.perturb.canonical, PERTURBATIONS)), "all"]
    head = [
        f"`{name}`" if list(map(kind, columns[:-1])).count(kind(name)) > 1 else kind(name)
        for name in columns[:-1]
    ]
    rows = [
        f"| `{name}` | {' | '.join(f'{table.loc[name, c]:.2f}' for c in columns)} |"
        for name in names
    ]
    return "\n".join(
        [f"| method | {' | '.join([*head, 'all'])} |", "|---" + "|--:" * len(columns) + "|", *rows]
    )


def _available() -> list[str]:
    """The registered methods whose packages are installed."""
    found = []
    for name in REGISTRY:
        try:
            found += [method.name for method in resolve([name])]
        except ValueError as error:
            print(f"left out: {error}")
    return found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", help="pictures; by default the sample")
    parser.add_argument("--sources", type=int, default=60)
    parser.add_argument("--methods", nargs="+", metavar="SPEC")
    parser.add_argument("--cache", help="a file that keeps features and distances")
    parser.add_argument("--jobs", type=int, default=-1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
