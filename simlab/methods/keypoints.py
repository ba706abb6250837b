"""Keypoints: found by AKAZE, ORB or SIFT; each makes two methods, ``akaze`` and ``akaze_inliers``.

Detectors and descriptors are OpenCV's, called as in the classic recipes (on the colour picture,
default parameters). How two sets are compared stands in :mod:`simlab.methods.matching`.
"""

from collections.abc import Callable
from typing import Annotated

import cv2
import numpy as np
from PIL import Image

from simlab.images import read_image
from simlab.methods.matching import (
    AKAZE_BITS,
    ORB_BITS,
    SIFT_MAXIMUM,
    Keypoints,
    Model,
    distances,
    inlier_distance,
    inliers,
    match,
    mean_distance,
    ratio_matches,
    verify,
)
from simlab.methods.registry import register
from simlab.specs import between, checked

__all__ = [
    "AKAZE_BITS",
    "MIN_SIDE",
    "ORB_BITS",
    "SIFT_MAXIMUM",
    "Keypoints",
    "Model",
    "akaze",
    "akaze_detector",
    "at_most",
    "detect",
    "distances",
    "inlier_distance",
    "inliers",
    "match",
    "mean_distance",
    "orb",
    "ratio_matches",
    "scaled",
    "sift",
    "strongest",
    "verify",
]

MIN_SIDE = 16
"""Below this side OpenCV's AKAZE finds nothing, or aborts the whole process."""

MaxSide = Annotated[int, between(MIN_SIDE, 100_000)] | None
MaxKeypoints = Annotated[int, between(1, 1_000_000)] | None


def __dir__() -> list[str]:
    return __all__


def _two_methods(maximum: float, unit: str) -> Callable[[Callable], Callable]:
    """A decorator that registers a detector's keypoints twice.

    By the mean distance of their matches, and by those that agree on one transform.
    """

    def decorate(extract: Callable) -> Callable:
        name = extract.__name__
        register(
            name,
            extract,
            distance=mean_distance,
            maximum=maximum,
            unit=unit,
            restore=Keypoints._make,
            feature_kind="keypoints",
        )
        register(
            f"{name}_inliers",
            extract,
            distance=inlier_distance,
            maximum=1.0,
            restore=Keypoints._make,
            feature=name,
            feature_kind="keypoints",
            symmetric=False,
        )
        return extract

    return decorate


@_two_methods(AKAZE_BITS, "bits")
@checked
def akaze(
    image,
    *,
    max_side: MaxSide = 800,
    max_keypoints: MaxKeypoints = 500,
    threshold: Annotated[float, between(1e-6, 1)] = 0.001,
) -> Keypoints:
    """Return the AKAZE keypoints of a picture; none if it is flat or has a side under 16 pixels.

    Args:
        image: what :func:`simlab.read_image` takes. OpenCV is given its colours.
        max_side: a larger picture is first scaled down to this side; None keeps it (94 MB per
            megapixel).
        max_keypoints: only the strongest are kept; None keeps all. With both None this is the
            classic recipe.
        threshold: least detector response; smaller finds more keypoints.

    Raises:
        ValueError: a limit is out of range, or this OpenCV has no AKAZE.

    Source: P. F. Alcantarilla, J. Nuevo, A. Bartoli, "Fast explicit diffusion for accelerated
    features in nonlinear scale spaces", BMVC 2013.
    """
    return strongest(detect(image, akaze_detector(threshold), max_side), max_keypoints)


@_two_methods(ORB_BITS, "bits")
@checked
def orb(
    image, *, max_side: MaxSide = 800, max_keypoints: Annotated[int, between(1, 100_000)] = 500
) -> Keypoints:
    """Return the ORB keypoints of a picture: 256 bits each.

    There are none in the outer 31 pixels, nor in a flat picture.

    Args:
        max_side: as in :func:`akaze`; None is the classic recipe.
        max_keypoints: as OpenCV's ``nfeatures``: the best, shared out among the scales.

    Source: E. Rublee, V. Rabaud, K. Konolige, G. Bradski, "ORB: an efficient alternative to SIFT or
    SURF", ICCV 2011.
    """
    return detect(image, cv2.ORB_create(nfeatures=max_keypoints), max_side)


