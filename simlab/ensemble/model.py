"""The ensemble on score tables: fit, read the weights, apply, save."""

import contextlib
import hashlib
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from sklearn.exceptions import NotFittedError

from simlab import evaluation, specs, tables
from simlab.ensemble import recipe, validation
from simlab.evaluation.resampling import wilson
from simlab.methods import registry
from simlab.perturb import kind

NAME = tables.FITTED
"""Column of the ensemble's distance."""

METRICS = {"0.01": "tpr@fpr=0.01", "0.001": "tpr@fpr=0.001"}
"""For these false positive rates a recipe holds thresholds, where there are enough non-copies."""


class Ensemble:
    """Weights for methods, learnt from labelled pairs; then one more distance, and the probability of a copy.

    Each method's distance is calibrated to evidence (nats, falling), the evidence is weighed (no weight is
    negative) and added up. A method without evidence abstains. How good it is, is measured out of fold: every pair
    is scored by a model that saw neither of its two sources.

    Args:
        methods: columns of the score table, as in :func:`simlab.methods.columns`; None for those that name a method.
            An ensemble's own columns are never among them.
        folds: of sources. Two are held out at a time, so there are folds·(folds + 1)/2 fits.
        n_resamples: resamples of sources behind the intervals.
        seed: of folds and resamples.

    Attributes:
        methods_: the methods, in order.
        weights_: table: method, weight, share (of all weights), low, high (95 % interval of the share; sources
            resampled, calibrations kept).
        out_of_fold_: the rows fitted to, with the column "ensemble": out-of-fold distance.
        metric_: what methods are compared by: TPR at FPR .01; ROC AUC where the non-copies are too few for it.
        comparison_: best (single method), ensemble and single (their metric), difference, low, high (95 %, corrected
            for every two of the methods and the ensemble, as :func:`simlab.evaluation.rank` does).
        thresholds_: distance by false positive rate, such as ``{"0.01": 0.3}``, out of fold.
        prevalence_: share of copies in training.
        training_: what it was fitted to: counts, perturbations, a digest of the table.
        report_: all that in words; the first line says whether the ensemble beats the best single method.
    """

    def __init__(
        self,
        methods: str | Iterable[str] | None = None,
        *,
        folds: int = 5,
        n_resamples: int = 300,
        seed: int = 0,
    ):
        # two are held out at a time, and something must be left to train on
        specs.check_number("folds", folds, 3, whole=True)
        specs.check_number("n_resamples", n_resamples, 0, whole=True)
        specs.check_number("seed", seed, 0, whole=True)
        self.methods, self.folds = methods, folds
        self.n_resamples, self.seed = n_resamples, seed

    def __getattr__(self, name: str) -> Any:
        # asked only where the attribute is absent
        if name.startswith("__") or not (name.endswith("_") or name == "_data"):
            raise AttributeError(f"an ensemble has no attribute {name!r}")
        if "classifier_" in vars(self):
            words = "it comes from a recipe, which does not hold the pairs that it was fitted to"
        else:
            words = "the ensemble is not fitted; call fit(scores) first"
        raise NotFittedError(f"no {name!r}: {words}")

    def fit(self, scores: pd.DataFrame) -> "Ensemble":
        """Return the ensemble, fitted to a score table; rows with status "error" are left out.

        Raises:
            ValueError: a method has no column, a class is missing, a distance is NaN in a row that is no error, or
                the sources are too few for the folds.
        """
        self.methods_ = registry.columns(scores, self.methods, fitted=False)
        rows = _usable(scores, self.methods_)
        data = validation.sample(rows, self.methods_, folds=self.folds, seed=self.seed)
        specs_used = (
            rows["perturbation"].astype(str)
            if "perturbation" in rows
            else pd.Series("", index=rows.index)
        )
        self._data, self._kinds = (
            data,
            specs_used.map({s: kind(s) for s in specs_used.unique()}).to_numpy(),
        )
        held_out = validation.out_of_fold(data)
        self.classifier_ = data.fit()
        self.prevalence_ = self.classifier_.prevalence_
        self.out_of_fold_ = rows.assign(**{NAME: expit(-held_out - logit(self.prevalence_))})
        self.metric_ = self._metric()
        self.weights_ = self._weights()
        self.comparison_ = self._comparison()
        self.thresholds_ = _thresholds(self.out_of_fold_)
        self.training_ = self._training(rows)
        self.report_ = self._report()
        return self

    def evidence(self, scores: pd.DataFrame) -> pd.DataFrame:
        """Return what each method says for a copy (above 0) or against it, weighed, in nats; NaN in rows of errors.

        A method without evidence, or without a distance in a row that is no error, abstains: 0.
        """
        registry.columns(scores, self.methods_)
        X = validation.evidence_columns(scores, self.methods_)
        said = self.classifier_.evidence(X)
        found = pd.DataFrame(said, index=scores.index, columns=self.methods_)
        return found.mask(scores["status"] == "error") if "status" in scores else found

    def distance(self, scores: pd.DataFrame) -> pd.Series:
        """Return 1 - probability of a copy at the training prevalence, per row, named "ensemble"; NaN for errors.

        It is computed from the log odds, so that near copies stay apart (1e-9 is not rounded to 0).
        """
        odds = self.evidence(scores).sum(axis=1, skipna=False) + logit(self.prevalence_)
        return pd.Series(expit(-odds), index=scores.index, name=NAME)

    def probability(self, scores: pd.DataFrame, *, prior: float | None = None) -> pd.Series:
        """Return the probability of a copy per row, NaN for errors.

        Args:
            prior: share of copies among the pairs that are looked at; None for the training prevalence. Among all
                pairs of 2,000 pictures a copy is far rarer than in a study.

        Raises:
            ValueError: `prior` is not in (0, 1).
        """
        prior = self.prevalence_ if prior is None else prior
        specs.check_number("prior", prior, 0, 1, within=True)
        odds = self.evidence(scores).sum(axis=1, skipna=False) + logit(prior)
        return pd.Series(expit(odds), index=scores.index, name="probability")

    def reweighed(self, weights: Mapping[str, float], scores: pd.DataFrame) -> "Ensemble":
        """Return this ensemble with weights set by hand, and with the thresholds that these give on `scores`.

        Methods that are not named keep theirs. What comes back can be applied and saved; its
        probabilities are no longer calibrated.

        Raises:
            ValueError: an unknown method, or a weight that is negative or not finite.
        """
        for method, weight in weights.items():
            if method not in self.methods_ or not 0 <= weight < np.inf:
                allowed = f"0 or more and finite, for {', '.join(self.methods_)}"
                raise ValueError(f"weights must be {allowed}; given {weight!r} for {method!r}")
        content, given = (
            self._content(),
            pd.Series(self.weights_["weight"].to_numpy(), self.methods_),
        )
        given.update(pd.Series(dict(weights), dtype=float))
        for column, weight in zip(content["columns"], given):
            column["weight"] = float(weight)
        content["shares"] = {
            "share": _shares(given.to_numpy()[None])[0],
            "low": np.nan,
            "high": np.nan,
        }
        words = ", ".join(f"{weight:g} {method}" for method, weight in given.items())
        new = Ensemble()._restore({**content, "report": f"Weights set by hand: {words}."})
        new.thresholds_ = _thresholds(scores.assign(**{NAME: new.distance(scores)}))
        return new

    def reliability(self, *, bins: int = 10) -> pd.DataFrame:
        """Return, out of fold, how often a pair was a copy where the ensemble said how probable that is.

        Columns: left, right (edges of the bin of probability), predicted (mean), observed (share of copies), low, high
        (its 95 % Wilson interval; pairs count no more than their sources), n (pairs).
        """
        specs.check_number("bins", bins, 1, whole=True)
        probability, data = 1 - self.out_of_fold_[NAME].to_numpy(), self._data
        edges = np.linspace(0, 1, bins + 1)
        place = np.clip(np.digitize(probability, edges) - 1, 0, bins - 1)
        total = np.bincount(place, data.weight, bins)
        with np.errstate(invalid="ignore"):  # an empty bin is NaN
            predicted = np.bincount(place, data.weight * probability, bins) / total
            observed = np.bincount(place, data.weight * data.label, bins) / total
        n = np.bincount(place, minlength=bins)
        n_sources = [np.unique(data.sources[:, place == b]).size for b in range(bins)]
        low, high = wilson(observed, np.minimum(n, n_sources).clip(1), 1.96)
        columns = {
            "left": edges[:-1],
            "right": edges[1:],
            "predicted": predicted,
            "observed": observed,
        }
        return pd.DataFrame({**columns, "low": low, "high": high, "n": n})

    def ablation(self) -> pd.DataFrame:
        """Return what is lost without each method: method, without (:attr:`metric_`, out of fold), loss, low, high.

        A loss whose interval holds 0 means that the method can go. Intervals are corrected for the number of methods.
        """
        if len(self.methods_) < 2:
            raise ValueError("ablation needs two methods or more; there is one")
        rows = []
        for column, method in enumerate(self.methods_):
            without = -validation.out_of_fold(self._data.without(column))
            table = self.out_of_fold_.assign(without=without)
            found = self._compared(
                table, "without", "with", "without", n_comparisons=len(self.methods_)
            )
            rows.append({"method": method, **found})
        return pd.DataFrame(rows).drop(columns="with").rename(columns={"difference": "loss"})

    def leave_one_perturbation_out(self) -> pd.DataFrame:
        """Return :attr:`metric_` on copies of each kind of perturbation, trained with it (known) and without (unseen).

        Unseen means that no chain with it was seen either: without "crop", "crop+text" is left out too. Columns: kind,
        n_positive, known, unseen (NaN where what is left is too little to train on); out of fold.
        """
        data, rows = self._data, []
        for name in pd.unique(self._kinds[data.label]):
            steps = set(name.split("+"))
            seen = np.array([not steps <= set(other.split("+")) for other in self._kinds])
            shown = ~data.label | (self._kinds == name)
            columns = {NAME: self.out_of_fold_[NAME].to_numpy()}
            with contextlib.suppress(ValueError):  # nearly every copy has it
                columns["unseen"] = -validation.out_of_fold(data, seen)
            table = self.out_of_fold_.assign(**columns)[shown]
            options = {"metrics": [self.metric_], "n_resamples": 0}
            found = evaluation.evaluate(table, list(columns), **options).set_index("method")
            values = found["value"].reindex([NAME, "unseen"])
            rows.append((name, found["n_positive"].iloc[0], *values))
        return pd.DataFrame(rows, columns=["kind", "n_positive", "known", "unseen"])

    def save(self, path: str | Path) -> None:
        """Write the recipe as JSON: methods, calibrations, weights, thresholds, versions, what it was fitted to."""
        recipe.write(path, self._content())

    def _content(self) -> dict[str, Any]:
        content = recipe.from_classifier(self.classifier_)
        for column, name in zip(content["columns"], self.methods_):
            column["method"] = name
        ends = self.weights_[["share", "low", "high"]].astype(object)
        shares = ends.where(ends.notna(), None).to_dict("list")  # JSON has no NaN
        facts = {
            "thresholds": self.thresholds_,
            "training": self.training_,
            "report": self.report_,
            "shares": shares,
        }
        return {"versions": registry.versions(), **facts, **content}

    @classmethod
    def load(cls, path: str | Path | None = None) -> "Ensemble":
        """Return the ensemble of a recipe, ready to be applied; None for the one that ships with the package.

        Raises:
            ValueError: one line: no recipe, a damaged one, or one of another format.
        """
        path = recipe.DEFAULT if path is None else path
        content = recipe.read(path)
        try:
            return cls()._restore(content)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"the recipe {str(path)!r} is damaged: {error}") from error

    def _restore(self, content: dict[str, Any]) -> "Ensemble":
        self.classifier_ = recipe.to_classifier(content)
        self.methods_ = self.methods = [str(column["method"]) for column in content["columns"]]
        self.prevalence_, self.thresholds_ = (
            self.classifier_.prevalence_,
            dict(content["thresholds"]),
        )
        self.training_, self.report_ = content["training"], content["report"]
        self.weights_ = pd.DataFrame(
            {"method": self.methods_, "weight": self.classifier_.coef_, **content["shares"]}
        )
        self.weights_ = self.weights_.astype(dict.fromkeys(("share", "low", "high"), float))
        if content["versions"] != registry.versions():
            warnings.warn(
                f"the recipe was fitted with {content['versions']}; here are {registry.versions()}",
                stacklevel=4,
            )
        return self

    def _metric(self) -> str:
        others = self._data.weight[~self._data.label]
        smallest_fpr = others.min() / others.sum()
        return METRICS["0.01"] if smallest_fpr <= 0.01 * (1 + 1e-9) else "roc_auc"

    def _weights(self) -> pd.DataFrame:
        coef, share = self.classifier_.coef_, _shares(self.classifier_.coef_[None])[0]
        drawn = validation.resampled_weights(
            self.classifier_, self._data, n=self.n_resamples, seed=self.seed
        )
        low, high = (
            np.quantile(_shares(drawn), [0.025, 0.975], axis=0)
            if len(drawn)
            else (share * np.nan,) * 2
        )
        return pd.DataFrame(
            {"method": self.methods_, "weight": coef, "share": share, "low": low, "high": high}
        )

    def _comparison(self) -> dict[str, Any]:
        """The best single method is the best on these very pairs: the choice is in its favour."""
        singles = evaluation.evaluate(
            self.out_of_fold_, self.methods_, metrics=[self.metric_], n_resamples=0
        )
        best = singles["method"][singles["value"].argmax()]
        picked_from = {"among": [*self.methods_, NAME]}
        found = self._compared(self.out_of_fold_, best, "ensemble", "single", **picked_from)
        return {"best": best, **found}

    def _compared(
        self, table: pd.DataFrame, name: str, ours: str, theirs: str, **picked: Any
    ) -> dict[str, float]:
        """The ensemble, out of fold, and another column of the table: ours, theirs, difference, low, high."""
        options = {"metric": self.metric_, "n_resamples": self.n_resamples, "seed": self.seed}
        compared = evaluation.compare(table, NAME, name, **options, **picked)
        found = compared.iloc[0].rename({"a": ours, "b": theirs})
        return found[[ours, theirs, "difference", "low", "high"]].astype(float).to_dict()

    def _training(self, rows: pd.DataFrame) -> dict[str, Any]:
        kept = rows[[name for name in (*tables.PAIR_COLUMNS, *self.methods_) if name in rows]]
        digest = hashlib.sha256(
            kept.to_csv(index=False, float_format="%.9g").encode("utf-8", "surrogatepass")
        )
        copies = int(self._data.label.sum())
        counts = {
            "n_pairs": len(rows),
            "n_copies": copies,
            "n_sources": int(self._data.sources.max()) + 1,
        }
        return {**counts, "perturbations": sorted(set(self._kinds)), "digest": digest.hexdigest()}

    def _report(self) -> str:
        c, data = self.comparison_, self._data
        verdict = "beats" if c["low"] > 0 else "does not beat"
        rates = f"{self.metric_} {c['ensemble']:.3f} against {c['single']:.3f}"
        interval = f"difference {c['difference']:+.3f} (95 % {c['low']:+.3f} to {c['high']:+.3f})"
        lines = [
            f"The ensemble {verdict} the best single method, {c['best']}: {rates}, {interval}, out of fold.",
            f"{len(data.label):,} pairs, {int(data.label.sum()):,} copies, {data.sources.max() + 1} sources;"
            f" no pair is scored by a model that saw either of its sources{self._unless()}.",
            *(
                f"{row.share:5.0%} {row.method} ({row.low:.0%} to {row.high:.0%})"
                for row in self.weights_.itertuples()
            ),
        ]
        return "\n".join(lines)

    def _unless(self) -> str:
        """What the promise of no leak depends on: columns of which it is not known how they were made."""
        others = [name for name in self.methods_ if not registry.is_spec(name)]
        if not others:
            return ""
        return f", if {', '.join(others)} (no methods of simlab) were not fitted to these pairs"


