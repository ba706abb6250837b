"""The ensemble on score tables: fit, read the weights, apply, save."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy import ndarray
from pandas import DataFrame, Series
from scipy.special import expit, logit

from simlab import specs, tables
from simlab.cards import Shown, card, number
from simlab.ensemble import reading, recipe, validation
from simlab.ensemble.calibration import fit_calibration
from simlab.ensemble.guard import LOOK_ALIKES, Guard
from simlab.methods import registry
from simlab.paths import AnyPath, Json
from simlab.specs import Names

NAME = tables.FITTED
"""Column of the ensemble's distance."""


_OPTIONS = ("methods", "folds", "n_resamples", "seed")


class Ensemble:
    """Weights for methods, learnt from labelled pairs; then one more distance, and a probability.

    Each method's distance is calibrated to evidence (nats, falling), the evidence is weighed (no
    weight is negative) and added up. A method without evidence abstains. How good it is, is
    measured out of fold: every pair is scored by a model that saw neither of its two sources.
    It is an estimator to scikit-learn, which reads, sets and clones what it was made with.

    Args:
        methods: columns of the score table, as in :func:`simlab.methods.columns`; None for those
            that name a method. An ensemble's own columns are never among them.
        folds: of sources. Two are held out at a time, so there are folds·(folds + 1)/2 fits.
        n_resamples: resamples of sources behind the intervals.
        seed: of folds and resamples.

    Attributes:
        methods_: the methods, in order; a guard comes last.
        guard_: the method that holds look-alikes back, or None; see :meth:`guarded`.
        weights_: table: method, weight, share (of all weights), low, high (95 % interval of the
            share; sources resampled, calibrations kept).
        out_of_fold_: the rows fitted to, with the column "ensemble": out-of-fold distance.
        metric_: what methods are compared by: TPR at FPR .01; ROC AUC where the non-copies are too
            few for it.
        comparison_: best (single method), ensemble and single (their metric), difference, low, high
            (95 %, corrected for every two of the methods and the ensemble, as
            :func:`simlab.evaluation.rank` does).
        thresholds_: distance by false positive rate, such as ``{"0.01": 0.3}``, out of fold.
        prevalence_: share of copies in training.
        training_: what it was fitted to: counts, perturbations, a digest of the table.
        report_: all that in words; the first line says whether the ensemble beats the best single
            method.
    """

    def __init__(
        self,
        methods: Names | None = None,
        *,
        folds: int = 5,
        n_resamples: int = 300,
        seed: int = 0,
    ):
        self.methods = methods
        self.folds = folds
        self.n_resamples = n_resamples
        self.seed = seed
        self._check_options()

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return what it was made with; nothing in it goes deep."""
        return {name: getattr(self, name) for name in _OPTIONS}

    def set_params(self, **options: Any) -> "Ensemble":
        """Return this ensemble with other options, which the next fit goes by.

        Raises:
            ValueError: an unknown option, or one out of range.
        """
        for name, value in options.items():
            specs.check_choice("option", name, _OPTIONS)
            setattr(self, name, value)
        self._check_options()
        return self

    def _check_options(self) -> None:
        # two are held out at a time, and something must be left to train on
        specs.check_count("folds", self.folds, 3)
        specs.check_count("n_resamples", self.n_resamples, 0)
        specs.check_count("seed", self.seed, 0)

    def __repr__(self) -> str:
        if "classifier_" not in vars(self):
            given = ", ".join(f"{name}={value!r}" for name, value in self.get_params().items())
            return f"<Ensemble({given}), not fitted>"
        shares = zip(self.voting_, self.weights_["share"])
        words = ", ".join(f"{share:.0%} {method}" for method, share in shares)
        guard = f"; guarded by {self.guard_.method}" if self.guard_ else ""
        return f"<Ensemble: {words}{guard}>"

    def _repr_html_(self) -> str:
        if "classifier_" not in vars(self):
            typed = ["ensemble.fit(scores)", "sl.Ensemble.load()    # the one that ships"]
            return card("Ensemble, not fitted", "It has no weights yet.", typed=typed)
        lines = [self.report_.splitlines()[0]]
        if self.guard_:
            lines.append(f"Look-alikes are held back by {self.guard_.method}.")
        if self.thresholds_:
            chosen = [f"{number(far)} at FPR {rate}" for rate, far in self.thresholds_.items()]
            lines.append(f"Largest distance of a copy: {', '.join(chosen)}.")
        typed = [
            "ensemble.distance(scores)    # and .probability, .evidence, .report_",
            'ensemble.save("recipe.json")',
            "sl.find_copies(folder, ensemble)",
        ]
        return card("Ensemble", *lines, rows=self.weights_, typed=typed)

    def __getattr__(self, name: str) -> Any:
        # asked only where the attribute is absent
        if name.startswith("__") or not (name.endswith("_") or name == "_data"):
            raise AttributeError(f"an ensemble has no attribute {name!r}")
        if "classifier_" in vars(self):
            words = "it comes from a recipe, which does not hold the pairs that it was fitted to"
        else:
            words = "the ensemble is not fitted; call fit(scores), or take Ensemble.load()"
        # a search needs none of it, and importing it would be a fifth of its time
        from sklearn.exceptions import NotFittedError

        raise NotFittedError(f"no {name!r}: {words}")

    def fit(self, scores: DataFrame) -> "Ensemble":
        """Return the ensemble, fitted to a score table; rows with status "error" are left out.

        Raises:
            ValueError: a method has no column, a class is missing, a distance is NaN in a row that
                is no error, or the sources are too few for the folds.
        """
        self.methods_ = registry.columns(scores, self.methods, fitted=False)
        self.guard_ = None
        table = validation.usable(scores, self.methods_)
        rows = validation.folded_rows(table, self.methods_, folds=self.folds, seed=self.seed)
        self._data = rows
        held_out = validation.out_of_fold(rows)
        slope, offset = validation.tempering(rows, held_out)
        self.classifier_ = rows.fit()
        self.classifier_.temper(slope, offset)
        self.prevalence_ = self.classifier_.prevalence_
        odds = slope * held_out + offset + logit(self.prevalence_)
        self.out_of_fold_ = table.assign(**{NAME: expit(-odds)})

        self.metric_ = reading.metric_for(rows)
        self.weights_ = reading.weights(
            self.methods_, self.classifier_, rows, n_resamples=self.n_resamples, seed=self.seed
        )
        self.comparison_ = reading.against_best_single(
            self.out_of_fold_, self.methods_, self._comparing()
        )
        self.thresholds_ = reading.thresholds(self.out_of_fold_)
        self.training_ = reading.training(table, self.methods_, rows)
        self.report_ = reading.report(self.metric_, self.comparison_, self.weights_, rows)
        return self

    def guarded(
        self, method: str, scores: DataFrame, *, per_copy: float = LOOK_ALIKES
    ) -> "Ensemble":
        """Return this ensemble with a guard against look-alikes, a method of its own.

        However much the other methods say for a copy, it is one only as far as the guard's method
        tells it from a look-alike (:mod:`simlab.ensemble.guard`). What comes back can be applied
        and saved.

        Args:
            method: such as "contradiction"; none of those that are weighed.
            scores: copies and look-alikes, with the method's distance.
            per_copy: look-alikes that are expected for every copy, among pairs of which the method
                can say anything.

        Raises:
            ValueError: the method is weighed already, has no column, or a class is missing.
        """
        specs.check_number("per_copy", per_copy, 0)
        names = registry.columns(scores, [method], fitted=False)
        table = validation.usable(scores, names)
        distance = validation.voting_distances(table, names)[:, 0]
        label = table["label"].to_numpy() == 1
        weight = tables.weights(table).to_numpy()
        calibration = fit_calibration(distance, label, weight)  # copies and look-alikes count alike
        return self._with_guard(Guard(names[0], calibration, per_copy))

    def _with_guard(self, guard: Guard) -> "Ensemble":
        if guard.method in self.voting_:
            raise ValueError(f"method {guard.method!r} is weighed already; a guard is another")
        return Ensemble()._restore(self._content() | {"guard": recipe.from_guard(guard)})

    def guarded_as(self, other: "Ensemble") -> "Ensemble":
        """Return this ensemble with the guard of another, such as that of the recipe that ships.

        For those who have no look-alikes that they could fit one to. Where the pairs that this one
        was fitted to have the guard's distance, `out_of_fold_` says what it does there.

        Raises:
            ValueError: the other has no guard, or its method is weighed here.
        """
        guard = other.guard_
        if guard is None:
            raise ValueError("other must have a guard, as Ensemble.load() has")
        new = self._with_guard(guard)
        table = vars(self).get("out_of_fold_")
        if table is not None and guard.method in table:
            log_odds = -logit(np.clip(table[NAME], 1e-300, 1 - 1e-16))
            distances = validation.voting_distances(table, [*self.voting_, guard.method])
            contested = (self.classifier_.calibrated(distances[:, :-1]) < 0).any(axis=1)
            held_back = guard.held_back(distances[:, -1], log_odds.to_numpy(), contested)
            new.out_of_fold_ = table.assign(**{NAME: expit(-(log_odds + held_back))})
        return new

    @property
    def voting_(self) -> list[str]:
        """The methods that are weighed: all but a guard."""
        return self.methods_[: len(self.classifier_.coef_)]

    def evidence(
        self, scores: DataFrame, *, weighed: bool = True, prior: float | None = None
    ) -> DataFrame:
        """Return what each method says for a copy (above 0) or against it, in nats.

        Args:
            weighed: False for what each says by itself: methods that see the same are weighed down
                beside each other.
            prior: share of copies, on which it depends what a guard holds back (0 or less); None
                for the training prevalence.

        A method without evidence, or without a distance in a row that is no error, abstains: 0.
        Rows of errors are NaN.
        """
        prior = self._prior(prior)
        registry.columns(scores, self.methods_)
        by_itself, of_all = self.told(validation.voting_distances(scores, self.methods_), prior)
        said = of_all if weighed else by_itself
        evidence = DataFrame(said, index=scores.index, columns=self.methods_)
        if "status" not in scores:
            return evidence
        return evidence.mask(scores["status"] == "error")

    def told(self, distances: ndarray, prior: float) -> tuple[ndarray, ndarray]:
        """Return what each method says by itself, and weighed: evidence, both (n, d).

        Args:
            distances: (n, d), NaN where a method abstains.
            prior: as in :meth:`evidence`.
        """
        n_voting = len(self.voting_)
        of_voting = distances[:, :n_voting]
        by_itself = self.classifier_.calibrated(of_voting)
        weighed = self.classifier_.weighed(of_voting, by_itself)
        if self.guard_ is None:
            return by_itself, weighed
        of_guard = distances[:, n_voting]
        log_odds = weighed.sum(axis=1) + logit(prior)
        held_back = self.guard_.held_back(of_guard, log_odds, (by_itself < 0).any(axis=1))
        guard_alone = self.guard_.calibration(of_guard)
        return np.column_stack([by_itself, guard_alone]), np.column_stack([weighed, held_back])

    def distance(self, scores: DataFrame) -> Series:
        """Return 1 - probability of a copy at the training prevalence, per row; NaN for errors.

        It is named "ensemble", and computed from the log odds, so that near copies stay apart (1e-9
        is not rounded to 0).
        """
        odds = self.evidence(scores).sum(axis=1, skipna=False) + logit(self.prevalence_)
        return Series(expit(-odds), index=scores.index, name=NAME)

    def probability(self, scores: DataFrame, *, prior: float | None = None) -> Series:
        """Return the probability of a copy per row, NaN for errors.

        Args:
            prior: share of copies among the pairs that are looked at; None for the training
                prevalence. Among all pairs of 2,000 pictures a copy is far rarer than in a study.

        Raises:
            ValueError: `prior` is not in (0, 1).
        """
        prior = self._prior(prior)
        evidence = self.evidence(scores, prior=prior)
        odds = evidence.sum(axis=1, skipna=False) + logit(prior)
        return Series(expit(odds), index=scores.index, name="probability")

    def _prior(self, given: float | None) -> float:
        """The share of copies that is given, else that of training."""
        prior = self.prevalence_ if given is None else given
        specs.check_share("prior", prior)
        return prior

    def reweighed(self, weights: Mapping[str, float], scores: DataFrame) -> "Ensemble":
        """Return this ensemble with weights set by hand, and the thresholds they give on `scores`.

        Methods that are not named keep theirs. What comes back can be applied and saved; its
        probabilities are no longer calibrated.

        Raises:
            ValueError: an unknown method, or a weight that is negative or not finite.
        """
        by_method = dict(zip(self.voting_, self.weights_["weight"]))
        for method, weight in specs.by_name("weights", weights).items():
            specs.lookup(method, by_method, "method")
            specs.check_number(f"the weight of {method!r}", weight, 0)
            by_method[method] = weight

        content = self._content()
        for column, weight in zip(content["columns"], by_method.values()):
            column["weight"] = float(weight)
        share = reading.shares(np.array(list(by_method.values()), float))
        content["shares"] = {"share": share, "low": np.nan, "high": np.nan}
        words = ", ".join(f"{weight:g} {method}" for method, weight in by_method.items())
        content["report"] = f"Weights set by hand: {words}."

        new = Ensemble()._restore(content)
        distance = new.distance(scores)
        new.thresholds_ = reading.thresholds(scores.assign(**{NAME: distance}))
        return new

    def reliability(self, *, bins: int = 10, prior: float | None = None) -> DataFrame:
        """Return, out of fold, how often a pair was a copy where the ensemble said how probable.

        Args:
            prior: share of copies for which it is asked; None for the training prevalence. Pairs
                are weighed so that copies have this share.

        Columns: left, right (edges of the bin of probability), predicted (mean), observed (share of
        copies), low, high (its 95 % Wilson interval; pairs count no more than their sources), n
        (pairs).
        """
        specs.check_count("bins", bins)
        prior = self._prior(prior)
        evidence = -logit(self.out_of_fold_[NAME].to_numpy()) - logit(self.prevalence_)
        probability = expit(evidence + logit(prior))
        return reading.reliability(probability, self._data.with_share_of_copies(prior), bins)

    def ablation(self) -> DataFrame:
        """Return what is lost without each method.

        Columns: method, without (:attr:`metric_`, out of fold), loss, low, high. A loss whose
        interval holds 0 means that the method can go. Intervals are corrected for the number of
        methods.
        """
        if len(self.methods_) < 2:
            raise ValueError("ablation needs two methods or more; there is one")
        rows = self._data  # the first that is asked for: a recipe has none
        return reading.ablation(self.out_of_fold_, self.methods_, rows, self._comparing())

    def leave_one_perturbation_out(self) -> DataFrame:
        """Return :attr:`metric_` on copies of each kind of perturbation, seen or not in training.

        Unseen means that no chain with it was seen either: without "crop", "crop+text" is left out
        too. Columns: kind, n_positive, known (trained with it), unseen (trained without; NaN where
        what is left is too little to train on); out of fold.
        """
        rows = self._data  # the first that is asked for: a recipe has none
        return reading.unseen_kinds(self.out_of_fold_, rows, self.metric_)

    def _comparing(self) -> dict[str, Any]:
        """How two columns of distances are compared."""
        return {"metric": self.metric_, "n_resamples": self.n_resamples, "seed": self.seed}

    def save(self, path: AnyPath) -> None:
        """Write the recipe as JSON.

        It holds methods, calibrations, weights, thresholds, versions, and what it was fitted to.
        """
        recipe.write(path, self._content())

    def _content(self) -> Json:
        numbers = recipe.from_classifier(self.classifier_, self.voting_)
        if self.guard_ is not None:
            numbers["guard"] = recipe.from_guard(self.guard_)
        shares = self.weights_[["share", "low", "high"]].astype(object)
        return {
            "versions": registry.versions(),
            "thresholds": self.thresholds_,
            "training": self.training_,
            "report": self.report_,
            "shares": shares.where(shares.notna(), None).to_dict("list"),  # JSON has no NaN
            **numbers,
        }

    @classmethod
    def load(cls, path: AnyPath | None = None) -> "Ensemble":
        """Return the ensemble of a recipe, ready to be applied; None for the shipped one.

        Raises:
            ValueError: one line: no recipe, a damaged one, or one of another format.
        """
        path = recipe.DEFAULT if path is None else path
        content = recipe.read(path)
        try:
            return cls()._restore(content)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"the recipe {str(path)!r} is damaged: {error}") from error

    def _restore(self, content: Json) -> "Ensemble":
        self.classifier_ = recipe.to_classifier(content)
        voting = [str(column["method"]) for column in content["columns"]]
        self.guard_ = recipe.to_guard(content["guard"]) if content.get("guard") else None
        self.methods_ = voting if self.guard_ is None else [*voting, self.guard_.method]
        self.methods = self.methods_
        self.prevalence_ = self.classifier_.prevalence_
        self.thresholds_ = dict(content["thresholds"])
        self.training_ = content["training"]
        self.report_ = content["report"]
        weights = {"method": voting, "weight": self.classifier_.coef_, **content["shares"]}
        ends = {"share": float, "low": float, "high": float}
        self.weights_ = Shown(weights).astype(ends)
        if content["versions"] != registry.versions():
            warnings.warn(
                f"the recipe was fitted with {content['versions']}; here are {registry.versions()}",
                stacklevel=4,
            )
        return self
