"""What a fitted ensemble says about itself, as sections of a report."""

from pandas import DataFrame

from simlab import plots, specs
from simlab.ensemble import Ensemble
from simlab.plots.style import measure
from simlab.report.page import Figure, Section, figure_of
from simlab.report.sentences import intervals

_EVIDENCE = (
    "Each method's distance becomes evidence for or against a copy; the evidence is weighed and"
    " added up.\nMethods that say the same thing share their weight, so a small share may only mean"
    " that another says it as well."
)
_WITHOUT = (
    "Fitted again without one method. A loss whose interval, corrected for their number, holds 0"
    " means that the method can go."
)
_UNSEEN = "Each kind of copy, fitted with copies of that kind (known) and without them (unseen)."
_RELIABLE = (
    "Out of fold. Above the diagonal the ensemble is too careful, below it too sure."
    " [95 % intervals]"
)


def tuned(ensemble: Ensemble) -> list[Section]:
    """Return the sections: its gain, its weights, what each method adds, are probabilities true."""
    specs.check_kind("ensemble", ensemble, Ensemble, "an Ensemble that is fitted")
    weights = (_weights(ensemble), "By share")
    return [
        Section("Is the ensemble better than the best method", _gain(ensemble)),
        Section("How much each method is trusted", _EVIDENCE, tables=[weights]),
        Section("What each method adds", tables=_added(ensemble)),
        Section("Are its probabilities true", _prior(ensemble), [_reliability(ensemble)]),
    ]


def _added(ensemble: Ensemble) -> list[tuple[DataFrame, str]]:
    tables = []
    if len(ensemble.methods_) > 1:
        tables.append((_ablation(ensemble), _WITHOUT))
    if len(ensemble.training_["perturbations"]) > 1:
        tables.append((ensemble.leave_one_perturbation_out(), _UNSEEN))
    return tables


def _gain(ensemble: Ensemble) -> str:
    first, second, *_ = ensemble.report_.splitlines()
    chosen = [f"{distance:.4g} (FPR {rate})" for rate, distance in ensemble.thresholds_.items()]
    threshold = "The non-copies are too few to choose a threshold."
    if chosen:
        words = " or ".join(chosen)
        threshold = (
            f"A pair is called a copy when its distance, 1 - probability, is at most {words}."
        )
    return f"{first}\n\n{second}\n\n{threshold}"


def _weights(ensemble: Ensemble) -> DataFrame:
    rows = ensemble.weights_.sort_values("share", ascending=False, kind="stable")
    shares = intervals(rows, "share")
    return DataFrame({"method": rows["method"], "share of the weights [95 % interval]": shares})


def _ablation(ensemble: Ensemble) -> DataFrame:
    rows = ensemble.ablation()
    without = {"without": rows["method"], measure(ensemble.metric_): rows["without"]}
    return DataFrame({**without, "loss": intervals(rows, "loss", "+.3f")})


def _prior(ensemble: Ensemble) -> str:
    return (
        f"{ensemble.prevalence_:.2g} of these pairs are copies, and the probabilities start from"
        " there. Where copies are rarer, as among all pairs of a collection, a search shifts them."
    )


def _reliability(ensemble: Ensemble) -> Figure:
    ax = plots.plot_reliability(ensemble.reliability())
    return figure_of(ax, "Reliability", _RELIABLE, dpi=130, page_dpi=100)
