"""From a stored example to what a model sees: (key, x) -> x for one example; the caller maps it over a batch.

x is uint8 0..255, or a float that is already in the units of the model and that only `binarize` changes.
"""

import jax
import jax.numpy as jnp


def _is_uint8(x: jax.Array) -> bool:
    if x.dtype == jnp.uint8:
        return True
    if jnp.issubdtype(x.dtype, jnp.floating):
        return False
    raise ValueError(f"x must be uint8 or floating, got {x.dtype}")


def scale(key: jax.Array, x: jax.Array) -> jax.Array:
    """X / 255 as float32, [...] -> [...] in [0, 1]; floats pass. All that statically binarized data needs.

    The key is not used. Raises ValueError where x is neither uint8 nor floating, as every function here.
    """
    del key
    return x.astype(jnp.float32) / 255 if _is_uint8(x) else x.astype(jnp.float32)


def scale_symmetric(key: jax.Array, x: jax.Array) -> jax.Array:
    """2 x - 1 of the scaled values: [...] -> [...] in [-1, 1], the range of a tanh. The key is not used."""
    return 2 * scale(key, x) - 1


def binarize(key: jax.Array, x: jax.Array) -> jax.Array:
    """X ~ Bernoulli(x / 255), or Bernoulli(x) of a float in [0, 1]: [...] -> [...] of 0. and 1.

    "Dynamic binarization" (Burda et al. 2016, section 5) when drawn anew at each visit. A pixel is 1 where a random
    16-bit number lies under round(65536 p): exact at 0 and 255, to 1e-5 elsewhere. 8-bit thresholds would be x / 256.
    """
    probabilities = scale(key, x).ravel()
    thresholds = jnp.round(probabilities * 65536).astype(jnp.uint32)
    words = jax.random.bits(key, (-(-thresholds.size // 2),), jnp.uint32)
    # A random word holds two 16-bit numbers; the generator is most of the cost.
    uniforms = jnp.concatenate([words >> 16, words & 0xFFFF])[: thresholds.size]
    return (uniforms < thresholds).astype(jnp.float32).reshape(x.shape)


def dequantize(key: jax.Array, x: jax.Array) -> jax.Array:
    """(x + u) / 256 with u uniform in [0, 1), 16 bits of it: uint8 [...] -> float32 [...] in [0, 1).

    Uria et al. 2013, section 5.1: a density of the result, in nats, plus D log 256, bounds the likelihood of the
    integers. Raises ValueError unless x is uint8.
    """
    if not _is_uint8(x):
        raise ValueError(f"only uint8 can be dequantized, got {x.dtype}")
    # 8 + 16 bits are exact in float32; with a longer u the sum could round up to the next integer.
    uniform = jax.random.bits(key, x.shape, jnp.uint16).astype(jnp.float32) / 65536
    return (x.astype(jnp.float32) + uniform) / 256
