"""Widgets for JupyterLab. Each works by mouse, by keyboard and from code, and has a ``figure()``, its static twin."""

from simlab.widgets.explore import explore
from simlab.widgets.failures import Failures as failures
from simlab.widgets.label import label
from simlab.widgets.tune import Tune as tune

__all__ = ["explore", "failures", "label", "tune"]
