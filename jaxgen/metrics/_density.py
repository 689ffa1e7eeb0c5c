"""A Gaussian kernel density estimate (Parzen 1962)."""

import math

import jax
import jax.numpy as jnp

from jaxgen.metrics._pairwise import over_rows


def log_density(x: jax.Array, points: jax.Array, std: float | jax.Array, *, leave_one_out: bool = False) -> jax.Array:
    """Log of the mean of N(x; point, std^2 I) over the points, in nats: [N, F], [M, F] -> [N].

    With `leave_one_out` x are the points themselves, each left out of its own estimate.
    """
    std = jnp.asarray(std, jnp.float32)

    def row(distances: jax.Array) -> jax.Array:
        exponents = -0.5 * distances / jnp.square(std)
        if leave_one_out:  # the nearest point is the point itself, at distance 0
            exponents = exponents.at[jnp.argmin(distances)].set(-jnp.inf)
        return jax.nn.logsumexp(exponents)

    num = len(points) - int(leave_one_out)
    return over_rows(row, x, points) - math.log(num) - x.shape[1] * (0.5 * math.log(2 * math.pi) + jnp.log(std))
