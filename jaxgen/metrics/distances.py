"""Distances between a set of real and a set of generated features."""

import math

import jax
import jax.numpy as jnp

from jaxgen._checks import check
from jaxgen.losses._pairs import pair_sums, unbiased_mmd
from jaxgen.metrics._pairwise import ROWS

_EXACT = jax.lax.Precision.HIGHEST  # by default accelerators round factors to ten bits or fewer


def _check_at_least_two(function: str, real: jax.Array, fake: jax.Array) -> None:
    check(function, real=(real, "float [N, F]"), fake=(fake, "float [M, F]"))
    if min(len(real), len(fake)) < 2:
        raise ValueError(f"both sets need at least 2 rows, got {len(real)} and {len(fake)}")


def frechet_distance(real: jax.Array, fake: jax.Array) -> jax.Array:
    """||m_r - m_f||^2 + tr(S_r + S_f - 2 (S_r S_f)^(1/2)), in squared units of the features: [N, F], [M, F] -> [].

    Dowson & Landau 1982; on Inception features it is the FID, squared as there (Heusel et al. 2017, eq. 6). Covariances
    divide by n - 1. It is biased upwards by about 1/n: compare only sets of equal sizes. In float32 its error is about
    1e-6 tr(S_r + S_f), even for singular covariances (n <= F); negative values from rounding become 0. Where one set
    has no variance in a direction in which the other has some, the derivative with respect to its spread there does not
    exist, and is 0. Raises AssertionError unless both are floating with equal F, ValueError where a set has fewer than
    2 rows.
    """
    _check_at_least_two("frechet_distance", real, fake)

    real, fake = real.astype(jnp.float32), fake.astype(jnp.float32)
    # Far from the origin a mean has few digits left; the distance is invariant to a shift.
    origin = jnp.mean(real, axis=0, keepdims=True)
    means = [jnp.mean(features - origin, axis=0, keepdims=True) for features in (real, fake)]
    deviations = [
        (features - origin - mean) / math.sqrt(len(features) - 1)
        for features, mean in zip((real, fake), means, strict=True)
    ]
    traces = sum(jnp.sum(jnp.square(part)) for part in deviations)
    return jnp.maximum(jnp.sum(jnp.square(means[0] - means[1])) + traces - 2 * _trace_of_root(*deviations), 0)


@jax.custom_jvp
def _trace_of_root(real: jax.Array, fake: jax.Array) -> jax.Array:
    """tr((S_r S_f)^(1/2)) of S = X'X: [N, F], [M, F] -> []."""
    # With S = R'R the eigenvalues of S_r S_f are the squares of the singular values of R_r R_f'. Computed from the
    # covariances, a rounding of 1e-7 becomes 3e-4 after the root, in each of F terms: up to 1 % of tr(S_r + S_f).
    factors = [jnp.linalg.qr(deviations, mode="r") for deviations in (real, fake)]
    product = jnp.matmul(factors[0], factors[1].T, precision=_EXACT)
    return jnp.sum(jnp.linalg.svd(product, compute_uv=False))


@_trace_of_root.defjvp
def _trace_of_root_jvp(
    primals: tuple[jax.Array, jax.Array], tangents: tuple[jax.Array, jax.Array]
) -> tuple[jax.Array, jax.Array]:
    # It is the nuclear norm of X_r X_f', with derivative U V'; for a singular value of 0 the derivative is set to 0.
    # Derivatives of the factors themselves are not finite where a covariance is singular.
    (q_real, r_real), (q_fake, r_fake) = (jnp.linalg.qr(deviations) for deviations in primals)
    left, values, right = jnp.linalg.svd(jnp.matmul(r_real, r_fake.T, precision=_EXACT), full_matrices=False)
    is_rounding = values <= len(values) * jnp.finfo(values.dtype).eps * jnp.max(values)
    slope = jnp.matmul(jnp.where(is_rounding[None], 0, left), right, precision=_EXACT)
    slopes = (
        jnp.matmul(jnp.matmul(q_real, slope, precision=_EXACT), r_fake, precision=_EXACT),
        jnp.matmul(jnp.matmul(q_fake, slope.T, precision=_EXACT), r_real, precision=_EXACT),
    )
    return jnp.sum(values), jnp.vdot(slopes[0], tangents[0], precision=_EXACT) + jnp.vdot(
        slopes[1], tangents[1], precision=_EXACT
    )


def kernel_distance(real: jax.Array, fake: jax.Array) -> jax.Array:
    """Unbiased squared MMD under the kernel (x.y / F + 1)^3: [N, F], [M, F] -> [].

    Binkowski et al. 2018 ("Demystifying MMD GANs"), section 4; on Inception features it is the KID. The estimator is
    Gretton et al. 2012, eq. 3. Being unbiased, it may be negative, and may be averaged over subsets of the data as
    there (100 subsets of 1,000 rows). In float32 its error is about 1e-8 of the kernel's mean. Raises AssertionError
    unless both are floating with equal F, ValueError where a set has fewer than 2 rows.
    """
    _check_at_least_two("kernel_distance", real, fake)

    real, fake = real.astype(jnp.float32), fake.astype(jnp.float32)
    # A constant cancels between the three means; subtracting it from the kernel avoids cancellation in the sums.
    origin = jnp.mean(real, axis=0) @ jnp.mean(fake, axis=0) / real.shape[1] + 1

    def gram(rows: jax.Array, columns: jax.Array) -> jax.Array:
        """(x.y / F + 1)^3 - origin^3."""
        base = jnp.matmul(rows, columns.T, precision=_EXACT) / rows.shape[1] + 1
        return (base - origin) * (base * (base + origin) + jnp.square(origin))

    return unbiased_mmd(pair_sums(gram, real, fake, ROWS), len(real), len(fake))
