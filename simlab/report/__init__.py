"""The report of a study: one self-contained HTML file, and the tables and figures that stand beside it."""

from simlab.report.drift import verify
from simlab.report.files import versions, whole, write_csv
from simlab.report.fit_page import tuned
from simlab.report.page import Figure, Section, write_report
from simlab.report.search_page import found
from simlab.report.study_page import study

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