def _usable(scores: pd.DataFrame, methods: list[str]) -> pd.DataFrame:
    """The rows that count, checked."""
    tables.check_columns(scores)
    label = tables.labels(scores)
    weight = tables.weights(scores)
    counted = weight > 0
    if "status" in scores:
        counted &= scores["status"] != "error"
    rows = scores[counted].assign(label=label[counted])
    for name in methods:
        if not np.isfinite(rows[name].to_numpy(float)).all():
            raise ValueError(
                f"the distance {name!r} is NaN or infinite in a row whose status is not 'error'"
            )
    copies = int(rows["label"].sum())
    if not 0 < copies < len(rows):
        raise ValueError(
            f"copies and non-copies are needed; there are {copies} copies among {len(rows)} pairs"
        )
    return rows


def _thresholds(scores: pd.DataFrame) -> dict[str, float]:
    """Distances of the ensemble by false positive rate, where the non-copies are enough for it."""
    found = evaluation.evaluate(scores, [NAME], metrics=list(METRICS.values()), n_resamples=0)
    values = found.set_index("metric")["threshold"]
    return {
        fpr: float(values[metric]) for fpr, metric in METRICS.items() if np.isfinite(values[metric])
    }


def _shares(weights: np.ndarray) -> np.ndarray:
    total = weights.sum(axis=1, keepdims=True)
    return np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
