"""The method and the perturbation of notebook 05, written as you would write yours."""

import cv2
import numpy as np
from PIL import Image


def hog(image, *, side=64):
    """Return histograms of oriented gradients of a small grey copy: float32 (n,), none negative.

    Source: N. Dalal, B. Triggs, "Histograms of oriented gradients for human detection", CVPR 2005;
    OpenCV.
    """
    small = np.asarray(image.convert("L").resize((side, side), Image.Resampling.LANCZOS))
    return cv2.HOGDescriptor((side, side), (16, 16), (8, 8), (8, 8), 9).compute(small)


def cosine_distance(a, b):
    """Return 1 - the cosine of the angle between two descriptors: 0 for the same direction, 1 for a
    right angle.
    """
    return 1 - float(a @ b) / float(np.linalg.norm(a) * np.linalg.norm(b) or 1)


def vignette(image, rng, *, strength=0.5):
    """Return the picture with corners darkened: they lose the share `strength` of their light."""
    x, y = (np.linspace(-1, 1, length) for length in image.size)
    light = 1 - strength * (x[None, :] ** 2 + y[:, None] ** 2) / 2
    return Image.fromarray(np.uint8(np.asarray(image) * light[..., None]))
