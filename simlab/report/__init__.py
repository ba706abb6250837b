"""A study, a search or a fit becomes a page: one HTML file, and what stands beside it.

In the order of reading: ``page`` (figures and sections become HTML), ``study_page`` and
``study_sections`` with their ``sentences``, ``search_page`` with what it shows for ``review``,
``leaks_page``, ``fit_page``, ``files`` (whole or absent), ``drift`` (does a study still hold).
"""

from simlab.stubs import names_in_stub

__getattr__, __dir__, __all__ = names_in_stub(__name__, __file__)
