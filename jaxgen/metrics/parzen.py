"""The log-likelihood of data under a kernel density estimate of a model's samples."""

import math

import jax
import jax.numpy as jnp

from jaxgen.metrics._pairwise import check_sets, over_rows


def parzen_log_likelihood(x: jax.Array, samples: jax.Array, *, std: float | jax.Array) -> jax.Array:
    """Log 1/N sum_n N(x; sample_n, std^2 I), in nats: [B, D], [N, D] -> [B].

    The protocol of Goodfellow et al. 2014, section 5 (from Breuleux et al. 2011): 10,000 samples, `std` chosen on
    validation data, the mean over the test set. Only for comparison with numbers so obtained: it is far from the log
    likelihood for any number of samples one can draw, and does not rank models as that does, so that centroids of
    k-means beat the true distribution (Theis et al. 2016, section 3.5). `std` may be traced, as for a `vmap` over
    candidates; it must be positive, which is not checked. Raises AssertionError unless both are floating with equal D.
    """
    check_sets(x, samples)

    exponents = over_rows(lambda distances: jax.nn.logsumexp(-0.5 * distances / jnp.square(std)), x, samples)
    return exponents - math.log(len(samples)) - x.shape[1] * (0.5 * math.log(2 * math.pi) + jnp.log(std))
