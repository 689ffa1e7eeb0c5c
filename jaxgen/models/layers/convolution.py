"""A convolution whose gradients are as fast on the CPU inside `lax.scan` as outside.

On the CPU, XLA is fast in one layout: channels last, kernel [..., C, F]. Its pass ConvCanonicalization brings others
into it, but in the entry computation alone, never in the body of a loop. JAX writes both gradients of a convolution in
other layouts: inside a scan they become nested scalar loops, 10 to 100 times slower. Here the transposes are explicit.
"""

import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import AxisType, NamedSharding, PartitionSpec


class _Axis(NamedTuple):
    """A spatial axis: x[j] meets kernel[k] in y[o] where low + j * dilation = o * stride + k * kernel_dilation."""

    size: int
    kernel_size: int
    stride: int
    low: int  # zeros before x
    high: int  # and after it
    dilation: int = 1  # more than 1 in a transposed convolution
    kernel_dilation: int = 1  # more than 1 in the weight gradient of a convolution with strides

    @property
    def output_size(self) -> int:
        padded_size = self.low + (self.size - 1) * self.dilation + 1 + self.high
        return (padded_size - self.kernel_size) // self.stride + 1


_Axes = tuple[_Axis, ...]


def conv_general_dilated(
    lhs: jax.Array,
    rhs: jax.Array,
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
    feature_group_count: int = 1,
    precision: Any = None,
) -> jax.Array:
    """`lax.conv_general_dilated` with channels last: [B, ..., C], [..., C, F] -> [B, ..., F].

    It has reverse-mode derivatives of any order and no forward mode (`jax.jvp`). Accelerators run JAX's own gradients.

    Raises:
        ValueError: If the kernel is dilated, the channels are in groups, the layout is not NHWC, HWIO -> NHWC, or the
            padding is a string where the input is dilated.
    """
    if lax.conv_dimension_numbers(lhs.shape, rhs.shape, dimension_numbers) != _channels_last(lhs.ndim):
        raise ValueError(f"dimension_numbers must be those of NHWC, HWIO -> NHWC, got {dimension_numbers}")
    if any(dilation != 1 for dilation in rhs_dilation or ()):
        raise ValueError(
            f"rhs_dilation (a layer's kernel_dilation) must be 1, got {rhs_dilation}; flax.linen.Conv has it"
        )
    if feature_group_count != 1:
        raise ValueError(f"feature_group_count must be 1, got {feature_group_count}; flax.linen.Conv has it")

    if isinstance(padding, str):
        if any(dilation != 1 for dilation in lhs_dilation or ()):
            raise ValueError(f"padding must be numbers where lhs_dilation (input_dilation) is not 1, got {padding!r}")
        padding = lax.padtype_to_pads(lhs.shape[1:-1], rhs.shape[:-2], window_strides, padding)
    dilations = lhs_dilation or (1,) * len(window_strides)
    axes = tuple(
        _Axis(size, kernel_size, stride, low, high, dilation)
        for size, kernel_size, stride, (low, high), dilation in zip(
            lhs.shape[1:-1], rhs.shape[:-2], window_strides, padding, dilations, strict=True
        )
    )
    return _conv(*_varying_alike(lhs, rhs), axes, precision)


# The number <g, conv(x, kernel)> is linear in g, in x and in kernel. The next three functions are its gradients, one by
# each, so that the gradients of every one are the other two, and derivatives of any order stay among them.


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _conv(x: jax.Array, kernel: jax.Array, axes: _Axes, precision: Any) -> jax.Array:
    return _native(x, kernel, axes, precision)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _input_gradient(g: jax.Array, kernel: jax.Array, axes: _Axes, precision: Any) -> jax.Array:
    def native(g: jax.Array, kernel: jax.Array) -> jax.Array:
        x = jax.eval_shape(canonical, g, kernel)
        return jax.linear_transpose(lambda x: _native(x, kernel, axes, precision), x)(g)[0]

    def canonical(g: jax.Array, kernel: jax.Array) -> jax.Array:
        return _native(g, _transposed(kernel), tuple(map(_input_gradient_axis, axes)), precision)

    return lax.platform_dependent(g, kernel, cpu=canonical, default=native)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _weight_gradient(x: jax.Array, g: jax.Array, axes: _Axes, precision: Any) -> jax.Array:
    def native(x: jax.Array, g: jax.Array) -> jax.Array:
        kernel = jax.eval_shape(functools.partial(canonical, axes=axes), x, g)
        return jax.linear_transpose(lambda kernel: _native(x, kernel, axes, precision), kernel)(g)[0]

    def canonical(x: jax.Array, g: jax.Array, axes: _Axes) -> jax.Array:
        if math.prod(g.shape[1:-1]) > math.prod(x.shape[1:-1]):
            # As that of the transposed convolution: less work, and XLA would exchange the two itself, in a slow layout.
            return _transposed(canonical(g, x, tuple(map(_input_gradient_axis, axes))))
        # The batch is summed over, as channels are, and the channels are kept, as a batch is.
        x, g = x.swapaxes(0, -1), jnp.moveaxis(g, 0, -2)
        weight_gradient_axes = tuple(map(_weight_gradient_axis, axes))
        return jnp.moveaxis(_native(x, g, weight_gradient_axes, precision, _replicated(x)), 0, -2)

    return lax.platform_dependent(x, g, cpu=functools.partial(canonical, axes=axes), default=native)


