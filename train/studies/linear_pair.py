"""The generative-discriminative pair of Ng & Jordan 2002, section 2: two ways to fit one family of linear classifiers.

Bernoulli naive Bayes takes the parameters that make p(x, y) most likely, but for its smoothing, and multinomial
logistic regression those that make p(y | x) so, but for its penalty. Of binary x either log p(y | x) is linear in x.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxgen import losses, models, recipes
from jaxgen.recipe import PyTree, Recipe, State

TOLERANCE = 1e-4  # norm of the gradient, nats: with curvature l2 the loss is within TOLERANCE^2 / (2 l2) of its minimum
_MOST_STEPS = 5000


class Pair(NamedTuple):
    """Both, for one kind of data."""

    naive_bayes: Recipe
    regression: Recipe
    network: models.Classifier
    optimizer: optax.GradientTransformationExtraArgs
    l2: float


def make_pair(shape: tuple[int, ...], num_classes: int, *, smoothing: float, l2: float) -> Pair:
    """`smoothing` imagined examples of either value of a feature in each class; l2 / 2 |weights|^2 beside the NLL."""
    network, optimizer = models.Classifier(num_classes), optax.lbfgs()
    return Pair(
        recipes.bernoulli_naive_bayes(shape, num_classes, smoothing=smoothing),
        recipes.multinomial_classifier(network, optimizer),
        network,
        optimizer,
        l2,
    )


def fit_naive_bayes(pair: Pair, batch: dict) -> PyTree:
    """The model of one count of all examples."""
    key = jax.random.key(0)  # counting draws nothing
    return pair.naive_bayes.step(key, pair.naive_bayes.init(key, batch), batch)[0].model


def fit_regression(pair: Pair, key: jax.Array, batch: dict) -> tuple[PyTree, jax.Array, jax.Array]:
    """The minimum of the mean NLL + l2 / 2 |weights|^2, by L-BFGS: model, steps taken, norm of the gradient there.

    Without the penalty there is no minimum where examples can be separated, as few examples can. The recipe's own step
    is one of an optimizer that sees gradients alone; this one searches along a line.
    """

    def loss(params: PyTree) -> jax.Array:
        weights = params["params"]["logits"]["kernel"]
        nll = losses.categorical_nll(pair.network.apply(params, batch["x"]), batch["y"])
        return jnp.mean(nll) + 0.5 * pair.l2 * jnp.sum(jnp.square(weights))

    # The line search has computed value and gradient of the point at which the next step starts.
    value_and_grad = optax.value_and_grad_from_state(loss)

    def step(state: State) -> State:
        value, gradient = value_and_grad(state.model, state=state.train)
        updates, opt_state = pair.optimizer.update(
            gradient, state.train, state.model, value=value, grad=gradient, value_fn=loss
        )
        return State(optax.apply_updates(state.model, updates), opt_state)

    def report(state: State) -> tuple[jax.Array, jax.Array]:
        return optax.tree.get(state.train, "count"), optax.tree.norm(optax.tree.get(state.train, "grad"))

    def goes_on(state: State) -> jax.Array:
        count, norm = report(state)
        return (count == 0) | ((count < _MOST_STEPS) & (norm > TOLERANCE))

    state = jax.lax.while_loop(goes_on, step, pair.regression.init(key, batch))
    return state.model, *report(state)


def measure(pair: Pair, key: jax.Array, train: dict, test: dict, rows: jax.Array) -> dict[str, jax.Array]:
    """Test errors of both, fitted to the examples at rows [R, m]: [R] each; and how the regression's fit ended."""
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

    return jax.lax.map(one, rows)  # one after the other: a matrix product of one repeat fills a CPU


def redraw(pair: Pair, key: jax.Array, train: dict, test: dict) -> tuple[dict, dict, float]:
    """Both parts with the labels they have, each x drawn by naive Bayes fitted to all training data; its test error.

    That error is the least there can be, but for the few test examples on which chance is with another classifier.
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
    """Features as the recipes take them, from the bytes in which they are kept."""
    return {"x": jnp.asarray(batch["x"], jnp.float32), "y": jnp.asarray(batch["y"])}
