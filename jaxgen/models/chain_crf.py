"""Linear-chain conditional random fields: p(y | x) of a sequence of labels (Lafferty, McCallum & Pereira 2001).

The discriminative twin of the hidden Markov model, as logistic regression is that of naive Bayes (Sutton & McCallum
2012, section 2.3): the posterior p(y | x) of every `HiddenMarkov` is a member of this family.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.models.chain import Chain


class ChainCRF(NamedTuple):
    """Parameters: any real numbers."""

    #: Score of the first label, [K].
    initial: jax.Array
    #: Score of label i followed by j, [K, K].
    transition: jax.Array
    #: Score of a feature under a label, [D, K].
    weights: jax.Array
    #: Score of a label, [K].
    bias: jax.Array


def zero_chain_crf(num_features: int, num_classes: int) -> ChainCRF:
    """All parameters 0, where every labelling is equally likely; the negative log-likelihood is convex: [D, K]."""
    shapes = (num_classes,), (num_classes, num_classes), (num_features, num_classes), (num_classes,)
    return ChainCRF(*(jnp.zeros(shape) for shape in shapes))


def crf_chain(model: ChainCRF, x: jax.Array, lengths: jax.Array) -> Chain:
    """Chain over y given x [B, T, D], integers lengths [B]; `chain_nll` of it is -log p(y | x)."""
    return Chain(model.initial, model.transition, x @ model.weights + model.bias[None, None], lengths)
