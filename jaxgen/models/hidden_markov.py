"""Hidden Markov models of binary vectors: p(x, y) = p(y_1) prod_t p(y_t | y_{t-1}) prod_t prod_d p(x_td | y_t).

Fitted by counting where the labels y are known, by expectation maximisation where they are not (Baum et al. 1970;
Rabiner 1989, section III), or with both kinds of sequences by adding the counts.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgen._checks import check
from jaxgen.models.chain import Chain, chain_marginals


class HiddenMarkov(NamedTuple):
    """Parameters; the features of x are independent given y, as in naive Bayes."""

    #: log p(y_1), [K].
    initial: jax.Array
    #: log p(y_t = j | y_{t-1} = i), [K, K].
    transition: jax.Array
    #: Logits of x_d = 1 given y, [K, D].
    logits: jax.Array


class MarkovCounts(NamedTuple):
    """Sufficient statistics, observed or expected; those of two sets of sequences add up."""

    #: Of the first labels, [K].
    initial: jax.Array
    #: Of label i followed by j, [K, K].
    transitions: jax.Array
    #: Of all labels, [K].
    labels: jax.Array
    #: Of the ones of each feature under each label, [K, D].
    ones: jax.Array


def hidden_markov_chain(model: HiddenMarkov, x: jax.Array, lengths: jax.Array) -> Chain:
    """Chain over y whose score is log p(x, y), and whose log-partition is log p(x): [B, T, D], integers [B]."""
    emission = x @ model.logits.T - jnp.sum(jax.nn.softplus(model.logits), axis=1)[None, None]
    return Chain(model.initial, model.transition, emission, lengths)


def observed_counts(x: jax.Array, y: jax.Array, lengths: jax.Array, num_classes: int) -> MarkovCounts:
    """Counts of labelled sequences: x [B, T, D], integers y [B, T], lengths [B]; places past the end do not count."""
    check("observed_counts", x=(x, "float [B, T, D]"), y=(y, "int [B, T]"), lengths=(lengths, "int [B]"))
    inside = jnp.arange(y.shape[1])[None] < lengths[:, None]
    labels = jax.nn.one_hot(jnp.where(inside, y, -1), num_classes, dtype=x.dtype)  # -1 is zeros
    return _counts(x, labels, jnp.einsum("bti,btj->ij", labels[:, :-1], labels[:, 1:]))


def expected_counts(model: HiddenMarkov, x: jax.Array, lengths: jax.Array) -> tuple[MarkovCounts, jax.Array]:
    """E-step: the counts expected given x [B, T, D], and log p(x), nats [B] (Rabiner 1989, eq. 40)."""
    log_prob, labels, transitions = chain_marginals(hidden_markov_chain(model, x, lengths))
    return _counts(x, labels, jnp.sum(transitions, axis=0)), log_prob


def hidden_markov_from_counts(counts: MarkovCounts, *, smoothing: float = 1.0) -> HiddenMarkov:
    """M-step: the model with the largest likelihood, with `smoothing` pseudo-counts of every outcome.

    Pseudo-counts are a Dirichlet prior, and EM then increases the posterior density of the parameters. With 0 of them
    it increases the likelihood, until a feature that was never counted gives infinite logits.
    """
    ones, zeros = counts.ones, counts.labels[:, None] - counts.ones
    return HiddenMarkov(
        _log_shares(counts.initial + smoothing),
        _log_shares(counts.transitions + smoothing),
        jnp.log(ones + smoothing) - jnp.log(zeros + smoothing),
    )


def sample_hidden_markov(key: jax.Array, model: HiddenMarkov, num: int, length: int) -> tuple[jax.Array, jax.Array]:
    """Ancestral samples of p(x, y): x [num, length, D] of zeros and ones, integers y [num, length]."""
    key_initial, key_transition, key_x = jax.random.split(key, 3)

    def step(y: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        following = jax.random.categorical(key, model.transition[y])
        return following, following

    first = jax.random.categorical(key_initial, model.initial, shape=(num,))
    y = jnp.concatenate([first[None], jax.lax.scan(step, first, jax.random.split(key_transition, length - 1))[1]]).T
    return jax.random.bernoulli(key_x, jax.nn.sigmoid(model.logits[y])).astype(model.logits.dtype), y


def _counts(x: jax.Array, labels: jax.Array, transitions: jax.Array) -> MarkovCounts:
    """Counts from p(y_t = k) [B, T, K], which is 0 past the end."""
    ones = jnp.einsum("btk,btd->kd", labels, x)
    return MarkovCounts(jnp.sum(labels[:, 0], axis=0), transitions, jnp.sum(labels, axis=(0, 1)), ones)


def _log_shares(counts: jax.Array) -> jax.Array:
    return jnp.log(counts) - jnp.log(jnp.sum(counts, axis=-1, keepdims=True))
