"""Generators and discriminators: MLP and maxout (Goodfellow et al. 2014), DCGAN (Radford et al. 2016).

Batch norm computes its statistics over all devices of `axis_name`. `train` selects batch statistics (training mode) or
running statistics (evaluation mode).
"""

import functools
import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxgen._checks import check
from jaxgen.models.layers.basic import Dtype, as_output, conv, conv_transpose

Activation = Callable[[jax.Array], jax.Array]
_leaky_relu = functools.partial(nn.leaky_relu, negative_slope=0.2)
# Radford et al. 2016, section 4: weights from N(0, 0.02).
_dcgan_init = nn.initializers.normal(0.02)


class Maxout(nn.Module):
    """The maximum of `pieces` dense layers: [B, D] -> [B, features]. Goodfellow et al. 2013."""

    features: int
    pieces: int
    kernel_init: jax.nn.initializers.Initializer = nn.initializers.lecun_normal()
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """The maximum over the pieces of each feature."""
        pieces = nn.Dense(self.features * self.pieces, kernel_init=self.kernel_init, dtype=self.dtype)(x)
        return jnp.max(pieces.reshape(x.shape[0], self.features, self.pieces), axis=-1)


class Generator(nn.Module):
    """An MLP generator, optionally with batch norm: [B, Z] -> `[B, *shape]`."""

    shape: Sequence[int]
    hidden: Sequence[int]
    activation: Activation = nn.relu
    batch_norm: bool = False
    momentum: float = 0.99  # of the running statistics
    epsilon: float = 1e-5  # added to the variance
    hidden_bias: bool = True  # redundant under batch norm, which has a shift
    output_activation: Activation | None = None
    kernel_init: jax.nn.initializers.Initializer = nn.initializers.lecun_normal()
    axis_name: str | None = None
    dtype: Dtype = None

    @nn.compact
    def __call__(self, z: jax.Array, *, train: bool) -> jax.Array:
        """Generate x."""
        check("Generator", z=(z, "float [B, Z]"))
        dense = functools.partial(nn.Dense, kernel_init=self.kernel_init, dtype=self.dtype)
        norm = functools.partial(
            nn.BatchNorm, momentum=self.momentum, epsilon=self.epsilon, axis_name=self.axis_name, dtype=self.dtype
        )
        for features in self.hidden:
            z = dense(features, use_bias=self.hidden_bias)(z)
            if self.batch_norm:
                z = norm(use_running_average=not train)(z)
            z = self.activation(z)
        x = as_output(dense(math.prod(self.shape))(z), self.dtype).reshape(z.shape[0], *self.shape)
        return x if self.output_activation is None else self.output_activation(x)


class Discriminator(nn.Module):
    """An MLP discriminator, of maxout units if `pieces` > 1: [B, ...] -> logits [B]."""

    hidden: Sequence[int]
    activation: Activation = _leaky_relu
    pieces: int = 1
    kernel_init: jax.nn.initializers.Initializer = nn.initializers.lecun_normal()
    axis_name: str | None = None
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """The logit of x being real, or a critic's score."""
        del train
        x = x.reshape(x.shape[0], -1)
        for features in self.hidden:
            if self.pieces == 1:
                x = self.activation(nn.Dense(features, kernel_init=self.kernel_init, dtype=self.dtype)(x))
            else:
                x = Maxout(features, self.pieces, self.kernel_init, self.dtype)(x)
        return as_output(nn.Dense(1, kernel_init=self.kernel_init, dtype=self.dtype)(x)[:, 0], self.dtype)


