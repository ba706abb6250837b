"""AKAZE under its own name: extract keypoints, compare two sets.

How it works stands in :mod:`simlab.methods.keypoints`.
"""

from simlab.methods.keypoints import AKAZE_BITS as BITS
from simlab.methods.keypoints import Keypoints, inlier_distance, inliers, match, mean_distance
from simlab.methods.keypoints import akaze as extract

__all__ = ["BITS", "Keypoints", "extract", "inlier_distance", "inliers", "match", "mean_distance"]
