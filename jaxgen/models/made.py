"""MADE, the masked autoencoder for distribution estimation (Germain et al. 2015)."""

import math
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxgen.models.layers.condition import Condition


class Masks(NamedTuple):
    """Several masks: orderings of the dimensions and degrees of the hidden units. One mask lacks the first axis."""

    #: The dimensions in the order in which they are drawn, [masks, D].
    order: jax.Array
    #: The place of each dimension in that order, [masks, D].
    ranks: jax.Array
    #: Of each hidden layer how many of the first dimensions a unit may see, [masks, H].
    degrees: tuple[jax.Array, ...]


class _Cache(NamedTuple):
    """Sums over the values drawn so far, and what the condition adds to each layer."""

    first: jax.Array  # of the first hidden layer under each mask: [masks, B, H]
    direct: jax.Array  # of the direct connections: [B, D, P]
    conditions: tuple[jax.Array, ...]


class MADE(nn.Module):
    """An MLP whose weights are masked so that output d sees only the inputs before d: [B, ...] -> `[B, ..., *P]`.

    P are the `parameters` that the likelihood of a value has, () for a logit. A mask gives every hidden unit a degree
    (section 4.2): `random` ones are uniform over what the layer before allows, `sequential` ones count from 1 to D - 1
    again and again (Papamakarios et al. 2017). Under a `random` ordering each mask also has an order of its own; under
    the `natural` one all share it. `direct` adds masked connections from inputs to outputs. They alone, with
    `hidden=()`, are the fully visible sigmoid belief network (Frey 1998).

    The module has a cycle of `num_masks` masks. Given one mask as `masks`, or the rng `masks`, which picks one of the
    cycle, this is the network under that mask. Otherwise it is the ensemble of the cycle: the mean of the conditional
    probabilities. That is a distribution where all masks share one order; `recipes.made` is the ensemble over several.
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
        """Name the weights. Raises ValueError with neither a hidden layer nor direct connections."""
        if not self.hidden and not self.direct:
            raise ValueError("hidden must name at least one layer, or direct must be true")
        inputs, outputs = math.prod(self.shape), math.prod((*self.shape, *self.parameters))
        widths = [inputs, *self.hidden, outputs]
        if self.hidden:
            shapes = zip(widths[:-1], widths[1:], strict=True)
            self.kernels = [self.param(f"kernel_{i}", self.kernel_init, shape) for i, shape in enumerate(shapes)]
        bias_inits = [nn.initializers.zeros] * len(self.hidden) + [self.bias_init]
        self.biases = [self.param(f"bias_{i}", init, (widths[i + 1],)) for i, init in enumerate(bias_inits)]
        if self.direct:
            self.direct_kernel = self.param("direct", self.kernel_init, (inputs, outputs))
        self.condition = Condition(self.condition_dim, widths[1:] if self.condition_layers == "all" else widths[1:2])

    def draw_masks(self, key: jax.Array, num: int) -> Masks:
        """As many masks as `num`. No parameters are read."""
        dims, layers = math.prod(self.shape), len(self.hidden)
        order = jnp.broadcast_to(jnp.arange(dims), (num, dims))
        if self.ordering == "random":
            # Not one of the keys below, which are those of fold_in(key, 0), (key, 1), ...
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
        """The masks of `mask_seed`, `num` instead of `num_masks` where it is given."""
        with jax.ensure_compile_time_eval():  # constants of a program, which need not be drawn at each step
            return self.draw_masks(jax.random.key(self.mask_seed), num or self.num_masks)

    @property
    def order(self) -> jax.Array | None:
        """The dimensions [D] in the order in which they are drawn; None where it is the natural one."""
        return None if self.ordering == "natural" else self._shared_cycle().order[0]

    def __call__(self, x: jax.Array, y: jax.Array | None = None, masks: Masks | None = None) -> jax.Array:
        """Outputs for every value given those before it: [B, ...], y [B] or [B, F] -> `[B, ..., *P]`.

        Raises ValueError for an ensemble whose masks differ in their order, or of which P is not ().
        """
        flat, conditions = x.reshape(len(x), -1), self._conditions(y)

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
        """The cache of `num` examples of which nothing is known yet. `masks` as in `column`."""
        num_masks = self.num_masks if masks is None else 1
        first = jnp.broadcast_to(self.biases[0], (num_masks, num, len(self.biases[0])))
        return _Cache(first, jnp.zeros((num, len(self.biases[-1]))), self._conditions(y))

    def column(
        self, cache: _Cache, previous_value: jax.Array, position: jax.Array, masks: Masks | None = None
    ) -> tuple[_Cache, jax.Array]:
        """Outputs `[B, *P]` for the value at `position`, given the cache and the value drawn before it [B].

        Of the network under one mask where `masks` is given, else of the ensemble.
        """
        cycle = self._shared_cycle() if masks is None else jax.tree.map(lambda leaf: leaf[None], masks)
        rank = cycle.ranks[0, position]
        previous = cycle.order[0, rank - 1]  # before the first value there is none, and what stands for it is 0
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
        """What the condition adds to each layer: zeros [1, width] where it adds nothing."""
        added = self.condition(y)
        return (*added, *(jnp.zeros((1, len(bias))) for bias in self.biases[len(added) :]))

    def _mask_kernels(self, mask: Masks) -> list[jax.Array]:
        """The weights under one mask: a unit sees those of the layer before it that have seen no more."""
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
        """From the sums of the first hidden layer and of the direct connections to the outputs."""
        if first is None:
            output = last_bias[None] + conditions[-1]
        else:
            hidden = self.activation(first + conditions[0])
            for kernel, bias, condition in zip(kernels[:-1], self.biases[1:-1], conditions[1:-1], strict=True):
                hidden = self.activation(hidden @ kernel + bias[None] + condition)
            output = hidden @ kernels[-1] + last_bias[None] + conditions[-1]
        return output if direct is None else output + direct

    def _mean_output(self, outputs: jax.Array) -> jax.Array:
        """The logit of the mean probability, [masks, ...] -> [...]; of a single mask any outputs."""
        if self.parameters:
            if len(outputs) > 1:
                raise ValueError("an ensemble of conditional probabilities needs a single logit a value")
            return outputs[0]
        of_one = jax.nn.logsumexp(jax.nn.log_sigmoid(outputs), axis=0)
        return of_one - jax.nn.logsumexp(jax.nn.log_sigmoid(-outputs), axis=0)
