"""Laws that hold for every recipe; a new family gets them by one line in MEMBERS.

A member states what it has, so that no law passes over it in silence. Laws whose programs take long to compile run on
one member of each shape of a step.
"""

import functools
import inspect
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.extend.core import Literal

from jaxgen import likelihood, models, optimize, preprocess, recipes
from jaxgen.recipe import PyTree, Recipe, State
from jaxgen.recipes.bernoulli_mixture import Sums
from train.data import Rows
from train.engine.checkpoint import not_finite
from train.engine.compile import Steps, compile_steps
from train.engine.keys import make_seed_keys
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


def image_flow() -> models.Flow:
    """A flow that reads its first batch, keeps running statistics and sees its condition at both scales."""
    rest = models.Flow((2, 2, 2), (models.AffineCoupling(hidden=(6,)),))
    layers = models.Squeeze(), models.ActNorm(), models.InvertibleConv(), models.AffineCoupling("channel", hidden=(8,))
    return models.Flow(SHAPE, (*layers, models.FlowBatchNorm(), models.FactorOut(rest)))


class Member(NamedTuple):
    recipe: Recipe
    has: str  # the optional functions of the recipe
    evaluates: str  # the metrics of its examples
    log_prob_is: str | None = None
    conditional: bool = False


def latent_variable(recipe: Recipe, more: str = "draw_x log_likelihood", **properties) -> Member:
    """A member with a lower bound on log p(x) and a distribution of codes."""
    has, evaluates = f"sample encode draw_code decode log_prob {more}", "negative_elbo reconstruction kl squared_error"
    return Member(recipe, has, properties.pop("evaluates", evaluates), "lower bound", **properties)


def game(recipe: Recipe, **properties) -> Member:
    return Member(recipe, "sample decode", "real_logit fake_logit", **properties)


def classifier(recipe: Recipe) -> Member:
    return Member(recipe, "classify features", "accuracy cross_entropy")


def pixels(recipe: Recipe, more: str = "", **properties) -> Member:
    return Member(recipe, f"sample complete log_prob {more}", "nll", "exact", **properties)


def naive_bayes(recipe: Recipe) -> Member:
    return Member(recipe, "sample classify log_prob", "accuracy", "exact", conditional=True)


