"""Checkpoints of a run: which are kept, which one a run goes on from, and what one holds."""

from train.engine.checkpoint.series import (
    Checkpoints,
    ReadModel,
    check_path,
    has_ended,
    newest_step,
    not_finite,
    read_model,
    read_models,
)

__all__ = [
    "Checkpoints",
    "ReadModel",
    "check_path",
    "has_ended",
    "newest_step",
    "not_finite",
    "read_model",
    "read_models",
]
