"""Fit the recipe that ships with simlab: to attacked pictures, and to folders of look-alikes.

    python benchmarks/lookalike_kinds.py LOOKALIKES
    python benchmarks/default_recipe.py PICTURES LOOKALIKES --work SCRATCH --save RECIPE.json

PICTURES are attacked and searched among each other, as in ``yardstick.py``; no two may show the
same thing. LOOKALIKES holds folders with ``pictures/`` and ``truth.csv``. All pairs that are copies
count; of the others of a kind a sample.

Printed are, kind by kind, what a recipe fitted without that kind makes of it, beside every single
method, and what is lost without each part. SCRATCH keeps what is finished.
"""

import argparse
import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import yardstick

import simlab as sl
from simlab.tables import rank_by_hash

RECIPE = ["phash(mirror=True)", "correlation(mirror=True)", "aligned", "contradiction"]
OTHERS_OF_A_KIND = 200
FALSE_ALARMS = (0.01, 0.001)


def main():
    options = _options()
    work = Path(options.work)
    work.mkdir(parents=True, exist_ok=True)
    scores = pd.concat(
        [
            _scored(work, "pictures", lambda: _attacked(options.pictures, work)),
            _scored(work, "lookalikes", lambda: _lookalikes(Path(options.lookalikes))),
        ],
        ignore_index=True,
    )
    print(kind_by_kind(scores).round(3).to_string(), flush=True)
    ensemble = sl.Ensemble(RECIPE).fit(scores)
    print(ensemble.report_)
    print(ensemble.ablation().round(4).to_string(index=False))
    if options.save:
        ensemble.save(options.save)


def _scored(work, name, make):
    """A score table, kept in `work`; its pairs are made where there is none."""
    path = work / f"{name}.csv"
    if not path.is_file():
        pairs, root = make()
        search = {"root": root, "cache": work / "train.sqlite", "progress": False}
        scores = sl.score_pairs(pairs, [*yardstick.SINGLE, *RECIPE], **search)
        scores.to_csv(path, index=False)
    return pd.read_csv(path, keep_default_na=False)


def _attacked(folder, work):
    yardstick.shrunk(folder, work / "train")
    pairs = yardstick.training_pairs(work / "train", work, 4)
    return pairs.assign(kind="pictures"), work / "train"


def _lookalikes(folder):
    """All copies of every kind, and a sample of its other pairs."""
    tables = []
    for truth in sorted(folder.glob("*/truth.csv")):
        kind = truth.parent.name
        shown = pd.read_csv(truth, dtype=str).set_index("file")["group"]
        copies = []
        others = []
        for pair in itertools.combinations(shown.index, 2):
            same = shown[pair[0]] == shown[pair[1]]
            (copies if same else others).append(pair)
        pairs = [*copies, *rank_by_hash(others, kind)[:OTHERS_OF_A_KIND]]
        table = pd.DataFrame(pairs, columns=["reference", "query"])
        sources = {file: f"{kind}/{group}" for file, group in shown.items()}
        for side in ("reference", "query"):
            table[f"source_{side}"] = table[side].map(sources)
            table[side] = f"{kind}/pictures/" + table[side]
        tables.append(table.assign(kind=kind))
    pairs = pd.concat(tables, ignore_index=True)
    label = (pairs["source_reference"] == pairs["source_query"]).astype(int)
    return pairs.assign(label=label, weight=1.0, perturbation="", seed=0), folder


def kind_by_kind(scores):
    """For every kind the AUC and the TPR of a recipe that never saw it, and of single methods."""
    rows = []
    for kind in scores["kind"].unique():
        held_out = scores["kind"] == kind
        trained = sl.Ensemble(RECIPE, n_resamples=0).fit(scores[~held_out])
        there = scores[held_out].assign(ensemble=trained.distance(scores[held_out]))
        rows.append({"kind": kind, **_tpr(there, ["ensemble", *yardstick.SINGLE, "contradiction"])})
    return pd.DataFrame(rows).set_index("kind")


def _tpr(scores, methods):
    label = scores["label"] == 1
    row = {"copies": int(label.sum()), "others": int((~label).sum())}
    weight = scores.loc[~label, "weight"].to_numpy(float)
    for method in methods:
        near = scores.loc[label, method].to_numpy(float)
        others = scores.loc[~label, method].to_numpy(float)
        order = np.argsort(others)
        rate = np.cumsum(weight[order]) / weight.sum()
        threshold = others[order][min(np.searchsorted(rate, 0.01), len(order) - 1)]
        row[method] = float((near < threshold).mean())
    return row


def _options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("pictures")
    parser.add_argument("lookalikes")
    parser.add_argument("--work", required=True, help="folder that keeps finished parts")
    parser.add_argument("--save", help="where the recipe goes")
    return parser.parse_args()


if __name__ == "__main__":
    main()
