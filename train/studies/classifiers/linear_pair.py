"""The generative-discriminative pair of Ng & Jordan 2002, section 2: two fits of one family of linear classifiers.

Bernoulli naive Bayes maximises the likelihood p(x, y), apart from smoothing, and multinomial logistic regression the
conditional likelihood p(y | x), apart from its penalty. For binary x, log p(y | x) is linear in x in both.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxgen import losses, models, recipes
from jaxgen.recipe import PyTree, Recipe
from train.studies.classifiers import lbfgs

TOLERANCE = 1e-4  # gradient norm, nats: the loss is l2-strongly convex, so within TOLERANCE^2 / (2 l2) of its minimum
_MOST_STEPS = 5000


class Pair(NamedTuple):
    """Both classifiers, for data of one shape."""

    naive_bayes: Recipe
    regression: Recipe
    network: models.Classifier
    l2: float


def make_pair(shape: tuple[int, ...], num_classes: int, *, smoothing: float, l2: float) -> Pair:
    """Build the pair: `smoothing` pseudo-counts of each feature value in each class; penalty l2 / 2 |weights|^2."""
    network = models.Classifier(num_classes)
    return Pair(
        recipes.bernoulli_naive_bayes(shape, num_classes, smoothing=smoothing),
        recipes.multinomial_classifier(network, optax.lbfgs()),
        network,
        l2,
    )


def fit_naive_bayes(pair: Pair, batch: dict) -> PyTree:
    """Fit naive Bayes in one pass over the batch."""
    key = jax.random.key(0)  # counting draws nothing
    return pair.naive_bayes.step(key, pair.naive_bayes.init(key, batch), batch)[0].model


def fit_regression(pair: Pair, key: jax.Array, batch: dict) -> tuple[PyTree, jax.Array, jax.Array]:
    """Minimise the mean NLL + l2 / 2 |weights|^2 by L-BFGS: model, number of steps, final gradient norm.

    Without the penalty there is no minimum for separable examples, as few examples are. The recipe's own step does not
    apply, since L-BFGS needs a line search.
    """

    def loss(params: PyTree) -> jax.Array:
        weights = params["params"]["logits"]["kernel"]
        nll = losses.categorical_nll(pair.network.apply(params, batch["x"]), batch["y"])
        return jnp.mean(nll) + 0.5 * pair.l2 * jnp.sum(jnp.square(weights))

    start = pair.regression.init(key, batch).model
    return lbfgs.minimize(loss, start, tolerance=TOLERANCE, most_steps=_MOST_STEPS)


def measure(pair: Pair, key: jax.Array, train: dict, test: dict, rows: jax.Array) -> dict[str, jax.Array]:
    """Test errors of both, fitted to the examples at rows [R, m], with steps and gradient norms: [R] each."""
    test = as_floats(test)

    def error(recipe: Recipe, model: PyTree) -> jax.Array:
        return 1 - jnp.mean(recipe.evaluate(key, model, test)["accuracy"])

    def one(row: jax.Array) -> dict[str, jax.Array]:
        batch = as_floats({name: array[row] for name, array in train.items()})
        params, steps, norm = fit_regression(pair, key, batch)
        return {
            "naive_bayes": error(pair.naive_bayes, fit_naive_bayes(pair, batch)),
            "logistic_regression": error(pair.regression, params),
            "steps": steps,
            "gradient_norm": norm,
        }

    return jax.lax.map(one, rows)  # sequentially: one repeat already saturates a CPU


def redraw(pair: Pair, key: jax.Array, train: dict, test: dict) -> tuple[dict, dict, float]:
    """Redraw x of both parts, given y, from naive Bayes fitted to all training data; also returns its test error.

    That is the Bayes error, up to the sampling error of the test set.
    """
    draw = pair.naive_bayes.sample
    assert draw is not None
    keys = jax.random.split(key)
    model = jax.jit(lambda batch: fit_naive_bayes(pair, as_floats(batch)))(train)
    train, test = (
        {"x": draw(key, model, len(part["y"]), y=jnp.asarray(part["y"])).astype(jnp.uint8), "y": part["y"]}
        for key, part in zip(keys, (train, test), strict=True)
    )
    right = pair.naive_bayes.evaluate(key, model, as_floats(test))["accuracy"]
    return train, test, 1 - float(jnp.mean(right))


def as_floats(batch: dict) -> dict:
    """Convert stored bytes to the floats that recipes take."""
    return {"x": jnp.asarray(batch["x"], jnp.float32), "y": jnp.asarray(batch["y"])}
