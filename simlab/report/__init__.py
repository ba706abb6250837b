"""The report of a study: one self-contained HTML file, and the tables and figures that stand beside it."""

from simlab.report.drift import verify
from simlab.report.files import versions, whole, write_csv
from simlab.report.found import found
from simlab.report.page import Figure, Section, write_report
from simlab.report.study import study
from simlab.report.tuned import tuned

__all__ = [
    "Figure",
    "Section",
    "found",
    "study",
    "tuned",
    "verify",
    "versions",
    "whole",
    "write_csv",
    "write_report",
]
