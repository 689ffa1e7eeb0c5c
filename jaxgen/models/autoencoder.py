"""Encoders and decoders of autoencoders."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxgen._checks import check
from jaxgen.models.layers.basic import MLP, Dtype, GatedMLP, as_output, conv, conv_transpose, default_kernel_init

Activation = Callable[[jax.Array], jax.Array]


class Gaussian(NamedTuple):
    """A diagonal Gaussian over the latents of each example."""

    #: Mean, [B, Z].
    mean: jax.Array
    #: Log-variance, [B, Z].
    log_var: jax.Array


class Encoder(nn.Module):
    """A deterministic encoder with a linear output: [B, ...] -> [B, Z].

    Each of `channels` is a 4 x 4 convolution that halves height and width (Radford et al. 2016); an MLP with the
    `hidden` layers follows, a `GatedMLP` if `gated`.
    """

    latent_dim: int
    hidden: Sequence[int]
    activation: Activation = nn.relu
    channels: Sequence[int] = ()
    kernel_init: nn.initializers.Initializer = default_kernel_init
    gated: bool = False
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Encode x."""
        h = _dense_layers(self)(_downsample(self, x))
        code = nn.Dense(self.latent_dim, kernel_init=self.kernel_init, dtype=self.dtype, name="code")
        return as_output(code(h), self.dtype)


class GaussianEncoder(nn.Module):
    """q(z | x), with the layers of `Encoder`: [B, ...] -> Gaussian of [B, Z]. Kingma & Welling 2014, appendix C.2.

    The second head h is the log-variance, or with `std="softplus"` gives the standard deviation softplus(h). The
    log-variance is clipped to `log_var_range`, if given.
    """

    latent_dim: int
    hidden: Sequence[int]
    activation: Activation = nn.relu
    channels: Sequence[int] = ()
    kernel_init: nn.initializers.Initializer = default_kernel_init
    gated: bool = False
    std: Literal["exp", "softplus"] = "exp"
    log_var_range: tuple[float, float] | None = None
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: jax.Array) -> Gaussian:
        """Mean and log-variance of q(z | x)."""
        h = _dense_layers(self)(_downsample(self, x))
        # Both heads in one product: small products are dominated by the overhead of a call.
        heads = nn.Dense(2 * self.latent_dim, kernel_init=self.kernel_init, dtype=self.dtype, name="mean_and_log_var")
        mean, log_var = jnp.split(as_output(heads(h), self.dtype), 2, axis=-1)
        if self.std == "softplus":
            log_var = 2 * _log_softplus(log_var)
        return Gaussian(mean, log_var if self.log_var_range is None else jnp.clip(log_var, *self.log_var_range))


class Decoder(nn.Module):
    """A decoder from latents to the parameters of p(x | z): [B, Z] -> `[B, *shape]`.

    An MLP, then for each of `channels` a 4 x 4 transposed convolution that doubles height and width. The output is
    linear unless an `output_activation` is given.
    """

    shape: Sequence[int]
    hidden: Sequence[int]
    activation: Activation = nn.relu
    channels: Sequence[int] = ()
    output_activation: Activation | None = None
    kernel_init: nn.initializers.Initializer = default_kernel_init
    bias_init: nn.initializers.Initializer = nn.initializers.zeros  # output bias, [prod(shape)] or one per channel
    gated: bool = False
    dtype: Dtype = None

    @nn.compact
    def __call__(self, z: jax.Array) -> jax.Array:
        """Logits, means or other parameters of the likelihood."""
        check("Decoder", z=(z, "float [B, Z]"))
        h = _dense_layers(self)(z)
        if self.channels:
            h = self._upsample(h)
        else:
            output = nn.Dense(
                math.prod(self.shape),
                kernel_init=self.kernel_init,
                bias_init=self.bias_init,
                dtype=self.dtype,
                name="output",
            )
            h = output(h)
        x = as_output(h, self.dtype).reshape(z.shape[0], *self.shape)
        return x if self.output_activation is None else self.output_activation(x)

    def _upsample(self, h: jax.Array) -> jax.Array:
        if len(self.shape) < 2:
            raise ValueError(f"a convolutional decoder needs the shape of an image, got {tuple(self.shape)}")
        height, width, *pixel = self.shape
        times = 2 ** len(self.channels)
        small = (-(-height // times), -(-width // times), self.channels[0])
        first = nn.Dense(math.prod(small), kernel_init=self.kernel_init, dtype=self.dtype)
        larger = functools.partial(
            conv_transpose, kernel_size=(4, 4), strides=2, kernel_init=self.kernel_init, dtype=self.dtype
        )
        h = self.activation(first(h)).reshape(h.shape[0], *small)
        for features in self.channels[1:]:
            h = self.activation(larger(features)(h))
        output = larger(math.prod(pixel), bias_init=self.bias_init, name="output")
        return output(h)[:, :height, :width]


class Autoencoder(nn.Module):
    """A deterministic encoder [B, ...] -> [B, Z] and a decoder [B, Z] -> [B, ...]. Hinton & Salakhutdinov 2006."""

    encoder: nn.Module
    decoder: nn.Module

    @property
    def latent_dim(self) -> int:
        """Latent size Z."""
        return self.encoder.latent_dim

    def encode(self, x: jax.Array) -> jax.Array:
        """The code: [B, ...] -> [B, Z]."""
        return self.encoder(x)

    def decode(self, z: jax.Array) -> jax.Array:
        """The parameters of the likelihood: [B, Z] -> [B, ...]."""
        return self.decoder(z)

    def __call__(self, x: jax.Array) -> jax.Array:
        """The reconstruction: [B, ...] -> [B, ...]."""
        return self.decode(self.encode(x))


def _dense_layers(network: Encoder | GaussianEncoder | Decoder) -> nn.Module:
    if network.gated:
        return GatedMLP(network.hidden, network.kernel_init, network.dtype)
    return MLP(network.hidden, network.activation, network.kernel_init, network.dtype)


def _log_softplus(x: jax.Array) -> jax.Array:
    # Far below 0 it equals x in float32, while softplus itself underflows to 0.
    return jnp.where(x < -20, x, jnp.log(nn.softplus(jnp.maximum(x, -20))))


def _downsample(network: Encoder | GaussianEncoder, x: jax.Array) -> jax.Array:
    if network.channels and x.ndim != 4:
        raise ValueError(f"a convolutional encoder needs images [B, H, W, C], got shape {x.shape}")
    for features in network.channels:
        x = network.activation(conv(features, (4, 4), 2, kernel_init=network.kernel_init, dtype=network.dtype)(x))
    return x
