"""Search: a folder becomes candidates, copies and groups.

Read in this order: :mod:`~simlab.search.copies` (the copies in a folder),
:mod:`~simlab.search.gallery` (the copies of one picture), :mod:`~simlab.search.library` (what is
known of the pictures), :mod:`~simlab.search.lying` (where found ones lie in each other),
:mod:`~simlab.search.indexes` (candidates, by kind of feature),
:mod:`~simlab.search.judging` (what a recipe makes of compared pictures),
:mod:`~simlab.search.keeping` (which of two copies is kept, also by how natural they look:
:mod:`~simlab.search.nature`) and :mod:`~simlab.search.grouping` (pairs become groups).
:mod:`~simlab.search.said` is what people said of pairs beforehand, and
:mod:`~simlab.search.leaks` a search between a training and a test set.
"""

from simlab.stubs import names_in_stub

__getattr__, __dir__, __all__ = names_in_stub(__name__, __file__)
