"""Likelihoods p(x | decoder output), and importance sampling of log p(x)."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgen import losses
from jaxgen.optimize import chunk_size


class Likelihood(NamedTuple):
    """p(x | output): x [B, ...], output `[B, ..., *parameters]`; the decoder's shape is `(*x_shape, *parameters)`.

    Where the values of x that belong together, such as the channels of a pixel, have joint parameters, the axes of
    these values are left out of the output.
    """

    #: Trailing shape of the output: () for one number per value of x, (2,) for a mean and a log-variance.
    parameters: tuple[int, ...]
    #: ``(output, x, *, where=None)`` -> nats [B], or a cost that is not a likelihood, such as `squared_error`.
    nll: Callable[..., jax.Array]
    #: output -> x [B, ...], in data units.
    mean: Callable[[jax.Array], jax.Array]
    #: (key, output) -> x [B, ...].
    draw: Callable[[jax.Array, jax.Array], jax.Array]
    #: Number of equally spaced values in [0, 1] on which p is a probability mass; None for a density.
    levels: int | None = None
    #: Number of trailing axes of x with joint parameters: 0 for a likelihood of values, 1 for one of pixels [C].
    event_dims: int = 0


#: Bernoulli of each value, given its logit: output [B, ...] (Kingma & Welling 2014, appendix C.1).
bernoulli = Likelihood(
    parameters=(),
    nll=losses.bernoulli_nll,
    mean=jax.nn.sigmoid,
    draw=lambda key, logits: jax.random.bernoulli(key, jax.nn.sigmoid(logits.astype(jnp.float32))).astype(jnp.float32),
    levels=2,
)


def fixed_gaussian(std: float = 1.0) -> Likelihood:
    """N(output, std^2) of each value with a fixed standard deviation: output [B, ...]. ValueError unless std > 0."""
    if not std > 0:
        raise ValueError(f"std must be positive, got {std}")
    log_var = 2 * math.log(std)

    return Likelihood(
        parameters=(),
        nll=lambda mean, x, *, where=None: losses.gaussian_nll(
            mean, jnp.full_like(mean, log_var, dtype=jnp.float32), x, where=where
        ),
        mean=lambda mean: mean,
        draw=lambda key, mean: mean + std * jax.random.normal(key, mean.shape, jnp.float32),
    )


#: Gaussian of each value, given its mean and log-variance: output [B, ..., 2] (Kingma & Welling 2014, appendix C.2).
gaussian = Likelihood(
    parameters=(2,),
    nll=lambda output, x, *, where=None: losses.gaussian_nll(output[..., 0], output[..., 1], x, where=where),
    mean=lambda output: output[..., 0],
    draw=lambda key, output: losses.reparameterize(
        output[..., 0], output[..., 1], jax.random.normal(key, output.shape[:-1], jnp.float32)
    ),
)


def categorical(levels: int) -> Likelihood:
    """Categorical over `levels` values k / (levels - 1): output [B, ..., levels]. ValueError if levels < 2."""
    if levels < 2:
        raise ValueError(f"levels must be at least 2, got {levels}")
    values = levels - 1

    return Likelihood(
        parameters=(levels,),
        nll=lambda logits, x, *, where=None: losses.categorical_nll(
            logits, jnp.round(x * values).astype(jnp.int32), where=where
        ),
        mean=lambda logits: jax.nn.softmax(logits) @ jnp.linspace(0, 1, levels, dtype=jnp.float32),
        draw=lambda key, logits: jax.random.categorical(key, logits).astype(jnp.float32) / values,
        levels=levels,
    )


def logistic_mixture(channels: int, components: int = 10, levels: int = 256) -> Likelihood:
    """Discretized mixture of logistics of each pixel over values k / (levels - 1): x [B, ..., C], output [B, ..., P].

    Salimans et al. 2017, section 2.1; `losses.discretized_logistic_mixture_nll` has the parameters, 3 numbers a
    component for grey and 10 for colour. The mean is that of the mixture, clipped to [0, 1]. ValueError unless
    `channels` is 1 or 3 and `levels` at least 2.
    """
    if channels not in (1, 3) or levels < 2:
        raise ValueError(f"channels must be 1 or 3 and levels at least 2, got {channels} and {levels}")

    def draw(key: jax.Array, output: jax.Array) -> jax.Array:
        key_component, key_value = jax.random.split(key)
        gumbel = jax.random.gumbel(key_component, (*output.shape[:-1], components))
        logistic = jax.random.logistic(key_value, (*output.shape[:-1], channels))
        x = losses.discretized_logistic_mixture_draw(output, gumbel, logistic, num_levels=levels)
        return jnp.round((x + 1) / 2 * (levels - 1)) / (levels - 1)

    return Likelihood(
        parameters=((3 if channels == 1 else 10) * components,),
        nll=lambda output, x, *, where=None: losses.discretized_logistic_mixture_nll(
            output, 2 * x - 1, num_levels=levels, where=where
        ),
        mean=lambda output: jnp.clip((losses.logistic_mixture_mean(output, channels=channels) + 1) / 2, 0, 1),
        draw=draw,
        levels=levels,
        event_dims=1,
    )


def log_marginal(key: jax.Array, log_weights: Callable[[jax.Array, int], jax.Array], num_samples: int) -> jax.Array:
    """Importance-weighted lower bound on log p(x), nats, from `log_weights(key, num)`, nats [num, B]: -> [B].

    Burda et al. 2016, eq. 8. Samples are drawn in equal chunks of at most 64, one chunk at a time; of a number without
    a divisor from 16 to 64, such as a prime, the last chunk draws some that do not count. Raises ValueError unless
    `num_samples` is positive.
    """
    if num_samples < 1:
        raise ValueError(f"num_samples must be positive, got {num_samples}")
    # With equal chunks, the bound over the bounds of the chunks is the bound over all samples.
    chunk = chunk_size(num_samples, 64)
    num_chunks = math.ceil(num_samples / chunk)

    def bound(index: jax.Array) -> jax.Array:
        weights = log_weights(jax.random.fold_in(key, index), chunk)
        if num_chunks * chunk > num_samples:
            counts = index * chunk + jnp.arange(chunk) < num_samples
            weights = jnp.where(counts[:, None], weights, -jnp.inf)
        return losses.importance_weighted_bound(weights)

    total = losses.importance_weighted_bound(jax.lax.map(bound, jnp.arange(num_chunks)))
    return total if num_chunks * chunk == num_samples else total + math.log(num_chunks * chunk / num_samples)
