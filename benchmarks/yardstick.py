"""The published yardstick on a folder of your own: is an attacked picture found in a database, and
at what cost?

    python benchmarks/yardstick.py FOLDER --work SCRATCH --out docs

Protocol (https://arxiv.org/abs/2206.00282): half of the pictures are the database, the others are
controls. 100 of each are attacked in 58 ways. A query is flagged when its smallest distance to any
picture of the database is within the threshold; the threshold is set so that as near as can be to
0.5 % of the attacked controls are flagged.

What is measured is ``simlab.Gallery`` with the recipe that ships, whose weights come from other
pictures, and is asked at its own threshold too. SCRATCH keeps what is finished: a run goes on from
there.
"""

import argparse
import time
from pathlib import Path

import cv2
import faiss
import joblib
import matplotlib
import numpy as np
import pandas as pd

import simlab as sl
from simlab.methods.packing import unpack
from simlab.methods.registry import extract_all, resolve
from simlab.search.gallery import CLEAR
from simlab.tables import rank_by_hash

SINGLE = ["phash", "dhash", "average_hash", "whash", "correlation", "aligned"]
ALIGNED = "aligned(orientations=8)"  # as the recipe names it
FPR = 0.005
THRESHOLD = 0.5
"""The search's own: the largest distance of what it calls a copy."""

PUBLISHED = pd.DataFrame(
    {
        "attack": [
            "all",
            "crop .1",
            "crop .2",
            "crop .4",
            "crop .6",
            "text 10",
            "text 30",
            "text 50",
            "JPEG 10",
            "rotate 5",
            "rotate 10",
            "noise .05",
            "median 7",
            "brightness 2",
        ],
        "spec": [
            "all",
            'crop(side=0.1, anchor="center", resize_back=True)',
            'crop(side=0.2, anchor="center", resize_back=True)',
            'crop(side=0.4, anchor="center", resize_back=True)',
            'crop(side=0.6, anchor="center", resize_back=True)',
            "text(length=10)",
            "text(length=30)",
            "text(length=50)",
            "recompress(quality=10)",
            "rotate(degrees=5, resize_back=True)",
            "rotate(degrees=10, resize_back=True)",
            "noise(variance=0.05)",
            "median(kernel=7)",
            "brightness(factor=2)",
        ],
        "average_hash": [
            0.718,
            0.31,
            0.05,
            0,
            0.02,
            0.78,
            0.33,
            0.20,
            1,
            0.01,
            0,
            0.99,
            0.99,
            0.31,
        ],
        "phash": [0.826, 0.89, 0.15, 0.01, 0, 0.98, 0.87, 0.77, 1, 0.37, 0.05, 1, 1, 0.96],
        "dhash": [0.815, 0.59, 0.07, 0, 0, 0.99, 0.96, 0.85, 1, 0.22, 0.04, 1, 1, 0.91],
        "whash": [0.743, 0.36, 0.08, 0.02, 0.01, 0.90, 0.47, 0.27, 1, 0.02, 0, 0.99, 0.98, 0.61],
        "ORB": [0.847, 0.96, 0.99, 0.86, 0.42, 0.67, 0.31, 0.10, 1, 0.92, 0.96, 0.96, 0.98, 0.52],
        "SimCLR": [0.882, 1, 1, 0.98, 0.44, 1, 0.77, 0.45, 0.97, 1, 0.91, 0.71, 0.35, 1],
    }
)
"""The published recall at FPR .005: the rows that the paper's repository gives in
Results/Constant_FPR_BSDS500.
"""


class Searcher:
    """The database: a gallery, and the hashes of all its pictures for the rows that are compared
    with.
    """

    def __init__(self, root, paths, cache):
        self.root, table = (
            Path(root),
            sl.datasets.as_table(pd.DataFrame({"path": paths}), root=root),
        )
        self.gallery = sl.Gallery(table, cache=cache, n_jobs=1, progress=False)
        self.hashes = [m for m in resolve(SINGLE) if m.compare_many]
        features = [self.extract(sl.read_image(self.root / path)) for path in table["path"]]
        self.stacks = {m: np.stack([f[m] for f in features if m in f]) for m in self.hashes}

    def extract(self, image):
        packed = extract_all(image, [m.feature for m in self.hashes])
        return {
            m: m.restore(unpack(packed[m.feature.key]))
            for m in self.hashes
            if packed[m.feature.key]
        }

    def query(self, path, spec, *, full):
        """One row: smallest distance by every hash and by a query, CPU seconds; where `full`, by
        all steps.
        """
        image, row = (
            sl.perturb.apply(sl.read_image(self.root / path), spec),
            {"query": path, "perturbation": spec},
        )
        row |= {m.name: m.maximum for m in self.hashes}  # where the attacked picture is flat
        for method, mine in self.extract(image).items():
            stack = np.concatenate([self.stacks[method], mine[None]])
            n = len(stack) - 1
            row[method.name] = method.compare_many(stack, np.arange(n), np.full(n, n)).min()
        start = time.process_time()
        for step, found in enumerate(self.gallery.steps(image, top=1), 1):
            nearest, seconds = min(found["distance"], default=1), time.process_time() - start
            if "step" not in row and (nearest <= CLEAR or step == 3):
                row |= {
                    "step": step,
                    "ensemble": nearest,
                    "file": next(iter(found["file"]), ""),
                    "s_cascade": seconds,
                }
            if step == 3:
                row |= {
                    "full": nearest,
                    "aligned": found[ALIGNED].fillna(1).min(),
                    "s_full": seconds,
                }
            elif "step" in row and not full:
                break
        return row


