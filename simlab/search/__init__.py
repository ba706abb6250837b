"""Search: a folder becomes candidates, copies and groups.

Read in this order: :mod:`~simlab.search.copies` (the copies in a folder),
:mod:`~simlab.search.gallery` (the copies of one picture), :mod:`~simlab.search.library` (what is
known of the pictures), :mod:`~simlab.search.indexes` (candidates, by kind of feature),
:mod:`~simlab.search.judging` (what a recipe makes of compared pictures) and
:mod:`~simlab.search.grouping` (pairs become groups).
"""

from simlab.search.copies import find_copies
from simlab.search.gallery import Gallery
from simlab.search.grouping import group

__all__ = ["Gallery", "find_copies", "group"]
