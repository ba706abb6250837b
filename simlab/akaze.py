"""AKAZE under its own name: extract keypoints, compare two sets. How it works stands in :mod:`simlab.keypoints`."""

from simlab.keypoints import AKAZE_BITS as BITS
from simlab.keypoints import Keypoints, inlier_distance, inliers, match, mean_distance
from simlab.keypoints import akaze as extract

__all__ = ["BITS", "Keypoints", "extract", "inlier_distance", "inliers", "match", "mean_distance"]
