"""Normalisation as an invertible layer: activation normalisation and batch normalisation.

Both are of each feature, the last axis, over all examples and pixels.
"""

import math

import jax
import jax.numpy as jnp
from flax import linen as nn


class ActNorm(nn.Module):
    """(x - mean) / std, parameters that begin as those of the first batch: [B, ..., C] -> [B, ..., C], [B].

    Kingma & Dhariwal 2018, section 3.1. `init` reads the values of its batch, which must be the global one.
    """

    epsilon: float = 1e-6  # added to the standard deviation of the first batch

    @nn.compact
    def _parameters(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        rows = x.reshape(-1, x.shape[-1])
        mean = self.param("mean", lambda _: jnp.mean(rows, axis=0))
        return mean, self.param("log_std", lambda _: jnp.log(jnp.std(rows, axis=0) + self.epsilon))

    def __call__(self, x: jax.Array, condition: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        """x -> (z, log |det dz/dx|). The condition is not used."""
        del condition
        mean, log_std = self._parameters(x)
        return _normalize(x, mean, -log_std)

    def inverse(self, z: jax.Array, condition: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        """z -> (x, log |det dx/dz|)."""
        del condition
        mean, log_std = self._parameters(z)
        return _denormalize(z, mean, log_std)


class FlowBatchNorm(nn.Module):
    """Batch normalisation with its log-determinant: [B, ..., C] -> [B, ..., C], [B].

    Dinh et al. 2017, section 3.7; Papamakarios et al. 2017, section 4.1. Where the collection `batch_stats` is mutable,
    x is normalised by the statistics of the batch, over all devices of `axis_name`, and the running ones move towards
    them; otherwise, and in the inverse, the running statistics are used. They begin as those of the first batch.
    """

    momentum: float = 0.99  # of the running statistics
    epsilon: float = 1e-5  # added to the variance
    axis_name: str | None = None

    def on_axis(self, axis_name: str | None) -> "FlowBatchNorm":
        """The layer with statistics over the devices of an axis."""
        return self.clone(axis_name=axis_name)

    @nn.compact
    def _variables(self, x: jax.Array) -> tuple[jax.Array, jax.Array, nn.Variable, nn.Variable]:
        shape = x.shape[-1:]
        log_gain = self.param("log_gain", nn.initializers.zeros, shape, jnp.float32)
        shift = self.param("shift", nn.initializers.zeros, shape, jnp.float32)
        mean = self.variable("batch_stats", "mean", lambda: _moments(x, None)[0])
        var = self.variable("batch_stats", "var", lambda: _moments(x, None)[1])
        return log_gain, shift, mean, var

    def __call__(self, x: jax.Array, condition: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        """x -> (z, log |det dz/dx|). The condition is not used."""
        del condition
        log_gain, shift, running_mean, running_var = self._variables(x)
        mean, var = running_mean.value, running_var.value
        if self.is_mutable_collection("batch_stats"):
            mean, var = _moments(x, self.axis_name)
            if not self.is_initializing():
                running_mean.value += (1 - self.momentum) * (mean - running_mean.value)
                running_var.value += (1 - self.momentum) * (var - running_var.value)
        z, log_det = _normalize(x, mean, log_gain - 0.5 * jnp.log(var + self.epsilon))
        return z + _over_examples(shift, x), log_det

    def inverse(self, z: jax.Array, condition: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        """z -> (x, log |det dx/dz|)."""
        del condition
        log_gain, shift, mean, var = self._variables(z)
        log_scale = 0.5 * jnp.log(var.value + self.epsilon) - log_gain
        return _denormalize(z - _over_examples(shift, z), mean.value, log_scale)


def _normalize(x: jax.Array, mean: jax.Array, log_scale: jax.Array) -> tuple[jax.Array, jax.Array]:
    z = (x - _over_examples(mean, x)) * _over_examples(jnp.exp(log_scale), x)
    return z, _log_det(log_scale, x)


def _denormalize(z: jax.Array, mean: jax.Array, log_scale: jax.Array) -> tuple[jax.Array, jax.Array]:
    return z * _over_examples(jnp.exp(log_scale), z) + _over_examples(mean, z), _log_det(log_scale, z)


def _over_examples(values: jax.Array, x: jax.Array) -> jax.Array:
    return values.reshape(*[1] * (x.ndim - 1), -1)


def _log_det(log_scale: jax.Array, x: jax.Array) -> jax.Array:
    """Every pixel is scaled."""
    return jnp.broadcast_to(math.prod(x.shape[1:-1]) * jnp.sum(log_scale), x.shape[:1])


def _moments(x: jax.Array, axis_name: str | None) -> tuple[jax.Array, jax.Array]:
    """Mean and variance [C] over examples, pixels and devices."""

    def mean_over_all(values: jax.Array) -> jax.Array:
        mean = jnp.mean(values, axis=0)
        return mean if axis_name is None else jax.lax.pmean(mean, axis_name)

    rows = x.reshape(-1, x.shape[-1])
    mean = mean_over_all(rows)
    return mean, mean_over_all(jnp.square(rows - mean[None]))
