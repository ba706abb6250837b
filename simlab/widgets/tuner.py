"""The tuner: weights, threshold, prevalence and collection size on sliders, and what they lead to
beside them.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from pandas import DataFrame

from simlab import evaluation, plots
from simlab.ensemble import Ensemble
from simlab.ensemble.model import NAME
from simlab.evaluation.sample import read
from simlab.paths import AnyPath, Json
from simlab.report.sentences import interval
from simlab.search.judging import loaded
from simlab.tables import root_of
from simlab.widgets import workbench

BORDER = 3
"""Pairs shown on each side of the threshold."""

_RESAMPLES = 200


class Tune(workbench.Workbench):
    """An ensemble weighed by hand, and its threshold at work.

    The choice: weights (method → 0 or more), threshold (a distance), prevalence (share of copies
    among the pairs that are looked at) and n_pictures (of a collection in which every two are
    compared).

    Args:
        scores: as from :func:`simlab.score_pairs`; its index must not repeat.
        ensemble: a fitted one; None fits one to `scores`, which then are no test of it.
        root: folder of the pictures; by default ``scores.attrs["root"]``.
        path: where the recipe is saved to, unless another is typed in.

    Attributes:
        fitted: the ensemble that :meth:`fit` goes back to.
    """

    def __init__(
        self,
        scores: DataFrame,
        ensemble: Ensemble | None = None,
        *,
        root: AnyPath | None = None,
        path: AnyPath = "recipe.json",
    ):
        self.fitted = Ensemble().fit(scores) if ensemble is None else loaded(ensemble)
        self._scores = read(scores, self.fitted.methods_).table
        self._root = root_of(scores, root)
        self._singles = evaluation.roc_curve(self._scores, self.fitted.methods_)
        note = ""
        if ensemble is None:
            told = self.fitted.report_.splitlines()[0]
            note = f"It was fitted to these pairs; of new ones expect less. {told}"
        fitted = self.fitted.weights_.set_index("method")["weight"].to_dict()
        data = {
            "curves": workbench.curves(self._singles),
            "path": str(path),
            "note": note,
            "weights": fitted,
        }
        choice = {
            "threshold": self.fitted.thresholds_.get("0.01", 0.5),
            "prevalence": 0.001,
            "n_pictures": 1000,
            "weights": fitted,
        }
        between = pd.Interval(0, 1, closed="neither")
        allowed = {
            "threshold": between,
            "prevalence": between,
            "n_pictures": range(2, 10**8),
            "weights": None,
        }
        super().__init__("tune", "tuner.js", data, choice, allowed)

    @property
    def weights(self) -> dict[str, float]:
        """The weight of each method; what is set may be some of them."""
        return self.choice["weights"]

    @weights.setter
    def weights(self, weights: Mapping[str, float]) -> None:
        self.fitted.reweighed(weights, self._scores)  # refuses what cannot be
        self.choose(weights=self.weights | dict(weights))

    @property
    def ensemble(self) -> Ensemble:
        """The ensemble with the weights that are chosen."""
        self._latest.wait()
        return self._tuned

    def fit(self) -> None:
        """Go back to the fitted weights."""
        self.weights = self._page.data["weights"]

    def save(self, path: AnyPath) -> None:
        """Write the recipe with the weights that are chosen, for :meth:`simlab.Ensemble.load`."""
        self.ensemble.save(path)
        self.say(f"saved to {path}")

    def _act(self, action: str, row: str) -> None:
        self.save(row)

    def figure(self) -> Figure:
        """Return the ROC with the threshold marked, the numbers, and the pairs at the border."""
        self._latest.wait()
        view = self._page.view
        figure = Figure(figsize=(11, 10), layout="constrained")
        grid = figure.add_gridspec(2, 1, height_ratios=[4.4, 5])
        roc = figure.add_subplot(grid[0])
        plots.plot_roc(pd.concat([self._curve, self._singles]), ax=roc)
        roc.plot(*view["at"], "o", color="black", markersize=8)
        words = [plots.label(line, limit=150) for line in view["words"]]
        figure.suptitle(
            "\n".join(words), x=0.01, ha="left", fontsize=10, fontfamily=plots.style.families()
        )
        title = "The last pairs called copies, and the first that are not"
        workbench.draw_cards(self._page.cards, self._border, self._root, title, figure, grid[1])
        return figure

    def _work(self, choice: Json) -> Iterator[Json]:
        tuned = self.fitted.reweighed(choice["weights"], self._scores)
        table = self._scores.assign(**{NAME: tuned.distance(self._scores)})
        curve = evaluation.roc_curve(table, [NAME])
        yield {"view": self._view(table, curve, choice), "_tuned": tuned, "_curve": curve}
        border = _border(table, choice["threshold"])
        yield {"cards": self._cards(border, tuned), "_border": border}

    def _view(self, table: DataFrame, curve: DataFrame, choice: Json) -> Json:
        """Return what a threshold does, and the threshold of every method at the same FPR."""
        threshold = choice["threshold"]
        found = evaluation.at_threshold(table, NAME, threshold, n_resamples=_RESAMPLES)
        row = found.iloc[0]
        fpr = min(max(row["fpr"], 1 / row["n_negative"]), 0.999)
        judged = evaluation.judge(table, self.fitted.methods_, fpr=fpr)
        thresholds = {**judged.attrs["thresholds"], NAME: threshold}
        counted = ("found", "missed", "false_alarms", "rejected")
        return {
            "at": [fpr, row["tpr"]],
            "counts": {name: int(row[name]) for name in counted},
            "words": _words(found, choice),
            "curve": workbench.curves(curve)["series"][0],
            "thresholds": workbench.json_numbers(thresholds),
        }

    def _cards(self, border: DataFrame, tuned: Ensemble) -> list[Json]:
        cards = []
        evidence = tuned.evidence(border)
        for (row, pair), (_, nats) in zip(border.iterrows(), evidence.iterrows()):
            card = workbench.card(row, pair, self._root, [NAME, *self.fitted.methods_])
            card["note"] = _note(nats)
            cards.append(card)
        return cards


def _border(table: DataFrame, threshold: float) -> DataFrame:
    """Return the last pairs called copies and the first that are not."""
    order = table.sort_values(NAME, kind="stable")
    place = int(order[NAME].searchsorted(threshold, "right"))
    return order.iloc[max(place - BORDER, 0) : place + BORDER]


def _note(evidence: pd.Series) -> str:
    """Return what speaks loudest for or against a copy."""
    loudest = evidence.sort_values(key=abs, ascending=False)[:2]
    return ", ".join(f"{name} {nats:+.1f}" for name, nats in loudest.items()) + " nats"


def _words(found: DataFrame, choice: Mapping[str, Any]) -> list[str]:
    """Return what a threshold does, in sentences: on these pairs, and where copies are rare.

    The last is about a collection.
    """
    row = found.iloc[0]
    rare = evaluation.prevalence_table(found, shares=[choice["prevalence"]]).iloc[0]
    many = evaluation.collection_table(found, n_pictures=[choice["n_pictures"]]).iloc[0]
    recall = interval(row, "tpr", ".3f")
    fpr = interval(row, "fpr", ".2g")
    precision = interval(rare, "precision", ".2g")
    if row["false_alarms"] == 0:
        precision = f"at least {rare['low']:.2g}"
    alarms = interval(many, "false_alarms", ",.0f")
    return [
        f"At most {row['threshold']:.3g} apart is a copy: {recall} of the copies are found, "
        f"at a false positive rate of {fpr}.",
        f"Where one pair in {1 / choice['prevalence']:,.0f} is a copy, "
        f"the precision is {precision}.",
        f"Between {many['n_pictures']:,} pictures there are {many['n_pairs']:,} pairs, "
        f"and {alarms} false alarms are to be expected.",
    ]