GENERATOR = models.Generator(SHAPE, (8,), batch_norm=True)
MEMBERS = {
    "vae": latent_variable(recipes.vae(network(), SGD)),
    "vae_knobs": latent_variable(recipes.vae(network(), SGD, beta=2.0, minimum_kl=0.1, warmup_steps=3, num_samples=2)),
    "vae_gaussian": latent_variable(recipes.vae(network((2,)), SGD, likelihood=likelihood.gaussian)),
    "vae_conditional": latent_variable(
        recipes.vae(network(num_classes=NUM_CLASSES), SGD), "draw_x log_likelihood classify", conditional=True
    ),
    "iwae": latent_variable(recipes.iwae(network(), SGD, num_samples=4)),
    "vae_convolutional": latent_variable(recipes.vae(convolutional(), SGD)),
    # which is `autoencoder` at weight 0
    "rae": Member(recipes.rae(autoencoder(), SGD, code_weight=0.1), "encode decode", "reconstruction squared_error"),
    "wae_mmd": Member(
        recipes.wae_mmd(autoencoder(), SGD, cost_weight=0.05, input_noise=0.1, pretrain_steps=2),
        "sample encode decode",
        "cost squared_error",
    ),
    "wae_gan": Member(
        recipes.wae_gan(
            network(),
            models.Discriminator((6,)),
            SGD,
            SGD,
            weight=2.0,
            cost="bernoulli",
            input_noise=0.1,
            pretrain_steps=2,
        ),
        "sample encode draw_code decode",
        "cost squared_error",
    ),
    "multinomial_classifier": classifier(
        recipes.multinomial_classifier(models.Classifier(NUM_CLASSES, (8,), channels=(4,)), SGD)
    ),
    "one_vs_rest_classifier": classifier(recipes.one_vs_rest_classifier(models.Classifier(NUM_CLASSES), SGD)),
    "hierarchical_iwae": latent_variable(
        recipes.hierarchical_iwae(hierarchy(), SGD, num_samples=4), "", evaluates="negative_elbo reconstruction kl"
    ),
    "gaussian_naive_bayes": naive_bayes(recipes.gaussian_naive_bayes(SHAPE, NUM_CLASSES)),
    "bernoulli_naive_bayes": naive_bayes(recipes.bernoulli_naive_bayes(SHAPE, NUM_CLASSES)),
    "gan": game(
        recipes.with_ema(
            gan(GENERATOR, models.Discriminator((6,), pieces=2), game="hinge", packing=2, num_classes=NUM_CLASSES), 0.9
        ),
        conditional=True,
    ),
    "wgan_gp": game(
        gan(
            GENERATOR,
            models.Discriminator((6,)),
            game="wasserstein",
            critic_steps=3,
            gradient_penalty=10.0,
            zero_centered_penalty=1.0,
            packing=2,
            num_classes=NUM_CLASSES,
        ),
        conditional=True,
    ),
    "dcgan": game(gan(models.DCGANGenerator(SHAPE, (4,)), models.DCGANDiscriminator((4, 6)), packing=2)),
    "dcgan_spectral": game(
        gan(models.DCGANGenerator(SHAPE, (4,)), models.DCGANDiscriminator((4,), "spectral", minibatch_std=True))
    ),
    "bigan": Member(
        recipes.bigan(
            GENERATOR, models.InferenceNetwork(3, (8, 6)), models.JointDiscriminator((6, 6)), SGD, SGD, latent_dim=3
        ),
        "sample encode decode features",
        "real_logit fake_logit squared_error",
    ),
    "latent_regressor": Member(
        recipes.bigan(
            GENERATOR,
            models.InferenceNetwork(3, (8,)),
            models.Discriminator((6,)),
            SGD,
            SGD,
            latent_dim=3,
            regress=0.25,
        ),
        "sample encode decode features",
        "real_logit fake_logit squared_error",
    ),
    "infogan": Member(
        recipes.infogan(GENERATOR, models.InfoDiscriminator(5, (4, 6), 8, 6), SGD, SGD, noise_dim=3, num_categories=3),
        "sample decode features",
        "real_logit fake_logit mutual_information",
    ),
    "pixelcnn": pixels(
        recipes.autoregressive(models.PixelCNN(SHAPE, 3, 1, 4, condition_dim=NUM_CLASSES), SGD, part_size=2),
        "classify",
        conditional=True,
    ),
    "gated_pixelcnn": pixels(recipes.autoregressive(models.GatedPixelCNN(SHAPE, 3, 1, 4), SGD, part_size=2)),
    "made": pixels(recipes.autoregressive(models.MADE(SHAPE, (8,), num_masks=2), SGD)),
    "made_orderings": Member(
        recipes.made(models.MADE(SHAPE, (8,), 3, ordering="random", condition_dim=NUM_CLASSES), SGD),
        "sample classify log_prob",
        "nll",
        "exact",
        conditional=True,
    ),
    "made_fresh": Member(
        recipes.made(models.MADE(SHAPE, (8,), 2, ordering="random", direct=True), SGD, fresh_masks=True),
        "sample log_prob",
        "nll",
        "exact",
    ),
    "fvsbn": pixels(recipes.autoregressive(models.MADE(SHAPE, (), ordering="random", direct=True), SGD)),
    "gaussian": Member(recipes.gaussian(SHAPE, variance_floor=0.1), "sample log_prob", "nll", "exact"),
    "gaussian_by_class": Member(
        recipes.gaussian(SHAPE, NUM_CLASSES, variance_floor=0.1),
        "sample classify log_prob",
        "nll marginal_nll accuracy",
        "exact",
        conditional=True,
    ),
    "bernoulli_mixture": Member(
        recipes.bernoulli_mixture(SHAPE, 2, NUM_CLASSES, batches=4),
        "sample complete classify log_prob",
        "nll marginal_nll accuracy",
        "exact",
        conditional=True,
    ),
    "made_gaussian": pixels(
        recipes.autoregressive(
            models.MADE(SHAPE, (8,), parameters=(2,), degrees="sequential"), SGD, likelihood=likelihood.gaussian
        )
    ),
    "flow": Member(
        recipes.flow(image_flow(), SGD, num_classes=NUM_CLASSES),
        "sample encode decode classify log_prob",
        "nll",
        "exact",
        conditional=True,
    ),
    "with_ema": latent_variable(
        recipes.with_ema(recipes.vae(network(num_classes=NUM_CLASSES), SGD), 0.9),
        "draw_x log_likelihood classify",
        conditional=True,
    ),
}
OPTIONAL = {name for name, default in Recipe._field_defaults.items() if default is None}
OPTIONAL -= {"log_prob_is", "levels", "order", "categories", "code_shape"}  # which are no functions
# One of each shape of a step: counted labels, a set loss, two players, several draws, running statistics, microbatches,
# moments without an optimizer.
STEP_SHAPES = ("vae_conditional", "wae_mmd", "wae_gan", "wgan_gp", "dcgan", "pixelcnn", "gaussian_naive_bayes")


