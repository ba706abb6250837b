"""The published yardstick on a folder of your own: is an attacked picture found in a database, and at what cost?

    python benchmarks/yardstick.py FOLDER --train OTHER_PICTURES --work SCRATCH --out docs

Protocol (https://arxiv.org/abs/2206.00282): half of the pictures are the database, the others are controls. 100 of each
are attacked in 58 ways. A query is flagged when its smallest distance to any picture of the database is within the
threshold; the threshold is set so that about 0.5 % of the attacked controls are flagged.

Weights are fitted to OTHER_PICTURES, searched in the same way; no two of them may show the same thing. SCRATCH keeps
what is finished: a run goes on from there.
"""

import argparse
import functools
import time
from pathlib import Path

import cv2
import faiss
import joblib
import matplotlib
import numpy as np
import pandas as pd

import simlab as sl
from simlab.cache import unpack
from simlab.ensemble import Ensemble
from simlab.methods import extract_all, resolve
from simlab.tables import rank_by_hash

METHODS = ["phash", "dhash", "average_hash", "whash", "correlation", "aligned"]
CHEAP = METHODS[:-1]
FPR = 0.005
BEST_BY_VOTES, NEIGHBOURS, PROBES = 6, 10, 16
OTHERS = 4  # pictures that were no candidates, to train with
CLEAR = 0.15  # a distance after alignment that ends the search: the rest are not checked

PUBLISHED = pd.DataFrame(
    {
        "attack": [
            "all", "crop .1", "crop .2", "crop .4", "crop .6", "text 10", "text 30", "text 50", "JPEG 10", "rotate 5",
            "rotate 10", "noise .05", "median 7", "brightness 2",
        ],
        "spec": [
            "all", 'crop(side=0.1, anchor="center", resize_back=True)',
            'crop(side=0.2, anchor="center", resize_back=True)', 'crop(side=0.4, anchor="center", resize_back=True)',
            'crop(side=0.6, anchor="center", resize_back=True)', "text(length=10)", "text(length=30)",
            "text(length=50)", "recompress(quality=10)", "rotate(degrees=5, resize_back=True)",
            "rotate(degrees=10, resize_back=True)", "noise(variance=0.05)", "median(kernel=7)",
            "brightness(factor=2)",
        ],
        "average_hash": [.718, .31, .05, 0, .02, .78, .33, .20, 1, .01, 0, .99, .99, .31],
        "phash": [.826, .89, .15, .01, 0, .98, .87, .77, 1, .37, .05, 1, 1, .96],
        "dhash": [.815, .59, .07, 0, 0, .99, .96, .85, 1, .22, .04, 1, 1, .91],
        "whash": [.743, .36, .08, .02, .01, .90, .47, .27, 1, .02, 0, .99, .98, .61],
        "ORB": [.847, .96, .99, .86, .42, .67, .31, .10, 1, .92, .96, .96, .98, .52],
        "SimCLR": [.882, 1, 1, .98, .44, 1, .77, .45, .97, 1, .91, .71, .35, 1],
    }
)  # fmt: skip
"""The published recall at FPR .005: the rows that the paper's repository gives in Results/Constant_FPR_BSDS500."""


