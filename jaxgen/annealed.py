"""Annealed importance sampling of log p(x), to check its bounds (Neal 2001; Wu et al. 2017).

For a latent variable model with prior N(0, I), chains move by Hamiltonian Monte Carlo through the distributions
proportional to p(z) p(x | z)^beta, whose beta increases from 0, the prior, to 1, the posterior. A function of chains
takes `log_likelihood`, log p(x | z) of N independent chains, z [N, Z] -> nats [N]; each may have an x of its own.

`exp` of a forward chain's log-weight is an unbiased estimate of p(x), so the log-weight lies below log p(x) in
expectation. A reverse chain starts at a draw from the posterior and estimates 1 / p(x), so minus its log-weight lies
above log p(x). Exact posterior draws exist for simulated data, z ~ p(z), x ~ p(x | z): on these the two bounds enclose
log p(x) (bidirectional Monte Carlo, Grosse et al. 2015). Over K chains of one x the bounds are
`importance_weighted_bound(log_weights)` and, in reverse, minus it; both tighten with K and with the number of betas.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

LogLikelihood = Callable[[jax.Array], jax.Array]

_ACCEPTANCE = 0.65  # the target of tuning; the best one in many dimensions (Neal 2011)
_FIRST_STEP_SIZE = 0.1
_TUNING_RATE = 0.1  # of the logarithm of a step size


class _State(NamedTuple):
    """States of chains, with what is known of the likelihood there at every beta."""

    z: jax.Array  # [N, Z]
    log_likelihood: jax.Array  # [N]
    gradient: jax.Array  # of the log-likelihood, [N, Z]


class Chains(NamedTuple):
    """Annealed chains at their ends."""

    #: Log-weights in nats, [N].
    log_weights: jax.Array
    #: Last states, [N, Z]: of forward chains, approximate draws from the posterior.
    z: jax.Array
    #: Mean acceptance probability at each beta but 0, [T].
    acceptance: jax.Array


def sigmoid_schedule(num_steps: int) -> jax.Array:
    """T + 1 values of beta from 0 to 1, close together at both ends: -> [T + 1].

    Of Grosse et al. 2015. Raises ValueError unless `num_steps` T is positive.
    """
    if num_steps < 1:
        raise ValueError(f"num_steps must be positive, got {num_steps}")
    beta = jax.nn.sigmoid(jnp.linspace(-4.0, 4.0, num_steps + 1, dtype=jnp.float32))
    return (beta - beta[0]) / (beta[-1] - beta[0])


def tune_step_sizes(
    key: jax.Array,
    log_likelihood: LogLikelihood,
    betas: jax.Array,
    shape: tuple[int, int],
    *,
    num_leapfrogs: int = 10,
) -> jax.Array:
    """Step sizes of a pilot run of `shape` (N, Z), adapted as it moves through betas [T + 1]: -> [T, N].

    Each chain's step size is adapted towards an acceptance probability of 0.65 (Wu et al. 2017). An
    adaptive chain does not leave its target invariant, so the pilot's weights are dropped: `forward` and `reverse` take
    the step sizes as constants, under other keys.
    """
    key_prior, key_chain = jax.random.split(key)

    def step(carry: tuple, now: tuple) -> tuple[tuple, jax.Array]:
        state, log_step_size = carry
        key, beta = now
        step_size = jnp.exp(log_step_size)
        state, acceptance = _transition(key, log_likelihood, beta, state, step_size, num_leapfrogs)
        return (state, log_step_size + _TUNING_RATE * (acceptance - _ACCEPTANCE)), step_size

    first = _at(log_likelihood, jax.random.normal(key_prior, shape, jnp.float32))
    step_sizes = jnp.full(shape[0], jnp.log(_FIRST_STEP_SIZE))
    return jax.lax.scan(step, (first, step_sizes), (jax.random.split(key_chain, len(betas) - 1), betas[1:]))[1]


def forward(
    key: jax.Array,
    log_likelihood: LogLikelihood,
    betas: jax.Array,
    step_sizes: jax.Array,
    latent_dim: int,
    *,
    num_leapfrogs: int = 10,
) -> Chains:
    """Anneal from the prior to the posterior, with betas [T + 1] and step sizes [T, N] -> log-weights [N].

    E[exp(log_weight)] = p(x) (Neal 2001), with however few betas and whatever step sizes.
    """
    key_prior, key_chain = jax.random.split(key)
    z = jax.random.normal(key_prior, (step_sizes.shape[1], latent_dim), jnp.float32)

    def step(carry: tuple, now: tuple) -> tuple[tuple, jax.Array]:
        state, log_weights = carry
        key, before, beta, step_size = now
        log_weights += (beta - before) * state.log_likelihood
        state, acceptance = _transition(key, log_likelihood, beta, state, step_size, num_leapfrogs)
        return (state, log_weights), jnp.mean(acceptance)

    keys = jax.random.split(key_chain, len(step_sizes))
    first = _at(log_likelihood, z), jnp.zeros(len(z), jnp.float32)
    (last, log_weights), acceptance = jax.lax.scan(step, first, (keys, betas[:-1], betas[1:], step_sizes))
    return Chains(log_weights, last.z, acceptance)


def reverse(
    key: jax.Array,
    log_likelihood: LogLikelihood,
    betas: jax.Array,
    step_sizes: jax.Array,
    z: jax.Array,
    *,
    num_leapfrogs: int = 10,
) -> Chains:
    """Anneal posterior draws z [N, Z] back to the prior, the chain of `forward` reversed -> log-weights [N].

    E[exp(log_weight)] = 1 / p(x) (Grosse et al. 2015) for exact draws z.
    """

    def step(carry: tuple, now: tuple) -> tuple[tuple, jax.Array]:
        state, log_weights = carry
        key, after, beta, step_size = now
        state, acceptance = _transition(key, log_likelihood, beta, state, step_size, num_leapfrogs)
        return (state, log_weights + (after - beta) * state.log_likelihood), jnp.mean(acceptance)

    keys = jax.random.split(key, len(step_sizes))
    first = _at(log_likelihood, z), jnp.zeros(len(z), jnp.float32)
    (last, log_weights), acceptance = jax.lax.scan(step, first, (keys, betas[:-1], betas[1:], step_sizes), reverse=True)
    return Chains(log_weights, last.z, acceptance)


def _at(log_likelihood: LogLikelihood, z: jax.Array) -> _State:
    def total(z: jax.Array) -> tuple[jax.Array, jax.Array]:
        each = log_likelihood(z)
        return jnp.sum(each), each

    gradient, each = jax.grad(total, has_aux=True)(z)
    return _State(z, each, gradient)


def _transition(
    key: jax.Array,
    log_likelihood: LogLikelihood,
    beta: jax.Array,
    start: _State,
    step_size: jax.Array,
    num_leapfrogs: int,
) -> tuple[_State, jax.Array]:
    """A Hamiltonian Monte Carlo transition (Neal 2011): states and step sizes of N chains -> states, acceptance [N]."""
    key_momentum, key_accept = jax.random.split(key)
    step_size = step_size[:, None]

    def energy(state: _State, momentum: jax.Array) -> jax.Array:
        squares = jnp.square(state.z) + jnp.square(momentum)
        return 0.5 * jnp.sum(squares, axis=-1) - beta * state.log_likelihood

    def half_step(momentum: jax.Array, state: _State) -> jax.Array:
        return momentum + 0.5 * step_size * (beta * state.gradient - state.z)

    def leapfrog(_: jax.Array, carry: tuple) -> tuple:
        state, momentum = carry
        momentum = half_step(momentum, state)
        state = _at(log_likelihood, state.z + step_size * momentum)
        return state, half_step(momentum, state)

    momentum = jax.random.normal(key_momentum, start.z.shape, jnp.float32)
    proposal, after = jax.lax.fori_loop(0, num_leapfrogs, leapfrog, (start, momentum))
    log_ratio = energy(start, momentum) - energy(proposal, after)
    acceptance = jnp.nan_to_num(jnp.exp(jnp.minimum(log_ratio, 0.0)))  # a trajectory that diverges is rejected
    accepted = jax.random.uniform(key_accept, acceptance.shape) < acceptance

    def choose(new: jax.Array, old: jax.Array) -> jax.Array:
        return jnp.where(accepted.reshape(-1, *[1] * (new.ndim - 1)), new, old)

    return jax.tree.map(choose, proposal, start), acceptance
