"""What a fitted ensemble says about itself, as sections of a report."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from matplotlib import pyplot as plt

from simlab import plots
from simlab.ensemble import Ensemble
from simlab.plots.style import measure
from simlab.report.page import Figure, Section
from simlab.report.story import interval


def tuned(ensemble: Ensemble) -> list[Section]:
    """Return the sections: is it better than the best method, its weights, what each adds, are probabilities true."""
    return [_gain(ensemble), _weights(ensemble), *_each(ensemble), _reliability(ensemble)]


def _gain(ensemble: Ensemble) -> Section:
    first, second, *_ = ensemble.report_.splitlines()
    words = " or ".join(f"{distance:.4g} (FPR {rate})" for rate, distance in ensemble.thresholds_.items())
    threshold = f"A pair is called a copy when its distance, 1 - probability, is at most {words}."
    threshold = threshold if words else "There are too few non-copies to choose a threshold."
    return Section(
        "Is the ensemble better than the best method", f"{first}\n\n{second[0].upper()}{second[1:]}\n\n{threshold}"
    )


def _weights(ensemble: Ensemble) -> Section:
    rows = ensemble.weights_.sort_values("share", ascending=False, kind="stable").to_dict("records")
    shares = [interval(row, "share", "low", "high") for row in rows]
    table = pd.DataFrame({"method": [row["method"] for row in rows], "share of the weights": shares})
    text = (
        "Each method's distance becomes evidence for or against a copy; the evidence is weighed and added up. Methods "
        "that say the same thing share their weight, so a small share may only mean that another says it as well."
    )
    return Section("How much each method is trusted", text, tables=[(table, "[95 % intervals over sources]")])


def _each(ensemble: Ensemble) -> Iterator[Section]:
    tables, metric = [], measure(ensemble.metric_)
    if len(ensemble.methods_) > 1:
        rows = ensemble.ablation().to_dict("records")
        lost = [interval(row, "loss", "low", "high", "+.3f") for row in rows]
        table = {"without": [row["method"] for row in rows], metric: [row["without"] for row in rows], "loss": lost}
        note = "Fitted again without one method. A loss whose interval holds 0 means that the method can go."
        tables.append((pd.DataFrame(table), note))
    if len(ensemble.training_["perturbations"]) > 1:
        note = f"{metric} on each kind of copy, fitted with copies of that kind (known) and without them (unseen)."
        tables.append((ensemble.leave_one_perturbation_out(), note))
    if tables:
        yield Section("What each method adds", tables=tables)


def _reliability(ensemble: Ensemble) -> Section:
    ax = plots.plot_reliability(ensemble.reliability())
    with tempfile.TemporaryDirectory() as folder:
        png = plots.save(ax, Path(folder, "reliability.png"), dpi=130).read_bytes()
    plt.close(ax.figure)
    text = (
        f"{ensemble.prevalence_:.2g} of these pairs are copies, and the probabilities start from there. Where copies "
        "are rarer, as among all pairs of a collection, they must be shifted; a search does so."
    )
    figure = Figure(
        png, "Reliability", "Out of fold. Above the diagonal the ensemble is too careful, below it too sure."
    )
    return Section("Are its probabilities true", text, [figure])
