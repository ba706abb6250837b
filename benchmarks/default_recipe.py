"""Fit the recipe that ships with simlab: to attacked pictures, and to folders of look-alikes.

    python benchmarks/lookalike_kinds.py LOOKALIKES
    python benchmarks/default_recipe.py PICTURES LOOKALIKES --work SCRATCH --save RECIPE.json

PICTURES are attacked as in ``yardstick.py``, and searched among each other: to these the weights
are fitted. LOOKALIKES holds folders with ``pictures/`` and ``truth.csv``: to these the guard is,
and to the copies of the former. All pairs that are copies count; of the others of a kind a sample.

Printed are, kind by kind, what a recipe whose guard never saw that kind makes of it, without a
guard, and by single methods. With ``--ablation`` it is what each part adds instead, and nothing is
saved. SCRATCH keeps what is finished.
"""

import argparse
import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import yardstick
from attacked_pairs import drawn, shrunk, training_pairs
from scipy.special import expit, logit

import simlab as sl
from simlab.scoring.audit import audit_sources

WEIGHED = [
    "phash(orientations=8, inner=True)",
    "correlation(orientations=8, inner=True)",
    "aligned(orientations=8)",
]
GUARD = "contradiction(orientations=8)"
OTHERS_OF_A_KIND = 200
WHOLE = "ensemble of all"
THE_SAME = 0.003
"""Different pictures that contradict each other less are one picture under two names."""


def main():
    options = _options()
    work = Path(options.work)
    work.mkdir(parents=True, exist_ok=True)
    pictures = _scored(work, "pictures", lambda: _attacked(options.pictures, work))
    lookalikes = _scored(work, "lookalikes", lambda: _lookalikes(Path(options.lookalikes)))
    pictures = without_doubles(pictures, work)
    if options.ablation:
        show_ablation(pictures, lookalikes)
        return

    weighed = sl.Ensemble(WEIGHED).fit(pictures)
    print(weighed.report_, flush=True)
    copies = pictures[pictures["label"] == 1]
    print(kind_by_kind(weighed, copies, lookalikes).round(3).to_string(), flush=True)
    guarded = weighed.guarded(GUARD, pd.concat([copies, lookalikes], ignore_index=True))
    for n_pictures in (200, 2000, 20000):
        found = [
            (ensemble.probability(copies, prior=1 / n_pictures) > 0.5).mean()
            for ensemble in (weighed, guarded)
        ]
        print(f"copies found among {n_pictures:,} pictures: {found[0]:.3f}, guarded {found[1]:.3f}")
    if options.save:
        guarded.save(options.save)


def _scored(work, name, make):
    """A score table, kept in `work`; its pairs are made where there is none."""
    path = work / f"{name}.csv"
    if not path.is_file():
        pairs, root = make()
        search = {"root": root, "cache": work / "train.sqlite", "progress": False}
        methods = [*yardstick.SINGLE, *WEIGHED, GUARD]
        sl.score_pairs(pairs, methods, **search).to_csv(path, index=False)
    return sl.tables.read_scores(path)


def _attacked(folder, work):
    shrunk(folder, work / "train")
    pairs = training_pairs(work / "train", work, 4)
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
        pairs = [*copies, *drawn(others, kind)[:OTHERS_OF_A_KIND]]
        table = pd.DataFrame(pairs, columns=["reference", "query"])
        sources = {file: f"{kind}/{group}" for file, group in shown.items()}
        for side in ("reference", "query"):
            table[f"source_{side}"] = table[side].map(sources)
            table[side] = f"{kind}/pictures/" + table[side]
        tables.append(table.assign(kind=kind))
    pairs = pd.concat(tables, ignore_index=True)
    label = (pairs["source_reference"] == pairs["source_query"]).astype(int)
    return pairs.assign(label=label, weight=1.0, perturbation="", seed=0), folder


def without_doubles(scores, work):
    """The pairs without sources that another source shows too, as hashes or contradiction say."""
    near = audit_sources(work / "train", cache=work / "train.sqlite", progress=False)
    pairs = set(zip(near["reference"], near["query"]))
    silent = scores["no_evidence"].str.contains(GUARD, regex=False)
    same = scores[(scores["label"] == 0) & ~silent & (scores[GUARD] <= THE_SAME)]
    pairs |= set(zip(same["source_reference"], same["source_query"]))
    dropped = set()
    while left := [pair for pair in pairs if not dropped.intersection(pair)]:
        names = pd.Series(list(itertools.chain(*left))).value_counts()
        dropped.add(max(names.index[names == names.max()]))
    print(f"{len(dropped)} sources are shown by others as well: {', '.join(sorted(dropped))}")
    sides = scores[["source_reference", "source_query"]]
    return scores[~sides.isin(dropped).any(axis=1)].reset_index(drop=True)


