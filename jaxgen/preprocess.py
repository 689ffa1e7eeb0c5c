"""Preparations of stored examples for a model, (key, x) -> x, and conditions made of them, (key, x) -> y.

Both are of one example and mapped over a batch.

x is uint8 in 0..255, or a float in [0, 1] (vectors may have any range).
"""

import dataclasses
import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp


@dataclasses.dataclass(frozen=True)
class Preparation:
    """A preparation, called as `prepare(key, x)`, with its inverse to images and its log-determinant."""

    #: (key, x) -> x of one example [...], from stored values to the model's units.
    apply: Callable[[jax.Array, jax.Array], jax.Array]
    #: x [B, ...] in the model's units -> x [B, ...] in [0, 1], for figures and classifiers.
    to_unit: Callable[[jax.Array], jax.Array] = lambda x: x
    #: x [B, ...] -> nats [B]: log |det| of the map from the model's units to those of the stored integers, added to
    #: -log p(x) for bits per dimension. None where the prepared data is not a transformation of dequantized integers.
    log_det: Callable[[jax.Array], jax.Array] | None = None
    #: Number of values k / (levels - 1) to which x is reduced; None where x is not reduced.
    levels: int | None = None
    #: (key, x) -> y of one stored example, where the model is conditioned on something made of x itself.
    condition: Callable[[jax.Array, jax.Array], jax.Array] | None = None

    def __post_init__(self) -> None:
        """Take the docstring of `apply`, for the reference."""
        object.__setattr__(self, "__doc__", self.apply.__doc__)

    def __call__(self, key: jax.Array, x: jax.Array) -> jax.Array:
        """Prepare one example."""
        return self.apply(key, x)


def _is_uint8(x: jax.Array) -> bool:
    if x.dtype == jnp.uint8:
        return True
    if jnp.issubdtype(x.dtype, jnp.floating):
        return False
    raise ValueError(f"x must be uint8 or floating, got {x.dtype}")


@Preparation
def scale(key: jax.Array, x: jax.Array) -> jax.Array:
    """x / 255 as float32: [...] -> [...] in [0, 1]; floats are unchanged. Also for statically binarized data.

    The key is not used. Raises ValueError where x is neither uint8 nor floating, like every function here.
    """
    del key
    return x.astype(jnp.float32) / 255 if _is_uint8(x) else x.astype(jnp.float32)


@functools.partial(Preparation, to_unit=lambda x: (x + 1) / 2)
def scale_symmetric(key: jax.Array, x: jax.Array) -> jax.Array:
    """2 x - 1 for scaled x: [...] -> [...] in [-1, 1], the range of tanh. The key is not used."""
    return 2 * scale(key, x) - 1


