"""Maximum mean discrepancy between two sets of points, and its kernels.

These losses couple all rows: the MMD of a batch is not the mean over its parts, so points are gathered from all devices
first. A `kernel` is an elementwise function of squared distances. Its derivative between coincident points, which a
kernel such as exp(-sqrt(d2)) does not have, is 0. Squared distances are computed from inner products, to about 1e-7 of
the squared radius of a set. Any other symmetric kernel is a `pair_kernel`, a function of two points [Z], [Z] -> [],
such as `lambda x, y: (x @ y + 1) ** 2`; the losses take one of the two.
"""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from jaxgen._checks import check
from jaxgen.losses._pairs import (
    Kernel,
    PairKernel,
    PairSums,
    evaluate_kernel,
    evaluate_pair_kernel,
    pair_sums,
    squared_distances,
    unbiased_mmd,
)


def rbf(bandwidths: Sequence[float]) -> Kernel:
    """Sum over sigma of exp(-d2 / (2 sigma^2)), a function of squared distances [...] -> [...].

    The Gaussian kernel of Gretton et al. 2012, summed over bandwidths as in Li et al. 2015 ("Generative moment matching
    networks"). Raises ValueError unless there are bandwidths and all are positive.
    """
    _check_positive("bandwidths", bandwidths)

    return lambda d2: sum((jnp.exp(-0.5 / sigma**2 * d2) for sigma in bandwidths), start=jnp.zeros_like(d2))


def inverse_multiquadric(scales: Sequence[float]) -> Kernel:
    """Sum over C of C / (C + d2), a function of squared distances [...] -> [...].

    Tolstikhin et al. 2018 ("Wasserstein auto-encoders"), section 4, summed over scales as in their code
    (`latent_kernel`). Its heavy tails have a gradient at distant points, where a Gaussian kernel is flat. Raises
    ValueError unless there are scales and all are positive.
    """
    _check_positive("scales", scales)

    return lambda d2: sum((scale / (scale + d2) for scale in scales), start=jnp.zeros_like(d2))


def latent_kernel(latent_dim: int) -> Kernel:
    """Inverse multiquadrics for codes of size Z against N(0, I), a function of squared distances [...] -> [...].

    C = 2 Z s for s in .1, .2, .5, 1, 2, 5, 10, as in the code of Tolstikhin et al. 2018.
    """
    return inverse_multiquadric([2 * latent_dim * scale for scale in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)])


def mmd_unbiased(
    x: jax.Array,
    y: jax.Array,
    kernel: Kernel | None = None,
    *,
    block_size: int = 512,
    pair_kernel: PairKernel | None = None,
) -> jax.Array:
    """Unbiased estimate of MMD^2, in units of the kernel: [N, Z], [M, Z] -> [].

    Gretton et al. 2012, eq. 3. It can be negative: for equal distributions it scatters about 0. Do not clip it: a
    clipped estimate is biased, and has no gradient where it was negative. At most `block_size` rows of a Gram matrix
    exist at a time; `block_size = max(N, M)` computes it in one block. Raises AssertionError where an array is not
    [., Z] or not floating, or the kernel changes a shape, ValueError for sets of fewer than 2 points, a block size
    below 1, or unless there is one kernel.
    """
    sums = _sums("mmd_unbiased", x, y, kernel, pair_kernel, block_size, least=2)
    return unbiased_mmd(sums, len(x), len(y))


def mmd_biased(
    x: jax.Array,
    y: jax.Array,
    kernel: Kernel | None = None,
    *,
    block_size: int = 512,
    pair_kernel: PairKernel | None = None,
) -> jax.Array:
    """Biased estimate of MMD^2, that between the empirical distributions, in units of the kernel: [N, Z], [M, Z] -> [].

    Gretton et al. 2012, eq. 5, squared; at least 0, up to rounding. Its bias is (E k(x, x) - E k(x, x')) / N plus
    the same for y. Options and errors as in `mmd_unbiased`, except that sets of one point are allowed.
    """
    sums = _sums("mmd_biased", x, y, kernel, pair_kernel, block_size, least=1)
    n, m = len(x), len(y)
    if kernel is not None:
        x_itself = y_itself = evaluate_kernel(jnp.float32(0), kernel)
    elif pair_kernel is not None:
        x_itself, y_itself = (jnp.mean(jax.vmap(pair_kernel)(*[z.astype(jnp.float32)] * 2)) for z in (x, y))
    return (sums.xx / n + x_itself) / n + (sums.yy / m + y_itself) / m - 2 * (sums.xy / n / m)


def _check_positive(name: str, values: Sequence[float]) -> None:
    if len(values) == 0 or not all(value > 0 for value in values):
        raise ValueError(f"{name} must be positive, and at least one, got {values}")


def _sums(
    function: str,
    x: jax.Array,
    y: jax.Array,
    kernel: Kernel | None,
    pair_kernel: PairKernel | None,
    block_size: int,
    *,
    least: int,
) -> PairSums:
    check(function, x=(x, "float [N, Z]"), y=(y, "float [M, Z]"))
    if (kernel is None) == (pair_kernel is None):
        raise ValueError(
            f"{function}: expected either kernel or pair_kernel, got {'neither' if kernel is None else 'both'}"
        )
    if min(len(x), len(y)) < least:
        raise ValueError(f"each set must have at least {least} points, got {len(x)} and {len(y)}")
    if block_size < 1:
        raise ValueError(f"block_size must be positive, got {block_size}")

    def gram(rows: jax.Array, columns: jax.Array) -> jax.Array:
        if kernel is None:
            assert pair_kernel is not None
            return evaluate_pair_kernel(rows, columns, pair_kernel)
        # Centred first: far from the origin, squares minus an inner product cancel. Neither distances nor their
        # gradients depend on the origin.
        origin = jax.lax.stop_gradient(jnp.mean(columns, axis=0, keepdims=True))
        return evaluate_kernel(squared_distances(rows - origin, columns - origin), kernel)

    sums, mesh = functools.partial(pair_sums, gram, block_size=block_size), jax.typeof(x).sharding.mesh
    if AxisType.Explicit in mesh.axis_types:  # which device computes which pairs is left to the compiler
        sums = jax.sharding.auto_axes(sums, out_sharding=NamedSharding(mesh, PartitionSpec()))
    return sums(x.astype(jnp.float32), y.astype(jnp.float32))
