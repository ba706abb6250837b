"""Search: what this room offers, and its modules; a name is loaded when it is first used."""

from simlab.search import copies as copies
from simlab.search import doubts as doubts
from simlab.search import forecast as forecast
from simlab.search import gallery as gallery
from simlab.search import grouping as grouping
from simlab.search import indexes as indexes
from simlab.search import judging as judging
from simlab.search import keeping as keeping
from simlab.search import leaks as leaks
from simlab.search import library as library
from simlab.search import lying as lying
from simlab.search import parts as parts
from simlab.search import said as said
from simlab.search.copies import find_copies as find_copies
from simlab.search.copies import pairs_to_label as pairs_to_label
from simlab.search.gallery import Gallery as Gallery
from simlab.search.grouping import group as group
from simlab.search.leaks import find_leaks as find_leaks
