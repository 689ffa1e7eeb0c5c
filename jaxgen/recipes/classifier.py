"""Discriminative classifiers p(y | x), the counterpart of naive Bayes (Ng & Jordan 2002, section 2)."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from jaxgen import labels, losses
from jaxgen.models import ClassifierNetwork
from jaxgen.optimize import Losses, check_optimizers, minimize
from jaxgen.recipe import PyTree, Recipe, State


def multinomial_classifier(network: ClassifierNetwork, optimizer: optax.GradientTransformation) -> Recipe:
    """Softmax classifier; with a linear network, multinomial logistic regression."""
    return _family(network, optimizer, losses.categorical_nll, jax.nn.log_softmax)


def one_vs_rest_classifier(network: ClassifierNetwork, optimizer: optax.GradientTransformation) -> Recipe:
    """One-vs-rest classifier: a binary classifier for each class, whose probabilities are normalised to classify."""

    def nll(logits: jax.Array, y: jax.Array) -> jax.Array:
        return losses.bernoulli_nll(logits, labels.rows(jnp.eye(network.num_classes, dtype=jnp.float32), y))

    def log_posterior(logits: jax.Array) -> jax.Array:
        return jax.nn.log_softmax(jax.nn.log_sigmoid(logits))

    return _family(network, optimizer, nll, log_posterior)


def _family(
    network: ClassifierNetwork,
    optimizer: optax.GradientTransformation,
    nll: Callable[[jax.Array, jax.Array], jax.Array],  # (logits [B, K], y [B]) -> nats [B]
    log_posterior: Callable[[jax.Array], jax.Array],  # logits [B, K] -> log-probabilities [B, K]
) -> Recipe:
    check_optimizers(optimizer=optimizer)

    def init(key: jax.Array, batch: dict) -> State:
        params = network.init(key, batch["x"])
        return State(params, optimizer.init(params))

    def step(key: jax.Array, state: State, batch: dict, *, axis_name: str | None = None) -> tuple[State, dict]:
        del key

        def loss(params: PyTree) -> Losses:
            return nll(network.apply(params, batch["x"]), batch["y"]), {}, None

        params, opt_state, metrics, _ = minimize(optimizer, loss, state.model, state.train, axis_name)
        return State(params, opt_state), metrics

    def classify(key: jax.Array, model: PyTree, x: jax.Array) -> jax.Array:
        del key
        return log_posterior(network.apply(model, x))

    def evaluate(key: jax.Array, model: PyTree, batch: dict) -> dict[str, jax.Array]:
        log_probabilities = classify(key, model, batch["x"])
        correct = jnp.argmax(log_probabilities, axis=1) == batch["y"]
        cross_entropy = losses.categorical_nll(log_probabilities, batch["y"])
        return {"accuracy": correct.astype(jnp.float32), "cross_entropy": cross_entropy}

    def features(model: PyTree, x: jax.Array) -> jax.Array:
        return network.apply(model, x, method="features")

    return Recipe(init=init, step=step, evaluate=evaluate, classify=classify, features=features)
