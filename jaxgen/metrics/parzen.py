"""Parzen-window log-likelihood: a kernel density estimate on a model's samples."""

import jax

from jaxgen._checks import check
from jaxgen.metrics._density import log_density


def parzen_log_likelihood(x: jax.Array, samples: jax.Array, *, std: float | jax.Array) -> jax.Array:
    """log 1/N sum_n N(x; sample_n, std^2 I), in nats: [B, D], [N, D] -> [B].

    The protocol of Goodfellow et al. 2014, section 5 (from Breuleux et al. 2011): 10,000 samples, `std` chosen on
    validation data, the mean over the test set. Use it only to compare with numbers obtained in this way: for any
    feasible number of samples it is far from the log-likelihood and ranks models differently; k-means centroids beat
    the true distribution (Theis et al. 2016, section 3.5). `std` may be traced, as in a `vmap` over candidates; it
    must be positive, which is not checked. Raises AssertionError unless both are floating with equal D.
    """
    check("parzen_log_likelihood", x=(x, "float [B, D]"), samples=(samples, "float [N, D]"))

    return log_density(x, samples, std)
