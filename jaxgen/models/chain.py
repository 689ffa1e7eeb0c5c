"""Linear chains of labels: log-partition, marginals and the best labelling, in log space.

A hidden Markov model given its observations and a linear-chain conditional random field are both such a chain: the
probability of labels y is proportional to the exponential of a score that is a sum over labels and over neighbours.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.nn import logsumexp

from jaxgen._checks import check


class Chain(NamedTuple):
    """Scores of the labels of B sequences of up to T places, in nats; -inf for what is impossible.

    A sequence ends after its length; the scores of the places that pad it count nowhere.
    """

    #: Of the first label, [K].
    initial: jax.Array
    #: Of label i followed by j, [K, K].
    transition: jax.Array
    #: Of each label at each place, [B, T, K].
    emission: jax.Array
    #: Number of labels of each sequence, integers [B] from 0 to T.
    lengths: jax.Array


class ChainMarginals(NamedTuple):
    """What forward-backward finds for each sequence."""

    #: log of the sum of exp(score) over all labellings, nats [B].
    log_partition: jax.Array
    #: p(y_t = k), [B, T, K]; 0 past the end.
    labels: jax.Array
    #: Expected number of times that i is followed by j, [B, K, K].
    transitions: jax.Array


def chain_score(chain: Chain, y: jax.Array) -> jax.Array:
    """Score of given labels: integers [B, T], of which those past the end are ignored -> nats [B]."""
    _check("chain_score", chain, y=(y, "int [B, T]"))
    inside = _inside(chain)
    y = jnp.where(inside, y, 0)
    at_places = jnp.take_along_axis(chain.emission, y[:, :, None], axis=2)[:, :, 0]
    at_places = at_places.at[:, 0].add(chain.initial[y[:, 0]])
    between = chain.transition[y[:, :-1], y[:, 1:]]
    return jnp.sum(jnp.where(inside, at_places, 0), axis=1) + jnp.sum(jnp.where(inside[:, 1:], between, 0), axis=1)


def chain_log_partition(chain: Chain) -> jax.Array:
    """log of the sum of exp(score) over all labellings: nats [B], 0 for an empty sequence.

    The forward recursion (Rabiner 1989, eq. 18-21). Its gradient is the marginals.
    """
    _check("chain_log_partition", chain)
    return _total(chain, _forward(chain)[-1])


def chain_nll(chain: Chain, y: jax.Array) -> jax.Array:
    """-log p(y) of the normalised chain: integers [B, T] -> nats [B] (Lafferty et al. 2001, eq. 1)."""
    return chain_log_partition(chain) - chain_score(chain, y)


def chain_marginals(chain: Chain) -> ChainMarginals:
    """Marginals by the forward-backward algorithm (Rabiner 1989, eq. 18-27 and 37)."""
    _check("chain_marginals", chain)
    alpha = _forward(chain)
    log_partition = _total(chain, alpha[-1])
    emission, inside = _by_place(chain)

    def step(carry: tuple[jax.Array, jax.Array], place: tuple) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        beta, transitions = carry  # beta: log-sum of the scores of all ends that follow each label
        alpha, emission, inside = place
        ends = chain.transition[None] + (emission + beta)[:, None, :]
        pairs = jnp.exp(alpha[:, :, None] + ends - log_partition[:, None, None])
        transitions = transitions + jnp.where(inside[:, None, None], pairs, 0)
        beta = jnp.where(inside[:, None], _log_product(emission + beta, chain.transition.T), beta)
        return (beta, transitions), beta

    last = jnp.zeros_like(alpha[0])
    start = last, jnp.zeros((*last.shape, last.shape[1]), last.dtype)
    (_, transitions), beta = jax.lax.scan(step, start, (alpha[:-1], emission[1:], inside[1:]), reverse=True)
    labels = jnp.exp(alpha + jnp.concatenate([beta, last[None]]) - log_partition[None, :, None])
    return ChainMarginals(log_partition, jnp.where(inside[:, :, None], labels, 0).swapaxes(0, 1), transitions)


def viterbi(chain: Chain) -> tuple[jax.Array, jax.Array]:
    """The best labelling, integers [B, T], -1 past the end, and its score, nats [B] (Viterbi 1967)."""
    _check("viterbi", chain)
    emission, inside = _by_place(chain)

    def forward(best: jax.Array, place: tuple) -> tuple[jax.Array, jax.Array]:
        emission, inside = place
        scores = best[:, :, None] + chain.transition[None]
        came_from = jnp.where(inside[:, None], jnp.argmax(scores, axis=1), jnp.arange(scores.shape[2])[None])
        return jnp.where(inside[:, None], jnp.max(scores, axis=1) + emission, best), came_from

    best, came_from = jax.lax.scan(forward, chain.initial[None] + emission[0], (emission[1:], inside[1:]))

    def backward(label: jax.Array, came_from: jax.Array) -> tuple[jax.Array, jax.Array]:
        return jnp.take_along_axis(came_from, label[:, None], axis=1)[:, 0], label

    first, later = jax.lax.scan(backward, jnp.argmax(best, axis=1), came_from, reverse=True)
    labels = jnp.concatenate([first[None], later])
    return jnp.where(inside, labels, -1).T, jnp.where(chain.lengths > 0, jnp.max(best, axis=1), 0)


def _forward(chain: Chain) -> jax.Array:
    """Log-sum of the scores of all beginnings that end in each label, [T, B, K]; repeated past the end."""
    emission, inside = _by_place(chain)

    # Recomputed for the gradient: the B K^2 terms a place of an exact sum would take more memory than all else.
    @jax.checkpoint
    def step(alpha: jax.Array, place: tuple) -> tuple[jax.Array, jax.Array]:
        emission, inside = place
        following = _log_product(alpha, chain.transition) + emission
        alpha = jnp.where(inside[:, None], following, alpha)
        return alpha, alpha

    first = chain.initial[None] + emission[0]
    return jnp.concatenate([first[None], jax.lax.scan(step, first, (emission[1:], inside[1:]))[1]])


def _log_product(scores: jax.Array, matrix: jax.Array) -> jax.Array:
    """log sum_i exp(scores[b, i] + matrix[i, j]): [B, K], [K, K] -> [B, K].

    One product of exponentials, as long as no sum is so small that terms below the range of floats could matter; B K^2
    exponentials otherwise.
    """
    row, column = (_finite_max(array, axis) for array, axis in ((scores, 1), (matrix, 0)))
    total = jnp.exp(scores - row) @ jnp.exp(matrix - column)
    limits = jnp.finfo(total.dtype)

    def exact() -> jax.Array:
        terms = scores[:, :, None] + matrix[None]
        possible = jnp.max(terms, axis=1) > -jnp.inf  # the gradient of log 0 would be nan
        return jnp.where(possible, logsumexp(jnp.where(possible[:, None], terms, 0), axis=1), -jnp.inf)

    is_safe = jnp.min(total) > limits.tiny / limits.eps
    return jax.lax.cond(is_safe, lambda: jnp.log(total) + row + column, exact)


def _finite_max(array: jax.Array, axis: int) -> jax.Array:
    largest = jax.lax.stop_gradient(jnp.max(array, axis=axis, keepdims=True))
    return jnp.where(jnp.isfinite(largest), largest, 0)


def _total(chain: Chain, alpha: jax.Array) -> jax.Array:
    return jnp.where(chain.lengths > 0, logsumexp(alpha, axis=1), 0)


def _inside(chain: Chain) -> jax.Array:
    return jnp.arange(chain.emission.shape[1])[None] < chain.lengths[:, None]


def _by_place(chain: Chain) -> tuple[jax.Array, jax.Array]:
    """Emissions [T, B, K], and whether a place lies inside its sequence, [T, B]."""
    return chain.emission.swapaxes(0, 1), _inside(chain).T


def _check(function: str, chain: Chain, **others: tuple[jax.Array, str]) -> None:
    check(
        function,
        initial=(chain.initial, "float [K]"),
        transition=(chain.transition, "float [K, K]"),
        emission=(chain.emission, "float [B, T, K]"),
        lengths=(chain.lengths, "int [B]"),
        **others,
    )
