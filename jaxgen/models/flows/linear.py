"""Linear invertible layers: the invertible 1 x 1 convolution, and the reversed order of values."""

import math

import jax
import jax.numpy as jnp
from flax import linen as nn


class InvertibleConv(nn.Module):
    """Invertible 1 x 1 convolution, W = P L (U + diag(s)), which mixes features: [B, ..., C] -> [B, ..., C], [B].

    Kingma & Dhariwal 2018, section 3.2, eq. 10. W begins as a random rotation; P and the signs of s, which are not
    trained, follow from its `seed`.
    """

    seed: int = 0

    @nn.compact
    def _factors(self, channels: int) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
        """P, L, U + diag(s), [C, C] each, and log |s|, [C]."""
        with jax.ensure_compile_time_eval():  # constants
            normal = jax.random.normal(jax.random.key(self.seed), (channels, channels), jnp.float32)
            permutation, first_lower, first_upper = jax.scipy.linalg.lu(jnp.linalg.qr(normal)[0])
            scale = jnp.diagonal(first_upper)
        lower = self.param("lower", lambda _: jnp.tril(first_lower, -1))
        upper = self.param("upper", lambda _: jnp.triu(first_upper, 1))
        log_scale = self.param("log_scale", lambda _: jnp.log(jnp.abs(scale)))
        lower = jnp.tril(lower, -1) + jnp.eye(channels, dtype=lower.dtype)
        upper = jnp.triu(upper, 1) + jnp.diag(jnp.sign(scale) * jnp.exp(log_scale))
        return permutation, lower, upper, log_scale

    def __call__(self, x: jax.Array, condition: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        """x -> (z, log |det dz/dx|). The condition is not used."""
        del condition
        permutation, lower, upper, log_scale = self._factors(x.shape[-1])
        z = x @ (permutation @ lower @ upper).T
        return z, _per_example(math.prod(x.shape[1:-1]) * jnp.sum(log_scale), x)

    def inverse(self, z: jax.Array, condition: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        """z -> (x, log |det dx/dz|)."""
        del condition
        permutation, lower, upper, log_scale = self._factors(z.shape[-1])
        columns = permutation.T @ z.reshape(-1, z.shape[-1]).T
        solve = jax.scipy.linalg.solve_triangular
        x = solve(upper, solve(lower, columns, lower=True, unit_diagonal=True)).T.reshape(z.shape)
        return x, _per_example(-math.prod(z.shape[1:-1]) * jnp.sum(log_scale), z)


class Reverse(nn.Module):
    """Values in reverse order, for the next autoregressive layer: [B, ...] -> [B, ...], [B].

    Papamakarios et al. 2017, section 3.1.
    """

    def __call__(self, x: jax.Array, condition: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        """x -> (z, 0). The condition is not used."""
        del condition
        return jnp.flip(x.reshape(x.shape[0], -1), axis=1).reshape(x.shape), jnp.zeros_like(x, shape=x.shape[:1])

    def inverse(self, z: jax.Array, condition: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        """z -> (x, 0)."""
        return self(z, condition)


def _per_example(value: jax.Array, x: jax.Array) -> jax.Array:
    return jnp.broadcast_to(value, x.shape[:1])
