"""Annealed importance sampling of log p(x), a check on the importance-weighted bound (Wu et al. 2017)."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import annealed, losses
from jaxgen.recipe import PyTree, Recipe
from train.data import spread
from train.engine.compile import over_examples
from train.evaluation.estimates import UNITS, Measured
from train.evaluation.evaluators.likelihood import measure_nll
from train.evaluation.subject import Subject

_CHAINS = 16  # of each example, as in Wu et al. 2017
_BATCH_SIZE = 50  # times the chains


def applies(subject: Subject) -> bool:
    """True if it is asked for and the recipe has p(x | z) under the prior N(0, I)."""
    return subject.options.extra.annealed is not None and subject.run.recipe.log_likelihood is not None


def measure(subject: Subject) -> dict[str, Measured]:
    """NLL of test examples by forward chains, and the gap between the bounds of forward and reverse chains.

    The gap is measured on as many simulated examples, whose z is known. The importance-weighted NLL of the same test
    examples is given as its excess over that of the chains.
    """
    recipe, model, extra = subject.run.recipe, subject.model, subject.options.extra
    assert recipe.encode is not None
    assert recipe.draw_x is not None
    assert extra.annealed is not None
    key_test, key_weights, key_prior, key_data, key_simulated = jax.random.split(subject.key(3), 5)
    rows = spread(len(subject.test.prepared["x"]), extra.annealed)
    test = {name: array[rows] for name, array in subject.test.prepared.items()}
    codes = jax.eval_shape(recipe.encode, model, test["x"], y=test.get("y"))
    z = np.asarray(jax.random.normal(key_prior, codes.shape, jnp.float32))
    simulated = test | {"x": np.asarray(recipe.draw_x(key_data, model, z, y=test.get("y"))), "z": z}

    bounds = over_examples(enclose(recipe, z.shape[1], extra.annealed_steps), batch_size=_BATCH_SIZE)
    weighted = over_examples(measure_nll(recipe, subject.options.num_samples), batch_size=2 * _BATCH_SIZE)
    nll = -bounds(key_test, model, test)["lower"]
    (bound,) = weighted(key_weights, model, test).values()
    of_simulated = bounds(key_simulated, model, simulated)
    return {
        "annealed_nll": Measured(nll, UNITS["nll"]),
        "importance_weighted_excess": Measured(bound - nll, "nats above annealed_nll"),
        "annealed_gap": Measured(of_simulated["upper"] - of_simulated["lower"], "nats, on simulated examples"),
    }


def enclose(recipe: Recipe, latent_dim: int, num_steps: int) -> Callable[[jax.Array, PyTree, dict], dict]:
    """(key, model, batch) -> {"lower": [B]} on log p(x), nats, and "upper" where the batch has z, drawn with its x."""
    log_likelihood = recipe.log_likelihood
    assert log_likelihood is not None

    def on_batch(key: jax.Array, model: PyTree, batch: dict) -> dict[str, jax.Array]:
        key_tune, key_forward, key_reverse = jax.random.split(key, 3)
        chains = {name: jnp.repeat(array, _CHAINS, axis=0) for name, array in batch.items()}
        betas = annealed.sigmoid_schedule(num_steps)

        def given(examples: dict) -> Callable[[jax.Array], jax.Array]:
            return lambda z: log_likelihood(model, examples["x"], z, y=examples.get("y"))

        def bound(log_weights: jax.Array) -> jax.Array:
            return losses.importance_weighted_bound(log_weights.reshape(-1, _CHAINS).T)

        # One pilot chain of each example tunes all of its chains: their weights are unbiased whatever the step sizes.
        tuned = annealed.tune_step_sizes(key_tune, given(batch), betas, (len(batch["x"]), latent_dim))
        step_sizes = jnp.repeat(tuned, _CHAINS, axis=1)
        there = annealed.forward(key_forward, given(chains), betas, step_sizes, latent_dim)
        found = {"lower": bound(there.log_weights)}
        if "z" in batch:
            back = annealed.reverse(key_reverse, given(chains), betas, step_sizes, chains["z"])
            found["upper"] = -bound(back.log_weights)
        return found

    return on_batch
