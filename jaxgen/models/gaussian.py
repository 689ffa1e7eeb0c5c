"""The moments of a Gaussian with a full covariance, for each class, streamed."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.models.naive_bayes import class_moments


class GaussianMoments(NamedTuple):
    """The moments of each class."""

    #: Numbers of examples [K].
    counts: jax.Array
    #: Means [K, D].
    mean: jax.Array
    #: Sums of (x - mean)(x - mean)^T, [K, D, D].
    scatter: jax.Array


def gaussian_moments(x: jax.Array, y: jax.Array, num_classes: int, *, axis_name: str | None = None) -> GaussianMoments:
    """The moments of a batch, over all devices under `axis_name`: [B, D], integers [B] -> GaussianMoments.

    In two passes, so that nothing is lost to E[x x^T] - E[x] E[x]^T. A class without examples has zeros.
    """
    x = x.astype(jnp.float32)
    counts, mean, _ = class_moments(x, y, num_classes, axis_name=axis_name)

    def scatter(label: jax.Array, mean: jax.Array) -> jax.Array:
        apart = jnp.where((y == label)[:, None], x - mean[None], 0.0)
        return jnp.matmul(apart.T, apart, precision=jax.lax.Precision.HIGHEST)

    total = jax.lax.map(lambda of_class: scatter(*of_class), (jnp.arange(num_classes), mean))
    return GaussianMoments(counts, mean, total if axis_name is None else jax.lax.psum(total, axis_name))


def merge_gaussian(first: GaussianMoments, second: GaussianMoments) -> GaussianMoments:
    """The moments of two disjoint sets of examples together. Chan, Golub & LeVeque 1979, eq. 2.1, in D dimensions."""
    counts = first.counts + second.counts
    share = second.counts / jnp.maximum(counts, 1)
    apart = second.mean - first.mean
    between = (first.counts * share)[:, None, None] * apart[:, :, None] * apart[:, None, :]
    scatter = first.scatter + second.scatter + between
    return GaussianMoments(counts, first.mean + apart * share[:, None], scatter)


def covariance_factor(moments: GaussianMoments, floor: float) -> jax.Array:
    """The Cholesky factors L of the covariances L L^T, by maximum likelihood: GaussianMoments -> [K, D, D].

    `floor`, times the largest variance of a feature in any class, is added to the variances. A covariance that is not
    positive definite in float32, as of fewer examples than dimensions, is replaced by its diagonal.
    """
    covariance = moments.scatter / jnp.maximum(moments.counts, 1)[:, None, None]
    variances = jnp.diagonal(covariance, axis1=1, axis2=2)
    added = floor * jnp.max(variances) + jnp.finfo(jnp.float32).tiny
    eye = jnp.eye(variances.shape[1])[None]
    factor = jnp.linalg.cholesky(covariance + added * eye)
    definite = jnp.isfinite(factor).all(axis=(1, 2), keepdims=True)
    return jnp.where(definite, factor, jnp.sqrt(variances + added)[:, None, :] * eye)
