"""Normalizing flows: log p(x) = log N(f(x); 0, I) + log |det df/dx|, exactly (Dinh et al. 2017, eq. 2)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxgen import labels, losses
from jaxgen.metrics import bayes_posterior
from jaxgen.models import Flow, condition_of
from jaxgen.optimize import Losses, check_optimizers, minimize
from jaxgen.recipe import PyTree, Recipe, State, mean_over
from jaxgen.sampling import standard_normal


class Model(NamedTuple):
    """The model: all that evaluation and sampling read."""

    #: Trainable parameters.
    params: PyTree
    #: Running statistics of batch norm by Flax collection; {} where there is none.
    statistics: PyTree
    #: Label counts of training, integers [K], the prior of y; None if unconditional.
    label_counts: jax.Array | None


def flow(
    network: Flow,
    optimizer: optax.GradientTransformation,
    *,
    num_classes: int | None = None,
    temperature: float = 1.0,
) -> Recipe:
    """Minimise -log p(x), or with `num_classes` -log p(x | y), y integers [B], by a change of variables.

    Codes are z = f(x), [B, D], and `decode` is the inverse of `encode`. Normalisation layers begin with values of the
    batch of `init`, the global one. Samples are f^-1(z) with z ~ N(0, temperature^2 I), less varied below 1 (Kingma &
    Dhariwal 2018, section 6); `log_prob` is that of temperature 1. Raises ValueError unless temperature > 0.
    """
    check_optimizers(optimizer=optimizer)
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, got {temperature}")

    def init(key: jax.Array, batch: dict) -> State:
        statistics = dict(network.init(key, batch["x"], condition_of(batch.get("y"), num_classes)))
        params = statistics.pop("params")
        label_counts = None if num_classes is None else jnp.zeros(num_classes, jnp.int32)
        return State(Model(params, statistics, label_counts), optimizer.init(params))

    def step(key: jax.Array, state: State, batch: dict, *, axis_name: str | None = None) -> tuple[State, dict]:
        del key
        params, statistics, label_counts = state.model
        condition = condition_of(batch.get("y"), num_classes)

        def loss(params: PyTree) -> Losses:
            variables, mutable = {"params": params, **statistics}, list(statistics)
            (z, log_det), after = network.on_axis(axis_name).apply(variables, batch["x"], condition, mutable=mutable)
            return losses.change_of_variables_nll(z, log_det), {}, after

        params, opt_state, metrics, statistics = minimize(optimizer, loss, params, state.train, axis_name)
        if label_counts is not None:
            label_counts = labels.count(label_counts, batch["y"], axis_name)
        return State(Model(params, mean_over(statistics, axis_name), label_counts), opt_state), metrics

    def transform(model: Model, x: jax.Array, y: jax.Array | None) -> tuple[jax.Array, jax.Array]:
        variables = {"params": model.params, **model.statistics}
        return network.apply(variables, x, condition_of(y, num_classes))

    def nll(model: Model, x: jax.Array, y: jax.Array | None) -> jax.Array:
        return losses.change_of_variables_nll(*transform(model, x, y))

    def evaluate(key: jax.Array, model: Model, batch: dict) -> dict[str, jax.Array]:
        del key
        return {"nll": nll(model, batch["x"], batch.get("y"))}

    def encode(model: Model, x: jax.Array, *, y: jax.Array | None = None) -> jax.Array:
        return transform(model, x, y)[0]

    def decode(model: Model, z: jax.Array, *, y: jax.Array | None = None) -> jax.Array:
        variables = {"params": model.params, **model.statistics}
        return network.apply(variables, z, condition_of(y, num_classes), method="inverse")[0]

    def sample(key: jax.Array, model: Model, num: int, *, y: jax.Array | None = None) -> jax.Array:
        key_label, key_latent = jax.random.split(key)
        if model.label_counts is not None and y is None:
            y = labels.draw(key_label, model.label_counts, num)
        noise = standard_normal(key_latent, num, (network.num_dims,))
        return decode(model, temperature * noise, y=y)

    def class_likelihoods(model: Model, x: jax.Array) -> jax.Array:
        """log p(x | y) for every class, nats [B, K]."""
        given_class = lambda y: -nll(model, x, jnp.full(x.shape[0], y))  # noqa: E731
        return jax.lax.map(given_class, jnp.arange(num_classes)).T

    def classify(key: jax.Array, model: Model, x: jax.Array) -> jax.Array:
        del key
        assert model.label_counts is not None
        return bayes_posterior(class_likelihoods(model, x), labels.log_prior(model.label_counts))

    def log_prob(
        key: jax.Array, model: Model, x: jax.Array, *, y: jax.Array | None = None, num_samples: int = 1
    ) -> jax.Array:
        """log p(x | y), or for a class-conditional model without y log p(x), marginalised over classes."""
        del key, num_samples
        if y is None and model.label_counts is not None:
            joint = class_likelihoods(model, x) + labels.log_prior(model.label_counts)[None]
            return jax.nn.logsumexp(joint, axis=1)
        return -nll(model, x, y)

    return Recipe(
        init=init,
        step=step,
        evaluate=evaluate,
        sample=sample,
        encode=encode,
        decode=decode,
        classify=None if num_classes is None else classify,
        log_prob=log_prob,
        log_prob_is="exact",
        conditional=num_classes is not None,
    )