def over(*names: str):
    members = {name: MEMBERS[name].recipe for name in names}
    return pytest.mark.parametrize("recipe", members.values(), ids=members)


def having(*things: str, log_prob_is: str | None = None, but: tuple[str, ...] = ()):
    """Over the members that state these functions or metrics."""
    return over(
        *(
            name
            for name, member in MEMBERS.items()
            if {*things} <= {*member.has.split(), *member.evaluates.split()}
            and log_prob_is in (None, member.log_prob_is)
            and name not in but
        )
    )


every_recipe = having()


RANDOM = np.random.default_rng(0)
DATA = {
    "x": RANDOM.integers(0, 256, (96, *SHAPE), dtype=np.uint8),
    "y": RANDOM.integers(0, NUM_CLASSES, 96).astype(np.int32),
}


@pytest.fixture(scope="module")
def batch() -> dict[str, jax.Array]:
    return {"x": jnp.asarray(DATA["x"][:16] / np.float32(255)), "y": jnp.asarray(DATA["y"][:16])}


@functools.cache
def compiled_steps(recipe: Recipe, devices: int, seeds: int, accumulate: int) -> Steps:
    options = {"batch_size": 16, "seeds": seeds, "accumulate": accumulate}
    return compile_steps(recipe, preprocess.binarize, jax.devices()[:devices], **options)


def rows_of(recipe: Recipe, seed: int) -> np.ndarray:
    """The examples of four steps."""
    shape = (4, 16) if recipe.draws == 1 else (4, recipe.draws, 16)
    return np.random.default_rng(seed).integers(0, 96, shape).astype(np.int32)


def run(
    recipe: Recipe,
    *,
    devices: int = 1,
    seed: int = 0,
    seeds: int = 1,
    of_keys: int | None = None,
    accumulate: int = 1,
) -> tuple:
    """(state, metrics) after four steps of 16 examples; each seed sees rows of its own, and has keys of its own."""
    compiled = compiled_steps(recipe, devices, seeds, accumulate)
    rows = [rows_of(recipe, s) for s in range(seed, seed + seeds)]
    rows = np.stack(rows) if seeds > 1 else rows[0]
    keys, placed = make_seed_keys(seed if of_keys is None else of_keys, seeds), compiled.put(DATA)
    state = compiled.put(compiled.init(keys.init, DATA, np.take(rows, 0, axis=int(seeds > 1))))
    return compiled.call(compiled.put(keys.steps), state, placed, 0, Rows(rows))


@functools.cache
def run_once(recipe: Recipe) -> tuple:
    return run(recipe)


@pytest.fixture
def on_one_device(recipe: Recipe) -> tuple:
    return run_once(recipe)


@pytest.fixture
def model(on_one_device: tuple) -> PyTree:
    return on_one_device[0].model


def drawn(recipe: Recipe, batch: dict) -> dict:
    """The batch as `init` and `step` take it: with an axis of draws, where one step consumes several."""
    return batch if recipe.draws == 1 else jax.tree.map(lambda leaf: jnp.stack([leaf] * recipe.draws), batch)


def optimizes(state: State) -> bool:
    """Naive Bayes and EM count: their steps draw nothing, and have no rate."""
    return bool(jax.tree.leaves(state.train)) and not isinstance(state.train, Sums)


