"""Two-sample test: a permutation test on the maximum mean discrepancy."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgen._checks import check
from jaxgen.losses._pairs import Kernel, PairSums, evaluate_kernel, squared_distances, unbiased_mmd

_EXACT = jax.lax.Precision.HIGHEST  # by default accelerators round factors to ten bits or fewer


class TwoSampleTest(NamedTuple):
    """The estimate of a two-sample test and its p-value; scalars []."""

    #: The unbiased estimate of MMD^2, in units of the kernel.
    mmd: jax.Array
    #: In (0, 1]; nan if the estimate is.
    p_value: jax.Array


def mmd_permutation_test(
    key: jax.Array,
    x: jax.Array,
    y: jax.Array,
    kernel: Kernel,
    *,
    num_permutations: int = 500,
) -> TwoSampleTest:
    """Permutation test of equal distributions by the unbiased MMD^2: [N, F], [N, F] -> TwoSampleTest of [].

    Gretton et al. 2012, section 5; the p-value is (1 + permutations with at least this MMD) / (1 + permutations), which
    is valid for any number of permutations (Phipson & Smyth 2010). `kernel` is a function of squared distances, as in
    `jaxgen.losses`. The whole Gram matrix [2 N, 2 N] is held in memory. Raises AssertionError unless both are floating
    with equal F and the kernel keeps shapes, ValueError unless both have the same size of at least 2.
    """
    check("mmd_permutation_test", x=(x, "float [N, F]"), y=(y, "float [M, F]"))
    if len(x) != len(y) or len(x) < 2:
        raise ValueError(f"both sets must have the same size of at least 2, got {len(x)} and {len(y)}")

    num = len(x)
    pooled = jnp.concatenate([x, y]).astype(jnp.float32)
    pooled = pooled - jnp.mean(pooled, axis=0, keepdims=True)
    gram = jnp.where(jnp.eye(2 * num, dtype=bool), 0, evaluate_kernel(squared_distances(pooled, pooled), kernel))
    is_x = jnp.arange(2 * num) < num

    def mmd(member: jax.Array) -> jax.Array:
        """MMD^2 of the split whose first set is `member`: booleans [2 N] -> []."""
        first, second = member.astype(jnp.float32), 1 - member.astype(jnp.float32)
        towards_first, towards_second = (jnp.matmul(gram, part, precision=_EXACT) for part in (first, second))
        sums = PairSums(first @ towards_first, second @ towards_second, first @ towards_second)
        return unbiased_mmd(sums, num, num)

    observed = mmd(is_x)
    keys = jax.random.split(key, num_permutations)
    permuted = jax.vmap(mmd)(jax.vmap(jax.random.permutation, in_axes=(0, None))(keys, is_x))
    # Permutations that reproduce the observed split or tie with it must count in spite of rounding.
    at_least = permuted >= observed - 1e-5 * jnp.mean(jnp.abs(gram))
    p_value = (1 + jnp.sum(at_least, dtype=jnp.float32)) / (1 + num_permutations)
    return TwoSampleTest(observed, jnp.where(jnp.isfinite(observed), p_value, jnp.nan))
