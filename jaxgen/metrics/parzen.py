"""The log-likelihood of data under a kernel density estimate of a model's samples."""

import jax

from jaxgen.metrics._density import log_density
from jaxgen.metrics._pairwise import check_sets


def parzen_log_likelihood(x: jax.Array, samples: jax.Array, *, std: float | jax.Array) -> jax.Array:
    """log 1/N sum_n N(x; sample_n, std^2 I), in nats: [B, D], [N, D] -> [B].

    The protocol of Goodfellow et al. 2014, section 5 (from Breuleux et al. 2011): 10,000 samples, `std` chosen on
    validation data, the mean over the test set. Only for comparison with numbers so obtained: it is far from the log
    likelihood for any number of samples one can draw, and does not rank models as that does, so that centroids of
    k-means beat the true distribution (Theis et al. 2016, section 3.5). `std` may be traced, as for a `vmap` over
    candidates; it must be positive, which is not checked. Raises AssertionError unless both are floating with equal D.
    """
    check_sets(x, samples)

    return log_density(x, samples, std)
