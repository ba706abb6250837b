"""Tables become figures: each ``plot_*`` draws what it is given on `ax` and returns `ax`.

Nothing is computed here: tables come from :mod:`simlab.evaluation`, pictures from
:mod:`simlab.images` and :mod:`simlab.perturb`. Without `ax` a new figure of a fitting size is made;
small multiples take its place. A method has one colour and line style everywhere
(:func:`method_style`); names are untrusted (:func:`label`).

In the order of reading: ``style`` (what all share), ``curves`` (ROC, DET, precision),
``summaries`` (histograms, one metric as a table or against severity), ``comparisons`` (methods
against each other, probabilities, groups), ``pictures`` (galleries, hashes, keypoints).
"""

from simlab.plots.comparisons import (
    plot_complementarity,
    plot_dendrogram,
    plot_distances,
    plot_evidence,
    plot_forest,
    plot_reliability,
)
from simlab.plots.curves import plot_collection, plot_det, plot_pr, plot_prevalence, plot_roc
from simlab.plots.pictures import (
    plot_gallery,
    plot_groups,
    plot_hardest,
    plot_hash,
    plot_hash_difference,
    plot_keypoints,
    plot_matches,
    plot_overlap,
    plot_pairs,
)
from simlab.plots.style import label, method_style, save
from simlab.plots.summaries import plot_heatmap, plot_histograms, plot_severity

__all__ = [
    "label",
    "method_style",
    "plot_collection",
    "plot_complementarity",
    "plot_dendrogram",
    "plot_det",
    "plot_distances",
    "plot_evidence",
    "plot_forest",
    "plot_gallery",
    "plot_groups",
    "plot_hardest",
    "plot_hash",
    "plot_hash_difference",
    "plot_heatmap",
    "plot_histograms",
    "plot_keypoints",
    "plot_matches",
    "plot_overlap",
    "plot_pairs",
    "plot_pr",
    "plot_prevalence",
    "plot_reliability",
    "plot_roc",
    "plot_severity",
    "save",
]
