"""Scoring: pairs and methods become distances. The only slow step.

Read in this order: :mod:`~simlab.scoring.one_pair` (the rule by which two pictures get a distance),
:mod:`~simlab.scoring.table` (the same for a table of pairs), :mod:`~simlab.scoring.features` (made
once for each picture), :mod:`~simlab.scoring.workers` (on all cores) and
:mod:`~simlab.scoring.cache` (once, ever). Beside them stand :mod:`~simlab.scoring.cost` (how long
it takes), :mod:`~simlab.scoring.audit` (hidden duplicates among sources) and
:mod:`~simlab.scoring.comparison` (two pictures looked at closely).
"""

from simlab.stubs import names_in_stub

__getattr__, __dir__, __all__ = names_in_stub(__name__, __file__)
