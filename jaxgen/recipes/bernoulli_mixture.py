"""A mixture of Bernoullis by expectation maximisation (Dempster, Laird & Rubin 1977; Bishop 2006, section 9.3.3).

p(x) = sum_k w_k prod_d p_kd^x_d (1 - p_kd)^(1 - x_d), for all x or for each class. Its likelihood is exact also where
values are missing, since they drop out of the products.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgen import labels, metrics
from jaxgen.models import MixtureCounts, component_likelihood, mixture_counts, mixture_logits
from jaxgen.recipe import Recipe, State, mean_over
from jaxgen.sampling import example_keys


class Sums(NamedTuple):
    """The E-step as far as it has come."""

    #: Sums over the batches seen in this iteration.
    counts: MixtureCounts
    #: Their number, [].
    batches: jax.Array


def bernoulli_mixture(
    shape: tuple[int, ...],
    num_components: int,
    num_classes: int | None = None,
    *,
    smoothing: float = 0.1,
    batches: int = 1,
) -> Recipe:
    """`num_components` products of Bernoullis for all x, or for each of `num_classes`.

    A step adds a batch to the E-step; the M-step follows every `batches` steps, so that as many as an epoch has make
    an iteration exact EM on the whole set. `smoothing` pseudo-counts of either value (1 is Laplace smoothing) are the
    prior Beta(1 + smoothing, 1 + smoothing) of every p_kd; no iteration lowers log-likelihood plus log prior.

    Components start half-way between an example of the first batch and noise. Raises ValueError unless `smoothing` is
    positive: a value unseen in a component would have probability 0.
    """
    if smoothing <= 0:
        raise ValueError(f"smoothing must be positive, got {smoothing}")
    num_features, num_mixtures = math.prod(shape), num_classes or 1

    def choose_mixture(x: jax.Array, y: jax.Array | None) -> jax.Array:
        """The mixture of each example, [B]."""
        if num_classes is None:
            return jnp.zeros(x.shape[0], jnp.int32)
        if y is None:
            raise ValueError("a mixture for each class needs labels y")
        return y

    def log_prior(model: MixtureCounts) -> jax.Array:
        """log p(y), nats [C]."""
        return labels.log_prior(jnp.sum(model.counts, axis=1))

    def log_weights(model: MixtureCounts) -> jax.Array:
        """log w_k, nats [C, K]."""
        return jax.vmap(labels.log_prior)(model.counts)

    def joint(model: MixtureCounts, x: jax.Array, where: jax.Array | None = None) -> jax.Array:
        """log p(x, k | y) for every class and component, nats [B, C, K]."""
        likelihood = component_likelihood(mixture_logits(model, smoothing), x.reshape(x.shape[0], -1), where)
        return log_weights(model)[None] + likelihood

    def class_likelihood(model: MixtureCounts, x: jax.Array) -> jax.Array:
        """log p(x | y) under every mixture, nats [B, C]."""
        return jax.nn.logsumexp(joint(model, x), axis=2)

    def init(key: jax.Array, batch: dict) -> State:
        key_example, key_noise = jax.random.split(key)
        x = batch["x"].reshape(len(batch["x"]), -1)
        own = choose_mixture(x, batch.get("y"))[None] == jnp.arange(num_mixtures)[:, None]
        # In random order, those of the class first.
        order = jnp.argsort(jax.random.uniform(key_example, own.shape, jnp.float32) - own, axis=1)
        examples = x[order[:, jnp.arange(num_components) % len(x)]]
        noise = jax.random.uniform(key_noise, examples.shape, jnp.float32, 0.25, 0.75)
        counts = jnp.ones((num_mixtures, num_components), jnp.float32)
        sums = Sums(MixtureCounts(jnp.zeros_like(counts), jnp.zeros_like(noise)), jnp.zeros((), jnp.int32))
        return State(MixtureCounts(counts, 0.5 * (examples + noise)), sums)

    def step(key: jax.Array, state: State, batch: dict, *, axis_name: str | None = None) -> tuple[State, dict]:
        del key
        x = batch["x"].reshape(len(batch["x"]), -1)
        y = choose_mixture(x, batch.get("y"))
        own = y[:, None] == jnp.arange(num_mixtures)[None]
        log_joint = joint(state.model, x)
        # Bishop 2006, eq. 9.56
        responsibilities = jnp.where(own[:, :, None], jax.nn.softmax(log_joint, axis=2), 0)
        found = mixture_counts(responsibilities, x, axis_name=axis_name)
        sums = Sums(jax.tree.map(jnp.add, state.train.counts, found), state.train.batches + 1)
        # The M-step, eq. 9.59 and 9.60: shares of the expected counts.
        ends = sums.batches == batches
        model = jax.tree.map(lambda new, old: jnp.where(ends, new, old), sums.counts, state.model)
        sums = jax.tree.map(lambda value: jnp.where(ends, jnp.zeros_like(value), value), sums)
        loss = -jnp.mean(labels.scores(jax.nn.logsumexp(log_joint, axis=2), y))
        return State(model, sums), {"loss": mean_over(loss, axis_name)}

    def evaluate(key: jax.Array, model: MixtureCounts, batch: dict) -> dict[str, jax.Array]:
        del key
        likelihoods = class_likelihood(model, batch["x"])
        nll = -labels.scores(likelihoods, choose_mixture(batch["x"], batch.get("y")))
        if num_classes is None:
            return {"nll": nll}
        of_classes = likelihoods + log_prior(model)[None]
        correct = jnp.argmax(of_classes, axis=1) == batch["y"]
        return {
            "nll": nll,
            "marginal_nll": -jax.nn.logsumexp(of_classes, axis=1),
            "accuracy": correct.astype(jnp.float32),
        }

    def flatten(model: MixtureCounts, likelihoods: jax.Array, y: jax.Array | None) -> jax.Array:
        """Flatten log p(x, k | class) [B, C, K] to [B, C K]: given y other classes have -inf, without y all p(y)."""
        if num_classes is None:
            return likelihoods.reshape(likelihoods.shape[0], -1)
        if y is None:
            return (likelihoods + log_prior(model)[None, :, None]).reshape(likelihoods.shape[0], -1)
        own = labels.rows(jnp.where(jnp.eye(num_mixtures, dtype=bool), 0.0, -jnp.inf), y)
        return (likelihoods + own[:, :, None]).reshape(likelihoods.shape[0], -1)

    def draw(key: jax.Array, model: MixtureCounts, log_joint: jax.Array) -> jax.Array:
        """A draw of x under a component drawn from its log-probabilities [N, C K], each under its example's key."""
        keys = jax.vmap(jax.random.split)(example_keys(key, log_joint.shape[0]))
        component = jax.vmap(jax.random.categorical)(keys[:, 0], log_joint)
        probability = jax.nn.sigmoid(mixture_logits(model, smoothing)).reshape(-1, num_features)[component]
        drawn = jax.vmap(jax.random.bernoulli)(keys[:, 1], probability).astype(jnp.float32)
        # Of a class that is none, as elsewhere.
        return jnp.where(jnp.isnan(log_joint).any(axis=1, keepdims=True), jnp.nan, drawn)

    def sample(key: jax.Array, model: MixtureCounts, num: int, *, y: jax.Array | None = None) -> jax.Array:
        weights = jnp.broadcast_to(log_weights(model)[None], (num, num_mixtures, num_components))
        return draw(key, model, flatten(model, weights, y)).reshape(num, *shape)

    def complete(
        key: jax.Array, model: MixtureCounts, x: jax.Array, mask: jax.Array, *, y: jax.Array | None = None
    ) -> jax.Array:
        where = jnp.broadcast_to(mask, x.shape).reshape(x.shape[0], -1)
        drawn = draw(key, model, flatten(model, joint(model, x, where), y))
        return jnp.where(mask, x, drawn.reshape(x.shape))

    def log_prob(
        key: jax.Array,
        model: MixtureCounts,
        x: jax.Array,
        *,
        y: jax.Array | None = None,
        num_samples: int = 1,
        mask: jax.Array | None = None,
    ) -> jax.Array:
        """log p(x | y), or without y log p(x), marginalised over classes; with a mask in the order of `shape`."""
        del key, num_samples
        if mask is None:
            return jax.nn.logsumexp(flatten(model, joint(model, x), y), axis=1)
        weights = jnp.broadcast_to(log_weights(model)[None], (len(x), num_mixtures, num_components))
        logits = mixture_logits(model, smoothing).reshape(-1, num_features)

        def value(posterior: jax.Array, now: tuple) -> tuple[jax.Array, jax.Array]:
            """The posterior of the components [B, C K] given one value more, and the value's log-probability [B]."""
            logits, x = now
            log_joint = posterior + x[:, None] * logits[None] - jax.nn.softplus(logits)[None]
            found = jax.nn.logsumexp(log_joint, axis=1)
            return log_joint - found[:, None], found

        values = (logits.T, x.reshape(x.shape[0], -1).T)
        found = jax.lax.scan(value, flatten(model, weights, y), values)[1].T
        return jnp.sum(jnp.where(mask, found.reshape(x.shape), 0), axis=tuple(range(1, x.ndim)))

    def classify(key: jax.Array, model: MixtureCounts, x: jax.Array) -> jax.Array:
        del key
        return metrics.bayes_posterior(class_likelihood(model, x), log_prior(model))

    return Recipe(
        init=init,
        step=step,
        evaluate=evaluate,
        sample=sample,
        complete=complete,
        classify=None if num_classes is None else classify,
        log_prob=log_prob,
        log_prob_is="exact",
        levels=2,
        conditional=num_classes is not None,
    )
