"""simlab finds out which image-similarity method, threshold and weights find copies of a picture.

The story, a room a sentence: a file becomes pixels (:mod:`simlab.images`); a picture becomes
another that is a copy of it (:mod:`simlab.perturb`); pictures become labelled pairs
(:mod:`simlab.pairs`); pairs and methods (:mod:`simlab.methods`) become distances
(:mod:`simlab.scoring`); distances become numbers with intervals (:mod:`simlab.evaluation`); several
distances become one (:mod:`simlab.ensemble`); a folder becomes groups of copies
(:mod:`simlab.search`), and these a plan (:mod:`simlab.moving`); and all of it is seen in figures,
reports and widgets.

Names are loaded when first used, so that ``import simlab`` stays quick.
"""

from simlab.stubs import names_in_stub

__version__ = "0.1.0"

__getattr__, _listed, _ = names_in_stub(__name__, __file__)


def __dir__() -> list[str]:
    return ["__version__", *_listed()]
