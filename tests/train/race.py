"""A config whose validation metric falls, then rises again, at another step for each seed."""

import jax
import jax.numpy as jnp

from jaxgen import preprocess
from jaxgen.recipe import Recipe, State, mean_over
from train.experiment import Count, DataSpec, Experiment


def experiment(*, nan_after: Count = 0) -> Experiment:
    """A point that walks from 0 past its target; `nan_after`: the step whose update is NaN; 0: none."""

    def recipe(spec: DataSpec) -> Recipe:
        del spec

        def init(key, batch):
            del batch
            key_target, key_weights = jax.random.split(key)
            target = jax.random.uniform(key_target, (), minval=0.5, maxval=2.5)
            weights = jax.random.normal(key_weights, (40, 40))
            return State({"at": jnp.zeros(()), "target": target, "weights": weights}, jnp.zeros((), jnp.int32))

        def step(key, state, batch, *, axis_name=None):
            model, count = state.model, state.train + 1
            pushed = 0.025 + 0.005 * jax.random.normal(key) + 0.0005 * mean_over(jnp.mean(batch["x"]), axis_name)
            at = jnp.where(count == nan_after, jnp.nan, model["at"] + pushed)
            weights = jnp.tanh(model["weights"] @ model["weights"])
            return State({**model, "at": at, "weights": weights}, count), {"loss": jnp.square(model["at"])}

        def evaluate(key, model, batch):
            del key
            distance = jnp.full(len(batch["x"]), jnp.square(model["at"] - model["target"]))
            return {"nll": distance, "kl": distance, "accuracy": -distance}

        return Recipe(init=init, step=step, evaluate=evaluate)

    return Experiment(
        recipe=recipe,
        prepare=preprocess.scale,
        data="digits",
        batch_size=16,
        steps=80,
        evaluate_every=5,
        checkpoint_every=10,
        steps_per_call=5,
    )
