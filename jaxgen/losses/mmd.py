"""Maximum mean discrepancy: how unlike two sets of points are, by the means of a kernel between and within them.

Losses of a set: what a row adds depends on every other row, so that a mean of values on parts of a batch is another
number. Devices gather the points before they call these. A kernel is an elementwise function of squared distances; of
points at no distance its slope, which a kernel such as exp(-sqrt(d2)) does not have there, is taken as 0. Squared
distances come from inner products, and are known to about 1e-7 of the square of a set's radius.
"""

import functools
from collections.abc import Sequence

import chex
import jax
import jax.numpy as jnp
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from jaxgen.losses._pairs import Kernel, PairSums, kernel_of, pair_sums, squared_distances, unbiased


def rbf(bandwidths: Sequence[float]) -> Kernel:
    """Sum over sigma of exp(-d2 / (2 sigma^2)), a function of squared distances [...] -> [...].

    The Gaussian kernel of Gretton et al. 2012, summed over bandwidths as by Li et al. 2015 ("Generative moment matching
    networks"). Raises ValueError unless there are bandwidths and all are positive.
    """
    _check_positive("bandwidths", bandwidths)

    return lambda d2: sum((jnp.exp(-0.5 / sigma**2 * d2) for sigma in bandwidths), start=jnp.zeros_like(d2))


def inverse_multiquadric(scales: Sequence[float]) -> Kernel:
    """Sum over C of C / (C + d2), a function of squared distances [...] -> [...].

    Tolstikhin et al. 2018 ("Wasserstein auto-encoders"), section 4, summed over scales as in their code
    (`latent_kernel`). Its tails pull at far points where a Gaussian's are
    flat. Raises ValueError unless there are scales and all are positive.
    """
    _check_positive("scales", scales)

    return lambda d2: sum((scale / (scale + d2) for scale in scales), start=jnp.zeros_like(d2))


def latent_kernel(latent_dim: int) -> Kernel:
    """The inverse multiquadrics between codes of size Z and N(0, I), a function of squared distances [...] -> [...].

    C = 2 Z s for s in .1, .2, .5, 1, 2, 5, 10, as in the code of Tolstikhin et al. 2018.
    """
    return inverse_multiquadric([2 * latent_dim * scale for scale in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)])


def mmd_unbiased(x: jax.Array, y: jax.Array, kernel: Kernel, *, block_size: int = 512) -> jax.Array:
    """Estimate of MMD^2, right in the mean over draws of the sets, in units of the kernel: [N, Z], [M, Z] -> [].

    Gretton et al. 2012, eq. 3. It can be negative: the biased estimate is kept above 0 by the pairs of a point with
    itself, each k(0), and without them estimates at equal distributions scatter about their mean 0. Do not clip it:
    clipped, it is biased, and its gradient vanishes where it was negative. At most `block_size` rows of a Gram matrix
    exist at a time; `block_size = max(N, M)` takes it whole. Raises AssertionError where an array is not [., Z] or
    not floating, or the kernel changes a shape, ValueError for sets of fewer than 2 points or a block of none.
    """
    sums = _sums(x, y, kernel, block_size, least=2)
    return unbiased(sums, len(x), len(y))


def mmd_biased(x: jax.Array, y: jax.Array, kernel: Kernel, *, block_size: int = 512) -> jax.Array:
    """MMD^2 between the two sets themselves, in units of the kernel: [N, Z], [M, Z] -> [].

    Gretton et al. 2012, eq. 5 without its root; at least 0, up to rounding. As an estimate for the distributions it is
    too large in the mean, by (k(0) - E k(x, x')) / N and the same of y. `block_size` as in `mmd_unbiased`. Raises as
    `mmd_unbiased`, but that one point is a set.
    """
    sums = _sums(x, y, kernel, block_size, least=1)
    n, m = len(x), len(y)
    itself = kernel_of(jnp.float32(0), kernel)
    return (sums.xx / n + itself) / n + (sums.yy / m + itself) / m - 2 * (sums.xy / n / m)


def _check_positive(name: str, values: Sequence[float]) -> None:
    if len(values) == 0 or not all(value > 0 for value in values):
        raise ValueError(f"{name} must be positive, and at least one, got {values}")


def _sums(x: jax.Array, y: jax.Array, kernel: Kernel, block_size: int, *, least: int) -> PairSums:
    chex.assert_rank([x, y], 2)
    chex.assert_equal_shape([x, y], dims=1)
    chex.assert_type([x, y], float)
    if min(len(x), len(y)) < least:
        raise ValueError(f"each set must have at least {least} points, got {len(x)} and {len(y)}")
    if block_size < 1:
        raise ValueError(f"block_size must be positive, got {block_size}")

    def gram(rows: jax.Array, columns: jax.Array) -> jax.Array:
        # Far from the origin, squares less an inner product lose the digits of a distance. A distance does not depend
        # on the origin, and so neither does its gradient.
        origin = jax.lax.stop_gradient(jnp.mean(columns, axis=0, keepdims=True))
        return kernel_of(squared_distances(rows - origin, columns - origin), kernel)

    sums, mesh = functools.partial(pair_sums, gram, block_size=block_size), jax.typeof(x).sharding.mesh
    if AxisType.Explicit in mesh.axis_types:  # which device computes which pairs is left to the compiler
        sums = jax.sharding.auto_axes(sums, out_sharding=NamedSharding(mesh, PartitionSpec()))
    return sums(x.astype(jnp.float32), y.astype(jnp.float32))
