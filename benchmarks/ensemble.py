"""The ensemble against other ways to combine the same distances, what each method adds, and what it
all costs.

    python benchmarks/ensemble.py FOLDER --cache SCRATCH.sqlite         your own pictures
    python benchmarks/ensemble.py --costs benchmarks/ensemble_costs.csv  the sample, and costs
    python benchmarks/ensemble.py --scores scores.csv                   a study's scores

All numbers are out of fold: five folds of sources, two held out at a time. Rules and boosting are
here to be compared with only: boosting is the mark to reach, rules are what one does without
labels.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from cost import cost_table
from sklearn.ensemble import HistGradientBoostingClassifier

import simlab as sl
from simlab.ensemble import Ensemble

METHODS = ["phash", "dhash", "average_hash", "whash", "correlation", "aligned"]
SMALL = ["phash", "dhash", "akaze"]  # of the notebooks
SMALL_HASHES = ["phash", "dhash"]
ALL = list(dict.fromkeys([*METHODS, *SMALL]))
METRICS = ("roc_auc", "tpr@fpr=0.01", "tpr@fpr=0.001")


def main():
    options = _options()
    scores = sl.tables.read_scores(options.scores) if options.scores else _scores(options)
    ensemble = Ensemble(METHODS).fit(scores)
    table = rivals(ensemble)
    print(ensemble.report_)
    _show("other ways to combine", table)
    _show("reliability, out of fold", ensemble.reliability())
    _show("the same were one pair in twenty a copy", ensemble.reliability(prior=0.05))
    _show("without one method", ensemble.ablation())
    if not options.scores:
        costs = priced(scores, ensemble)
        _show("cost", costs)
        if options.costs:
            costs.round(6).to_csv(options.costs, index=False)
    _show("an attack never seen", ensemble.leave_one_perturbation_out())
    if options.out:
        table.round(4).to_csv(options.out, index=False)


def _show(title, table):
    print(f"\n{title}\n{table.round(4).to_string(index=False)}", flush=True)


def _scores(options):
    pairs = sl.make_pairs(
        options.folder or sl.datasets.load_sample(),
        options.perturbations,
        negatives=options.negatives,
    )
    return sl.score_pairs(pairs, ALL, cache=options.cache, n_jobs=options.jobs, progress=False)


def rivals(ensemble):
    """TPR of the ensemble, of each method, of rules and of monotone boosting, on the same folds."""
    data, rows = ensemble._data, ensemble.out_of_fold_
    found = {
        "ensemble": rows["ensemble"].to_numpy(),
        **{name: rows[name].to_numpy() for name in ensemble.methods_},
    }
    ranks, boosted = np.zeros(data.X.shape), np.zeros(len(data.label))
    for train, test in data.held_out():
        ranks[test] = _false_positive_rates(data, train, test)
        model = HistGradientBoostingClassifier(monotonic_cst=[-1] * data.X.shape[1], random_state=0)
        boosted[test] = -model.fit(data.X[train], data.label[train]).decision_function(data.X[test])
    found |= {
        "any (least FPR)": np.nanmin(ranks, axis=1),
        "all (largest FPR)": np.nanmax(ranks, axis=1),
    }
    found |= {"mean of ranks": np.nanmean(ranks, axis=1), "monotone boosting": boosted}
    table = rows.drop(columns=[*ensemble.methods_, "ensemble"]).assign(no_evidence="", **found)
    table.attrs["methods"] = list(found)
    metrics = sl.evaluate(table, list(found), metrics=METRICS, n_resamples=0)
    return (
        metrics.pivot(index="method", columns="metric", values="value")
        .loc[list(found)]
        .reset_index()
    )


def _false_positive_rates(data, train, test):
    """Each distance as the share of the training non-copies that are as near: comparable between
    methods.
    """
    others = np.sort(data.X[train & ~data.label], axis=0)
    columns = zip(data.X[test].T, others.T)
    rates = [
        np.where(np.isnan(x), np.nan, np.searchsorted(o[~np.isnan(o)], x, "right") / len(o))
        for x, o in columns
    ]
    return np.column_stack(rates)


def priced(scores, ensemble):
    """What each method and the ensemble reach, and what they cost; costs alone of the
    smaller sets.
    """
    rows = scores.loc[ensemble.out_of_fold_.index].assign(
        ensemble=ensemble.out_of_fold_["ensemble"]
    )
    reached = sl.evaluate(rows, [*ALL, "ensemble"], metrics=METRICS[1:])
    columns = ["method", "metric", "value", "low", "high", "n_positive", "n_negative"]
    return _cost(scores).merge(reached[columns], on="method", how="left")


def _cost(scores, n=6):
    """Milliseconds and bytes on a few pictures."""
    paths = pd.unique(scores["reference"])[:n]
    images = [sl.read_image(Path(scores.attrs["root"], path)) for path in paths]
    sets = {method: [method] for method in ALL}
    sets["ensemble"] = METHODS
    sets["small hashes"] = SMALL_HASHES
    sets["small ensemble"] = SMALL
    return cost_table(images, sets)


def _options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "folder", nargs="?", help="pictures, no two of the same thing; the sample by default"
    )
    parser.add_argument("--scores", help="CSV of a score table with these methods")
    parser.add_argument("--perturbations", default="standard")
    parser.add_argument("--negatives", type=int, default=3000)
    parser.add_argument("--cache")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--costs", help="CSV of the costs")
    parser.add_argument("--out", help="CSV of the first table")
    return parser.parse_args()


if __name__ == "__main__":
    main()
