"""Streamed moments of class-conditional Gaussians with full covariances."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.models.naive_bayes import class_moments


class GaussianMoments(NamedTuple):
    """Counts, means and scatter matrices of the classes."""

    #: Number of examples, [K].
    counts: jax.Array
    #: Means [K, D].
    mean: jax.Array
    #: Sums of (x - mean)(x - mean)^T, [K, D, D].
    scatter: jax.Array


def gaussian_moments(x: jax.Array, y: jax.Array, num_classes: int, *, axis_name: str | None = None) -> GaussianMoments:
    """Moments of a batch over all devices of `axis_name`: [B, D], integers [B] -> GaussianMoments.

    Computed in two passes, to avoid the cancellation of E[x x^T] - E[x] E[x]^T. Classes without examples have zeros.
    """
    x = x.astype(jnp.float32)
    counts, mean, _ = class_moments(x, y, num_classes, axis_name=axis_name)

    def scatter(label: jax.Array, mean: jax.Array) -> jax.Array:
        deviations = jnp.where((y == label)[:, None], x - mean[None], 0.0)
        return jnp.matmul(deviations.T, deviations, precision=jax.lax.Precision.HIGHEST)

    total = jax.lax.map(lambda label_and_mean: scatter(*label_and_mean), (jnp.arange(num_classes), mean))
    return GaussianMoments(counts, mean, total if axis_name is None else jax.lax.psum(total, axis_name))


def merge_gaussian(first: GaussianMoments, second: GaussianMoments) -> GaussianMoments:
    """Moments of the union of two disjoint sets (Chan, Golub & LeVeque 1979, eq. 2.1, in D dimensions)."""
    counts = first.counts + second.counts
    share = second.counts / jnp.maximum(counts, 1)
    difference = second.mean - first.mean
    between = (first.counts * share)[:, None, None] * difference[:, :, None] * difference[:, None, :]
    scatter = first.scatter + second.scatter + between
    return GaussianMoments(counts, first.mean + difference * share[:, None], scatter)


def covariance_factor(moments: GaussianMoments, floor: float) -> jax.Array:
    """Cholesky factors L of the maximum-likelihood covariances L L^T: GaussianMoments -> [K, D, D].

    `floor`, times the largest variance of a feature in any class, is added to the variances. A covariance that is not
    positive definite in float32, such as that of fewer examples than dimensions, is replaced by its diagonal.
    """
    covariance = moments.scatter / jnp.maximum(moments.counts, 1)[:, None, None]
    variances = jnp.diagonal(covariance, axis1=1, axis2=2)
    added = floor * jnp.max(variances) + jnp.finfo(jnp.float32).tiny
    eye = jnp.eye(variances.shape[1], dtype=jnp.float32)[None]
    factor = jnp.linalg.cholesky(covariance + added * eye)
    definite = jnp.isfinite(factor).all(axis=(1, 2), keepdims=True)
    return jnp.where(definite, factor, jnp.sqrt(variances + added)[:, None, :] * eye)
