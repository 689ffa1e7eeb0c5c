"""Negative log-likelihoods of data under a decoder's output, in nats per example.

`where`, booleans of the shape of x, is false at missing values, such as pixels that were not observed: whatever stands
there, nan too, adds nothing to a value or a gradient.
"""

import math

import jax
import jax.numpy as jnp

from jaxgen._checks import check
from jaxgen.losses._reduce import flat, keep, sum_event


def bernoulli_nll(logits: jax.Array, x: jax.Array, *, where: jax.Array | None = None) -> jax.Array:
    """-log p(x) under independent Bernoulli(sigmoid(logits)), in nats: [B, ...], [B, ...] -> [B].

    Kingma & Welling 2014, appendix C.1. **x must lie in [0, 1]: divide images in 0..255 by 255.** Other values, which a
    compiled function cannot reject, give numbers that mean nothing, most of them negative. Strictly between 0 and 1 the
    value is a cross-entropy, not a likelihood. Raises AssertionError where shapes differ or a dtype is not floating.
    """
    check("bernoulli_nll", logits=(logits, "float [B, ...]"), x=(x, "float [B, ...]"), **_mask(where))

    where, logits, x = keep(where, logits, x)
    logits, x = flat(logits), flat(x)
    # softplus(l) - x*l equals the two-sided log-sigmoid, and never takes the log of a probability rounded to zero.
    return sum_event(jax.nn.softplus(logits) - x * logits, where)


def gaussian_nll(mean: jax.Array, log_var: jax.Array, x: jax.Array, *, where: jax.Array | None = None) -> jax.Array:
    """-log p(x) under independent N(mean, exp(log_var)), in nats: [B, ...], [B, ...], [B, ...] -> [B].

    Kingma & Welling 2014, appendix C.2, including the normalising constant. Raises AssertionError where shapes differ
    or a dtype is not floating.
    """
    arrays = {"mean": mean, "log_var": log_var, "x": x}
    check("gaussian_nll", **{name: (array, "float [B, ...]") for name, array in arrays.items()}, **_mask(where))

    where, mean, log_var, x = keep(where, mean, log_var, x)
    mean, log_var, x = flat(mean), flat(log_var), flat(x)
    # Scaling before squaring keeps exp(-log_var / 2) finite for twice the range of log_var.
    standardized = (x - mean) * jnp.exp(-0.5 * log_var)
    return 0.5 * sum_event(math.log(2 * math.pi) + log_var + jnp.square(standardized), where)


def change_of_variables_nll(z: jax.Array, log_det: jax.Array) -> jax.Array:
    """-log N(z; 0, I) - log |det dz/dx|, the -log p(x) of a normalizing flow, in nats: [B, D], [B] -> [B].

    Dinh et al. 2017 ("Density estimation using Real NVP"), eq. 2 and 3. Raises AssertionError where shapes do not match
    or a dtype is not floating.
    """
    check("change_of_variables_nll", z=(z, "float [B, D]"), log_det=(log_det, "float [B]"))

    return 0.5 * sum_event(math.log(2 * math.pi) + jnp.square(flat(z))) - log_det.astype(jnp.float32)


def categorical_nll(logits: jax.Array, x: jax.Array, *, where: jax.Array | None = None) -> jax.Array:
    """-log p(x) under independent categoricals softmax(logits), in nats: [B, ..., K], [B, ...] -> [B].

    Van den Oord et al. 2016 ("Pixel Recurrent Neural Networks"), section 2.2. x holds integers in 0..K-1; for other
    values, which a compiled function cannot reject, the result is nan. Raises AssertionError unless logits have the
    shape of x plus one axis, or where a dtype is not floating / integer.
    """
    check("categorical_nll", logits=(logits, "float [B, ..., K]"), x=(x, "int [B, ...]"), **_mask(where))

    logits = logits.astype(jnp.float32)
    if where is not None:
        logits, x = jnp.where(where[..., None], logits, 0), jnp.where(where, x, 0)
    # An index past the end gives nan; a negative one would count from the end.
    index = jnp.where(x < 0, logits.shape[-1], x.astype(jnp.int32))
    chosen = jnp.take_along_axis(logits, index[..., None], axis=-1)[..., 0]
    return sum_event(jax.nn.logsumexp(logits, axis=-1) - chosen, where)


def squared_error(reconstruction: jax.Array, x: jax.Array, *, where: jax.Array | None = None) -> jax.Array:
    """||x - reconstruction||^2, in squared units of x rather than nats: [B, ...], [B, ...] -> [B].

    Half of it is `gaussian_nll` with unit variances without the constant D/2 log(2 pi) (Kingma & Welling 2014,
    appendix C.2). Raises AssertionError where shapes differ or a dtype is not floating.
    """
    arrays = {"reconstruction": reconstruction, "x": x}
    check("squared_error", **{name: (array, "float [B, ...]") for name, array in arrays.items()}, **_mask(where))

    where, reconstruction, x = keep(where, reconstruction, x)
    return sum_event(jnp.square(flat(reconstruction) - flat(x)), where)


def bits_per_dim(nll: jax.Array, num_dims: int) -> jax.Array:
    """Bits per dimension from nats per example, nll / (num_dims log 2): [B] -> [B].

    Theis et al. 2016 ("A note on the evaluation of generative models"), section 3.1. For scaled data the
    caller must add the log-determinant first. Raises ValueError unless num_dims is positive.
    """
    check("bits_per_dim", nll=(nll, "float [B]"))
    if num_dims < 1:
        raise ValueError(f"num_dims must be positive, got {num_dims}")

    return nll.astype(jnp.float32) / (num_dims * math.log(2))


def _mask(where: jax.Array | None) -> dict[str, tuple[jax.Array, str]]:
    return {} if where is None else {"where": (where, "bool [B, ...]")}
