"""What a run left on disk, in a form that compares."""

import json
import pathlib

import jax
import numpy as np
import orbax.checkpoint as ocp

from train.__main__ import main


def log_of(run_dir: pathlib.Path) -> list[dict]:
    """metrics.jsonl without its wall times."""
    lines = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]


def bits_of(run_dir: pathlib.Path, step: int) -> list[bytes]:
    """Every array of a checkpoint, model and training state, as bytes."""
    with ocp.CheckpointManager(run_dir / "checkpoints") as manager:
        items = ocp.args.Composite(model=ocp.args.StandardRestore(), train=ocp.args.StandardRestore())
        restored = manager.restore(step, args=items)
    train = restored["train"]
    leaves = jax.tree.leaves((restored["model"], train["state"], jax.random.key_data(train["key"]), train["step"]))
    return [np.asarray(leaf).tobytes() for leaf in leaves]


def call(*arguments: str) -> int:
    """Call the command line: its exit code."""
    try:
        main(list(arguments))
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0
