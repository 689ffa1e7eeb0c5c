"""Derivatives of an objective in float64, against which one step of SGD is held."""

import jax
import numpy as np


def flat(tree) -> np.ndarray:
    """All leaves as one vector."""
    return np.concatenate([np.asarray(leaf, np.float64).ravel() for leaf in jax.tree.leaves(tree)])


def derivative(objective, params) -> np.ndarray:
    """Central differences of an objective of a tree of parameters."""
    leaves, structure = jax.tree.flatten(jax.tree.map(np.float64, params))
    found = []
    for index, leaf in enumerate(leaves):
        for place in np.ndindex(leaf.shape):
            values = []
            for step in (1e-6, -1e-6):
                moved = [each.copy() for each in leaves]
                moved[index][place] += step
                values.append(objective(jax.tree.unflatten(structure, moved)))
            found.append((values[0] - values[1]) / 2e-6)
    return np.array(found)
