"""AKAZE under its own name: extract keypoints, compare two sets.

How it works stands in :mod:`simlab.methods.keypoints` and :mod:`simlab.methods.matching`.
"""

from simlab.methods.keypoints import akaze as extract
from simlab.methods.matching import AKAZE_BITS as BITS
from simlab.methods.matching import Keypoints, inlier_distance, inliers, match, mean_distance

__all__ = ["BITS", "Keypoints", "extract", "inlier_distance", "inliers", "match", "mean_distance"]
