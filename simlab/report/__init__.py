"""A study, a search or a fit becomes a page: one HTML file, and what stands beside it.

In the order of reading: ``page`` (figures and sections become HTML), ``study_page`` and
``study_sections`` with their ``sentences``, ``search_page``, ``leaks_page``, ``fit_page``,
``files`` (whole or absent), ``drift`` (does a study still hold).
"""

from simlab.report.drift import verify
from simlab.report.files import versions, whole, write_csv
from simlab.report.fit_page import tuned
from simlab.report.leaks_page import leaks
from simlab.report.page import Figure, Section, write_report
from simlab.report.search_page import found
from simlab.report.study_page import study

__all__ = [
    "Figure",
    "Section",
    "found",
    "leaks",
    "study",
    "tuned",
    "verify",
    "versions",
    "whole",
    "write_csv",
    "write_report",
]
