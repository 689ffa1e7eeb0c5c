"""Generative-discriminative pairs of label sequences, and their independent parts.

|                | each letter alone    | with its neighbours            |
| generative     | naive Bayes          | hidden Markov model            |
| discriminative | logistic regression  | conditional random field (CRF) |

Either row has two fits of one family of scores (Sutton & McCallum 2012, figure 2.4): the generative maximises the
likelihood p(x, y), apart from smoothing, and the discriminative p(y | x), apart from its penalty.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgen import models
from train.studies.classifiers import lbfgs

TOLERANCE = 1e-3  # gradient norm, nats a letter: the loss is within TOLERANCE^2 / (2 l2) of its minimum
_MOST_STEPS = 2000


class Sequences(NamedTuple):
    """Labelled sequences, padded; one of length 0 counts nowhere."""

    x: jax.Array  # float [B, T, D]
    y: jax.Array  # int [B, T]
    lengths: jax.Array  # int [B]


def naive_bayes_chain(
    counts: models.MarkovCounts, x: jax.Array, lengths: jax.Array, *, smoothing: float
) -> models.Chain:
    """Naive Bayes: each label has its share p(y) whatever stands before it."""
    model = models.hidden_markov_from_counts(counts, smoothing=smoothing)
    share = jnp.log(counts.labels + smoothing) - jnp.log(jnp.sum(counts.labels + smoothing))
    every = jnp.broadcast_to(share[None], model.transition.shape)
    return models.hidden_markov_chain(model._replace(initial=share, transition=every), x, lengths)


def add_unlabelled(
    counts: models.MarkovCounts, x: jax.Array, lengths: jax.Array, *, smoothing: float, steps: int
) -> models.HiddenMarkov:
    """The hidden Markov model of labelled sequences, by their counts, and unlabelled ones, by Baum-Welch."""

    def step(model: models.HiddenMarkov, _: None) -> tuple[models.HiddenMarkov, None]:
        expected = models.expected_counts(model, x, lengths)[0]
        total = jax.tree.map(jnp.add, counts, expected)
        return models.hidden_markov_from_counts(total, smoothing=smoothing), None

    start = models.hidden_markov_from_counts(counts, smoothing=smoothing)
    return jax.lax.scan(step, start, length=steps)[0]


def fit_crf(train: Sequences, num_classes: int, *, l2: float) -> tuple[models.ChainCRF, jax.Array, jax.Array]:
    """Minimise the NLL a letter + l2 / 2 |parameters but the bias|^2: CRF, number of steps, final gradient norm."""

    def loss(model: models.ChainCRF) -> jax.Array:
        nll = models.chain_nll(models.crf_chain(model, train.x, train.lengths), train.y)
        return _a_letter(nll, train) + _penalty(model, l2)

    start = models.zero_chain_crf(train.x.shape[2], num_classes)
    return lbfgs.minimize(loss, start, tolerance=TOLERANCE, most_steps=_MOST_STEPS)


def fit_regression(train: Sequences, num_classes: int, *, l2: float) -> tuple[models.ChainCRF, jax.Array, jax.Array]:
    """Logistic regression, the CRF without scores of the first label and of transitions: as `fit_crf`."""

    def loss(model: models.ChainCRF) -> jax.Array:
        chain = models.crf_chain(model, train.x, train.lengths)
        log_p = chain._replace(emission=jax.nn.log_softmax(chain.emission))
        return -_a_letter(models.chain_score(log_p, train.y), train) + _penalty(model, l2)

    start = models.zero_chain_crf(train.x.shape[2], num_classes)

    def of_letters(params: tuple[jax.Array, jax.Array]) -> models.ChainCRF:
        return start._replace(weights=params[0], bias=params[1])

    params, steps, norm = lbfgs.minimize(
        lambda params: loss(of_letters(params)),
        (start.weights, start.bias),
        tolerance=TOLERANCE,
        most_steps=_MOST_STEPS,
    )
    return of_letters(params), steps, norm


def decode(chain: models.Chain, y: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Share of right letters in the most probable words, that of the most probable letters, log-partition a letter."""
    inside = jnp.arange(y.shape[1])[None] < chain.lengths[:, None]
    log_partition, marginals, _ = models.chain_marginals(chain)
    right = ((labels == y) & inside for labels in (models.viterbi(chain)[0], jnp.argmax(marginals, axis=2)))
    in_words, alone, total = (jnp.sum(each) / jnp.sum(chain.lengths) for each in (*right, log_partition))
    return in_words, alone, total


def _a_letter(values: jax.Array, train: Sequences) -> jax.Array:
    return jnp.sum(values) / jnp.sum(train.lengths)


def _penalty(model: models.ChainCRF, l2: float) -> jax.Array:
    squares = (jnp.sum(jnp.square(each)) for each in (model.weights, model.transition, model.initial))
    return 0.5 * l2 * jnp.sum(jnp.stack(list(squares)))
