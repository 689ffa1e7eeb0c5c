"""Bayes' rule: class probabilities from class-conditional densities."""

import jax
import jax.numpy as jnp

from jaxgen._checks import check


def bayes_posterior(log_likelihoods: jax.Array, log_prior: jax.Array) -> jax.Array:
    """log p(y | x) from log p(x | y), in nats, and log p(y): [B, K], [K] -> log-probabilities [B, K].

    This turns a generative model into a classifier (Ng & Jordan 2002, section 2). p(y | x) is proportional to
    p(x | y) p(y): the prior need not be normalised, so counts will do, and factors of x alone, such as a binomial
    coefficient, may be left out of all likelihoods. A class with prior 0 (-inf) has probability 0; a row where every
    class has probability 0 is nan. In float32 log-likelihoods of -5,000 nats, as for images, are rounded to 5e-4 nats,
    and so is the posterior. Raises AssertionError unless both are floating with equal K.
    """
    check("bayes_posterior", log_likelihoods=(log_likelihoods, "float [B, K]"), log_prior=(log_prior, "float [K]"))

    joint = jnp.asarray(log_likelihoods, jnp.float32) + jnp.asarray(log_prior, jnp.float32)[None]
    return jax.nn.log_softmax(joint, axis=1)