@_two_methods(SIFT_MAXIMUM, "L2")
@checked
def sift(
    image,
    *,
    max_side: MaxSide = 800,
    max_keypoints: MaxKeypoints = 500,
    threshold: Annotated[float, between(0.001, 1)] = 0.04,
) -> Keypoints:
    """Return the SIFT keypoints of a picture: 128 numbers from 0 to 255 each, whole, as float16.

    Args:
        max_side, max_keypoints: as in :func:`akaze`; with both None this is the classic recipe.
        threshold: least contrast of a keypoint, OpenCV's ``contrastThreshold``; smaller finds more.

    Source: D. G. Lowe, "Distinctive image features from scale-invariant keypoints", IJCV 60, 2004.
    """
    found = detect(image, cv2.SIFT_create(contrastThreshold=threshold), max_side)
    # half the bytes, and exact: whole numbers up to 2048 are
    halved = found._replace(descriptors=found.descriptors.astype(np.float16))
    return strongest(halved, max_keypoints)


def akaze_detector(threshold: float, **options) -> cv2.Feature2D:
    """Return OpenCV's AKAZE; `options` as its ``AKAZE_create`` takes them.

    Raises:
        ValueError: this OpenCV has none.
    """
    # OpenCV 5 moved AKAZE to its contrib modules
    for module in (cv2, getattr(cv2, "xfeatures2d", None)):
        if hasattr(module, "AKAZE_create"):
            return module.AKAZE_create(threshold=threshold, **options)
    raise ValueError(
        f"this OpenCV ({cv2.__version__}) has no AKAZE; install opencv-python-headless>=4.12,<5"
        " or opencv-contrib-python-headless"
    )


def detect(image, detector: cv2.Feature2D, max_side: int | None = None) -> Keypoints:
    """Return what an OpenCV detector finds in a picture, first scaled down to `max_side`."""
    working, scale = at_most(read_image(image), max_side)
    if min(working.size) < MIN_SIDE:
        return _keypoints([], None, detector)
    blue_first = np.ascontiguousarray(np.asarray(working)[:, :, ::-1])
    detected, descriptors = detector.detectAndCompute(blue_first, None)
    return scaled(_keypoints(detected, descriptors, detector), 1 / scale)


def at_most(image: Image.Image, max_side: int | None) -> tuple[Image.Image, float]:
    """Return the picture, scaled down where its longer side is over `max_side`, and the factor."""
    longer = max(image.size)
    if max_side is None or longer <= max_side:
        return image, 1.0
    scale = max_side / longer
    size = tuple(max(1, round(scale * side)) for side in image.size)
    small = cv2.resize(np.asarray(image), size, interpolation=cv2.INTER_AREA)
    return Image.fromarray(small), scale


def _keypoints(detected, descriptors: np.ndarray | None, detector: cv2.Feature2D) -> Keypoints:
    """OpenCV's keypoints as arrays; it gives None for the descriptors where there are none."""
    if descriptors is None:
        is_bits = detector.descriptorType() == cv2.CV_8U
        dtype = np.uint8 if is_bits else np.float32
        descriptors = np.zeros((0, detector.descriptorSize()), dtype=dtype)
    points = np.array([point.pt for point in detected], dtype=np.float32).reshape(-1, 2)
    sizes = np.array([point.size for point in detected], dtype=np.float32)
    responses = np.array([point.response for point in detected], dtype=np.float32)
    return Keypoints(points, descriptors, sizes, responses)


def scaled(found: Keypoints, factor: float) -> Keypoints:
    """Return the keypoints as they lie in a picture larger by this factor.

    The centres of pixels are half a pixel in.
    """
    if factor == 1:
        return found
    half = np.float32(0.5)
    points = np.float32(factor) * (found.points + half) - half
    return found._replace(points=points, sizes=np.float32(factor) * found.sizes)


def strongest(keypoints: Keypoints, n: int | None) -> Keypoints:
    """Return the n keypoints of largest response (None: all), in their order of detection."""
    if n is None or len(keypoints.points) <= n:
        return keypoints
    keep = np.sort(np.argsort(-keypoints.responses, kind="stable")[:n])
    return Keypoints._make([column[keep] for column in keypoints])
