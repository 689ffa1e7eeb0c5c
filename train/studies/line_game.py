"""GAN training on a line, where the optimal discriminator is known.

1. Against a fixed generator the optimal discriminator is D* = p / (p + q) (Goodfellow et al. 2014, proposition 1). If q
   is *known*, the discriminator gives the density of the data, q D / (1 - D), normalised below; in this sense it is a
   generative model. At the equilibrium q = p it is 1/2 everywhere and carries no information: V = -log 4 (theorem 1).
2. As the discriminator improves, the gradient of log(1 - D(G(z))) vanishes (Arjovsky & Bottou 2017, theorem 2.4). That
   of -log D(G(z)) does not (Goodfellow et al. 2014, section 3), but it varies between discriminators (Arjovsky &
   Bottou 2017, theorem 2.6).
3. The gradient of an unconstrained critic explodes; a gradient penalty keeps its norm near 1 (Gulrajani et al. 2017).
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.scipy.stats import norm

from jaxgen import losses, models
from jaxgen.recipe import PyTree

Draw = Callable[[jax.Array], jax.Array]  # key -> [B, 1]

_NETWORK = models.Discriminator((64, 64))
_BATCH = 512
PROBES = 50
GRID = jnp.linspace(-6, 6, 2401)
_SPACING = float(GRID[1] - GRID[0])


class Gaussian(NamedTuple):
    """N(mean, std^2): the generator mean + std z, or the data."""

    mean: float
    std: float

    def draw(self, key: jax.Array) -> jax.Array:
        """Draw a batch [B, 1]."""
        return self.mean + self.std * jax.random.normal(key, (_BATCH, 1))

    def density(self, x: jax.Array) -> jax.Array:
        """Density at points [...]."""
        return norm.pdf(x, self.mean, self.std)


_DATA, _FAR_OFF = Gaussian(0.0, 0.3), Gaussian(3.0, 0.3)


def draw_both(key: jax.Array, *, real: Draw, fake: Draw) -> tuple[jax.Array, jax.Array]:
    """Draw a batch of data and a batch of the generator: [B, 1], [B, 1]."""
    key_real, key_fake = jax.random.split(key)
    return real(key_real), fake(key_fake)


_far_apart = functools.partial(draw_both, real=_DATA.draw, fake=_FAR_OFF.draw)


def logits(params: PyTree, x: jax.Array) -> jax.Array:
    """Logits of the discriminator: [N, 1] -> [N]."""
    return _NETWORK.apply(params, x, train=True)


def fit(
    key: jax.Array,
    loss: Callable[[PyTree, jax.Array, jax.Array, jax.Array], jax.Array],  # (params, key, real, fake) -> [B]
    draw: Callable[[jax.Array], tuple[jax.Array, jax.Array]],
    probe: Callable[[PyTree], PyTree],
    steps: int,
) -> tuple[PyTree, PyTree]:
    """Train a discriminator against a fixed generator; returns its parameters and 50 probes during training."""
    key_init, key_steps = jax.random.split(key)
    optimizer = optax.adam(optax.cosine_decay_schedule(2e-3, steps))
    params = _NETWORK.init(key_init, jnp.zeros((1, 1)), train=True)

    def step(carry: tuple[PyTree, PyTree], index: jax.Array) -> tuple[tuple[PyTree, PyTree], None]:
        params, opt_state = carry
        key_draw, key_loss = jax.random.split(jax.random.fold_in(key_steps, index))
        gradients = jax.grad(lambda params: jnp.mean(loss(params, key_loss, *draw(key_draw))))(params)
        updates, opt_state = optimizer.update(gradients, opt_state, params)
        return (optax.apply_updates(params, updates), opt_state), None

    def stretch(carry: tuple[PyTree, PyTree], first: jax.Array) -> tuple[tuple[PyTree, PyTree], PyTree]:
        carry, _ = jax.lax.scan(step, carry, first + jnp.arange(steps // PROBES))
        return carry, probe(carry[0])

    (params, _), probes = jax.lax.scan(
        stretch, (params, optimizer.init(params)), jnp.arange(PROBES) * (steps // PROBES)
    )
    return params, probes


def minimax(params: PyTree, key: jax.Array, real: jax.Array, fake: jax.Array) -> jax.Array:
    """Minimax loss of the discriminator."""
    del key
    return losses.minimax_discriminator_loss(logits(params, real), logits(params, fake))


def critic(params: PyTree, key: jax.Array, real: jax.Array, fake: jax.Array, *, penalty: float) -> jax.Array:
    """Wasserstein loss of a critic with a gradient penalty between real and generated points."""
    share = jax.random.uniform(key, (len(real), 1))
    squared_excess = losses.gradient_penalty(functools.partial(logits, params), share * real + (1 - share) * fake)
    return losses.wasserstein_critic_loss(logits(params, real), logits(params, fake)) + penalty * squared_excess


def fit_discriminator(key: jax.Array, steps: int) -> dict[str, jax.Array]:
    """Fit D against a fixed generator; returns D, its implied density and V beside D*, p and 2 JSD - log 4.

    Also fits D where the generator equals the data, and returns the mean of |D - 1/2| over the data.
    """
    left, right, generator = Gaussian(-1.5, 0.4), Gaussian(1.0, 0.7), Gaussian(0.0, 1.8)

    def data(key: jax.Array) -> jax.Array:
        key_left, key_right, key_which = jax.random.split(key, 3)
        is_left = jax.random.bernoulli(key_which, 0.5, (_BATCH, 1))
        return jnp.where(is_left, left.draw(key_left), right.draw(key_right))

    key_fixed, key_equal = jax.random.split(key)
    params, _ = fit(
        key_fixed, minimax, functools.partial(draw_both, real=data, fake=generator.draw), lambda _: None, steps
    )
    found = logits(params, GRID[:, None])
    params_at_equilibrium, _ = fit(
        key_equal, minimax, functools.partial(draw_both, real=data, fake=data), lambda _: None, steps
    )
    d_at_the_end = jax.nn.sigmoid(logits(params_at_equilibrium, GRID[:, None]))
    p, q = 0.5 * (left.density(GRID) + right.density(GRID)), generator.density(GRID)
    implied = q * jnp.exp(found)
    implied = implied / (jnp.sum(implied) * _SPACING)
    optimum = p / (p + q)

    def value(d: jax.Array) -> jax.Array:
        return jnp.sum(p * jnp.log(d) + q * jnp.log1p(-d)) * _SPACING

    return {
        "d": jax.nn.sigmoid(found),
        "optimal_d": optimum,
        "p": p,
        "implied_p": implied,
        "value": value(jnp.clip(jax.nn.sigmoid(found), 1e-7, 1 - 1e-7)),
        "optimal_value": value(jnp.clip(optimum, 1e-7, 1 - 1e-7)),
        "d_at_the_end": d_at_the_end,
        "distance_from_half": jnp.sum(p * jnp.abs(d_at_the_end - 0.5)) * _SPACING,
        "kl": jnp.sum(jax.scipy.special.xlogy(p, p / implied)) * _SPACING,
    }


def generator_gradients(key: jax.Array, steps: int) -> dict[str, jax.Array]:
    """Gradient norms of both generator losses in (mean, std), for a generator far from the data: [50] each."""
    key, key_z = jax.random.split(key)
    z = jax.random.normal(key_z, (4096, 1))

    def probe(params: PyTree) -> dict[str, jax.Array]:
        def gradient_norm(loss: Callable[[jax.Array], jax.Array]) -> jax.Array:
            gradient = jax.grad(lambda at: jnp.mean(loss(logits(params, at[0] + at[1] * z))))(jnp.array(_FAR_OFF))
            return jnp.linalg.norm(gradient)

        return {
            "saturating": gradient_norm(losses.minimax_generator_loss),
            "non_saturating": gradient_norm(losses.non_saturating_generator_loss),
        }

    return fit(key, minimax, _far_apart, probe, steps)[1]


def critic_gradients(key: jax.Array, steps: int) -> dict[str, jax.Array]:
    """Mean gradient norm of a critic at generated points, without and with a penalty: [50] each."""
    key, key_points = jax.random.split(key)
    points = _FAR_OFF.draw(key_points)

    def probe(params: PyTree) -> jax.Array:
        return jnp.mean(jnp.abs(jax.grad(lambda x: jnp.sum(logits(params, x)))(points)))

    key_free, key_penalised = jax.random.split(key)
    return {
        "free": fit(key_free, functools.partial(critic, penalty=0.0), _far_apart, probe, steps)[1],
        "penalised": fit(key_penalised, functools.partial(critic, penalty=10.0), _far_apart, probe, steps)[1],
    }