@every_recipe
def test_a_step_keeps_the_state_s_structure_and_gives_scalars(recipe, batch):
    state = jax.eval_shape(recipe.init, jax.random.key(0), drawn(recipe, batch))
    after, metrics = jax.eval_shape(recipe.step, jax.random.key(1), state, drawn(recipe, batch))

    chex.assert_trees_all_equal_shapes_and_dtypes(state, after)
    assert "loss" in metrics
    assert ("learning_rate" in metrics) == optimizes(state)
    assert all(metric.shape == () and metric.dtype == jnp.float32 for metric in metrics.values())


@every_recipe
def test_a_state_is_finite(recipe, on_one_device):
    """One that is not is never saved."""
    del recipe
    assert not_finite(on_one_device[0]) is None


@every_recipe
def test_no_two_leaves_of_a_new_state_are_one_array(recipe, batch):
    """A caller may donate it to a step."""
    leaves = jax.make_jaxpr(recipe.init)(jax.random.key(0), drawn(recipe, batch)).jaxpr.outvars
    computed = [leaf for leaf in leaves if not isinstance(leaf, Literal)]

    assert len(set(computed)) == len(computed) > 0


@every_recipe
def test_init_and_step_are_functions_of_their_key(recipe, on_one_device):
    again, of_other_keys = run(recipe), run(recipe, of_keys=1)

    chex.assert_trees_all_equal(on_one_device, again)
    if not jax.tree.leaves(again[0].train):
        return
    compiled, rows = compiled_steps(recipe, 1, 1, 1), np.arange(16 * recipe.draws, dtype=np.int32)
    rows = rows if recipe.draws == 1 else rows.reshape(recipe.draws, 16)
    begun = [compiled.init(make_seed_keys(seed, 1).init, compiled.put(DATA), rows) for seed in (0, 1)]
    for one, other in ((again[0], of_other_keys[0]), begun):
        leaves = zip(jax.tree.leaves(one.model), jax.tree.leaves(other.model), strict=True)
        assert any(not np.array_equal(a, b) for a, b in leaves)


@over("vae_conditional", "wgan_gp", "dcgan")
def test_a_seed_among_several_on_four_devices_equals_the_seed_alone(recipe):
    together = run(recipe, seed=3, seeds=3, devices=4)
    alone = run(recipe, seed=4)

    chex.assert_trees_all_close(alone, per_seed(jax.device_get(together), 3)[1], atol=1e-5, rtol=1e-5)


@over("vae")
def test_microbatches_on_two_devices_add_up_to_the_batch(recipe):
    chex.assert_trees_all_close(run(recipe, devices=2, accumulate=4), run_once(recipe), atol=1e-5, rtol=1e-5)


@over("wae_mmd", "wgan_gp", "dcgan")
def test_a_loss_that_looks_beyond_a_microbatch_is_refused(recipe, batch):
    state, step = jax.eval_shape(recipe.init, jax.random.key(0), drawn(recipe, batch)), recipe.step
    step = optimize.in_microbatches(step, 4, batch_axis=int(recipe.draws > 1))
    with pytest.raises(ValueError, match="^this loss looks beyond a microbatch"):
        jax.eval_shape(step, jax.random.key(1), state, drawn(recipe, batch))


def test_microbatches_take_the_memory_of_one():
    wide = models.VAE(models.GaussianEncoder(1, (64,)), models.Decoder((1024,), (4,)))
    recipe, batch = recipes.vae(wide, SGD), {"x": jnp.zeros((512, 1024))}

    def temporary_bytes(step):
        state = jax.eval_shape(recipe.init, jax.random.key(0), batch)
        return jax.jit(step).lower(jax.random.key(0), state, batch).compile().memory_analysis().temp_size_in_bytes

    assert temporary_bytes(optimize.in_microbatches(recipe.step, 16)) < temporary_bytes(recipe.step) / 4


def beside_others(leaf: jax.Array) -> jax.Array:
    """The first four rows, and after them the others in another order."""
    return jnp.concatenate([leaf[:4], leaf[:3:-1]])


@functools.cache
def compiled(function):
    """One program for all laws that call a member's function with arrays of the same shapes."""
    return jax.jit(function, static_argnames={"num", "num_samples"} & {*inspect.signature(function).parameters})