@functools.partial(Preparation, levels=2)
def binarize(key: jax.Array, x: jax.Array) -> jax.Array:
    """x ~ Bernoulli(x / 255), or Bernoulli(x) for floats in [0, 1]: [...] -> [...] of 0. and 1.

    Dynamic binarization (Burda et al. 2016, section 5) if redrawn in every epoch. A pixel is 1 where a random 16-bit
    number is below round(65536 p): exact at 0 and 255, to 1e-5 elsewhere (8 bits would give x / 256).
    """
    probabilities = scale(key, x).ravel()
    thresholds = jnp.round(probabilities * 65536).astype(jnp.uint32)
    words = jax.random.bits(key, (-(-thresholds.size // 2),), jnp.uint32)
    # Two 16-bit numbers from each random word, since the generator is most of the cost.
    uniforms = jnp.concatenate([words >> 16, words & 0xFFFF])[: thresholds.size]
    return (uniforms < thresholds).astype(jnp.float32).reshape(x.shape)


def _log_256(x: jax.Array) -> jax.Array:
    return jnp.full(x.shape[0], math.prod(x.shape[1:]) * math.log(256), jnp.float32)


@functools.partial(Preparation, log_det=_log_256)
def dequantize(key: jax.Array, x: jax.Array) -> jax.Array:
    """Uniform dequantization (x + u) / 256, u in [0, 1) with 16 bits: uint8 [...] -> float32 [...] in [0, 1).

    Uria et al. 2013, section 5.1: the expected negative log-density of the result plus D log 256 nats is an upper bound
    on the negative log-likelihood of the integers. Raises ValueError unless x is uint8.
    """
    if not _is_uint8(x):
        raise ValueError(f"only uint8 can be dequantized, got {x.dtype}")
    # 8 + 16 bits are exact in float32; with more bits the sum could round up to the next integer.
    uniform = jax.random.bits(key, x.shape, jnp.uint16).astype(jnp.float32) / 65536
    return (x.astype(jnp.float32) + uniform) / 256


def logit(alpha: float) -> Preparation:
    """Logit of alpha + (1 - 2 alpha) x for dequantized x in [0, 1]: [...] -> float32 [...].

    Dinh et al. 2017, section 4.1; Papamakarios et al. 2017, section 4.3, with alpha 1e-6 for MNIST. uint8 is
    dequantized anew at each visit, floats are taken as dequantized. Raises ValueError unless 0 < alpha < 1/2.
    """
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha must lie in (0, 1/2), got {alpha}")
    slope = 1 - 2 * alpha

    def to_unit(x: jax.Array) -> jax.Array:
        return jnp.clip((jax.nn.sigmoid(x) - alpha) / slope, 0, 1)

    def log_det(x: jax.Array) -> jax.Array:
        per_value = math.log(256 / slope) - jax.nn.softplus(x) - jax.nn.softplus(-x)
        return jnp.sum(per_value, axis=tuple(range(1, x.ndim)), dtype=jnp.float32)

    @functools.partial(Preparation, to_unit=to_unit, log_det=log_det)
    def prepare(key: jax.Array, x: jax.Array) -> jax.Array:
        unit = dequantize(key, x) if _is_uint8(x) else x.astype(jnp.float32)
        # 1 - unit is exact; 1 - (alpha + slope * unit) would lose alpha near 1.
        return jnp.log(alpha + slope * unit) - jnp.log(alpha + slope * (1 - unit))

    return prepare


def standardize(mean: jax.Array, std: jax.Array) -> Preparation:
    """(x - mean) / std for scaled x, with mean and std [...] of the scaled training data: [...] -> float32 [...].

    Features with std 0 are divided by 1, as in scikit-learn's StandardScaler.
    """
    std = jnp.where(jnp.asarray(std) > 0, std, 1).astype(jnp.float32)
    mean = jnp.asarray(mean, jnp.float32)

    def to_unit(x: jax.Array) -> jax.Array:
        return jnp.clip(x * jnp.broadcast_to(std, x.shape) + jnp.broadcast_to(mean, x.shape), 0, 1)

    @functools.partial(Preparation, to_unit=to_unit)
    def prepare(key: jax.Array, x: jax.Array) -> jax.Array:
        return (scale(key, x) - jnp.broadcast_to(mean, x.shape)) / jnp.broadcast_to(std, x.shape)

    return prepare


def quantize(levels: int) -> Preparation:
    """Quantize x to k / (levels - 1) with `levels` equally wide bins: uint8 [...] -> float32 [...] in [0, 1].

    256 levels are those of `scale`; with 2 levels the threshold is 128. The key is not used. ValueError unless levels
    is 2 to 256.
    """
    if not 2 <= levels <= 256:
        raise ValueError(f"levels must be 2 to 256, got {levels}")

    @functools.partial(Preparation, levels=levels)
    def prepare(key: jax.Array, x: jax.Array) -> jax.Array:
        del key
        # The float 1.0 belongs to the last bin.
        bins = x.astype(jnp.int32) * levels // 256 if _is_uint8(x) else jnp.minimum(jnp.floor(x * levels), levels - 1)
        return bins.astype(jnp.float32) / (levels - 1)

    return prepare


def shrink(factor: int) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """The condition of super-resolution, means over blocks of `factor` x `factor` pixels: (key, x) -> y.

    x is [H, W, C], y float32 [H / factor, W / factor, C] in [0, 1]. The key is not used. ValueError unless `factor`
    divides both sizes.
    """

    def condition(key: jax.Array, x: jax.Array) -> jax.Array:
        height, width, channels = x.shape
        if height % factor or width % factor:
            raise ValueError(f"factor must divide height and width, got {factor} for images of shape {x.shape}")
        blocks = scale(key, x).reshape(height // factor, factor, width // factor, factor, channels)
        return blocks.mean(axis=(1, 3))

    return condition


def grey(key: jax.Array, x: jax.Array) -> jax.Array:
    """The condition of colourization, luma of ITU-R BT.601: [H, W, 3] -> float32 [H, W, 1] in [0, 1].

    The key is not used. ValueError unless x has three channels.
    """
    if x.shape[-1] != 3:
        raise ValueError(f"x must be [H, W, 3], got shape {x.shape}")
    return scale(key, x) @ jnp.array([[0.299], [0.587], [0.114]], jnp.float32)


def mutate(prepare: Preparation, rate: float, levels: int) -> Preparation:
    """Replace a share `rate` of the prepared values by uniform draws from `levels` values: [...] -> [...].

    Training data for a background model (Ren et al. 2019, section 4.1). ValueError unless `rate` lies in [0, 1].
    """
    if not 0 <= rate <= 1:
        raise ValueError(f"rate must lie in [0, 1], got {rate}")

    def apply(key: jax.Array, x: jax.Array) -> jax.Array:
        key_prepare, key_which, key_value = jax.random.split(key, 3)
        values = jax.random.randint(key_value, x.shape, 0, levels).astype(jnp.float32) / (levels - 1)
        return jnp.where(jax.random.bernoulli(key_which, rate, x.shape), values, prepare(key_prepare, x))

    return dataclasses.replace(prepare, apply=apply, log_det=None)
