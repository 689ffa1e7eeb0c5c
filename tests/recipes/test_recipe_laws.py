"""Laws that hold for every recipe; a new family gets them by one line in RECIPES."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.extend.core import Literal

from jaxgen import likelihood, models, preprocess, recipes
from jaxgen.recipe import PyTree, Recipe, State
from train.engine.compile import Steps, compile_steps
from train.engine.keys import of_seeds
from train.runs import per_seed

SHAPE = (4, 4, 1)
NUM_CLASSES = 3
SGD = optax.inject_hyperparams(optax.sgd)(0.05)


def network(parameters: tuple[int, ...] = (), num_classes: int | None = None) -> models.VAE:
    return models.VAE(models.GaussianEncoder(3, (8,)), models.Decoder((*SHAPE, *parameters), (8,)), num_classes)


def autoencoder() -> models.Autoencoder:
    return models.Autoencoder(models.Encoder(3, (8,)), models.Decoder(SHAPE, (8,)))


def convolutional() -> models.VAE:
    return models.VAE(models.GaussianEncoder(3, (), channels=(4, 6)), models.Decoder(SHAPE, (), channels=(6, 4)))


def hierarchy() -> models.HierarchicalVAE:
    encoders = models.GaussianEncoder(4, (8,)), models.GaussianEncoder(3, (6,)), models.GaussianEncoder(2, (6,))
    priors = models.GaussianEncoder(3, (6,)), models.GaussianEncoder(4, (8,))
    return models.HierarchicalVAE(encoders, priors, models.Decoder(SHAPE, (8,)))


def gan(generator, discriminator, **options) -> Recipe:
    return recipes.gan(generator, discriminator, SGD, SGD, latent_dim=3, **options)


GENERATOR = models.Generator(SHAPE, (8,), batch_norm=True)
RECIPES = {
    "vae": recipes.vae(network(), SGD),
    "vae_knobs": recipes.vae(network(), SGD, beta=2.0, minimum_kl=0.1, warmup_steps=3, num_samples=2),
    "vae_gaussian": recipes.vae(network((2,)), SGD, likelihood=likelihood.gaussian),
    "vae_conditional": recipes.vae(network(num_classes=NUM_CLASSES), SGD),
    "iwae": recipes.iwae(network(), SGD, num_samples=4),
    "vae_convolutional": recipes.vae(convolutional(), SGD),
    "rae": recipes.rae(autoencoder(), SGD, code_weight=0.1),  # which is `autoencoder` at weight 0
    "wae_mmd": recipes.wae_mmd(autoencoder(), SGD, cost_weight=0.05, input_noise=0.1, pretrain_steps=2),
    "wae_gan": recipes.wae_gan(
        network(), models.Discriminator((6,)), SGD, SGD, weight=2.0, cost="bernoulli", input_noise=0.1, pretrain_steps=2
    ),
    "multinomial_classifier": recipes.multinomial_classifier(models.Classifier(NUM_CLASSES, (8,), channels=(4,)), SGD),
    "one_vs_rest_classifier": recipes.one_vs_rest_classifier(models.Classifier(NUM_CLASSES), SGD),
    "hierarchical_iwae": recipes.hierarchical_iwae(hierarchy(), SGD, num_samples=4),
    "gaussian_naive_bayes": recipes.gaussian_naive_bayes(SHAPE, NUM_CLASSES),
    "bernoulli_naive_bayes": recipes.bernoulli_naive_bayes(SHAPE, NUM_CLASSES),
    "gan": recipes.with_ema(
        gan(GENERATOR, models.Discriminator((6,), pieces=2), game="hinge", packing=2, num_classes=NUM_CLASSES), 0.9
    ),
    "wgan_gp": gan(
        GENERATOR,
        models.Discriminator((6,)),
        game="wasserstein",
        critic_steps=3,
        gradient_penalty=10.0,
        zero_centered_penalty=1.0,
        packing=2,
        num_classes=NUM_CLASSES,
    ),
    "dcgan": gan(models.DCGANGenerator(SHAPE, (4,)), models.DCGANDiscriminator((4, 6)), packing=2),
    "dcgan_spectral": gan(models.DCGANGenerator(SHAPE, (4,)), models.DCGANDiscriminator((4,), "spectral")),
    "pixelcnn": recipes.autoregressive(models.PixelCNN(SHAPE, 3, 1, 4, condition_dim=NUM_CLASSES), SGD, part_size=2),
    "made": recipes.autoregressive(models.MADE(SHAPE, (8,), num_masks=2), SGD),
    "with_ema": recipes.with_ema(recipes.vae(network(num_classes=NUM_CLASSES), SGD), 0.9),
    "made_orderings": recipes.made(models.MADE(SHAPE, (8,), 3, ordering="random", condition_dim=NUM_CLASSES), SGD),
    "made_fresh": recipes.made(models.MADE(SHAPE, (8,), 2, ordering="random", direct=True), SGD, fresh_masks=True),
    "fvsbn": recipes.autoregressive(models.MADE(SHAPE, (), ordering="random", direct=True), SGD),
    "gaussian": recipes.gaussian(SHAPE, variance_floor=0.1),
    "gaussian_by_class": recipes.gaussian(SHAPE, NUM_CLASSES, prior="uniform", variance_floor=0.1),
    "made_gaussian": recipes.autoregressive(
        models.MADE(SHAPE, (8,), parameters=(2,), degrees="sequential"), SGD, likelihood=likelihood.gaussian
    ),
}

pytestmark = pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES, scope="module")


@pytest.fixture(scope="module")
def data() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    x = random.integers(0, 256, (96, *SHAPE), dtype=np.uint8)
    return {"x": x, "y": random.integers(0, NUM_CLASSES, 96).astype(np.int32)}


@pytest.fixture(scope="module")
def batch(data: dict[str, np.ndarray]) -> dict[str, jax.Array]:
    return {"x": jnp.asarray(data["x"][:16] / np.float32(255)), "y": jnp.asarray(data["y"][:16])}


@functools.cache
def compiled_steps(recipe: Recipe, devices: int, seeds: int) -> Steps:
    return compile_steps(recipe, preprocess.binarize, jax.devices()[:devices], batch_size=16, seeds=seeds)


def run(
    recipe: Recipe, data: dict, *, devices: int = 1, seed: int = 0, seeds: int = 1, of_keys: int | None = None
) -> tuple:
    """(state, metrics) after four steps of 16 examples; each seed sees rows of its own, and has keys of its own."""
    compiled = compiled_steps(recipe, devices, seeds)
    shape = (4, 16) if recipe.draws == 1 else (4, recipe.draws, 16)
    rows = [np.random.default_rng(s).integers(0, 96, shape).astype(np.int32) for s in range(seed, seed + seeds)]
    rows = np.stack(rows) if seeds > 1 else rows[0]
    keys, placed = of_seeds(seed if of_keys is None else of_keys, seeds), compiled.put(data)
    state = compiled.put(compiled.init(keys.init, placed, np.take(rows, 0, axis=int(seeds > 1))))
    return compiled.call(keys.steps, state, placed, 0, rows)


@pytest.fixture(scope="module")
def on_one_device(recipe: Recipe, data: dict) -> tuple:
    return run(recipe, data)


@pytest.fixture(scope="module")
def model(on_one_device: tuple) -> PyTree:
    return on_one_device[0].model


def drawn(recipe: Recipe, batch: dict) -> dict:
    """The batch as `init` and `step` take it: with an axis of draws, where one step consumes several."""
    return batch if recipe.draws == 1 else jax.tree.map(lambda leaf: jnp.stack([leaf] * recipe.draws), batch)


def optimizes(state: State) -> bool:
    """Naive Bayes counts: it draws nothing, and has no rate."""
    return bool(jax.tree.leaves(state.train))


def test_a_step_keeps_the_state_s_structure_and_gives_scalars(recipe, batch):
    state = jax.eval_shape(recipe.init, jax.random.key(0), drawn(recipe, batch))
    after, metrics = jax.eval_shape(recipe.step, jax.random.key(1), state, drawn(recipe, batch))

    chex.assert_trees_all_equal_shapes_and_dtypes(state, after)
    assert "loss" in metrics
    assert ("learning_rate" in metrics) == optimizes(state)
    assert all(metric.shape == () and metric.dtype == jnp.float32 for metric in metrics.values())


def test_no_two_leaves_of_a_new_state_are_one_array(recipe, batch):
    """A caller may donate it to a step."""
    leaves = jax.make_jaxpr(recipe.init)(jax.random.key(0), drawn(recipe, batch)).jaxpr.outvars
    computed = [leaf for leaf in leaves if not isinstance(leaf, Literal)]

    assert len(set(computed)) == len(computed) > 0


def test_init_and_step_are_functions_of_their_key(recipe, data, on_one_device):
    again, of_other_keys = run(recipe, data), run(recipe, data, of_keys=1)

    chex.assert_trees_all_equal(on_one_device, again)
    if not optimizes(again[0]):
        return
    compiled, rows = compiled_steps(recipe, 1, 1), np.arange(16 * recipe.draws, dtype=np.int32)
    rows = rows if recipe.draws == 1 else rows.reshape(recipe.draws, 16)
    begun = [compiled.init(of_seeds(seed, 1).init, compiled.put(data), rows) for seed in (0, 1)]
    for one, other in ((again[0], of_other_keys[0]), begun):
        leaves = zip(jax.tree.leaves(one.model), jax.tree.leaves(other.model), strict=True)
        assert any(not np.array_equal(a, b) for a, b in leaves)


def test_eight_devices_compute_what_one_does(recipe, data, on_one_device):
    one, metrics_of_one = on_one_device
    many, metrics_of_many = run(recipe, data, devices=8)

    chex.assert_trees_all_close(one, jax.device_get(many), atol=1e-5, rtol=1e-5)
    chex.assert_trees_all_close(metrics_of_one, jax.device_get(metrics_of_many), atol=1e-5, rtol=1e-5)


def test_a_seed_among_several_equals_the_seed_alone(recipe, data):
    together, _ = run(recipe, data, seed=3, seeds=3, devices=2)
    alone, _ = run(recipe, data, seed=4)

    chex.assert_trees_all_close(alone, per_seed(jax.device_get(together), 3)[1], atol=1e-5, rtol=1e-5)


def beside_others(leaf: jax.Array) -> jax.Array:
    """The first four rows, and after them the others in another order."""
    return jnp.concatenate([leaf[:4], leaf[:3:-1]])


def test_evaluate_is_per_example(recipe, model, batch):
    evaluate = jax.jit(recipe.evaluate)
    values = evaluate(jax.random.key(1), model, batch)
    reordered = evaluate(jax.random.key(1), model, jax.tree.map(beside_others, batch))

    for name, value in values.items():
        assert value.shape == (16,)
        np.testing.assert_allclose(reordered[name][:4], value[:4], rtol=1e-5, atol=1e-5)


def test_samples_have_the_shape_of_data_and_differ(recipe, model):
    if recipe.sample is None:
        return
    sample = jax.jit(recipe.sample, static_argnums=2)
    x, other = (sample(jax.random.key(seed), model, 7) for seed in (0, 1))

    assert x.shape == (7, *SHAPE)
    assert x.dtype == jnp.float32
    assert not np.allclose(x, other)


def test_encode_and_decode_fit(recipe, model, batch):
    if recipe.encode is None or recipe.decode is None:
        return
    decode = jax.jit(recipe.decode)
    z = jax.jit(recipe.encode)(model, batch["x"], y=batch["y"])
    x = decode(model, z, y=batch["y"])

    assert z.ndim == 2
    assert (recipe.draw_code is not None) >= (recipe.log_prob is not None)  # of a family with posteriors
    if recipe.draw_code is not None:
        assert recipe.draw_code(jax.random.key(1), model, batch["x"], y=batch["y"]).shape == z.shape
    assert x.shape == batch["x"].shape
    reordered = decode(model, beside_others(z), y=beside_others(batch["y"]))
    np.testing.assert_allclose(reordered[:4], x[:4], rtol=1e-5, atol=1e-5)


def test_log_prob_is_per_example_and_says_what_it_is(recipe, model, batch):
    if recipe.log_prob is None:
        assert recipe.log_prob_is is None
        return
    assert recipe.log_prob_is in ("exact", "lower bound")
    log_prob = jax.jit(recipe.log_prob, static_argnames="num_samples")
    log_prob = functools.partial(log_prob, jax.random.key(1), model, y=batch["y"])

    few = log_prob(batch["x"], num_samples=1)
    assert few.shape == (16,)
    if recipe.log_prob_is == "lower bound":
        # The bound rises with the number of samples, for the mean over draws; the slack is its spread over examples.
        many = log_prob(batch["x"], num_samples=500)
        slack = 4 * float(jnp.std(few)) / np.sqrt(16)
        assert float(jnp.mean(many)) >= float(jnp.mean(few)) - slack


def test_classify_gives_log_probabilities_of_classes(recipe, model, batch):
    if recipe.classify is None:
        return
    log_posterior = jax.jit(recipe.classify)(jax.random.key(1), model, batch["x"])

    assert log_posterior.shape == (16, NUM_CLASSES)
    np.testing.assert_allclose(np.exp(np.float64(log_posterior)).sum(axis=1), 1, rtol=1e-5)
    assert np.ptp(log_posterior) > 0