@pytest.mark.parametrize("name", MEMBERS)
def test_a_member_has_what_it_states(name, batch):
    member = MEMBERS[name]
    recipe = member.recipe
    model = jax.eval_shape(recipe.init, jax.random.key(0), drawn(recipe, batch)).model

    assert {field for field in OPTIONAL if getattr(recipe, field) is not None} == {*member.has.split()}
    assert {*jax.eval_shape(recipe.evaluate, jax.random.key(1), model, batch)} == {*member.evaluates.split()}
    assert recipe.log_prob_is == member.log_prob_is
    assert recipe.conditional == member.conditional


@every_recipe
def test_evaluate_is_per_example(recipe, model, batch):
    evaluate = compiled(recipe.evaluate)
    values = evaluate(jax.random.key(1), model, batch)
    reordered = evaluate(jax.random.key(1), model, jax.tree.map(beside_others, batch))

    for name, value in values.items():
        assert value.shape == (16,)
        np.testing.assert_allclose(reordered[name][:4], value[:4], rtol=1e-5, atol=1e-5)


@having("negative_elbo", "reconstruction", "kl")
def test_the_negative_elbo_is_reconstruction_and_kl(recipe, model, batch):
    values = compiled(recipe.evaluate)(jax.random.key(1), model, batch)
    np.testing.assert_allclose(values["negative_elbo"], values["reconstruction"] + values["kl"], rtol=1e-5)


def asking(*names: str) -> optax.GradientTransformation:
    """SGD that needs these extra arguments, and calls `value_fn` if it is one."""

    def update(gradients, state, params=None, **extra):
        assert {*names} <= {*extra}
        assert extra["value"].shape == ()
        chex.assert_trees_all_equal_shapes(extra["grad"], params)
        if "value_fn" in names:
            chex.assert_trees_all_equal_shapes_and_dtypes(jax.grad(extra["value_fn"])(params), params)
        return jax.tree.map(lambda gradient: -0.1 * gradient, gradients), state

    return optax.GradientTransformationExtraArgs(lambda params: (), update)


ONE_LOSS = {
    "vae": lambda rule: recipes.vae(network(), rule),
    "iwae": lambda rule: recipes.iwae(network(), rule, num_samples=2),
    "hierarchical_vae": lambda rule: recipes.hierarchical_vae(hierarchy(), rule),
    "hierarchical_iwae": lambda rule: recipes.hierarchical_iwae(hierarchy(), rule, num_samples=2),
    "autoencoder": lambda rule: recipes.autoencoder(autoencoder(), rule),
    "rae": lambda rule: recipes.rae(autoencoder(), rule, code_weight=0.1),
    "wae_mmd": lambda rule: recipes.wae_mmd(autoencoder(), rule),
    "multinomial": lambda rule: recipes.multinomial_classifier(models.Classifier(NUM_CLASSES), rule),
    "one_vs_rest": lambda rule: recipes.one_vs_rest_classifier(models.Classifier(NUM_CLASSES), rule),
    "autoregressive": lambda rule: recipes.autoregressive(models.PixelCNN(SHAPE, 3, 1, 4), rule, part_size=2),
    "made": lambda rule: recipes.made(models.MADE(SHAPE, (8,), 2), rule),
    "flow": lambda rule: recipes.flow(image_flow(), rule),
}
GAMES = {
    "gan": lambda rule: recipes.gan(GENERATOR, models.Discriminator((6,)), rule, rule, latent_dim=3),
    "wae_gan": lambda rule: recipes.wae_gan(network(), models.Discriminator((6,)), rule, rule),
}


@pytest.mark.parametrize("name", ONE_LOSS)
def test_value_gradient_and_value_fn_reach_the_optimizer(name, batch):
    recipe = ONE_LOSS[name](asking("value", "grad", "value_fn"))
    state = jax.eval_shape(recipe.init, jax.random.key(0), batch)
    jax.eval_shape(recipe.step, jax.random.key(1), state, batch)


@pytest.mark.parametrize("name", GAMES)
def test_value_and_gradient_reach_the_optimizers_of_a_game_and_a_line_search_is_refused(name, batch):
    recipe = GAMES[name](asking("value", "grad"))
    state = jax.eval_shape(recipe.init, jax.random.key(0), batch)
    jax.eval_shape(recipe.step, jax.random.key(1), state, batch)
    for rule in (asking("value_fn"), optax.lbfgs()):
        recipe = GAMES[name](rule)
        state = jax.eval_shape(recipe.init, jax.random.key(0), batch)
        with pytest.raises(ValueError, match=r"^an optimizer in a game cannot search along a line"):
            jax.eval_shape(recipe.step, jax.random.key(1), state, batch)


