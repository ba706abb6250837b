"""Widgets for JupyterLab. Each works by mouse, by keyboard and from code, and has a ``figure()``, its static twin."""
