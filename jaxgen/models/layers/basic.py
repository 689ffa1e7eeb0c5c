"""Dense and convolutional layers shared by several models."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxgen.models.layers.convolution import conv_general_dilated

default_kernel_init = nn.initializers.lecun_normal()  # Flax's own

#: Of a network's inner values, such as bfloat16; None: that of its inputs. Parameters and outputs are float32.
Dtype = jax.typing.DTypeLike | None


def as_output(x: jax.Array, dtype: Dtype) -> jax.Array:
    """What a network whose inner values are of this dtype returns: float32, in which losses are computed."""
    return x if dtype is None else x.astype(jnp.float32)


class MLP(nn.Module):
    """Dense layers, each followed by the activation: [B, ...] -> [B, features[-1]], or [B, D] without layers."""

    features: Sequence[int]
    activation: Callable[[jax.Array], jax.Array] = nn.relu
    kernel_init: nn.initializers.Initializer = default_kernel_init
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Flatten the event axes, then apply the layers."""
        x = x.reshape(x.shape[0], -1)
        for features in self.features:
            x = self.activation(nn.Dense(features, kernel_init=self.kernel_init, dtype=self.dtype)(x))
        return x


class GatedMLP(nn.Module):
    """Gated dense layers (W x + b) * sigmoid(V x + c): [B, ...] -> [B, features[-1]].

    Dauphin et al. 2017, eq. 1; the layers of the VampPrior's networks (Tomczak & Welling 2018).
    """

    features: Sequence[int]
    kernel_init: nn.initializers.Initializer = default_kernel_init
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Flatten the event axes, then apply the layers."""
        x = x.reshape(x.shape[0], -1)
        for features in self.features:
            # Both in one product: W are the first columns, V the last.
            both = nn.Dense(2 * features, kernel_init=self.kernel_init, dtype=self.dtype)(x)
            linear, gate = jnp.split(both, 2, axis=-1)
            x = linear * nn.sigmoid(gate)
        return x


def conv(
    features: int,
    kernel_size: int | Sequence[int],
    strides: int | Sequence[int] = 1,
    padding: Any = "SAME",
    **options: Any,
) -> nn.Conv:
    """Flax's `nn.Conv` with gradients that are fast on the CPU inside `lax.scan`: [B, ..., C] -> [B, ..., features].

    Parameters, values and options (`mask`, `use_bias`, `dtype`, `kernel_init`, `name`, ...) are those of Flax.

    Raises:
        ValueError: When called with a dilated kernel or groups of channels.
    """
    return nn.Conv(features, kernel_size, strides, padding, conv_general_dilated=conv_general_dilated, **options)


def conv_transpose(
    features: int,
    kernel_size: int | Sequence[int],
    strides: int | Sequence[int] = 1,
    padding: Any = "SAME",
    **options: Any,
) -> nn.Conv:
    """Flax's `nn.ConvTranspose` with the gradients of `conv`: [B, ..., C] -> [B, ..., features].

    Parameters and values are those of Flax. It is implemented as, and has the options of, an `nn.Conv` over an input
    with strides - 1 zeros between its pixels.

    Raises:
        ValueError: If the padding is a string other than SAME and VALID, or as in `conv`.
    """
    kernel_size = (kernel_size,) if isinstance(kernel_size, int) else tuple(kernel_size)
    strides = (strides,) * len(kernel_size) if isinstance(strides, int) else tuple(strides)
    if isinstance(padding, str):
        padding = [_transposed_padding(*axis, padding) for axis in zip(kernel_size, strides, strict=True)]
    return _ConvTranspose(
        features,
        kernel_size,
        padding=padding,
        input_dilation=strides,
        conv_general_dilated=conv_general_dilated,
        **options,
    )


# Named like Flax's class, because parameters are named after the class of their layer: ConvTranspose_0.
_ConvTranspose = type(
    "ConvTranspose", (nn.Conv,), {"__doc__": "A convolution over an input with zeros between its pixels."}
)


def _transposed_padding(kernel_size: int, stride: int, padding: str) -> tuple[int, int]:
    """The padding that `lax.conv_transpose` applies to an axis of the dilated input."""
    if padding not in ("SAME", "VALID"):
        raise ValueError(f'padding must be "SAME", "VALID" or numbers, got {padding!r}')
    if padding == "VALID":
        return kernel_size - 1, max(kernel_size, stride) - 1
    total = kernel_size + stride - 2
    low = min(kernel_size - 1, (total + 1) // 2)
    return low, total - low
