"""How unevenly a training set is weighted: the weight of each example by the density of codes around it."""

import jax

from jaxgen.metrics._density import log_density
from jaxgen.metrics._pairwise import check_sets


def density_weights(
    codes: jax.Array, generated: jax.Array | None = None, *, bandwidth: float | jax.Array, power: float = 1.0
) -> jax.Array:
    """Weights under which the training set is spread as the model's own draws are: [N, Z] -> [N], mean 1.

    w_i is proportional to (g(z_i) / q(z_i))^power: q the density of the training set's codes, each left out
    of its own estimate, and g that of codes of a large generated set [M, Z]; without one, g = 1, so that every region
    of the codes counts alike. Densities are kernel estimates smoothed by `bandwidth`, in units of the codes; `power`
    below 1 tempers the weights, whose effective number is (sum w)^2 / sum w^2 (Kish 1965). Raises AssertionError unless
    the sets are floating with equal Z, ValueError for fewer than 2 codes. With a bandwidth that is small against the
    distances between codes a few weights outgrow all others, which can then round to 0.
    """
    check_sets(codes, codes if generated is None else generated)
    if len(codes) < 2:
        raise ValueError(f"codes must be at least 2, got {len(codes)}")

    log_weights = -log_density(codes, codes, bandwidth, leave_one_out=True)
    if generated is not None:
        log_weights += log_density(codes, generated, bandwidth)
    return len(codes) * jax.nn.softmax(power * log_weights)