def kind_by_kind(weighed, copies, lookalikes):
    """What is found of each kind among as many pictures as it has, in shares and counts."""
    rows = []
    for kind, there in lookalikes.groupby("kind"):
        others = pd.concat([copies, lookalikes.drop(there.index)], ignore_index=True)
        guarded = weighed.guarded(GUARD, others)
        files = pd.unique(there[["reference", "query"]].to_numpy().ravel())
        row = {"kind": kind, "copies": int(there["label"].sum())}
        for name, ensemble in (("guarded", guarded), ("weighed", weighed)):
            probability = ensemble.probability(there, prior=1 / (len(files) - 1))
            row |= _found(name, there["label"] == 1, probability > 0.5, len(files))
        row |= {method: _tpr(there, method) for method in [*yardstick.SINGLE, GUARD]}
        rows.append(row)
    return pd.DataFrame(rows).set_index("kind")


def show_ablation(pictures, lookalikes):
    """Print what is lost without each part: on every kind, on all kinds, on attacked pictures.

    No kind is judged by a guard that saw it, and no attacked picture by weights that saw it.
    """
    recipes = {WHOLE: (WEIGHED, GUARD)}
    for method in WEIGHED:
        recipes[f"without {method}"] = ([other for other in WEIGHED if other != method], GUARD)
    recipes[f"without {GUARD}"] = (WEIGHED, None)
    columns = {}
    for name, (methods, guard) in recipes.items():
        weighed = sl.Ensemble(methods, n_resamples=0).fit(pictures)
        judged = weighed if guard is None else weighed.guarded(guard, lookalikes)
        columns[name] = weighed.guarded_as(judged).out_of_fold_ if guard else weighed.out_of_fold_
        lookalikes[name] = _distance_of_unseen_kinds(weighed, guard, pictures, lookalikes)
    pictures = pictures.assign(**{name: table["ensemble"] for name, table in columns.items()})

    rows = []
    for kind, there in lookalikes.groupby("kind"):
        singles = {method: _tpr(there, method) for method in [*yardstick.SINGLE, *WEIGHED, GUARD]}
        best = max(singles, key=singles.get)
        row = {"kind": kind, "copies": int(there["label"].sum())}
        row |= {name: _tpr(there, name) for name in recipes}
        rows.append(row | {"best single": singles[best], "which": best})
    print("TPR at FPR .01")
    print(pd.DataFrame(rows).set_index("kind").round(2).to_string(), flush=True)
    # found and false at .5: at the priors of the folders, and at that of training
    for name, table in (("look-alikes of all kinds", lookalikes), ("attacked", pictures)):
        print(f"\n{name}: {table['label'].sum()} copies, {(table['label'] == 0).sum()} others")
        print(_losses(table, [*recipes, *WEIGHED, GUARD]).round(3).to_string(), flush=True)


def _distance_of_unseen_kinds(weighed, guard, pictures, lookalikes):
    """1 - probability at the prior of the pair's folder, by a guard that never saw its kind."""
    distance = pd.Series(0.0, lookalikes.index)
    copies = pictures[pictures["label"] == 1]
    for _, there in lookalikes.groupby("kind"):
        judged = weighed
        if guard is not None:
            others = pd.concat([copies, lookalikes.drop(there.index)], ignore_index=True)
            judged = weighed.guarded(guard, others)
        prior = 1 / (there[["reference", "query"]].stack().nunique() - 1)
        log_odds = judged.evidence(there, prior=prior).sum(axis=1) + logit(prior)
        distance[there.index] = expit(-log_odds)
    return distance


def _losses(scores, names):
    """Of each column of distances what the whole recipe has more, with an interval of 95 %."""
    rows = []
    for name in names:
        compared = sl.evaluation.compare(scores, WHOLE, name, among=names).iloc[0]
        row = {"by": name, "TPR at FPR .01": compared["b"], "lost": compared["difference"]}
        row |= {"low": compared["low"], "high": compared["high"]}
        if "ensemble" in name or name.startswith("without"):
            found = scores[name] < 0.5
            row |= {"found": (found & (scores["label"] == 1)).sum()}
            row |= {"false": (found & (scores["label"] == 0)).sum()}
        rows.append(row)
    return pd.DataFrame(rows).set_index("by")


def _found(name, is_copy, is_found, n_files):
    """Recall, and precision as if all pairs of the folder had been scored."""
    n_others = n_files * (n_files - 1) / 2 - is_copy.sum()
    false = (is_found & ~is_copy).sum() * n_others / max(1, (~is_copy).sum())
    right = (is_found & is_copy).sum()
    return {
        f"{name} recall": right / is_copy.sum(),
        f"{name} precision": right / (right + false) if right else 0.0,
    }


def _tpr(scores, method):
    """Share of the copies nearer than all but 1 % of the others."""
    near = scores.loc[scores["label"] == 1, method]
    far = np.sort(scores.loc[scores["label"] == 0, method])
    return float((near < far[int(0.01 * len(far))]).mean())


def _options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("pictures")
    parser.add_argument("lookalikes")
    parser.add_argument("--work", required=True, help="folder that keeps finished parts")
    parser.add_argument("--save", help="where the recipe goes")
    parser.add_argument("--ablation", action="store_true", help="print what each part adds")
    return parser.parse_args()


if __name__ == "__main__":
    main()
