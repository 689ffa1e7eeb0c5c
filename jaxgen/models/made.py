"""MADE, the masked autoencoder for distribution estimation (Germain et al. 2015)."""

import math
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxgen.models.layers.condition import Condition


class Masks(NamedTuple):
    """Several masks: orders of the dimensions and degrees of the hidden units. A single mask lacks the first axis."""

    #: Dimensions in the order in which they are drawn, [masks, D].
    order: jax.Array
    #: Rank of each dimension in that order, [masks, D].
    ranks: jax.Array
    #: For each hidden layer, the number of leading dimensions that a unit may see, [masks, H].
    degrees: tuple[jax.Array, ...]


class _Cache(NamedTuple):
    """Partial sums over the values drawn so far, and the conditioning terms of the layers."""

    first: jax.Array  # first hidden layer under each mask: [masks, B, H]
    direct: jax.Array  # direct connections: [B, D, P]
    conditions: tuple[jax.Array, ...]


class MADE(nn.Module):
    """A masked MLP in which output d sees only the inputs before d: [B, ...] -> `[B, ..., *P]`.

    P is `parameters`, the shape of the likelihood parameters of a value, () for a logit. A mask assigns a degree to
    every hidden unit (section 4.2): `random` degrees are uniform over those that the previous layer allows,
    `sequential` ones cycle through 1 ... D - 1 (Papamakarios et al. 2017). With the `random` ordering each mask has its
    own order of the dimensions, with the `natural` one all share it. `direct` adds masked connections from inputs to
    outputs; on their own, with `hidden=()`, they are the fully visible sigmoid belief network (Frey 1998).

    The module has a cycle of `num_masks` masks. With `masks`, a single mask, or with an rng named `masks`, which picks
    one from the cycle, it is the network under that mask. Otherwise it is the ensemble over the cycle, the mean of the
    conditional probabilities, which is a distribution only if all masks share one order; for several orders see
    `recipes.made`.
    """

    shape: tuple[int, ...]
    hidden: Sequence[int] = (500,)
    num_masks: int = 1
    mask_seed: int = 0
    condition_dim: int | None = None
    bias_init: nn.initializers.Initializer = nn.initializers.zeros  # of the outputs
    parameters: tuple[int, ...] = ()
    ordering: Literal["natural", "random"] = "natural"
    degrees: Literal["random", "sequential"] = "random"
    direct: bool = False
    activation: Callable[[jax.Array], jax.Array] = nn.relu
    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()
    condition_layers: Literal["all", "first"] = "all"

    def setup(self) -> None:
        """Create the weights. Raises ValueError with neither hidden layers nor direct connections."""
        if not self.hidden and not self.direct:
            raise ValueError("hidden must name at least one layer, or direct must be true")
        inputs, outputs = math.prod(self.shape), math.prod((*self.shape, *self.parameters))
        widths = [inputs, *self.hidden, outputs]
        if self.hidden:
            shapes = zip(widths[:-1], widths[1:], strict=True)
            self.kernels = [
                self.param(f"kernel_{i}", self.kernel_init, shape, jnp.float32) for i, shape in enumerate(shapes)
            ]
        bias_inits = [nn.initializers.zeros] * len(self.hidden) + [self.bias_init]
        self.biases = [
            self.param(f"bias_{i}", init, (widths[i + 1],), jnp.float32) for i, init in enumerate(bias_inits)
        ]
        if self.direct:
            self.direct_kernel = self.param("direct", self.kernel_init, (inputs, outputs), jnp.float32)
        self.condition = Condition(self.condition_dim, widths[1:] if self.condition_layers == "all" else widths[1:2])

    def draw_masks(self, key: jax.Array, num: int) -> Masks:
        """Draw `num` masks, without using parameters."""
        dims, layers = math.prod(self.shape), len(self.hidden)
        order = jnp.broadcast_to(jnp.arange(dims), (num, dims))
        if self.ordering == "random":
            # Distinct from the keys below, which equal fold_in(key, 0), fold_in(key, 1), ...
            order = jax.random.permutation(jax.random.fold_in(key, layers), order, axis=1, independent=True)
        degrees, least = [], jnp.ones((num, 1), jnp.int32)
        for width, key_layer in zip(self.hidden, jax.random.split(key, layers), strict=True):
            if self.degrees == "sequential":
                degrees.append(jnp.broadcast_to(jnp.arange(width) % max(1, dims - 1) + 1, (num, width)))
            else:
                degrees.append(jax.random.randint(key_layer, (num, width), least, dims))
                least = degrees[-1].min(axis=1, keepdims=True)
        return Masks(order, jnp.argsort(order, axis=1), tuple(degrees))

    def cycle(self, num: int | None = None) -> Masks:
        """The `num_masks` masks of `mask_seed`, or `num` of them."""
        with jax.ensure_compile_time_eval():  # constants, not redrawn at each step
            return self.draw_masks(jax.random.key(self.mask_seed), num or self.num_masks)

    @property
    def order(self) -> jax.Array | None:
        """Dimensions [D] in the order in which they are drawn; None for the natural order."""
        return None if self.ordering == "natural" else self._shared_cycle().order[0]

    def __call__(self, x: jax.Array, y: jax.Array | None = None, masks: Masks | None = None) -> jax.Array:
        """Outputs for every value given those before it: [B, ...], y [B] or [B, F] -> `[B, ..., *P]`.

        Raises ValueError for an ensemble whose masks have different orders, or whose P is not ().
        """
        flat, conditions = x.reshape(x.shape[0], -1), self._conditions(y)

        def under(mask: Masks) -> jax.Array:
            direct = flat @ self._mask_direct(mask.ranks) if self.direct else None
            kernels = self._mask_kernels(mask)
            first = flat @ kernels[0] + self.biases[0][None] if self.hidden else None
            output = self._remaining_layers(first, direct, kernels[1:], conditions, self.biases[-1])
            return output.reshape(*x.shape, *self.parameters)

        if masks is not None:
            return under(masks)
        if self.has_rng("masks"):
            index = jax.random.randint(self.make_rng("masks"), (), 0, self.num_masks)
            return under(jax.tree.map(lambda leaf: leaf[index], self.cycle()))
        return self._mean_output(jax.lax.map(under, self._shared_cycle()))

    def start(self, num: int, y: jax.Array | None = None, masks: Masks | None = None) -> _Cache:
        """The empty cache of `num` examples. `masks` as in `column`."""
        num_masks = self.num_masks if masks is None else 1
        first = jnp.broadcast_to(self.biases[0], (num_masks, num, len(self.biases[0])))
        return _Cache(first, jnp.zeros((num, len(self.biases[-1])), jnp.float32), self._conditions(y))

    def column(
        self, cache: _Cache, previous_value: jax.Array, position: jax.Array, masks: Masks | None = None
    ) -> tuple[_Cache, jax.Array]:
        """Outputs `[B, *P]` for the value at `position`, given the cache and the previous value [B].

        With `masks` those of the network under that mask, else of the ensemble.
        """
        cycle = self._shared_cycle() if masks is None else jax.tree.map(lambda leaf: leaf[None], masks)
        rank = cycle.ranks[0, position]
        previous = cycle.order[0, rank - 1]  # there is none before the first value, whose previous value is 0
        size = math.prod(self.parameters)

        def here(leaf: jax.Array) -> jax.Array:
            return jax.lax.dynamic_slice_in_dim(leaf, position * size, size, axis=-1)

        conditions = [*cache.conditions[:-1], here(cache.conditions[-1])]
        direct = cache.direct
        if self.direct:
            direct = direct + previous_value[:, None] * self.direct_kernel[previous][None]

        def under(mask: Masks, first: jax.Array) -> tuple[jax.Array, jax.Array]:
            kernels = self._mask_kernels(mask)[1:-1]
            if self.hidden:
                seen = self.kernels[0][previous] * (rank - 1 < mask.degrees[0])
                first = first + previous_value[:, None] * seen[None]
                kernels.append(here(self.kernels[-1]) * (mask.degrees[-1] <= rank)[:, None])
            sums = first if self.hidden else None, here(direct) if self.direct else None
            return first, self._remaining_layers(*sums, kernels, conditions, here(self.biases[-1]))

        first, outputs = jax.lax.map(lambda each: under(*each), (cycle, cache.first))
        outputs = self._mean_output(outputs.reshape(*outputs.shape[:2], *self.parameters))
        return _Cache(first, direct, cache.conditions), outputs

    def _shared_cycle(self) -> Masks:
        if self.num_masks > 1 and self.ordering == "random":
            raise ValueError(
                "conditional probabilities under several orderings have no mean that is a distribution: "
                "use recipes.made, or a single mask"
            )
        return self.cycle()

    def _conditions(self, y: jax.Array | None) -> tuple[jax.Array, ...]:
        """Conditioning terms of the layers, zeros [1, width] for layers without one."""
        added = self.condition(y)
        return (*added, *(jnp.zeros((1, len(bias)), jnp.float32) for bias in self.biases[len(added) :]))

    def _mask_kernels(self, mask: Masks) -> list[jax.Array]:
        """Weights under one mask: a unit sees the units of the previous layer with at most its own degree."""
        if not self.hidden:
            return []
        outputs = jnp.repeat(mask.ranks, math.prod(self.parameters))
        degrees = [mask.ranks + 1, *mask.degrees, outputs]
        ends = zip(self.kernels, degrees[:-1], degrees[1:], strict=True)
        return [kernel * (seen[:, None] <= unit[None]) for kernel, seen, unit in ends]

    def _mask_direct(self, ranks: jax.Array) -> jax.Array:
        return self.direct_kernel * (ranks[:, None] < jnp.repeat(ranks, math.prod(self.parameters))[None])

    def _remaining_layers(
        self,
        first: jax.Array | None,
        direct: jax.Array | None,
        kernels: list[jax.Array],
        conditions: Sequence[jax.Array],
        last_bias: jax.Array,
    ) -> jax.Array:
        """Compute the outputs from the sums of the first hidden layer and of the direct connections."""
        if first is None:
            output = last_bias[None] + conditions[-1]
        else:
            hidden = self.activation(first + conditions[0])
            for kernel, bias, condition in zip(kernels[:-1], self.biases[1:-1], conditions[1:-1], strict=True):
                hidden = self.activation(hidden @ kernel + bias[None] + condition)
            output = hidden @ kernels[-1] + last_bias[None] + conditions[-1]
        return output if direct is None else output + direct

    def _mean_output(self, outputs: jax.Array) -> jax.Array:
        """Logit of the mean probability: [masks, ...] -> [...]; a single mask may have any outputs."""
        if self.parameters:
            if len(outputs) > 1:
                raise ValueError("an ensemble of conditional probabilities needs a single logit a value")
            return outputs[0]
        log_mean = jax.nn.logsumexp(jax.nn.log_sigmoid(outputs), axis=0)
        return log_mean - jax.nn.logsumexp(jax.nn.log_sigmoid(-outputs), axis=0)
