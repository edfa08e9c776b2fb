"""Additions that are made from outside, one file each: what they need stands here, and in no file of `runtime`."""