@having("sample")
def test_samples_have_the_shape_of_data_and_depend_on_key_and_condition(recipe, model):
    def sample(seed, label):
        y = np.full(7, label, np.int32)
        return compiled(recipe.sample)(jax.random.key(seed), model, num=7, y=y)

    x = sample(0, 0)
    assert x.shape == (7, *SHAPE)
    assert x.dtype == jnp.float32
    assert not np.allclose(x, sample(1, 0))
    assert np.array_equal(x, sample(0, NUM_CLASSES - 1)) != recipe.conditional
    without_y = jax.eval_shape(lambda key, model: recipe.sample(key, model, 7), jax.random.key(0), model)
    assert without_y.shape == x.shape


# One of each way to sample a conditional model.
@over("vae_conditional", "gaussian_naive_bayes", "gan", "pixelcnn", "gaussian_by_class", "flow")
def test_without_a_condition_classes_are_drawn_from_the_training_prior(recipe, model):
    """Where one class alone was counted, every sample is of that class."""
    field = "label_counts" if hasattr(model, "label_counts") else "counts"
    counts = getattr(model, field)
    model = model._replace(**{field: jnp.zeros_like(counts).at[1].set(100)})

    def sample(**condition):
        return compiled(recipe.sample)(jax.random.key(0), model, num=7, **condition)

    np.testing.assert_array_equal(sample(), sample(y=np.full(7, 1, np.int32)))


@having("encode", "decode")
def test_encode_and_decode_fit(recipe, model, batch):
    decode = compiled(recipe.decode)
    z = compiled(recipe.encode)(model, batch["x"], y=batch["y"])
    x = decode(model, z, y=batch["y"])

    assert z.shape[0] == 16
    assert x.shape == batch["x"].shape
    reordered = decode(model, beside_others(z), y=beside_others(batch["y"]))
    np.testing.assert_allclose(reordered[:4], x[:4], rtol=1e-5, atol=1e-5)


@having("draw_x", "log_likelihood")
def test_draws_of_x_have_the_mean_that_is_decoded_and_are_likely(recipe, model, batch):
    num, z = 1000, np.random.default_rng(2).normal(size=(4, 3)).astype(np.float32)
    y = batch["y"][:4]
    draw_x, log_likelihood = compiled(recipe.draw_x), compiled(recipe.log_likelihood)
    many_y = jnp.repeat(y, num, axis=0)
    x = np.float64(draw_x(jax.random.key(1), model, jnp.repeat(z, num, axis=0), y=many_y)).reshape(4, num, -1)
    mean = np.float64(compiled(recipe.decode)(model, z, y=y)).reshape(4, -1)
    np.testing.assert_array_less(np.abs(x.mean(axis=1) - mean), 5 * x.std(axis=1) / np.sqrt(num) + 1e-6)

    # Gibbs: what is drawn is likelier, in the mean, under its own z than under another's, here far apart.
    many_z = jnp.repeat(3 * z, num, axis=0)
    given = draw_x(jax.random.key(2), model, many_z, y=many_y)
    own = np.float64(log_likelihood(model, given, many_z, y=many_y))
    other = np.float64(log_likelihood(model, given, jnp.roll(many_z, num, axis=0), y=many_y))
    assert own.shape == (4 * num,)
    assert (own - other).mean() > 5 * (own - other).std() / np.sqrt(4 * num)


@having("encode", "decode", "log_prob", log_prob_is="exact")
def test_a_flow_is_inverted_by_its_decoder(recipe, model, batch):
    z = compiled(recipe.encode)(model, batch["x"], y=batch["y"])
    np.testing.assert_allclose(compiled(recipe.decode)(model, z, y=batch["y"]), batch["x"], rtol=1e-5, atol=1e-5)


