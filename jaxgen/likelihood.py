"""What a decoder's output says of x: its negative log-likelihood, mean and draws."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgen import losses


class Likelihood(NamedTuple):
    """p(x | output), x [B, ...], output `[B, ..., *parameters]`; so a decoder's shape is `(*x_shape, *parameters)`."""

    parameters: tuple[int, ...]  # () where each value of x has one number, (2,) for a mean and a log-variance
    nll: Callable[[jax.Array, jax.Array], jax.Array]  # (output, x) -> nats [B]
    mean: Callable[[jax.Array], jax.Array]  # output -> x [B, ...], in data units
    draw: Callable[[jax.Array, jax.Array], jax.Array]  # (key, output) -> x [B, ...]
    levels: int | None = None  # of how many values in [0, 1], equally far apart, nll is a mass; None: a density


#: Of each value, its logit: output [B, ...] (Kingma & Welling 2014, appendix C.1).
bernoulli = Likelihood(
    parameters=(),
    nll=losses.bernoulli_nll,
    mean=jax.nn.sigmoid,
    draw=lambda key, logits: jax.random.bernoulli(key, jax.nn.sigmoid(logits.astype(jnp.float32))).astype(jnp.float32),
    levels=2,
)


def fixed_gaussian(std: float = 1.0) -> Likelihood:
    """N(output, std^2) of each value, the standard deviation given: output [B, ...]. ValueError unless std > 0."""
    if not std > 0:
        raise ValueError(f"std must be positive, got {std}")
    log_var = 2 * math.log(std)

    return Likelihood(
        parameters=(),
        nll=lambda mean, x: losses.gaussian_nll(mean, jnp.full_like(mean, log_var, dtype=jnp.float32), x),
        mean=lambda mean: mean,
        draw=lambda key, mean: mean + std * jax.random.normal(key, mean.shape, jnp.float32),
    )


#: Of each value, its mean and log-variance: output [B, ..., 2] (Kingma & Welling 2014, appendix C.2).
gaussian = Likelihood(
    parameters=(2,),
    nll=lambda output, x: losses.gaussian_nll(output[..., 0], output[..., 1], x),
    mean=lambda output: output[..., 0],
    draw=lambda key, output: losses.reparameterize(
        output[..., 0], output[..., 1], jax.random.normal(key, output.shape[:-1], jnp.float32)
    ),
)


def categorical(levels: int) -> Likelihood:
    """Any distribution over `levels` values k / (levels - 1): output [B, ..., levels]. ValueError if levels < 2."""
    if levels < 2:
        raise ValueError(f"levels must be at least 2, got {levels}")
    values = levels - 1

    return Likelihood(
        parameters=(levels,),
        nll=lambda logits, x: losses.categorical_nll(logits, jnp.round(x * values).astype(jnp.int32)),
        mean=lambda logits: jax.nn.softmax(logits) @ jnp.linspace(0, 1, levels, dtype=jnp.float32),
        draw=lambda key, logits: jax.random.categorical(key, logits).astype(jnp.float32) / values,
        levels=levels,
    )
