"""Moving: groups become a plan that people read and change, and the plan a move that is undone.

It is the only room that touches a user's file. Read in this order: :mod:`~simlab.moving.plan` (what
is proposed), :mod:`~simlab.moving.plan_file` (a plan is read, as text that anybody may have
written), :mod:`~simlab.moving.move` (what is checked before each file moves),
:mod:`~simlab.moving.journal` (a line on the disk before each move), :mod:`~simlab.moving.one_file`
(one file moves) and :mod:`~simlab.moving.undo` (everything goes back).
"""

from simlab.moving.move import GONE, check_folder, move, preview
from simlab.moving.plan import PLAN_COLUMNS, make_plan
from simlab.moving.plan_file import Plan, read_plan
from simlab.moving.undo import undo

__all__ = [
    "GONE",
    "PLAN_COLUMNS",
    "Plan",
    "check_folder",
    "make_plan",
    "move",
    "preview",
    "read_plan",
    "undo",
]
