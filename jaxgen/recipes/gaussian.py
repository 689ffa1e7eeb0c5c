"""Gaussians with full covariances, one for all data or one per class, in closed form.

The baseline of papers on flows (Papamakarios et al. 2017, table 1). Like naive Bayes it is fitted by accumulating
moments in one pass over the data, without an optimizer.
"""

import math
from typing import Literal

import jax
import jax.numpy as jnp

from jaxgen import labels, metrics
from jaxgen.models import GaussianMoments, covariance_factor, gaussian_moments
from jaxgen.models.gaussian import merge_gaussian
from jaxgen.recipe import Recipe, State
from jaxgen.sampling import standard_normal


def gaussian(
    shape: tuple[int, ...],
    num_classes: int | None = None,
    *,
    prior: Literal["counted", "uniform"] = "counted",
    variance_floor: float = 1e-6,
) -> Recipe:
    """Maximum-likelihood N(mean, covariance) for each of `num_classes`, or for all x if it is None.

    The `prior` of a class is its share of the training data, or uniform. `variance_floor`, times the largest
    variance of a feature in any class, is added to all variances; a covariance that is still singular is replaced
    by its diagonal. Raises ValueError unless the floor is positive.
    """
    if variance_floor <= 0:
        raise ValueError(f"variance_floor must be positive, got {variance_floor}")
    num_features, num_gaussians = math.prod(shape), num_classes or 1

    def choose_gaussian(x: jax.Array, y: jax.Array | None) -> jax.Array:
        """The Gaussian of each example, [B]."""
        if num_classes is None:
            return jnp.zeros(x.shape[0], jnp.int32)
        if y is None:
            raise ValueError("a Gaussian for each class needs labels y")
        return y

    def log_prior(model: GaussianMoments) -> jax.Array:
        return labels.log_prior(model.counts if prior == "counted" else jnp.ones_like(model.counts))

    def class_likelihood(model: GaussianMoments, x: jax.Array) -> jax.Array:
        """log p(x | y) under every Gaussian, nats [B, K]."""
        x = x.reshape(x.shape[0], -1)

        def log_density(moments: tuple[jax.Array, jax.Array]) -> jax.Array:
            mean, factor = moments
            white = jax.scipy.linalg.solve_triangular(factor, (x - mean[None]).T, lower=True)
            log_det = jnp.sum(jnp.log(jnp.diagonal(factor)))
            return -0.5 * (jnp.sum(jnp.square(white), axis=0) + num_features * math.log(2 * math.pi)) - log_det

        # Not vmap: on the CPU a batch of triangular systems is many times slower than a loop.
        return jax.lax.map(log_density, (model.mean, covariance_factor(model, variance_floor))).T

    def init(key: jax.Array, batch: dict) -> State:
        del key, batch
        mean = jnp.zeros((num_gaussians, num_features), jnp.float32)
        scatter = jnp.zeros((num_gaussians, num_features, num_features), jnp.float32)
        return State(GaussianMoments(jnp.zeros(num_gaussians, jnp.float32), mean, scatter), ())

    def step(key: jax.Array, state: State, batch: dict, *, axis_name: str | None = None) -> tuple[State, dict]:
        del key
        x = batch["x"]
        y = choose_gaussian(x, batch.get("y"))
        moments = gaussian_moments(x.reshape(x.shape[0], -1), y, num_gaussians, axis_name=axis_name)
        model = merge_gaussian(state.model, moments)
        loss = -jnp.mean(labels.scores(class_likelihood(model, x) + log_prior(model)[None], y))
        return State(model, ()), {"loss": loss if axis_name is None else jax.lax.pmean(loss, axis_name)}

    def evaluate(key: jax.Array, model: GaussianMoments, batch: dict) -> dict[str, jax.Array]:
        del key
        likelihoods = class_likelihood(model, batch["x"])
        nll = -labels.scores(likelihoods, choose_gaussian(batch["x"], batch.get("y")))
        if num_classes is None:
            return {"nll": nll}
        joint = likelihoods + log_prior(model)[None]
        correct = jnp.argmax(joint, axis=1) == batch["y"]
        return {
            "nll": nll,
            "marginal_nll": -jax.nn.logsumexp(joint, axis=1),
            "accuracy": correct.astype(jnp.float32),
        }

    def sample(key: jax.Array, model: GaussianMoments, num: int, *, y: jax.Array | None = None) -> jax.Array:
        key_label, key_features = jax.random.split(key)
        if y is None or num_classes is None:
            y = jax.random.categorical(key_label, log_prior(model), shape=(num,))
        noise = standard_normal(key_features, num, (num_features,))

        def add_class(x: jax.Array, of_class: tuple) -> tuple[jax.Array, None]:
            label, mean, factor = of_class
            return jnp.where((y == label)[:, None], mean[None] + noise @ factor.T, x), None

        classes = (jnp.arange(num_gaussians), model.mean, covariance_factor(model, variance_floor))
        return jax.lax.scan(add_class, jnp.full_like(noise, jnp.nan), classes)[0].reshape(num, *shape)

    def classify(key: jax.Array, model: GaussianMoments, x: jax.Array) -> jax.Array:
        del key
        return metrics.bayes_posterior(class_likelihood(model, x), log_prior(model))

    def log_prob(
        key: jax.Array, model: GaussianMoments, x: jax.Array, *, y: jax.Array | None = None, num_samples: int = 1
    ) -> jax.Array:
        """log p(x | y), or without y log p(x), marginalised over classes."""
        del key, num_samples
        likelihoods = class_likelihood(model, x)
        if y is None or num_classes is None:
            return jax.nn.logsumexp(likelihoods + log_prior(model)[None], axis=1)
        return labels.scores(likelihoods, y)

    return Recipe(
        init=init,
        step=step,
        evaluate=evaluate,
        sample=sample,
        classify=None if num_classes is None else classify,
        log_prob=log_prob,
        log_prob_is="exact",
        conditional=num_classes is not None,
    )
