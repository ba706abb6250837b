"""Methods: a picture becomes a feature, and two features a distance.

Read in this order: :mod:`~simlab.methods.registry` (what a method is, and where your own plugs in),
:mod:`~simlab.methods.hashes`, :mod:`~simlab.methods.keypoints` (:mod:`~simlab.methods.akaze` is one
of them under its own name), :mod:`~simlab.methods.alignment` (two pictures laid on each other),
:mod:`~simlab.methods.frames` (to the pixel), :mod:`~simlab.methods.contradiction` (what each then
has of its own), :mod:`~simlab.methods.places` (and where), :mod:`~simlab.methods.overlap` (where
the one lies in the other), :mod:`~simlab.methods.networks` (vectors of networks that you bring),
:mod:`~simlab.methods.whitening` (vectors against a background), and
:mod:`~simlab.methods.packing` (a feature as bytes). Each method registers itself where it stands:
its module tells first how two features are compared.
"""

from simlab.stubs import names_in_stub

__getattr__, __dir__, __all__ = names_in_stub(__name__, __file__)

# each module registers its methods: lists and messages name them in this order
from simlab.methods import hashes, keypoints, alignment, contradiction  # noqa: E402, F401  # isort: skip