# The database, which forked workers find here: an index is too large to be sent with every task.
_SHARED = {}


def searched(searcher, queries, folder, n_jobs, n_full):
    """A row for every query, one CSV per source in `folder`; finished ones are read back.

    Of the first `n_full` sources all steps are taken, of the others as many as a query takes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    todo = [
        (*query, at < n_full)
        for at, query in enumerate(queries)
        if not _file(folder, query[0]).is_file()
    ]
    print(f"{folder.name}: {len(todo)} of {len(queries)} pictures to go", flush=True)
    _SHARED["searcher"] = searcher
    joblib.Parallel(n_jobs=n_jobs, backend="multiprocessing", batch_size=1, verbose=5)(
        joblib.delayed(_search_source)(*task, folder) for task in todo
    )
    tables = [
        pd.read_csv(_file(folder, path), keep_default_na=False, na_values=[""])
        for path, _ in queries
    ]
    return pd.concat(tables, ignore_index=True)


def _file(folder, path):
    return folder / f"{path.replace('/', '__')}.csv"


def _search_source(path, specs, full, folder):
    temporary = folder / f"{_file(folder, path).name}.tmp"
    rows = [_SHARED["searcher"].query(path, spec, full=full) for spec in specs]
    pd.DataFrame(rows).to_csv(temporary, index=False, float_format="%.9g")
    temporary.replace(_file(folder, path))


def threshold_at(controls, fpr):
    """The distance at or below which the share of controls is nearest to that rate; ties of hashes
    allow few rates.
    """
    values, counts = np.unique(np.asarray(controls, float), return_counts=True)
    values = np.append(np.nextafter(values[0], -np.inf), values)
    rates = np.append(0, np.cumsum(counts)) / counts.sum()
    return values[np.abs(rates - fpr).argmin()]


def recall_table(queries, controls, methods, n_resamples=400, fpr=FPR, seed=0):
    """Recall by method and attack with 95 % intervals: database and control pictures are
    resampled.
    """
    rng, rows = np.random.default_rng(seed), []
    attacks = list(pd.unique(queries["perturbation"]))
    for method in methods:
        hit, miss = (table_of(table, method)[attacks].to_numpy() for table in (queries, controls))
        values = _recalls(hit, miss, fpr)
        draws = np.array(
            [
                _recalls(
                    hit[rng.integers(len(hit), size=len(hit))],
                    miss[rng.integers(len(miss), size=len(miss))],
                    fpr,
                )
                for _ in range(n_resamples)
            ]
        )
        low, high = np.quantile(draws, [0.025, 0.975], axis=0)
        rows += zip([method] * len(values), ["all", *attacks], values, low, high, strict=True)
    return pd.DataFrame(rows, columns=["method", "attack", "recall", "low", "high"])


def table_of(queries, method):
    """Pictures by attacks; those pictures only of which the method's distance is known for every
    attack.
    """
    return queries.pivot(index="query", columns="perturbation", values=method).dropna()


def _recalls(hit, miss, fpr):
    flagged = hit <= threshold_at(miss.ravel(), fpr)
    return np.append(flagged.mean(), flagged.mean(axis=0))


def split(folder, n_attacked, seed):
    """Database, controls, and those of each that are attacked, by a seeded shuffle of names."""
    paths = rank_by_hash(sl.list_images(folder), seed)
    half = len(paths) // 2
    database, controls = paths[:half], paths[half : 2 * half]
    return database, database[:n_attacked], controls[:n_attacked]


def main():
    options = _options()
    work = Path(options.work)
    cv2.setNumThreads(1)
    faiss.omp_set_num_threads(1)
    database, attacked, unrelated = split(options.folder, options.attacked, options.seed)
    searcher = Searcher(options.folder, database, work / "database.sqlite")
    specs = sl.perturb.resolve("attacks58")
    for n in range(
        10, options.attacked + 10, 10
    ):  # of both sides in turn, so that a run can be cut short
        found = [
            searched(
                searcher,
                [(path, specs) for path in paths[:n]],
                work / name,
                options.jobs,
                options.full,
            )
            for name, paths in (("database", attacked), ("controls", unrelated))
        ]
    report(*found, Path(options.out))


def report(queries, controls, out):
    """Print and save recall by attack, the summary, and the figure."""
    methods = [*SINGLE[:-1], "ensemble"]
    recalls = recall_table(queries, controls, [*methods, "aligned", "full"])
    wide = recalls.pivot(index="attack", columns="method", values="recall")
    wide = wide.loc[["all", *pd.unique(queries["perturbation"])], [*methods, "aligned", "full"]]
    n = queries["query"].nunique(), controls["query"].nunique()
    print(f"{n[0]} pictures of the database and {n[1]} controls are attacked")
    print(wide.round(3).to_string())
    print(summary(recalls, queries, controls).to_string(index=False))
    print(costs(queries, controls).to_string(index=False))
    print(
        f"names the right picture: {(queries['file'] == queries['query']).mean():.4f} of all copies"
    )
    print(beside_published(recalls).to_string(index=False))
    recalls.round(4).to_csv(out / "yardstick.csv", index=False)
    draw(wide[methods], out / "figures" / "yardstick.png", n)


def summary(recalls, queries, controls):
    """Overall recall, worst attack, recall and FPR at the search's own threshold, recall at FPR
    .0005.
    """
    rows = []
    for method in pd.unique(recalls["method"]):
        mine = recalls[recalls["method"] == method]
        total, worst = mine[mine["attack"] == "all"].iloc[0], mine.loc[mine["recall"].idxmin()]
        hit, miss = table_of(queries, method), table_of(controls, method)
        own = THRESHOLD if method in ("ensemble", "full") else np.nan
        strict = recall_table(queries, controls, [method], fpr=FPR / 10).iloc[0]
        rows.append(
            {
                "method": method,
                "pictures": len(hit),
                "recall": total["recall"],
                "low": total["low"],
                "high": total["high"],
                "worst": worst["recall"],
                "worst_attack": worst["attack"],
                "threshold": (cut := threshold_at(miss, FPR)),
                "fpr": (miss <= cut).mean(axis=None),
                "own_recall": (hit <= own).mean(axis=None),
                "own_fpr": (miss <= own).mean(axis=None),
                "recall@.0005": strict["recall"],
                "low@.0005": strict["low"],
                "high@.0005": strict["high"],
            }
        )
    return pd.DataFrame(rows).round(4)


def costs(queries, controls):
    """CPU milliseconds of a query on one core, and the step at which it ended."""
    rows = []
    for name, table in (("copies", queries), ("controls", controls)):
        row = {"queries": name, "n": len(table)}
        for column in ("s_cascade", "s_full"):
            row[f"{column} median"], row[f"{column} p95"] = 1000 * table[column].quantile(
                [0.5, 0.95]
            )
        rows.append(
            row | {f"ended at step {step}": (table["step"] == step).mean() for step in (1, 2, 3)}
        )
    return pd.DataFrame(rows).round(3)


def beside_published(recalls):
    """Ours beside the published, for the attacks that are published by name."""
    ours = recalls.pivot(index="attack", columns="method", values="recall")
    table = PUBLISHED.rename(columns={name: f"{name} (published)" for name in ours})
    specs = [spec if spec == "all" else sl.perturb.canonical(spec) for spec in PUBLISHED["spec"]]
    return table.drop(columns="spec").join(ours.reindex(specs).reset_index(drop=True)).round(3)


def draw(wide, path, n):
    """Recall of every method at every attack, as a picture of numbers."""
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(7.5, 13), layout="constrained")
    ax.imshow(wide.to_numpy(), cmap="cividis", vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(wide.to_numpy()):
        text = f"{value:.2f}".lstrip("0") if value < 0.995 else "1"
        ax.text(
            column,
            row,
            text,
            ha="center",
            va="center",
            fontsize=6.5,
            color="black" if value > 0.5 else "white",
        )
    names = wide.index.str.replace(
        r'(, )?(anchor="center"|resize_back=True)', "", regex=True
    ).str.replace("()", "")
    ax.set_yticks(range(len(names)), names, fontsize=7)
    ax.set_xticks(range(wide.shape[1]), wide.columns, rotation=30, ha="left", fontsize=8)
    ax.xaxis.tick_top()
    ax.set_title(
        f"Recall at image-level FPR {FPR}: {n[0]} attacked pictures, {n[1]} controls", fontsize=10
    )
    figure.savefig(path, dpi=90)


def _options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder")
    parser.add_argument("--work", required=True, help="folder that keeps finished parts")
    parser.add_argument(
        "--out", default=".", help="folder for yardstick.csv and figures/yardstick.png"
    )
    parser.add_argument(
        "--attacked", type=int, default=100, help="pictures of each side that are attacked"
    )
    parser.add_argument(
        "--full", type=int, default=20, help="of these, so many for which all steps are taken"
    )
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
