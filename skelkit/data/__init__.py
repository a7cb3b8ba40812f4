"""Clips, skeletons, protocols, preprocessing and views."""

from skelkit.data.clips import Clips
from skelkit.data.library import load, present
from skelkit.data.skeleton import KINECT_V1, KINECT_V2, SBU, SKELETONS, Skeleton, bone_stream, motion_stream

__all__ = [
    "KINECT_V1",
    "KINECT_V2",
    "SBU",
    "SKELETONS",
    "Clips",
    "Skeleton",
    "bone_stream",
    "load",
    "motion_stream",
    "present",
]
