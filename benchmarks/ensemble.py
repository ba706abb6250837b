"""The ensemble against other ways to combine the same distances, what each method adds, and what it all costs.

    python benchmarks/ensemble.py FOLDER --cache SCRATCH.sqlite        your own pictures
    python benchmarks/ensemble.py                                      the sample
    python benchmarks/ensemble.py --scores scores.csv                  a study's score table, without costs

All numbers are out of fold: five folds of sources, two held out at a time. Rules and boosting are here to be compared
with only: boosting is the mark to reach, rules are what one does without labels.
"""

import argparse
import time

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier

import simlab as sl
from simlab.ensemble import Ensemble
from simlab.methods import extract_all, resolve

METHODS = ["phash", "dhash", "average_hash", "whash", "correlation", "aligned"]
METRICS = ("roc_auc", "tpr@fpr=0.01", "tpr@fpr=0.001")


def main():
    options = _options()
    scores, costs = _scores(options)
    ensemble = Ensemble(METHODS).fit(scores)
    table = rivals(ensemble)
    print(ensemble.report_)
    _show("other ways to combine", table)
    _show("reliability, out of fold", ensemble.reliability())
    _show("without one method", ensemble.ablation())
    _show("cascade", pd.DataFrame([Ensemble(METHODS, cascade=True).fit(scores).cascade_]))
    _show("cost", costs)
    _show("an attack never seen", ensemble.leave_one_perturbation_out())
    if options.out:
        table.round(4).to_csv(options.out, index=False)


def _show(title, table):
    print(f"\n{title}\n{table.round(4).to_string(index=False)}", flush=True)


def _scores(options):
    if options.scores:
        return sl.tables.read_scores(options.scores), pd.DataFrame()
    images = options.folder or sl.datasets.load_sample()
    pairs = sl.make_pairs(images, options.perturbations, negatives=options.negatives)
    scores = sl.score_pairs(pairs, METHODS, cache=options.cache, n_jobs=options.jobs, progress=False)
    return scores, cost(pairs, scores)


def rivals(ensemble):
    """TPR of the ensemble, of each method, of rules and of monotone boosting, on the same folds."""
    data, rows = ensemble._data, ensemble.out_of_fold_
    found = {"ensemble": rows["ensemble"].to_numpy(), **{name: rows[name].to_numpy() for name in ensemble.methods_}}
    ranks, boosted = np.zeros(data.X.shape), np.zeros(len(data.label))
    for train, test in data.held_out():
        ranks[test] = _false_positive_rates(data, train, test)
        model = HistGradientBoostingClassifier(monotonic_cst=[-1] * data.X.shape[1], random_state=0)
        boosted[test] = -model.fit(data.X[train], data.label[train]).decision_function(data.X[test])
    found |= {"any (least FPR)": np.nanmin(ranks, axis=1), "all (largest FPR)": np.nanmax(ranks, axis=1)}
    found |= {"mean of ranks": np.nanmean(ranks, axis=1), "monotone boosting": boosted}
    table = rows.drop(columns=[*ensemble.methods_, "ensemble"]).assign(no_evidence="", **found)
    table.attrs["methods"] = list(found)
    metrics = sl.evaluate(table, list(found), metrics=METRICS, n_resamples=0)
    return metrics.pivot(index="method", columns="metric", values="value").loc[list(found)].reset_index()


def _false_positive_rates(data, train, test):
    """Each distance as the share of the training non-copies that are as near: comparable between methods."""
    others = np.sort(data.X[train & ~data.label], axis=0)
    columns = zip(data.X[test].T, others.T)
    rates = [np.where(np.isnan(x), np.nan, np.searchsorted(o[~np.isnan(o)], x, "right") / len(o)) for x, o in columns]
    return np.column_stack(rates)


def cost(pairs, scores, n=8):
    """Milliseconds by picture and by pair on one core, bytes by picture, and the TPR they buy."""
    root, paths = pairs.attrs["root"], list(dict.fromkeys(pairs["reference"]))[:n]
    images, rows = [sl.read_image(f"{root}/{path}") for path in paths], []
    metrics = sl.evaluate(scores, METHODS, n_resamples=0)
    for method in resolve(METHODS):
        start = time.process_time()
        packed = [extract_all(image, [method.feature])[method.feature.key] for image in images]
        middle = time.process_time()
        for one in packed:
            method.distance(packed[0], one)
        end = time.process_time()
        tpr = metrics.query("method == @method.name and metric == 'tpr@fpr=0.001'")["value"].iloc[0]
        sizes = np.mean([len(value) for value in packed])
        rows.append((method.name, 1000 * (middle - start) / n, 1000 * (end - middle) / n, sizes, tpr))
    return pd.DataFrame(rows, columns=["method", "ms_per_picture", "ms_per_pair", "bytes", "tpr@fpr=0.001"])


def _options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", help="pictures, no two of the same thing; the sample by default")
    parser.add_argument("--scores", help="CSV of a score table with these methods")
    parser.add_argument("--perturbations", default="standard")
    parser.add_argument("--negatives", type=int, default=3000)
    parser.add_argument("--cache")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", help="CSV of the first table")
    return parser.parse_args()


if __name__ == "__main__":
    main()
