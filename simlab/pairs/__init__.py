"""Pairs: pictures become labelled pairs, by design or by people.

Read in this order: :mod:`~simlab.pairs.make` (pairs by design: a source with its variants, and with
other sources), :mod:`~simlab.pairs.labels` (a CSV of labels, read strictly),
:mod:`~simlab.pairs.labelling` (which pairs to ask people about, and what they said).
"""

from simlab.pairs.make import DESIGNS, NEGATIVES, make_pairs

__all__ = ["DESIGNS", "NEGATIVES", "make_pairs"]
