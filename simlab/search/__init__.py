"""Search: a folder becomes candidates, copies and groups.

Read in this order: :mod:`~simlab.search.copies` (the copies in a folder),
:mod:`~simlab.search.gallery` (the copies of one picture), :mod:`~simlab.search.library` (what is
known of the pictures), :mod:`~simlab.search.lying` (where found ones lie in each other),
:mod:`~simlab.search.indexes` (candidates, by kind of feature),
:mod:`~simlab.search.judging` (what a recipe makes of compared pictures),
:mod:`~simlab.search.keeping` (which of two copies is kept) and
:mod:`~simlab.search.grouping` (pairs become groups). :mod:`~simlab.search.said` is what people said
of pairs beforehand, and :mod:`~simlab.search.leaks` a search between a training and a test set.
"""

from simlab.search.copies import find_copies, pairs_to_label
from simlab.search.gallery import Gallery
from simlab.search.grouping import group
from simlab.search.leaks import find_leaks

__all__ = ["Gallery", "find_copies", "find_leaks", "group", "pairs_to_label"]
