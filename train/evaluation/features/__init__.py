"""Features in which samples are compared with data: those of a classifier, or raw values."""

from train.evaluation.features.spaces import Features, check, choose

__all__ = ["Features", "check", "choose"]
