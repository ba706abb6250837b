"""What a fitted ensemble says about itself, as sections of a report."""

import tempfile
from pathlib import Path

import pandas as pd
from matplotlib import pyplot as plt

from simlab import plots
from simlab.ensemble import Ensemble
from simlab.plots.style import measure
from simlab.report.page import Figure, Section
from simlab.report.sentences import interval

_EVIDENCE = """Each method's distance becomes evidence for or against a copy; the evidence is weighed and added up.
Methods that say the same thing share their weight, so a small share may only mean that another says it as well."""
_WITHOUT = (
    "Fitted again without one method. A loss whose interval, corrected for their number, holds 0"
    " means that the method can go."
)
_UNSEEN = "Each kind of copy, fitted with copies of that kind (known) and without them (unseen)."
_RELIABLE = "Out of fold. Above the diagonal the ensemble is too careful, below it too sure. [95 % intervals]"


def tuned(ensemble: Ensemble) -> list[Section]:
    """Return the sections: is it better than the best method, its weights, what each adds, are probabilities true."""
    tables = [(_ablation(ensemble), _WITHOUT)] if len(ensemble.methods_) > 1 else []
    if len(ensemble.training_["perturbations"]) > 1:
        tables.append((ensemble.leave_one_perturbation_out(), _UNSEEN))
    return [
        Section("Is the ensemble better than the best method", _gain(ensemble)),
        Section(
            "How much each method is trusted", _EVIDENCE, tables=[(_weights(ensemble), "By share")]
        ),
        Section("What each method adds", tables=tables),
        Section("Are its probabilities true", _prior(ensemble), [_reliability(ensemble)]),
    ]


def _gain(ensemble: Ensemble) -> str:
    first, second, *_ = ensemble.report_.splitlines()
    words = " or ".join(
        f"{distance:.4g} (FPR {rate})" for rate, distance in ensemble.thresholds_.items()
    )
    threshold = f"A pair is called a copy when its distance, 1 - probability, is at most {words}."
    return f"{first}\n\n{second}\n\n{threshold if words else 'The non-copies are too few to choose a threshold.'}"


def _weights(ensemble: Ensemble) -> pd.DataFrame:
    rows = ensemble.weights_.sort_values("share", ascending=False, kind="stable").to_dict("records")
    shares = [interval(row, "share", "low", "high") for row in rows]
    return pd.DataFrame(
        {"method": [row["method"] for row in rows], "share of the weights [95 % interval]": shares}
    )


def _ablation(ensemble: Ensemble) -> pd.DataFrame:
    rows = ensemble.ablation()
    lost = [interval(row, "loss", "low", "high", "+.3f") for row in rows.to_dict("records")]
    return pd.DataFrame(
        {"without": rows["method"], measure(ensemble.metric_): rows["without"], "loss": lost}
    )


def _prior(ensemble: Ensemble) -> str:
    start = f"{ensemble.prevalence_:.2g} of these pairs are copies, and the probabilities start from there."
    return (
        start + " Where copies are rarer, as among all pairs of a collection, a search shifts them."
    )


def _reliability(ensemble: Ensemble) -> Figure:
    ax = plots.plot_reliability(ensemble.reliability())
    with tempfile.TemporaryDirectory() as folder:
        png = plots.save(ax, Path(folder, "reliability.png"), dpi=130).read_bytes()
    plt.close(ax.figure)
    return Figure(png, "Reliability", _RELIABLE)
