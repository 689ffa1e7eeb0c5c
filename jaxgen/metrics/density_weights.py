"""Importance weights of training examples from the densities of their latent codes."""

import jax

from jaxgen._checks import check
from jaxgen.metrics._density import log_density


def density_weights(
    codes: jax.Array, generated: jax.Array | None = None, *, bandwidth: float | jax.Array, power: float = 1.0
) -> jax.Array:
    """Weights that match the density of training codes to that of generated codes: [N, Z] -> [N], mean 1.

    w_i is proportional to (g(z_i) / q(z_i))^power. q is the density of the training codes, each left out of its own
    estimate, and g that of the codes of a large generated set [M, Z]; without one g = 1, so that all regions get equal
    weight. Both are kernel density estimates with this `bandwidth`, in units of the codes; `power` below 1 tempers the
    weights. Their effective sample size is (sum w)^2 / sum w^2 (Kish 1965). With a bandwidth far below the distances
    between codes a few weights dominate, and the others may round to 0. Raises AssertionError unless the sets are
    floating with equal Z, ValueError for fewer than 2 codes.
    """
    drawn = {} if generated is None else {"generated": (generated, "float [M, Z]")}
    check("density_weights", codes=(codes, "float [N, Z]"), **drawn)
    if len(codes) < 2:
        raise ValueError(f"codes must be at least 2, got {len(codes)}")

    log_weights = -log_density(codes, codes, bandwidth, leave_one_out=True)
    if generated is not None:
        log_weights += log_density(codes, generated, bandwidth)
    return len(codes) * jax.nn.softmax(power * log_weights)
