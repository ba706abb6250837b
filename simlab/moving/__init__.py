"""Moving: groups become a plan that people read and change, and the plan a move that is undone.

Read in this order: :mod:`~simlab.moving.plan` (what is proposed to keep and to drop).
"""

from simlab.moving.plan import make_plan

__all__ = ["make_plan"]