class Gallery:
    """The database: features of every picture, and one index of all keypoints."""

    def __init__(self, root, paths, *, for_training=False):
        cv2.setNumThreads(1)
        faiss.omp_set_num_threads(1)
        self.for_training = for_training
        self.root, self.paths, self.methods = Path(root), paths, resolve(METHODS)
        features = [self.features(sl.read_image(self.root / path)) for path in paths]
        self.packed = {m.name: [f[m.feature.key] for f in features] for m in self.methods}
        self.arrays = {m.name: self._stacked(m) for m in self.methods if m.compare_many}
        self.index, self.owner = self._keypoint_index()

    def features(self, image):
        return extract_all(image, [method.feature for method in self.methods])

    def query(self, image):
        """A table of candidates with every method's distance, and seconds by step."""
        start = time.process_time()
        cheap = extract_all(image, [m.feature for m in self.methods if m.compare_many])
        table = pd.DataFrame({m.name: self._to_all(m, cheap[m.feature.key]) for m in self.methods if m.compare_many})
        hashed = time.process_time()
        aligned = self.methods[-1]
        mine = extract_all(image, [aligned.feature])[aligned.feature.key]
        extracted = time.process_time()
        votes = self._votes(mine)
        voted = time.process_time()
        rows = np.unique(np.concatenate([
            np.argsort(-votes, kind="stable")[:BEST_BY_VOTES], np.argsort(table["correlation"], kind="stable")[:2],
            np.argsort(table["phash"], kind="stable")[:1],
        ]))  # fmt: skip
        rows, weight = self._with_others(rows, int(votes.sum()))
        nearest = {f"nearest_{name}": table[name].min() for name in CHEAP}
        found = table.iloc[rows].assign(candidate=[self.paths[row] for row in rows], weight=weight)
        theirs = self.packed[aligned.name]
        found[aligned.name] = self._check(theirs, mine, rows[np.argsort(-votes[rows], kind="stable")]).loc[rows].values
        found["no_evidence"] = [aligned.name if not (mine and theirs[row]) else "" for row in rows]
        found = found[found[aligned.name].notna()]
        steps = np.diff([start, hashed, extracted, voted, time.process_time()])
        return found.assign(**nearest, **dict(zip(("s_hash", "s_extract", "s_vote", "s_check"), steps)))

    def _with_others(self, rows, seed):
        """For training: a few of the other pictures too, which stand for all of them by their weight."""
        if not self.for_training:
            return rows, 1.0
        rng = np.random.default_rng(seed)
        others = rng.permutation(np.setdiff1d(np.arange(len(self.paths)), rows))[:OTHERS]
        weight = np.repeat([1.0, (len(self.paths) - len(rows)) / len(others)], [len(rows), len(others)])
        return np.concatenate([rows, others]), weight

    def _check(self, theirs, mine, rows):
        """Distances after alignment, by votes; a clear copy ends the search where that is allowed."""
        distances = pd.Series(np.nan, index=rows)
        for row in rows:
            distances[row] = self.methods[-1].distance(theirs[row], mine)
            if not self.for_training and distances[row] <= CLEAR:
                break
        return distances

    def _to_all(self, method, mine):
        distances = np.full(len(self.paths), float(method.maximum))
        known, stack = self.arrays[method.name]
        if mine and len(known):
            stack = np.concatenate([stack, method.restore(unpack(mine))[None]])
            distances[known] = method.compare_many(stack, np.arange(len(known)), np.full(len(known), len(known)))
        return distances

    def _stacked(self, method):
        known = [row for row, value in enumerate(self.packed[method.name]) if value]
        return known, np.array([method.restore(unpack(self.packed[method.name][row])) for row in known])

    def _descriptors(self, packed):
        descriptors = unpack(packed)[1] if packed else np.zeros((0, 61), np.uint8)
        return np.pad(descriptors, [(0, 0), (0, 3)])  # whole 64-bit words

    def _keypoint_index(self):
        parts = [self._descriptors(packed) for packed in self.packed["aligned"]]
        everything = np.concatenate(parts)
        n_lists = max(1, min(1024, len(everything) // 64))
        self._quantizer = faiss.IndexBinaryFlat(512)  # faiss does not keep it alive
        # a sample serves as centres: k-means takes minutes and finds no more copies
        self._quantizer.add(everything[np.linspace(0, len(everything) - 1, n_lists).astype(int)])
        index = faiss.IndexBinaryIVF(self._quantizer, 512, n_lists)
        index.is_trained = True
        index.add(everything)
        index.nprobe = PROBES
        return index, np.repeat(np.arange(len(parts)), [len(part) for part in parts])

    def _votes(self, mine):
        """Each keypoint votes for its neighbours: squared margin over the farthest of them."""
        votes, wanted = np.zeros(len(self.paths)), self._descriptors(mine)
        if len(wanted):
            distances, rows = self.index.search(wanted, NEIGHBOURS)
            margin = np.where(rows < 0, 0, distances.max(axis=1, keepdims=True) - distances)
            np.add.at(votes, self.owner[rows], margin.astype(float) ** 2)
        return votes


_SHARED = {}  # the gallery, which forked workers find here: an index is too large to be sent with every task


def searched(make_gallery, queries, folder, n_jobs):
    """The candidates of every query, one CSV per source in `folder`; finished ones are read back."""
    folder.mkdir(parents=True, exist_ok=True)
    todo = [(path, specs) for path, specs in queries if not _file(folder, path).is_file()]
    print(f"{folder.name}: {len(todo)} of {len(queries)} pictures to go", flush=True)
    if todo:
        _SHARED["gallery"] = make_gallery()
        joblib.Parallel(n_jobs=n_jobs, backend="multiprocessing", batch_size=1, verbose=5)(
            joblib.delayed(_search_source)(path, specs, folder) for path, specs in todo
        )
    tables = [pd.read_csv(_file(folder, path), keep_default_na=False) for path, _ in queries]
    return pd.concat(tables, ignore_index=True)


def _file(folder, path):
    return folder / f"{path.replace('/', '__')}.csv"


def _search_source(path, specs, folder):
    gallery = _SHARED["gallery"]
    image = sl.read_image(gallery.root / path)
    tables = [gallery.query(sl.perturb.apply(image, spec)).assign(query=path, perturbation=spec) for spec in specs]
    temporary = folder / f"{_file(folder, path).name}.tmp"
    pd.concat(tables).to_csv(temporary, index=False, float_format="%.6g")
    temporary.replace(_file(folder, path))


def as_scores(found):
    """The candidates as a score table: a copy is a candidate that is the query's own source."""
    table = found.assign(reference=found["candidate"], source_reference=found["candidate"], source_query=found["query"])
    return table.assign(label=(found["candidate"] == found["query"]).astype(int), status="ok")


def image_level(found, distances):
    """One row per query: its smallest distance by each method, and by the ensemble; seconds by step."""
    columns = {**{name: f"nearest_{name}" for name in CHEAP}, "aligned": "aligned", **{n: n for n in distances}}
    table = found.assign(**distances).groupby(["query", "perturbation"], sort=False)
    nearest = table[[*columns.values()]].min().set_axis(list(columns), axis=1)
    return nearest.join(table[["s_hash", "s_extract", "s_vote", "s_check"]].first()).reset_index()


def threshold_at(controls, fpr):
    """The largest value below which at most that share of controls lies; a query is flagged at or below it."""
    values = np.sort(np.asarray(controls, float))
    first_refused = values[int(np.floor(fpr * len(values) + 1e-9))]
    return np.nextafter(first_refused, -np.inf)


def recall_table(queries, controls, methods, n_resamples=400, fpr=FPR, seed=0):
    """Recall by method and attack with 95 % intervals: database and control pictures are resampled."""
    rng, rows = np.random.default_rng(seed), []
    attacks = list(pd.unique(queries["perturbation"]))
    for method in methods:
        hit, miss = (t.pivot(index="query", columns="perturbation", values=method)[attacks].to_numpy() for t in
                     (queries, controls))  # fmt: skip
        values = _recalls(hit, miss, fpr)
        draws = np.array([
            _recalls(hit[rng.integers(len(hit), size=len(hit))], miss[rng.integers(len(miss), size=len(miss))], fpr)
            for _ in range(n_resamples)
        ])  # fmt: skip
        low, high = np.quantile(draws, [0.025, 0.975], axis=0)
        rows += zip([method] * len(values), ["all", *attacks], values, low, high, strict=True)
    return pd.DataFrame(rows, columns=["method", "attack", "recall", "low", "high"])


def _recalls(hit, miss, fpr):
    flagged = hit <= threshold_at(miss.ravel(), fpr)
    return np.append(flagged.mean(), flagged.mean(axis=0))


def split(folder, n_attacked, seed):
    """Database, controls, and those of each that are attacked, by a seeded shuffle of names."""
    paths = rank_by_hash(sl.list_images(folder), seed)
    half = len(paths) // 2
    database, controls = paths[:half], paths[half : 2 * half]
    return database, database[:n_attacked], controls[:n_attacked]


def fit(folder, work, per_picture, n_jobs):
    """An ensemble fitted to other pictures: each attacked in a few ways and searched among all of them."""
    paths = sl.list_images(folder)
    attacks = [spec for spec in sl.perturb.resolve(["attacks58", "standard"]) if spec != "mirror"]
    queries = [(path, rank_by_hash(attacks, path)[:per_picture]) for path in paths]
    make = functools.cache(lambda: Gallery(folder, paths, for_training=True))
    found = searched(make, queries, work / "train", n_jobs)
    ensemble = Ensemble(METHODS).fit(as_scores(found))
    cheap = Ensemble(CHEAP, n_resamples=2).fit(as_scores(found))
    return ensemble, cheap, found


def main():
    options = _options()
    work = Path(options.work)
    start = time.perf_counter()
    ensemble, cheap, train = fit(options.train, work, options.per_picture, options.jobs)
    print(ensemble.report_, f"\n{time.perf_counter() - start:.0f} s", flush=True)
    database, attacked, unrelated = split(options.folder, options.attacked, options.seed)
    make = functools.cache(lambda: Gallery(options.folder, database))
    specs = sl.perturb.resolve("attacks58")
    found = [
        searched(make, [(path, specs) for path in paths], work / name, options.jobs)
        for name, paths in (("database", attacked), ("controls", unrelated))
    ]
    report(ensemble, cheap, train, *found, Path(options.out))


def report(ensemble, cheap, train, database, controls, out):
    """Print and save recall by attack, the summary, and the figure."""
    queries, others, negatives = (
        image_level(table, {"ensemble": ensemble.distance(as_scores(table)), "cheap": cheap.distance(as_scores(table))})
        for table in (database, controls, train[train["candidate"] != train["query"]])
    )
    methods = [*METHODS, "ensemble"]
    recalls = recall_table(queries, others, methods)
    wide = recalls.pivot(index="attack", columns="method", values="recall")[methods]
    wide = wide.loc[["all", *pd.unique(queries["perturbation"])]]
    print(
        f"{queries['query'].nunique()} pictures of the database and {others['query'].nunique()} controls are attacked"
    )
    print(wide.round(3).to_string())
    print(summary(recalls, queries, others, negatives).to_string(index=False))
    print(cascade(queries, others).to_string(index=False))
    print(beside_published(recalls).to_string(index=False))
    recalls.round(4).to_csv(out / "yardstick.csv", index=False)
    draw(wide, out / "yardstick.png")


def summary(recalls, queries, others, negatives):
    """Overall recall, worst attack, the threshold of other pictures with its realised FPR, recall at FPR .0005."""
    rows = []
    for method in pd.unique(recalls["method"]):
        mine = recalls[recalls["method"] == method]
        total, worst = mine[mine["attack"] == "all"].iloc[0], mine.loc[mine["recall"].idxmin()]
        transferred = threshold_at(negatives[method], FPR)
        strict = recall_table(queries, others, [method], fpr=FPR / 10).iloc[0]
        rows.append({
            "method": method, "recall": total["recall"], "low": total["low"], "high": total["high"],
            "worst": worst["recall"], "worst_attack": worst["attack"],
            "transferred_recall": (queries[method] <= transferred).mean(),
            "transferred_fpr": (others[method] <= transferred).mean(),
            "recall@.0005": strict["recall"], "low@.0005": strict["low"], "high@.0005": strict["high"],
        })  # fmt: skip
    return pd.DataFrame(rows).round(4)


def cascade(queries, others):
    """Cheap distances flag what is far within their own threshold; the rest goes the full path."""
    rows, full_cut = [], threshold_at(others["ensemble"], FPR)
    seconds = [t[["s_hash", "s_extract", "s_vote", "s_check"]].sum(axis=1) for t in (queries, others)]
    for share in (0.0, 0.0005, 0.001):
        gate = threshold_at(others["cheap"], share) if share else others["cheap"].min() * 0.5
        early = [t["cheap"] <= gate for t in (queries, others)]
        flagged = [e | (t["ensemble"] <= full_cut) for e, t in zip(early, (queries, others))]
        spent = np.concatenate([np.where(e, t["s_hash"], s) for e, t, s in zip(early, (queries, others), seconds)])
        copies = np.where(early[0], queries["s_hash"], seconds[0])
        rows.append({
            "fpr_of_gate": share, "recall": flagged[0].mean(), "fpr": flagged[1].mean(),
            "full_path_of_copies": 1 - early[0].mean(), "full_path_of_all": 1 - np.concatenate(early).mean(),
            "ms_median_copy": 1000 * np.median(copies), "ms_mean": 1000 * spent.mean(),
            "ms_full_median": 1000 * np.median(np.concatenate(seconds)),
            "ms_full_p95": 1000 * np.quantile(np.concatenate(seconds), 0.95),
        })  # fmt: skip
    return pd.DataFrame(rows).round(4)


def beside_published(recalls):
    """Ours beside the published, for the attacks that are published by name."""
    ours = recalls.pivot(index="attack", columns="method", values="recall")
    table = PUBLISHED.rename(columns={name: f"{name} (published)" for name in ours})
    specs = [spec if spec == "all" else sl.perturb.canonical(spec) for spec in PUBLISHED["spec"]]
    return table.drop(columns="spec").join(ours.reindex(specs).reset_index(drop=True)).round(3)


def draw(wide, path):
    """Recall of every method at every attack, as a picture of numbers."""
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(7.5, 13), layout="constrained")
    ax.imshow(wide.to_numpy(), cmap="cividis", vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(wide.to_numpy()):
        text = f"{value:.2f}".lstrip("0") if value < 0.995 else "1"
        ax.text(column, row, text, ha="center", va="center", fontsize=6.5, color="black" if value > 0.5 else "white")
    names = wide.index.str.replace(r'(, )?(anchor="center"|resize_back=True)', "", regex=True).str.replace("()", "")
    ax.set_yticks(range(len(names)), names, fontsize=7)
    ax.set_xticks(range(wide.shape[1]), wide.columns, rotation=30, ha="left", fontsize=8)
    ax.xaxis.tick_top()
    ax.set_title(f"Recall at image-level FPR {FPR}", fontsize=10)
    figure.savefig(path, dpi=90)


def _options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--train", required=True, help="folder of other pictures that weights are fitted to")
    parser.add_argument("--work", required=True, help="folder that keeps finished parts")
    parser.add_argument("--out", default=".", help="folder for yardstick.csv and yardstick.png")
    parser.add_argument("--attacked", type=int, default=100, help="pictures of each side that are attacked")
    parser.add_argument("--per-picture", type=int, default=4, help="attacks of each training picture")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
