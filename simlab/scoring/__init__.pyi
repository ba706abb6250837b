"""Scoring: what this room offers, and its modules; a name is loaded when it is first used."""

from simlab.scoring import audit as audit
from simlab.scoring import cache as cache
from simlab.scoring import comparison as comparison
from simlab.scoring import cost as cost
from simlab.scoring import features as features
from simlab.scoring import one_pair as one_pair
from simlab.scoring import table as table
from simlab.scoring import workers as workers
from simlab.scoring.cost import preview as preview
from simlab.scoring.cost import timings as timings
from simlab.scoring.one_pair import distances as distances
from simlab.scoring.table import score_designs as score_designs
from simlab.scoring.table import score_pairs as score_pairs
