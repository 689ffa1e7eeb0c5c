"""Bayes' rule: which class an example is of, from how probable it is within each."""

import chex
import jax
import jax.numpy as jnp


def bayes_posterior(log_likelihoods: jax.Array, log_prior: jax.Array) -> jax.Array:
    """log p(y | x) from log p(x | y), in nats, and log p(y): [B, K], [K] -> log-probabilities [B, K].

    What makes a classifier of a generative model (Ng & Jordan 2002, section 2). p(y | x) is proportional to
    p(x | y) p(y), so the prior need not be normalised, and counts will do; nor need the likelihoods, where one factor
    of x alone, such as a binomial coefficient, is missing from all classes. A class of prior 0 (-inf) has probability 0
    everywhere; a row in which all classes have is nan. In float32: likelihoods of -5,000 nats, as images have, hold
    their last bit to 5e-4 nats, and so does the posterior. Raises AssertionError unless both are floating with equal K.
    """
    chex.assert_rank([log_likelihoods, log_prior], [2, 1])
    chex.assert_equal_shape_suffix([log_likelihoods, log_prior], 1)
    chex.assert_type([log_likelihoods, log_prior], float)

    joint = jnp.asarray(log_likelihoods, jnp.float32) + jnp.asarray(log_prior, jnp.float32)[None]
    return jax.nn.log_softmax(joint, axis=1)
