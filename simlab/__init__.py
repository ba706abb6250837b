"""simlab finds out which image-similarity method, at which threshold and with which weights, finds copies.

The story, a room a sentence: a file becomes pixels (:mod:`simlab.images`); a picture becomes another
that is a copy of it (:mod:`simlab.perturb`); pictures become labelled pairs (:mod:`simlab.pairs`);
pairs and methods (:mod:`simlab.methods`) become distances (:mod:`simlab.scoring`); distances become
numbers with intervals (:mod:`simlab.evaluation`); several distances become one
(:mod:`simlab.ensemble`); a folder becomes groups of copies (:mod:`simlab.search`); and all of it is
seen in figures, reports and widgets.

Names are loaded when first used, so that ``import simlab`` stays quick.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_MODULES = {
    "akaze": "simlab.methods.akaze",
    "audit": "simlab.scoring.audit",
    "cache": "simlab.scoring.cache",
    "comparison": "simlab.scoring.comparison",
    "datasets": "simlab.datasets",
    "ensemble": "simlab.ensemble",
    "evaluation": "simlab.evaluation",
    "features": "simlab.scoring.features",
    "grouping": "simlab.search.grouping",
    "hashes": "simlab.methods.hashes",
    "images": "simlab.images",
    "keypoints": "simlab.methods.keypoints",
    "labelling": "simlab.pairs.labelling",
    "methods": "simlab.methods",
    "pairs": "simlab.pairs",
    "perturb": "simlab.perturb",
    "plots": "simlab.plots",
    "report": "simlab.report",
    "scoring": "simlab.scoring",
    "search": "simlab.search",
    "specs": "simlab.specs",
    "tables": "simlab.tables",
    "widgets": "simlab.widgets",
}
_NAMES = {
    "read_image": "simlab.images",
    "list_images": "simlab.images",
    "ImageError": "simlab.images",
    "read_pairs": "simlab.tables",
    "make_pairs": "simlab.pairs",
    "audit_sources": "simlab.scoring.audit",
    "distances": "simlab.scoring",
    "score_pairs": "simlab.scoring",
    "score_designs": "simlab.scoring",
    "evaluate": "simlab.evaluation",
    "compare": "simlab.evaluation",
    "choose_threshold": "simlab.evaluation",
    "Ensemble": "simlab.ensemble",
    "find_copies": "simlab.search",
    "Gallery": "simlab.search",
    "group": "simlab.search",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    raise AttributeError(f"module 'simlab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(["__version__", *_MODULES, *_NAMES])
