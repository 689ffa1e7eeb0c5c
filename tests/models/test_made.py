"""MADE: its masks by their definition, its outputs against a float64 NumPy network, its ensembles by enumeration."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from jaxgen import models

SHAPE = (2, 3, 1)
IMAGES = jnp.asarray(list(itertools.product((0.0, 1.0), repeat=4))).reshape(-1, 2, 2, 1)


@pytest.mark.parametrize("ordering", ["natural", "random"])
def test_masks_are_as_they_are_defined(ordering):
    masks = models.MADE((40,), (300, 200), 5, ordering=ordering).cycle()
    order, ranks = np.asarray(masks.order), np.asarray(masks.ranks)

    np.testing.assert_array_equal(np.sort(order, axis=1), np.tile(np.arange(40), (5, 1)))
    np.testing.assert_array_equal(np.take_along_axis(ranks, order, axis=1), np.tile(np.arange(40), (5, 1)))
    assert len({tuple(row) for row in order}) == (1 if ordering == "natural" else 5)
    first, second = map(np.asarray, masks.degrees)
    assert first.shape == (5, 300)
    assert first.min() == 1
    assert first.max() == 39
    assert (second >= first.min(axis=1, keepdims=True)).all()
    # Uniform: of 1,500 degrees each of 39 values comes 38.5 times, with a standard deviation of 6.1.
    assert np.abs(np.bincount(first.ravel(), minlength=40)[1:] - 1500 / 39).max() < 5 * np.sqrt(1500 / 39)


def test_degrees_begin_at_the_least_of_the_layer_before():
    """Of two units, so that the least of them is more than 1; a unit below it would see nothing."""
    first, second = map(np.asarray, models.MADE((40,), (2, 300), 5).cycle().degrees)
    least = first.min(axis=1)

    assert (least > 1).all()
    # 300 draws from at most 38 values miss the least with probability (37 / 38)^300 < e^-8.
    np.testing.assert_array_equal(second.min(axis=1), least)


def test_sequential_degrees_count_and_start_again():
    masks = models.MADE((4,), (7, 2), 2, degrees="sequential").cycle()

    for degrees, expected in zip(masks.degrees, ([1, 2, 3, 1, 2, 3, 1], [1, 2]), strict=True):
        np.testing.assert_array_equal(degrees, [expected, expected])


def test_masks_are_a_function_of_their_seed_and_their_order_is_not_tied_to_their_degrees():
    one, again, other = (models.MADE(SHAPE, (9,), 3, seed, ordering="random").cycle() for seed in (0, 0, 1))
    natural = models.MADE(SHAPE, (9,), 3, 0).cycle()

    for first, second in zip(jax.tree.leaves(one), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(first, second)
    assert not np.array_equal(one.order, other.order)
    np.testing.assert_array_equal(one.degrees[0], natural.degrees[0])


# name: (options, activation in NumPy)
OPTIONS = {
    "one_layer": ({"hidden": (9,)}, lambda h: np.maximum(h, 0)),
    "two_layers_tanh": ({"hidden": (9, 8), "activation": nn.tanh}, np.tanh),
    "direct_softplus": (
        {"hidden": (9,), "direct": True, "activation": nn.softplus},
        lambda h: np.logaddexp(0, h),
    ),
    "no_hidden": ({"hidden": (), "direct": True}, None),
    "gaussian": ({"hidden": (9, 8), "direct": True, "parameters": (2,)}, lambda h: np.maximum(h, 0)),
    "conditional": ({"hidden": (9, 8), "condition_dim": 3}, lambda h: np.maximum(h, 0)),
    "first_conditional": (
        {"hidden": (9, 8), "condition_dim": 3, "condition_layers": "first"},
        lambda h: np.maximum(h, 0),
    ),
}


def in_numpy(params: dict, masks: models.Masks, x: np.ndarray, y: np.ndarray, activation) -> np.ndarray:
    """The outputs [B, D * P] in float64, a weight at a time where it may be seen."""
    params = jax.tree.map(np.float64, params)
    ranks = np.asarray(masks.ranks)
    num_hidden = len(masks.degrees)
    added = [params["condition"][name]["kernel"][y] for name in sorted(params.get("condition", {}))]
    size = len(params[f"bias_{num_hidden}"]) // len(ranks)
    sees = [ranks + 1, *map(np.asarray, masks.degrees), np.repeat(ranks, size)]
    hidden, output = x, params[f"bias_{num_hidden}"]
    for layer in range(num_hidden + 1 if num_hidden else 0):
        kernel = params[f"kernel_{layer}"].copy()
        for i, j in np.ndindex(kernel.shape):
            if sees[layer][i] > sees[layer + 1][j]:
                kernel[i, j] = 0
        total = hidden @ kernel + params[f"bias_{layer}"] + (added[layer] if layer < len(added) else 0)
        hidden, output = (activation(total), None) if layer < num_hidden else (None, total)
    if "direct" in params:
        for i, j in np.ndindex(params["direct"].shape):
            if ranks[i] < ranks[j // size]:
                output = output + np.outer(x[:, i], np.eye(len(ranks) * size)[j]) * params["direct"][i, j]
    return output


@pytest.mark.parametrize("ordering", ["natural", "random"])
@pytest.mark.parametrize("name", OPTIONS)
def test_outputs_under_a_mask(name, ordering):
    options, activation = OPTIONS[name]
    network = models.MADE(SHAPE, **options, num_masks=2, ordering=ordering)
    random = np.random.default_rng(0)
    x, y = random.normal(size=(3, *SHAPE)).astype(np.float32), np.array([0, 2, 1])
    masks = jax.tree.map(lambda leaf: leaf[1], network.cycle())
    params = jax.eval_shape(network.init, jax.random.key(0), x, y, masks)
    params = jax.tree.map(lambda leaf: jnp.float32(random.normal(size=leaf.shape)), params)
    found = network.apply(params, x, y, masks)

    assert found.shape == (3, *SHAPE, *options.get("parameters", ()))
    expected = in_numpy(params["params"], masks, x.reshape(3, 6), y, activation)
    # Sums of at most 9 terms of size 10, twice over.
    np.testing.assert_allclose(np.asarray(found).reshape(3, -1), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("ordering", ["natural", "random"])
@pytest.mark.parametrize("name", OPTIONS)
def test_no_mask_lets_a_value_see_itself_or_a_later_one(name, ordering):
    network = models.MADE(SHAPE, **OPTIONS[name][0], num_masks=2, ordering=ordering)
    y = jnp.array([1])
    x = jnp.float32(np.random.default_rng(0).normal(size=(1, *SHAPE)))
    masks = jax.tree.map(lambda leaf: leaf[1], network.cycle())
    params = jax.tree.map(lambda leaf: leaf + 0.3, jax.jit(network.init)(jax.random.key(1), x, y, masks))
    jacobian = jax.jacobian(lambda flat: network.apply(params, flat.reshape(1, *SHAPE), y, masks).reshape(6, -1))
    found = np.abs(np.asarray(jax.jit(jacobian)(x.ravel()))).max(axis=1)[masks.order][:, masks.order]

    assert not np.triu(found).any()
    assert found.any()


def test_orthogonal_weights_reach_every_kernel():
    network = models.MADE((6,), (9,), direct=True, kernel_init=nn.initializers.orthogonal())
    params = network.init(jax.random.key(0), jnp.zeros((1, 6)))["params"]

    for name in ("kernel_0", "kernel_1", "direct"):
        kernel = np.asarray(params[name])
        gram = kernel @ kernel.T if len(kernel) <= kernel.shape[1] else kernel.T @ kernel
        np.testing.assert_allclose(gram, np.eye(6), atol=1e-5)
    assert not params["bias_0"].any()


def test_fresh_masks_differ_by_their_key():
    network = models.MADE((20,), (30,), ordering="random")
    one, other = (network.draw_masks(jax.random.key(seed), 1) for seed in (0, 1))

    for first, second in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        assert first.shape[0] == 1
        assert not np.array_equal(first, second)


def log_prob(logits: np.ndarray) -> np.ndarray:
    """Of all images of 4 pixels, [..., 16, 2, 2, 1] -> [..., 16] in float64."""
    logits, x = np.float64(logits), np.asarray(IMAGES)
    return -(np.logaddexp(0, logits) - x * logits).sum(axis=(-3, -2, -1))


@pytest.mark.parametrize("num_masks", [1, 4])
def test_made_is_a_distribution_over_all_images(num_masks):
    network = models.MADE((2, 2, 1), (7, 6), num_masks)
    params = jax.tree.map(lambda leaf: 5 * leaf, jax.jit(network.init)(jax.random.key(0), IMAGES))
    found = log_prob(jax.jit(network.apply)(params, IMAGES))

    np.testing.assert_allclose(np.exp(found).sum(), 1, rtol=1e-5)
    assert np.ptp(found) > 1  # and not the uniform one


def test_neither_logits_nor_conditional_probabilities_may_be_averaged_over_orderings():
    network = models.MADE((2, 2, 1), (8,), 4, direct=True, ordering="random")
    cycle = network.cycle()
    one = jax.tree.map(lambda leaf: leaf[0], cycle)
    params = jax.tree.map(lambda leaf: 10 * leaf, network.init(jax.random.key(0), IMAGES, None, one))
    logits = np.float64(jax.lax.map(lambda masks: network.apply(params, IMAGES, None, masks), cycle))
    probabilities = (1 / (1 + np.exp(-logits))).mean(axis=0)

    np.testing.assert_allclose(np.exp(log_prob(logits)).mean(axis=0).sum(), 1, rtol=1e-5)
    assert abs(np.exp(log_prob(logits.mean(axis=0))).sum() - 1) > 0.01
    assert abs(np.exp(log_prob(np.log(probabilities / (1 - probabilities)))).sum() - 1) > 0.01
    with pytest.raises(ValueError, match=r"no mean that is a distribution: use recipes\.made"):
        network.apply(params, IMAGES)


@pytest.mark.parametrize(
    ("options", "said"),
    [({"hidden": ()}, "hidden must name at least one layer"), ({"num_masks": 2, "parameters": (2,)}, "a single logit")],
)
def test_what_is_no_distribution_is_refused(options, said):
    with pytest.raises(ValueError, match=said):
        models.MADE((2, 2, 1), **options).init(jax.random.key(0), jnp.zeros((1, 2, 2, 1)))