def _differentiate(function: Any, first: Any, second: Any) -> None:
    """Give function(a, b) its gradients first(a, b, cotangent) and second(a, b, cotangent)."""

    def forward(a: jax.Array, b: jax.Array, *static: Any) -> tuple:
        return function(a, b, *static), (a, b)

    def backward(axes: _Axes, precision: Any, operands: tuple, cotangent: jax.Array) -> tuple:
        return tuple(gradient(*operands, cotangent, axes, precision) for gradient in (first, second))

    function.defvjp(forward, backward)


_differentiate(
    _conv,
    lambda x, kernel, g, *static: _input_gradient(g, kernel, *static),
    lambda x, kernel, g, *static: _weight_gradient(x, g, *static),
)
_differentiate(
    _input_gradient,
    lambda g, kernel, x, *static: _conv(x, kernel, *static),
    lambda g, kernel, x, *static: _weight_gradient(x, g, *static),
)
_differentiate(
    _weight_gradient,
    lambda x, g, kernel, *static: _input_gradient(g, kernel, *static),
    lambda x, g, kernel, *static: _conv(x, kernel, *static),
)


def _varying_alike(*arrays: jax.Array) -> list[jax.Array]:
    """The arrays, each varying over the mapped axes over which any of them does.

    A custom VJP has to return a cotangent that varies as its argument; the transpose of this sums it over the others.
    """
    own = [jax.typeof(array).manual_axis_type.varying for array in arrays]
    varying = frozenset().union(*own)
    return [lax.pcast(array, tuple(varying - axes), to="varying") for array, axes in zip(arrays, own, strict=True)]


def _transposed(kernel: jax.Array) -> jax.Array:
    return jnp.flip(kernel, range(kernel.ndim - 2)).swapaxes(-1, -2)


def _input_gradient_axis(axis: _Axis) -> _Axis:
    reach = axis.kernel_size + (axis.size - 1) * axis.dilation - 1 - (axis.output_size - 1) * axis.stride
    low = axis.kernel_size - 1 - axis.low
    return _Axis(axis.output_size, axis.kernel_size, axis.dilation, low, reach - low, axis.stride)


def _weight_gradient_axis(axis: _Axis) -> _Axis:
    reach = axis.kernel_size - 1 + (axis.output_size - 1) * axis.stride - (axis.size - 1) * axis.dilation
    return _Axis(axis.size, axis.output_size, 1, axis.low, reach - axis.low, axis.dilation, axis.stride)


def _replicated(x: jax.Array) -> NamedSharding | None:
    """The sharding of a sum over the batch, which an Explicit mesh has to be told; None on any other."""
    mesh = jax.typeof(x).sharding.mesh
    return NamedSharding(mesh, PartitionSpec()) if AxisType.Explicit in mesh.axis_types else None


def _native(
    x: jax.Array, kernel: jax.Array, axes: _Axes, precision: Any, out_sharding: NamedSharding | None = None
) -> jax.Array:
    return lax.conv_general_dilated(
        x,
        kernel,
        window_strides=[axis.stride for axis in axes],
        padding=[(axis.low, axis.high) for axis in axes],
        lhs_dilation=[axis.dilation for axis in axes],
        rhs_dilation=[axis.kernel_dilation for axis in axes],
        dimension_numbers=_channels_last(x.ndim),
        precision=precision,
        out_sharding=out_sharding,
    )


def _channels_last(ndim: int) -> lax.ConvDimensionNumbers:
    data = (0, ndim - 1, *range(1, ndim - 1))
    return lax.ConvDimensionNumbers(data, (ndim - 1, ndim - 2, *range(ndim - 2)), data)
