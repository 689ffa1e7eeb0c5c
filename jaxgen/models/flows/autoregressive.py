"""Masked autoregressive flow (Papamakarios et al. 2017)."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxgen.models.flows.elementwise import affine
from jaxgen.models.made import MADE


class MaskedAutoregressive(nn.Module):
    """z_i = (x_i - shift_i) exp(-log_scale_i), both of the values before x_i, by MADE: [B, ...] -> [B, ...], [B].

    Papamakarios et al. 2017, eq. 3 to 5. The network's `parameters` are (2,). z takes one pass of the network, and x
    given z a pass for each value in turn.
    """

    network: MADE
    max_log_scale: float = 5.0

    def setup(self) -> None:
        """Raise ValueError unless the network has a shift and a log-scale for each value."""
        if self.network.parameters != (2,):
            raise ValueError(
                f"the network needs parameters (2,), a shift and a log-scale; got {self.network.parameters}"
            )
        self.transform = affine(self.max_log_scale)

    def __call__(self, x: jax.Array, condition: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        """x -> (z, log |det dz/dx|)."""
        z, log_slope = self.transform.forward(self.network(x, condition), x)
        return z, jnp.sum(log_slope, axis=tuple(range(1, x.ndim)))

    def inverse(self, z: jax.Array, condition: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        """z -> (x, log |det dx/dz|)."""
        flat = z.reshape(z.shape[0], -1)
        order = jnp.arange(flat.shape[1]) if self.network.order is None else self.network.order

        def value(carry: tuple, position: jax.Array) -> tuple[tuple, tuple[jax.Array, jax.Array]]:
            cache, previous = carry
            cache, parameters = self.network.column(cache, previous, position)
            x, log_slope = self.transform.inverse(parameters, flat[:, position])
            return (cache, x), (x, log_slope)

        start = (self.network.start(len(z), condition), jnp.zeros_like(flat[:, 0]))
        x, log_slope = jax.lax.scan(value, start, order)[1]
        x = jnp.zeros_like(flat).at[:, order].set(x.T)
        return x.reshape(z.shape), jnp.sum(log_slope, axis=0)
