"""Widgets for JupyterLab. Each works by mouse, by keyboard and from code, and has a ``figure()``, its static twin."""

from simlab.widgets.explorer import explore
from simlab.widgets.failure_browser import Failures as failures
from simlab.widgets.labeller import label
from simlab.widgets.tuner import Tune as tune

__all__ = ["explore", "failures", "label", "tune"]
