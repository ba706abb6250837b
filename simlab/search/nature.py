"""How natural two copies look: edits leave what neither a camera nor a printer does.

None is a proof. Their weights were fitted together, by logistic regression, on edits of pictures
of the half that ``benchmarks/keep.py`` calls tune.
"""

import math
from typing import NamedTuple

import cv2
import numpy as np
import scipy.fft
from numpy import ndarray


class Looks(NamedTuple):
    """How a picture looks, the more natural the larger, if not said otherwise."""

    evenness: float
    """Photographs are even nowhere, drawings are nearly everywhere: what lies between is likelier
    a photograph that was compressed, or a stained drawing."""
    sharpness: float
    """Nearness to what is usual: blur takes from it, noise and sharpening add to it."""
    blocks: float
    """How little is seen of the blocks of 8 x 8 pixels of a JPEG."""
    white: float
    """Share of the levels that are full white, as paper is until it is edited."""
    directions: float
    """How alike the detail is in all directions: motion takes it from one."""
    grain: float
    """What the evenest parts have. More is better where it is only where other detail is; what is
    everywhere alike is noise."""
    colours: float
    """Detail of the colours, likewise."""
    zeros: float
    """Share of the coefficients of a JPEG that are zero. More of them are better where two pictures
    hardly differ: the other was saved anew; where they do, a filter or a compression took some."""


WHAT_IS_WRONG = Looks(
    evenness="its even parts look edited",
    sharpness="its sharpness is less usual",
    blocks="it shows the blocks of a JPEG",
    white="its white is not full",
    directions="its detail lacks in one direction",
    grain="it has noise, or less grain",
    colours="its colours have less detail, or noise",
    zeros="its fine detail looks edited",
)
"""What is said of the picture that looks less natural."""

WEIGHTS = Looks(
    evenness=8.8,
    sharpness=6.1,
    blocks=13.0,
    white=28.0,
    directions=6.1,
    grain=0.8,
    colours=1.2,
    zeros=0.65,
)
"""Of differences, in the measure of :data:`simlab.search.keeping.SURE`."""


def looks_of(
    rgb: ndarray, grey: ndarray, shown: ndarray, *, sharpness: float, noise: float
) -> Looks:
    """Return how a picture looks.

    Args:
        rgb: uint8 (height, width, 3).
        grey: float32 (height, width).
        shown: bool (height, width), the part that is looked at.
        sharpness: curvature by slope at the strongest edges.
        noise: grey levels, in the evenest parts.
    """
    even = _curvature(grey) < 0.75  # grey levels
    blocks = _step_between_blocks(grey) + _step_between_blocks(grey.T)
    coefficients = coefficients_of(grey)  # none of a tiny picture
    n_zeros = np.count_nonzero(np.abs(coefficients) < 0.6)
    return Looks(
        evenness=(even[shown].mean() - 0.45) ** 2,
        sharpness=-((math.log(sharpness) - 0.55) ** 2),
        blocks=-max(0.0, blocks / 2),
        white=(rgb[shown] == 255).mean(),
        directions=-max(0.0, _unlike_directions(grey, shown) - 0.4),
        grain=math.log(noise + 0.2),
        colours=_detail_of_colours(rgb, shown),
        zeros=n_zeros / max(1, coefficients.size),
    )


def _curvature(levels: ndarray) -> ndarray:
    return np.abs(cv2.Laplacian(levels, cv2.CV_32F))


def _step_between_blocks(grey: ndarray) -> float:
    """Log of how much larger steps are between blocks of 8 columns than within them."""
    steps = np.minimum(np.abs(np.diff(grey, axis=1)), 30).mean(axis=0)
    is_between = np.arange(len(steps)) % 8 == 7
    if not is_between.any():
        return 0.0
    return math.log((steps[is_between].mean() + 0.05) / (steps[~is_between].mean() + 0.05))


def _unlike_directions(grey: ndarray, shown: ndarray) -> float:
    """Log of how much more detail there is in one of four directions than in another."""
    logs = []
    for x, y in ((1, 0), (0, 1), (1, 1), (1, -1)):
        kernel = np.zeros((3, 3))
        kernel[1 + y, 1 + x] = 1
        kernel[1 - y, 1 - x] = 1
        kernel[1, 1] = -2
        curvature = np.abs(cv2.filter2D(grey, -1, kernel))[shown].mean()
        of_distance = 0.25 * abs(x * y)  # diagonal neighbours are farther
        logs.append(math.log(curvature + 0.2) - of_distance)
    return max(logs) - min(logs)


def _detail_of_colours(rgb: ndarray, shown: ndarray) -> float:
    """Log of the mean curvature of the two channels of colour."""
    both = cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb)[:, :, 1:]
    return math.log(_curvature(both)[shown].mean() + 0.05)


def coefficients_of(grey: ndarray) -> ndarray:
    """Return the cosine transforms of all blocks of 8 x 8, (n, 8, 8)."""
    height, width = [side // 8 * 8 for side in grey.shape]
    blocks = grey[:height, :width].reshape(height // 8, 8, width // 8, 8).swapaxes(1, 2)
    blocks = blocks.reshape(-1, 8, 8)
    return scipy.fft.dctn(blocks, axes=(1, 2), norm="ortho")
