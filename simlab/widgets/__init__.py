"""Widgets for JupyterLab. Each works by mouse, by keyboard and from code, and has a ``figure()``, its static twin."""

from simlab.widgets.explore import explore

__all__ = ["explore"]
