"""Tables become figures: each ``plot_*`` draws what it is given on `ax` and returns `ax`.

Nothing is computed here: tables come from :mod:`simlab.evaluation`, pictures from
:mod:`simlab.images` and :mod:`simlab.perturb`. Without `ax` a new figure of a fitting size is made;
small multiples take its place. A method has one colour and line style everywhere
(:func:`method_style`); names are untrusted (:func:`label`).

In the order of reading: ``style`` (what all share), ``curves`` (ROC, DET, precision),
``summaries`` (histograms, one metric as a table or against severity), ``comparisons`` (methods
against each other, probabilities, groups), ``pictures`` (galleries, hashes, keypoints).
"""

from simlab.stubs import names_in_stub

__getattr__, __dir__, __all__ = names_in_stub(__name__, __file__)
