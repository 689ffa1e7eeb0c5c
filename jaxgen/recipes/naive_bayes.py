"""Naive Bayes, a generative classifier: p(x, y) = p(y) prod_d p(x_d | y) (Ng & Jordan 2002, section 2).

It is fitted by accumulating counts and moments in one pass over the data, without an optimizer.
"""

import math
from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp

from jaxgen import labels, losses, metrics
from jaxgen.models import ClassMoments, class_moments, total_variance
from jaxgen.models.naive_bayes import merge
from jaxgen.recipe import Recipe, State
from jaxgen.sampling import standard_normal

# (model, x [B, D]) -> log p(x | y) of every class, nats [B, K]
ClassLikelihood = Callable[[ClassMoments, jax.Array], jax.Array]
Prior = Literal["counted", "uniform"]  # of the classes: their shares of the training data, or uniform


def gaussian_naive_bayes(
    shape: tuple[int, ...], num_classes: int, *, variance_floor: float = 1e-9, prior: Prior = "counted"
) -> Recipe:
    """Naive Bayes with Gaussian features; x has `shape`, y is in 0..num_classes - 1, and results of others are NaN.

    `variance_floor`, times the largest variance of a feature over all classes, is added to every variance, as in
    scikit-learn. On images, with features that are constant within a class, it decides the accuracy. The `prior` of a
    class is its share of the training data, or uniform. Raises ValueError unless the floor is positive.
    """
    if variance_floor <= 0:
        raise ValueError(f"variance_floor must be positive, got {variance_floor}")

    def log_variance(model: ClassMoments) -> jax.Array:
        floor = variance_floor * jnp.max(total_variance(model))
        return jnp.log(model.squares / jnp.maximum(model.counts, 1)[:, None] + floor + jnp.finfo(jnp.float32).tiny)

    def class_likelihood(model: ClassMoments, x: jax.Array) -> jax.Array:
        def log_likelihood(mean: jax.Array, log_var: jax.Array) -> jax.Array:
            return -losses.gaussian_nll(jnp.broadcast_to(mean, x.shape), jnp.broadcast_to(log_var, x.shape), x)

        return jax.vmap(log_likelihood, out_axes=1)(model.mean, log_variance(model))

    def draw(key: jax.Array, model: ClassMoments, y: jax.Array) -> jax.Array:
        noise = standard_normal(key, y.shape[0], model.mean.shape[1:])
        return losses.reparameterize(labels.rows(model.mean, y), labels.rows(log_variance(model), y), noise)

    return _family(shape, num_classes, class_likelihood, draw, prior, levels=None)


def bernoulli_naive_bayes(
    shape: tuple[int, ...], num_classes: int, *, smoothing: float = 1.0, prior: Prior = "counted"
) -> Recipe:
    """Naive Bayes with binary features and `smoothing` pseudo-counts of each value (1 is Laplace smoothing).

    The `prior` of a class is its share of the training data, or uniform. Raises ValueError unless `smoothing` is
    positive: a value unseen in a class would have probability 0.
    """
    if smoothing <= 0:
        raise ValueError(f"smoothing must be positive, got {smoothing}")

    def logits(model: ClassMoments) -> jax.Array:
        ones = model.mean * model.counts[:, None] + smoothing
        zeros = (1 - model.mean) * model.counts[:, None] + smoothing
        return jnp.log(ones) - jnp.log(zeros)

    def class_likelihood(model: ClassMoments, x: jax.Array) -> jax.Array:
        def log_likelihood(logits: jax.Array) -> jax.Array:
            return -losses.bernoulli_nll(jnp.broadcast_to(logits, x.shape), x)

        return jax.vmap(log_likelihood, out_axes=1)(logits(model))

    def draw(key: jax.Array, model: ClassMoments, y: jax.Array) -> jax.Array:
        probability = labels.rows(jax.nn.sigmoid(logits(model)), y)
        drawn = jax.random.bernoulli(key, probability).astype(jnp.float32)
        return jnp.where(jnp.isnan(probability), jnp.nan, drawn)

    return _family(shape, num_classes, class_likelihood, draw, prior, levels=2)


def _family(
    shape: tuple[int, ...],
    num_classes: int,
    class_likelihood: ClassLikelihood,
    draw: Callable,
    prior: Prior,
    *,
    levels: int | None,
) -> Recipe:
    num_features = math.prod(shape)

    def log_prior(model: ClassMoments) -> jax.Array:
        return labels.log_prior(model.counts if prior == "counted" else jnp.ones_like(model.counts))

    def joint(model: ClassMoments, x: jax.Array) -> jax.Array:
        """log p(x, y) for every class, nats [B, K]."""
        return log_prior(model)[None] + class_likelihood(model, x.reshape(x.shape[0], -1))

    def init(key: jax.Array, batch: dict) -> State:
        del key, batch
        by_class = (num_classes, num_features)
        zeros = (jnp.zeros(shape, jnp.float32) for shape in (num_classes, by_class, by_class))
        return State(ClassMoments(*zeros), ())

    def step(key: jax.Array, state: State, batch: dict, *, axis_name: str | None = None) -> tuple[State, dict]:
        del key
        x, y = batch["x"], batch["y"]
        moments = class_moments(x.reshape(x.shape[0], -1), y, num_classes, axis_name=axis_name)
        model = merge(state.model, moments)
        loss = -jnp.mean(labels.scores(joint(model, x), y))
        return State(model, ()), {"loss": loss if axis_name is None else jax.lax.pmean(loss, axis_name)}

    def classify(key: jax.Array, model: ClassMoments, x: jax.Array) -> jax.Array:
        del key
        return metrics.bayes_posterior(class_likelihood(model, x.reshape(x.shape[0], -1)), log_prior(model))

    def evaluate(key: jax.Array, model: ClassMoments, batch: dict) -> dict[str, jax.Array]:
        log_posterior = classify(key, model, batch["x"])
        return {"accuracy": (jnp.argmax(log_posterior, axis=1) == batch["y"]).astype(jnp.float32)}

    def sample(key: jax.Array, model: ClassMoments, num: int, *, y: jax.Array | None = None) -> jax.Array:
        key_label, key_features = jax.random.split(key)
        if y is None:
            y = jax.random.categorical(key_label, log_prior(model), shape=(num,))
        return draw(key_features, model, y).reshape(num, *shape)

    def log_prob(
        key: jax.Array, model: ClassMoments, x: jax.Array, *, y: jax.Array | None = None, num_samples: int = 1
    ) -> jax.Array:
        """log p(x | y), or without y log p(x), marginalised over classes."""
        del key, num_samples
        if y is None:
            return jax.nn.logsumexp(joint(model, x), axis=1)
        return labels.scores(class_likelihood(model, x.reshape(x.shape[0], -1)), y)

    return Recipe(
        init=init,
        step=step,
        evaluate=evaluate,
        sample=sample,
        classify=classify,
        log_prob=log_prob,
        log_prob_is="exact",
        levels=levels,
        conditional=True,
    )
