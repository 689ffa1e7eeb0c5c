"""MADE, the masked autoencoder for distribution estimation (Germain et al. 2015)."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxgen.models.condition import Condition


class _Cache(NamedTuple):
    """What the first hidden layer sums up to, under each mask, [masks, B, H], and what the condition adds to each."""

    first: jax.Array
    conditions: tuple[jax.Array, ...]


class MADE(nn.Module):
    """An MLP of binary x whose weights are masked so that output d sees only inputs before d: [B, ...] -> logits.

    Every hidden unit has a degree, drawn once for each of `num_masks` masks from `mask_seed` (section 4.2, without the
    orderings: they are all the natural one). A module with the rng `masks` uses one of them, drawn with it, as in
    training; without, it is their ensemble: the mean of their conditional probabilities, which is again a distribution.
    """

    shape: tuple[int, ...]
    hidden: Sequence[int] = (500,)
    num_masks: int = 1
    mask_seed: int = 0
    condition_dim: int | None = None
    bias_init: nn.initializers.Initializer = nn.initializers.zeros  # of the logits

    def setup(self) -> None:
        """Name the weights and draw the degrees. Raises ValueError without a hidden layer."""
        if not self.hidden:
            raise ValueError("hidden must name at least one layer")
        dims = math.prod(self.shape)
        widths = [dims, *self.hidden, dims]
        init = nn.initializers.lecun_normal()
        layers = range(len(self.hidden) + 1)
        self.kernels = [self.param(f"kernel_{i}", init, (widths[i], widths[i + 1]), jnp.float32) for i in layers]
        bias_inits = [nn.initializers.zeros] * len(self.hidden) + [self.bias_init]
        self.biases = [self.param(f"bias_{i}", bias_inits[i], (widths[i + 1],), jnp.float32) for i in layers]
        self.condition = Condition(self.condition_dim, widths[1:])
        self.degrees = self._degrees(dims)

    def __call__(self, x: jax.Array, y: jax.Array | None = None) -> jax.Array:
        """Logits of every value given those before it: [B, ...], y [B] or [B, F] -> [B, ...]."""
        flat, conditions = x.reshape(len(x), -1), self.condition(y)

        def of_mask(mask: jax.Array) -> jax.Array:
            kernels = self._masked(mask)
            return self._later(flat @ kernels[0] + self.biases[0][None], kernels[1:], conditions, self.biases[-1])

        if self.has_rng("masks"):
            logits = of_mask(jax.random.randint(self.make_rng("masks"), (), 0, self.num_masks))
        else:
            logits = _mean_of(jax.lax.map(of_mask, jnp.arange(self.num_masks)))
        return logits.reshape(x.shape)

    def start(self, num: int, y: jax.Array | None = None) -> _Cache:
        """The cache of `num` examples of which nothing is known yet."""
        first = jnp.broadcast_to(self.biases[0], (self.num_masks, num, self.hidden[0]))
        return _Cache(first, self.condition(y))

    def column(self, cache: _Cache, previous_pixel: jax.Array, position: jax.Array) -> tuple[_Cache, jax.Array]:
        """Logits [B] of the value at `position`, given the one before it [B] and the cache."""
        *inner, of_logits = cache.conditions
        conditions = [*inner, jax.lax.dynamic_slice_in_dim(of_logits, position, 1, axis=1)]

        def of_mask(mask: jax.Array, first: jax.Array) -> tuple[jax.Array, jax.Array]:
            # Before the first value there is none, and what stands for it is 0.
            seen = self.kernels[0][position - 1] * (position - 1 < self.degrees[0][mask])
            first = first + previous_pixel[:, None] * seen[None]
            last = self.kernels[-1][:, position] * (self.degrees[-1][mask] <= position)
            kernels = [*self._masked(mask)[1:-1], last[:, None]]
            return first, self._later(first, kernels, conditions, self.biases[-1][position, None])[:, 0]

        first, logits = jax.lax.map(lambda each: of_mask(*each), (jnp.arange(self.num_masks), cache.first))
        return cache._replace(first=first), _mean_of(logits)

    def _degrees(self, dims: int) -> list[jax.Array]:
        """How many inputs each hidden unit may see, [masks, H] by layer: at least as many as some unit before it."""
        degrees, least = [], jnp.ones((self.num_masks, 1), jnp.int32)
        keys = jax.random.split(jax.random.key(self.mask_seed), len(self.hidden))
        for width, key in zip(self.hidden, keys, strict=True):
            degrees.append(jax.random.randint(key, (self.num_masks, width), least, dims))
            least = degrees[-1].min(axis=1, keepdims=True)
        return degrees

    def _masked(self, mask: jax.Array) -> list[jax.Array]:
        """The weights under one mask: a unit sees those of the layer before it that have seen no more."""
        positions = jnp.arange(math.prod(self.shape))
        degrees = [positions + 1, *(of_layer[mask] for of_layer in self.degrees), positions]
        ends = zip(self.kernels, degrees[:-1], degrees[1:], strict=True)
        return [kernel * (seen[:, None] <= unit[None]) for kernel, seen, unit in ends]

    def _later(
        self, first: jax.Array, kernels: list[jax.Array], conditions: Sequence[jax.Array], last_bias: jax.Array
    ) -> jax.Array:
        """From the sums of the first hidden layer to the logits."""
        hidden = nn.relu(first + conditions[0])
        for kernel, bias, condition in zip(kernels[:-1], self.biases[1:-1], conditions[1:-1], strict=True):
            hidden = nn.relu(hidden @ kernel + bias[None] + condition)
        return hidden @ kernels[-1] + last_bias[None] + conditions[-1]


def _mean_of(logits: jax.Array) -> jax.Array:
    """The logit of the mean probability: [masks, ...] -> [...]."""
    of_one = jax.nn.logsumexp(jax.nn.log_sigmoid(logits), axis=0)
    return of_one - jax.nn.logsumexp(jax.nn.log_sigmoid(-logits), axis=0)
