"""What the recipes ask of a network: any Flax Linen module with these methods will do, such as one of your own.

`from_nnx` makes one of an NNX module. Recipes differentiate all variables that `init` creates; only the players of a
game may have other collections than "params", such as batch statistics.
"""

from collections.abc import Callable
from typing import Any, Protocol

import jax


class Network(Protocol):
    """A network: `init` and `apply`, which a Linen module has, and a call that reaches all of its variables."""

    def init(self, rngs: jax.Array, *inputs: Any, **options: Any) -> Any:
        """Variables for inputs of these shapes."""

    def apply(self, variables: Any, *inputs: Any, **options: Any) -> Any:
        """The output of `__call__`, or of the `method` of that name."""


class AutoencoderNetwork(Network, Protocol):
    """For `autoencoder`, `rae`, `wae_mmd` and `wae_gan`; called with x."""

    latent_dim: int

    def encode(self, x: jax.Array) -> Any:
        """The code: [B, ...] -> [B, Z]; for the WAEs also (mean, log_var) of a Gaussian, two [B, Z]."""

    def decode(self, z: jax.Array) -> jax.Array:
        """The parameters of the likelihood: [B, Z] -> `[B, ..., *parameters]`."""


class VAENetwork(Network, Protocol):
    """For `vae` and `iwae`; called with x and y. One conditioned on a class has an integer field `num_classes`."""

    latent_dim: int

    def encode(self, x: jax.Array, y: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        """(mean, log_var) of q(z | x), or of q(z | x, y): [B, ...], [B] -> two [B, Z]."""

    def decode(self, z: jax.Array, y: jax.Array | None = None) -> jax.Array:
        """The parameters of p(x | z), or of p(x | z, y): [B, Z], [B] -> `[B, ..., *parameters]`."""


class HierarchicalNetwork(Network, Protocol):
    """For `hierarchical_vae` and `hierarchical_iwae`; called with x. Layers count from 0, next to x."""

    latent_dims: tuple[int, ...]

    def infer(self, below: jax.Array, layer: int) -> tuple[jax.Array, jax.Array]:
        """(mean, log_var) of a layer given the one below it, at layer 0 given x: [B, ...] -> two [B, Z]."""

    def generate(self, above: jax.Array, layer: int) -> tuple[jax.Array, jax.Array]:
        """(mean, log_var) of a layer given the one above it: [B, Z] -> two [B, Z]."""

    def decode(self, z: jax.Array) -> jax.Array:
        """The parameters of p(x | z_1): [B, Z] -> `[B, ..., *parameters]`."""


class ClassifierNetwork(Network, Protocol):
    """For the classifiers; called with x: [B, ...] -> logits [B, K]."""

    num_classes: int

    def features(self, x: jax.Array) -> jax.Array:
        """Features in which sets of examples are compared: [B, ...] -> [B, F]."""


class AutoregressiveNetwork(Network, Protocol):
    """For `autoregressive`; called with x and y: -> `[B, ..., *parameters]` of each value given those before it.

    It may have a method `begin_row`, and a field `order` of positions, as in `sampling.raster_scan`. Where it has a
    field `dropout` above 0 it is trained with `keys` [B], one for each example. Under a likelihood of pixels positions
    are those of pixels, the output is `[B, H, W, *parameters]`, and the previous value is a pixel [B, C].
    """

    shape: tuple[int, ...]
    condition_dim: int | tuple[int, int, int] | None  # classes or size of y, or the shape of an image

    def start(self, num: int, y: jax.Array | None = None) -> Any:
        """The cache of `num` examples before their first value."""

    def column(self, cache: Any, previous: jax.Array, position: jax.Array) -> tuple[Any, jax.Array]:
        """The cache and the parameters of the value at a position, as in `sampling.raster_scan`."""


class PlayerNetwork(Network, Protocol):
    """For both sides of `gan`, and for the discriminator of `wae_gan`: [B, ...] -> x [B, ...], or logits [B].

    If it has a field `axis_name`, it is set to the axis of the devices in training.
    """

    def __call__(self, inputs: jax.Array, *, train: bool) -> jax.Array:
        """Apply it in training or in evaluation mode."""


def from_nnx(network: Callable[..., Any], **fields: Any) -> Network:
    """A network for the recipes of an NNX module `network(**fields, rngs=rngs)`, by Flax's bridge.

    The recipe reads the fields, such as `latent_dim`, and calls the methods of the module.
    """
    from flax.nnx import bridge  # slow to import, and needed by few

    class FromNNX(bridge.ToLinen):
        """Flax's bridge, whose methods are called as those of a Linen module."""

        def apply(self, variables: Any, *inputs: Any, method: str | None = None, **options: Any) -> Any:
            """The output of `__call__`, or of the `method` of that name."""
            return super().apply(variables, *inputs, nnx_method=method, **options)

    return FromNNX(network, kwargs=fields)