class DCGANGenerator(nn.Module):
    """The DCGAN generator, transposed convolutions with batch norm: [B, Z] -> `[B, *shape]`."""

    shape: Sequence[int]
    channels: Sequence[int] = (128, 64)
    output_activation: Activation = nn.tanh
    axis_name: str | None = None
    dtype: Dtype = None

    @nn.compact
    def __call__(self, z: jax.Array, *, train: bool) -> jax.Array:
        """Generate images in the range of the output activation."""
        check("DCGANGenerator", z=(z, "float [B, Z]"))
        if len(self.shape) != 3:
            raise ValueError(f"a convolutional generator needs images of shape [H, W, C], got {tuple(self.shape)}")
        if not self.channels:
            raise ValueError("channels must name at least one layer")
        norm = functools.partial(
            nn.BatchNorm, use_running_average=not train, axis_name=self.axis_name, dtype=self.dtype
        )
        larger = functools.partial(
            conv_transpose, kernel_size=(4, 4), strides=2, kernel_init=_dcgan_init, dtype=self.dtype
        )
        height, width, colours = self.shape
        times = 2 ** len(self.channels)
        small = (-(-height // times), -(-width // times), self.channels[0])
        first = nn.Dense(math.prod(small), kernel_init=_dcgan_init, use_bias=False, dtype=self.dtype)
        h = first(z).reshape(z.shape[0], *small)
        h = nn.relu(norm()(h))
        for features in self.channels[1:]:
            h = nn.relu(norm()(larger(features, use_bias=False)(h)))
        x = as_output(larger(colours)(h), self.dtype)
        return self.output_activation(x[:, :height, :width])


class DCGANDiscriminator(nn.Module):
    """The DCGAN discriminator, strided convolutions: [B, H, W, C] -> logits [B].

    `norm` is "batch" (Radford et al. 2016), "spectral" (Miyato et al. 2018) or None; gradient penalties exclude
    "batch". "spectral" divides the weights by their norm from the start: those of the first layer, on images of one
    channel, then have a standard deviation of 0.1 to 0.2, not 0.02. `minibatch_std` appends the standard deviation over
    the batch as a channel (Karras et al. 2018, section 3): the logit of an example then depends on its batch, in
    evaluation too.
    """

    channels: Sequence[int] = (64, 128)
    norm: str | None = "batch"
    minibatch_std: bool = False
    axis_name: str | None = None
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """The logit of x being real, or a critic's score."""
        if x.ndim != 4:
            raise ValueError(f"a convolutional discriminator needs images [B, H, W, C], got shape {x.shape}")
        if self.norm not in ("batch", "spectral", None):
            raise ValueError(f'norm must be "batch", "spectral" or None, got {self.norm!r}')
        for index, features in enumerate(self.channels):
            layer = conv(features, (4, 4), 2, kernel_init=_dcgan_init, dtype=self.dtype)
            x = self._normalize(layer, x, train=train)
            if self.norm == "batch" and index > 0:  # not the first layer (Radford et al. 2016, section 3)
                x = nn.BatchNorm(use_running_average=not train, axis_name=self.axis_name, dtype=self.dtype)(x)
            x = _leaky_relu(x)
        if self.minibatch_std:
            x = with_minibatch_std(as_output(x, self.dtype), axis_name=self.axis_name)
        last = nn.Dense(1, kernel_init=_dcgan_init, dtype=self.dtype)
        return as_output(self._normalize(last, x.reshape(x.shape[0], -1), train=train)[:, 0], self.dtype)

    def _normalize(self, layer: nn.Module, x: jax.Array, *, train: bool) -> jax.Array:
        return nn.SpectralNorm(layer)(x, update_stats=train) if self.norm == "spectral" else layer(x)


def with_minibatch_std(x: jax.Array, *, axis_name: str | None = None) -> jax.Array:
    """Append the mean standard deviation over the batch as a channel: [..., C] -> [..., C + 1].

    Karras et al. 2018, section 3, with one group: the batch of all devices of `axis_name`.
    """

    def over_batch(values: jax.Array) -> jax.Array:
        mean = jnp.mean(values, axis=0, keepdims=True)
        return mean if axis_name is None else jax.lax.pmean(mean, axis_name)

    std = jnp.mean(jnp.sqrt(over_batch(jnp.square(x - over_batch(x))) + 1e-8))
    return jnp.concatenate([x, jnp.broadcast_to(std, (*x.shape[:-1], 1))], axis=-1)


def pack(x: jax.Array, size: int) -> jax.Array:
    """Concatenate `size` consecutive examples along channels: [B, ..., C] -> [B / size, ..., size C].

    Lin et al. 2018 (PacGAN). Raises ValueError unless size divides B.
    """
    if len(x) % size:
        raise ValueError(f"packing {size} examples needs a batch (of each device) that it divides, got {len(x)}")
    grouped = x.reshape(len(x) // size, size, *x.shape[1:])
    return jnp.moveaxis(grouped, 1, -2).reshape(len(grouped), *x.shape[1:-1], size * x.shape[-1])
