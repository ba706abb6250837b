"""A person looks, labels, reviews and tunes, in JupyterLab.

Each widget works by mouse, by keyboard and from code, and has a ``figure()``, its static twin. In
the order of reading, a script, style sheet or template beside the module that it belongs to:

panel: what all share: a style, slow work that never blocks a slider, safe text.
explorer: a picture and its variant, or two pictures, as every method sees them; with picker (a
picture by its name, or dropped), variant_controls (one perturbation) and quick_drawing.
labeller: one pair at a time, answered by key or click.
reviewer: the groups of a search, file by file: keep, drop, no copy.
workbench: what the next two share: a choice, and the curves and cards that it leads to.
failure_browser: from a point of a curve to the pairs behind it.
tuner: an ensemble weighed by hand, and its threshold at work.
"""

from simlab.widgets.explorer import explore
from simlab.widgets.failure_browser import Failures as failures
from simlab.widgets.labeller import Label as label
from simlab.widgets.reviewer import Review as review
from simlab.widgets.tuner import Tune as tune

__all__ = ["explore", "failures", "label", "review", "tune"]
