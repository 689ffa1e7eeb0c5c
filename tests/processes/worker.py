"""Train members of the recipe laws with another process: python worker.py HOST:PORT PROCESS OUT NAME ..."""

import sys

import jax
import numpy as np

from train.engine.devices import processes

coordinator, process, out, *names = sys.argv[1:]
processes.join(coordinator, 2, int(process))
assert len(jax.devices()) == 4

from test_recipe_laws import MEMBERS, run  # noqa: E402, its members ask for devices

found = {name: jax.tree.leaves(run(MEMBERS[name].recipe, devices=4)) for name in names}
arrays = {f"{name} {number}": np.asarray(leaf) for name, leaves in found.items() for number, leaf in enumerate(leaves)}
np.savez(f"{out}/{process}.npz", **arrays)
processes.part()
