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

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what editors and type checkers see; at run time, see __getattr__
    from simlab import (
        datasets as datasets,
        ensemble as ensemble,
        evaluation as evaluation,
        images as images,
        methods as methods,
        moving as moving,
        pairs as pairs,
        perturb as perturb,
        plots as plots,
        report as report,
        scoring as scoring,
        search as search,
        specs as specs,
        tables as tables,
        widgets as widgets,
    )
    from simlab.ensemble import Ensemble as Ensemble
    from simlab.evaluation import (
        choose_threshold as choose_threshold,
        compare as compare,
        evaluate as evaluate,
    )
    from simlab.images import (
        ImageError as ImageError,
        list_images as list_images,
        read_image as read_image,
    )
    from simlab.methods import (
        akaze as akaze,
        hashes as hashes,
        keypoints as keypoints,
    )
    from simlab.methods.overlap import overlap as overlap
    from simlab.moving import make_plan as make_plan
    from simlab.pairs import (
        labelling as labelling,
        make_pairs as make_pairs,
    )
    from simlab.pairs.labels import (
        read_distances as read_distances,
        read_pairs as read_pairs,
    )
    from simlab.scoring import (
        audit as audit,
        cache as cache,
        comparison as comparison,
        distances as distances,
        features as features,
        score_designs as score_designs,
        score_pairs as score_pairs,
    )
    from simlab.scoring.audit import audit_sources as audit_sources
    from simlab.search import (
        Gallery as Gallery,
        find_copies as find_copies,
        find_leaks as find_leaks,
        group as group,
        grouping as grouping,
    )

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
    "moving": "simlab.moving",
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
    "read_distances": "simlab.pairs.labels",
    "read_pairs": "simlab.pairs.labels",
    "make_pairs": "simlab.pairs",
    "audit_sources": "simlab.scoring.audit",
    "distances": "simlab.scoring",
    "overlap": "simlab.methods.overlap",
    "score_pairs": "simlab.scoring",
    "score_designs": "simlab.scoring",
    "evaluate": "simlab.evaluation",
    "compare": "simlab.evaluation",
    "choose_threshold": "simlab.evaluation",
    "Ensemble": "simlab.ensemble",
    "find_copies": "simlab.search",
    "find_leaks": "simlab.search",
    "Gallery": "simlab.search",
    "group": "simlab.search",
    "make_plan": "simlab.moving",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    raise AttributeError(f"module 'simlab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(["__version__", *_MODULES, *_NAMES])
