"""A study, a search or a fit becomes a page: one HTML file, and what stands beside it.

In the order of reading: ``page`` (figures and sections become HTML), ``study_page`` and
``study_sections`` with their ``sentences``, ``search_page`` with what it shows for ``review``,
``leaks_page``, ``fit_page``, ``files`` (whole or absent), ``drift`` (does a study still hold).
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what editors and type checkers see; at run time, see __getattr__
    from simlab.report.drift import verify as verify
    from simlab.report.files import versions as versions
    from simlab.report.files import whole as whole
    from simlab.report.files import write_csv as write_csv
    from simlab.report.fit_page import tuned as tuned
    from simlab.report.leaks_page import leaks as leaks
    from simlab.report.page import Figure as Figure
    from simlab.report.page import Section as Section
    from simlab.report.page import next_steps as next_steps
    from simlab.report.page import write_report as write_report
    from simlab.report.search_page import answer as answer
    from simlab.report.search_page import found as found
    from simlab.report.study_page import study as study

# a search draws nothing, and should not wait for what draws
_NAMES = {
    "Figure": "page",
    "Section": "page",
    "answer": "search_page",
    "found": "search_page",
    "leaks": "leaks_page",
    "next_steps": "page",
    "study": "study_page",
    "tuned": "fit_page",
    "verify": "drift",
    "versions": "files",
    "whole": "files",
    "write_csv": "files",
    "write_report": "page",
}

__all__ = list(_NAMES)


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(f"simlab.report.{_NAMES[name]}"), name)
    try:  # a module of this room, whether or not something has imported it before
        return importlib.import_module(f"simlab.report.{name}")
    except ModuleNotFoundError:
        raise AttributeError(f"module 'simlab.report' has no attribute {name!r}") from None