# A hierarchy's encoder goes through the means of lower layers, and the mean over their draws is another.
@having("encode", "draw_code", but=("hierarchical_iwae",))
def test_draws_of_codes_have_the_mean_that_is_encoded(recipe, model, batch):
    num = 1000
    few = jax.tree.map(lambda leaf: leaf[:4], batch)
    many = jax.tree.map(lambda leaf: jnp.repeat(leaf, num, axis=0), few)
    draws = np.float64(compiled(recipe.draw_code)(jax.random.key(1), model, many["x"], y=many["y"]))
    draws = draws.reshape(4, num, -1)
    mean = compiled(recipe.encode)(model, batch["x"], y=batch["y"])[:4].reshape(4, -1)

    assert (draws.std(axis=1) > 0).all()
    np.testing.assert_array_less(np.abs(draws.mean(axis=1) - mean), 4.5 * draws.std(axis=1) / np.sqrt(num))


def over_keys(function, num: int) -> np.ndarray:
    """The mean over examples for each of several keys [num], float64."""
    return np.array([np.float64(function(jax.random.key(seed))).mean() for seed in range(num)])


@having("log_prob", log_prob_is="lower bound")
def test_a_bound_rises_with_the_number_of_samples_from_the_elbo_on(recipe, model, batch):
    log_prob = functools.partial(compiled(recipe.log_prob), model=model, x=batch["x"], y=batch["y"])
    one, many = (over_keys(lambda key, k=k: log_prob(key, num_samples=k), 16) for k in (1, 50))
    evaluate = compiled(recipe.evaluate)
    elbo = -over_keys(lambda key: evaluate(key, model, batch)["negative_elbo"], 16)

    assert log_prob(jax.random.key(1), num_samples=1).shape == (16,)
    for bound in (one, elbo):
        assert many.mean() > bound.mean() - 4.5 * np.hypot(many.std(), bound.std()) / np.sqrt(16)
    assert many.std() < one.std()


@having("nll", "log_prob", log_prob_is="exact")
def test_an_exact_log_prob_is_minus_the_nll(recipe, model, batch):
    log_prob = compiled(recipe.log_prob)(jax.random.key(0), model, batch["x"], y=batch["y"])
    nll = compiled(recipe.evaluate)(jax.random.key(1), model, batch)["nll"]

    assert log_prob.shape == (16,)
    np.testing.assert_allclose(log_prob, -nll, rtol=1e-6)


@having("complete")
def test_a_whole_example_is_its_own_completion(recipe, model, batch):
    complete = functools.partial(compiled(recipe.complete), jax.random.key(1), model, batch["x"])

    np.testing.assert_array_equal(complete(jnp.ones(SHAPE, bool), y=batch["y"]), batch["x"])
    assert not np.array_equal(complete(jnp.zeros(SHAPE, bool), y=batch["y"]), batch["x"])


@having("classify")
def test_classify_gives_log_probabilities_of_classes(recipe, model, batch):
    log_posterior = compiled(recipe.classify)(jax.random.key(1), model, batch["x"])

    assert log_posterior.shape == (16, NUM_CLASSES)
    np.testing.assert_allclose(np.exp(np.float64(log_posterior)).sum(axis=1), 1, rtol=1e-5)
    assert np.ptp(log_posterior) > 0


@having("classify", "log_prob", log_prob_is="exact")
def test_classify_is_bayes_rule(recipe, model, batch):
    """With the prior of the labels that four steps have counted; the marginal is their sum."""
    counts = np.bincount(DATA["y"][rows_of(recipe, 0)].ravel(), minlength=NUM_CLASSES)
    log_prob = functools.partial(compiled(recipe.log_prob), jax.random.key(1), model, batch["x"])
    joint = np.stack([np.float64(log_prob(y=jnp.full(16, y))) for y in range(NUM_CLASSES)], axis=1)
    joint += np.log(counts / counts.sum())
    marginal = np.logaddexp.reduce(joint, axis=1)
    # float32 keeps a difference of likelihoods to the size of the largest.
    margin = 1e-6 * np.abs(joint).max()

    posterior = compiled(recipe.classify)(jax.random.key(1), model, batch["x"])
    np.testing.assert_allclose(posterior, joint - marginal[:, None], rtol=1e-5, atol=margin)
    np.testing.assert_allclose(log_prob(), marginal, rtol=1e-5, atol=margin)
