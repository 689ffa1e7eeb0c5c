"""The game against what theory and hand calculation say of it."""

from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

from jaxgen import models, recipes
from jaxgen.adversarial import GAMES
from jaxgen.recipe import State
from jaxgen.sampling import standard_normal
from train.experiment import GameName

FROZEN = optax.sgd(0.0)


def gaussian_data(num: int) -> jax.Array:
    return jax.random.normal(jax.random.key(1), (num, 1))


class Shift(nn.Module):
    """A generator z + 1: N(1, 1)."""

    axis_name: str | None = None

    @nn.compact
    def __call__(self, z: jax.Array, *, train: bool) -> jax.Array:
        return z + self.param("shift", nn.initializers.ones, (1, 1))


class Still(nn.Module):
    """A generator of ones."""

    axis_name: str | None = None

    @nn.compact
    def __call__(self, z: jax.Array, *, train: bool) -> jax.Array:
        return jnp.ones((len(z), 1)) * self.param("one", nn.initializers.ones, ())


class Linear(nn.Module):
    """A critic a x + b."""

    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        return (
            x * self.param("slope", nn.initializers.constant(0.5), (1, 1))
            + self.param("bias", nn.initializers.zeros, (1, 1))
        )[:, 0]


def play(recipe, x: jax.Array, rounds: int, draws: int = 1) -> tuple:
    batch = {"x": x if draws == 1 else jnp.stack([x] * draws)}

    def step(state: State, number: jax.Array) -> tuple:
        return recipe.step(jax.random.fold_in(jax.random.key(2), number), state, batch)

    play_all = jax.jit(lambda state: jax.lax.scan(step, state, jnp.arange(rounds)))
    state, metrics = play_all(jax.jit(recipe.init)(jax.random.key(0), batch))
    return state, jax.tree.map(lambda values: values[-1], metrics)


def test_the_best_discriminator_is_the_densities_ratio():
    """Goodfellow et al. 2014, proposition 1: D* = p / (p + q), a logit of log p - log q = 1/2 - x for N(0, 1), N(1, 1).

    So at the optimum D knows the ratio to the generator and not the data's density: no generative model in a sense.
    """
    recipe = recipes.gan(Shift(), Linear(), FROZEN, optax.adam(0.02), latent_dim=1)
    state, metrics = play(recipe, gaussian_data(20000), 400)
    found = {name: float(leaf[0, 0]) for name, leaf in state.model.discriminator.params.items()}

    # Logistic regression on 20,000 of each: standard errors of about 0.012 for either number; Adam adds as much.
    np.testing.assert_allclose(found["slope"], -1, atol=0.06)
    np.testing.assert_allclose(found["bias"], 0.5, atol=0.06)
    x = np.linspace(-12, 13, 20001)
    p, q = (np.exp(-0.5 * (x - mean) ** 2) / np.sqrt(2 * np.pi) for mean in (0, 1))
    value = np.sum(p * np.log(p / (p + q)) + q * np.log(q / (p + q))) * (x[1] - x[0])
    assert abs(float(metrics["discriminator_loss"]) + value) < 4 * 0.7 / np.sqrt(20000)


def test_where_the_generator_is_right_the_discriminator_is_at_a_half():
    recipe = recipes.gan(Shift(), Linear(), FROZEN, optax.adam(0.02), latent_dim=1)
    state, metrics = play(recipe, gaussian_data(20000) + 1, 300)
    values = recipe.evaluate(jax.random.key(3), state.model, {"x": gaussian_data(500) + 1})

    assert np.abs(values["real_logit"]).max() < 0.2
    np.testing.assert_allclose(metrics["discriminator_loss"], np.log(4), atol=2e-3)
    assert abs(float(metrics["discriminator_accuracy"]) - 0.5) < 0.03
    assert abs(float(metrics["diversity"]) - 1) < 0.05


@pytest.mark.parametrize("game", sorted(GAMES))
def test_the_generator_finds_the_data(game):
    """A shift by three; a penalty lets the game converge (Mescheder et al. 2018)."""
    recipe = recipes.gan(
        Shift(), Linear(), optax.sgd(0.05), optax.sgd(0.1), latent_dim=1, game=game, zero_centered_penalty=0.5
    )
    state, _ = play(recipe, gaussian_data(1000) - 2, 2000)

    assert abs(float(state.model.generator.params["shift"][0, 0]) + 2) < 0.25


def test_a_round_of_wgan_gp_by_hand():
    """A linear critic's gradient is its slope a: the penalty is (|a| - 1)^2, and the losses are means of scores."""
    recipe = recipes.gan(
        Shift(), Linear(), optax.sgd(0.1), optax.sgd(0.1), latent_dim=1, game="wasserstein", gradient_penalty=10.0
    )
    x = gaussian_data(64) + 3
    batch = {"x": x}
    state = jax.jit(recipe.init)(jax.random.key(0), batch)
    after, metrics = jax.jit(recipe.step)(jax.random.key(5), state, batch)

    np.testing.assert_allclose(metrics["penalty"], 10 * (0.5 - 1) ** 2, rtol=1e-5)
    # d/da: mean fake - mean real + 10 * 2 (a - 1), where the loss itself is a (mean fake - mean real).
    distance = float(metrics["discriminator_loss"]) / 0.5
    slope = 0.5 - 0.1 * (distance + 20 * (0.5 - 1))
    np.testing.assert_allclose(after.model.discriminator.params["slope"][0, 0], slope, rtol=1e-4)
    # The generator's score is a (z + shift): its gradient in the shift is -a of the new critic.
    np.testing.assert_allclose(after.model.generator.params["shift"][0, 0], 1 + 0.1 * slope, rtol=1e-4)
    np.testing.assert_allclose(metrics["generator_gradient_norm"], abs(slope), rtol=1e-4)


def test_players_that_step_at_once_see_each_other_as_before_the_round():
    game = {"latent_dim": 1, "game": "wasserstein", "gradient_penalty": 10.0}
    x = {"x": gaussian_data(64) + 3}
    after = {}
    for order in ("in turn", "at once"):
        recipe = recipes.gan(Shift(), Linear(), optax.sgd(0.1), optax.sgd(0.1), order=order, **game)
        state = jax.jit(recipe.init)(jax.random.key(0), x)
        after[order] = jax.jit(recipe.step)(jax.random.key(5), state, x)[0].model

    slopes = [model.discriminator.params["slope"] for model in after.values()]
    np.testing.assert_array_equal(*slopes)
    slope = float(slopes[0][0, 0])
    # The gradient of the generator's score a (z + shift) is the critic's slope a, 0.5 before the round.
    np.testing.assert_allclose(after["at once"].generator.params["shift"][0, 0], 1 + 0.1 * 0.5, rtol=1e-6)
    np.testing.assert_allclose(after["in turn"].generator.params["shift"][0, 0], 1 + 0.1 * slope, rtol=1e-6)


class Bowl(nn.Module):
    """A critic sum a x^2, whose gradient 2 a x says where it was taken; the last `planes` columns lie on a slope."""

    planes: int = 0
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        bowl = self.param("bowl", nn.initializers.constant(0.5), ())
        split = x.shape[-1] - self.planes
        return bowl * jnp.sum(jnp.square(x[:, :split]), axis=1) + 3 * jnp.sum(x[:, split:], axis=1)


def test_wgan_gp_is_penalised_between_and_r1_at_real_examples():
    """Data at 4, generated points at 1: the bowl's gradient is the point itself, 1 + 3 epsilon, or 4."""
    x = jnp.full((4096, 1), 4.0)
    options = {"latent_dim": 1, "game": "wasserstein"}
    still = Still(), Bowl(), FROZEN, FROZEN
    between = recipes.gan(*still, gradient_penalty=1.0, **options)
    at_real = recipes.gan(*still, zero_centered_penalty=1.0, **options)

    # The mean of (3 epsilon)^2 is 3, its standard deviation 2.68; where epsilon were always the same it would not be.
    penalty = play(between, x, 1)[1]["penalty"]
    assert abs(float(penalty) - 3) < 4.5 * 2.68 / np.sqrt(4096)
    np.testing.assert_allclose(play(at_real, x, 1)[1]["penalty"], 16, rtol=1e-5)


def test_a_penalty_is_of_the_gradient_in_x_and_not_in_the_class():
    """Packs of two at (1, 1): a gradient of norm sqrt(2), whatever the slope along the planes of their classes."""
    options = {"latent_dim": 1, "game": "wasserstein", "packing": 2, "num_classes": 3}
    recipe = recipes.gan(Still(), Bowl(planes=6), FROZEN, FROZEN, gradient_penalty=1.0, **options)
    batch = {"x": jnp.ones((8, 1)), "y": jnp.arange(8) % 3}
    _, metrics = jax.jit(recipe.step)(jax.random.key(1), jax.jit(recipe.init)(jax.random.key(0), batch), batch)

    np.testing.assert_allclose(metrics["penalty"], (np.sqrt(2) - 1) ** 2, rtol=1e-5)


def test_a_generator_is_sampled_under_statistics_that_it_has_seen():
    network = models.Generator((1,), (4,), batch_norm=True)
    recipe = recipes.gan(network, Linear(), FROZEN, FROZEN, latent_dim=1)
    state, _ = play(recipe, gaussian_data(5000), 1)
    player = state.model.generator
    running = player.statistics["batch_stats"]["BatchNorm_0"]

    # One step of a running average from (0, 1), of a dense layer k z with z ~ N(0, 1); flax's momentum is 0.99. Each
    # step draws z once for the discriminator, whose statistics are not kept, and once for the generator.
    variance = np.square(player.params["Dense_0"]["kernel"][0])
    margin = 0.01 * 4.5 * np.sqrt(2 / 5000) * variance
    np.testing.assert_array_less(np.abs(running["var"] - 0.99 - 0.01 * variance), margin)
    np.testing.assert_array_less(np.abs(running["mean"]), 0.01 * 4.5 * np.sqrt(variance / 5000))
    assert (running["mean"] != 0).all()


def test_fakes_of_the_discriminator_are_made_in_training_mode():
    """Under the statistics of the batch: a fresh generator's running ones, mean 0 and variance 1, give others."""
    recipe = recipes.gan(
        models.Generator((1,), (4,), batch_norm=True), Linear(), FROZEN, FROZEN, latent_dim=1, game="wasserstein"
    )
    batch = {"x": gaussian_data(64)}
    state = jax.jit(recipe.init)(jax.random.key(0), batch)
    _, metrics = jax.jit(recipe.step)(jax.random.key(5), state, batch)

    key_discriminator, _ = jax.random.split(jax.random.key(5))
    key_latent, _ = jax.random.split(jax.random.fold_in(key_discriminator, 0))
    z = np.float64(standard_normal(key_latent, 64, (1,)))
    params = jax.tree.map(np.float64, state.model.generator.params)
    h = z @ params["Dense_0"]["kernel"]

    def score(mean, variance):
        normed = np.maximum((h - mean) / np.sqrt(variance + 1e-5), 0)
        return 0.5 * (normed @ params["Dense_1"]["kernel"]).mean() - 0.5 * float(batch["x"].mean())

    np.testing.assert_allclose(metrics["discriminator_loss"], score(h.mean(0), h.var(0)), rtol=1e-4, atol=1e-6)
    assert abs(score(h.mean(0), h.var(0)) - score(0, 1)) > 0.01


@pytest.mark.parametrize(("metric", "generator", "data"), [("discriminator_loss", Shift, 0.0), ("penalty", Still, 4.0)])
def test_every_critic_step_draws_anew(metric, generator, data):
    """Of a frozen game on one batch, only z of N(1, 1), or epsilon of the points between 1 and 4, tells steps apart."""
    x = jnp.full((16, 1), data)
    options = {"latent_dim": 1, "game": "wasserstein", "gradient_penalty": 1.0}
    one, two = (recipes.gan(generator(), Bowl(), FROZEN, FROZEN, critic_steps=k, **options) for k in (1, 2))

    first, last = (
        play(recipe, x, 1, draws)[1][metric] for recipe, draws in ((one, 1), (two, 2))
    )  # the metrics of a round are those of its last critic step
    assert abs(float(first - last)) > 1e-3


def test_the_generator_draws_codes_of_its_own():
    """A critic of slope 1/2 scores the fakes of both sides: the same codes would give the same mean."""
    recipe = recipes.gan(Shift(), Linear(), FROZEN, FROZEN, latent_dim=1, game="wasserstein")
    _, metrics = play(recipe, jnp.zeros((16, 1)), 1)

    assert abs(float(metrics["discriminator_loss"] + metrics["loss"])) > 1e-3


def test_metrics_are_of_the_last_critic_step_and_labels_of_all():
    x, y = jnp.array([0.0, 4.0])[:, None, None] * jnp.ones((2, 4, 1)), jnp.array([[0, 0, 1, 1], [1, 1, 1, 2]])
    recipe = recipes.gan(
        Still(), Bowl(planes=3), FROZEN, FROZEN, latent_dim=1, critic_steps=2, num_classes=3, zero_centered_penalty=1.0
    )
    batch = {"x": x, "y": y}
    state, metrics = jax.jit(recipe.step)(jax.random.key(1), jax.jit(recipe.init)(jax.random.key(0), batch), batch)

    np.testing.assert_array_equal(state.model.label_counts, [2, 5, 1])
    np.testing.assert_allclose(metrics["penalty"], 16, rtol=1e-6)  # the bowl's gradient is the point, 4


def test_logits_of_real_and_of_generated_examples():
    """The critic x / 2 at data of 8, and at ones, also where packs of 2 do not divide the examples."""
    for packing, examples in ((1, 4), (2, 5)):
        recipe = recipes.gan(Still(), Linear(), FROZEN, FROZEN, latent_dim=1, packing=packing)
        model = jax.jit(recipe.init)(jax.random.key(0), {"x": jnp.ones((4, 1))}).model
        values = recipe.evaluate(jax.random.key(1), model, {"x": jnp.full((examples, 1), 8.0)})

        np.testing.assert_array_equal(values["real_logit"], np.full(examples, 4.0))
        np.testing.assert_array_equal(values["fake_logit"], np.full(examples, 0.5))


def test_critic_steps_are_on_fresh_data():
    """Two steps on two batches are two steps of a GAN whose generator rests, one on each."""
    first, second = gaussian_data(32), gaussian_data(32) + 5
    twice = recipes.gan(Shift(), Linear(), FROZEN, optax.sgd(0.1), latent_dim=1, game="wasserstein", critic_steps=2)
    stacked = {"x": jnp.stack([first, second])}
    state, _ = jax.jit(twice.step)(jax.random.key(0), jax.jit(twice.init)(jax.random.key(0), stacked), stacked)

    # The slope moves by the rate times (mean real - mean fake) of each batch; fakes are means of 32 N(1, 1).
    moved = float(state.model.discriminator.params["slope"][0, 0]) - 0.5
    expected = 0.1 * float(first.mean() + second.mean() - 2)
    assert abs(moved - expected) < 4.5 * 0.1 * np.sqrt(2 / 32)


def test_a_conditional_gan_counts_labels_and_draws_them():
    network = models.Generator((2,), (8,), batch_norm=True), models.Discriminator((8,))
    recipe = recipes.gan(*network, optax.adam(1e-3), optax.adam(1e-3), latent_dim=3, num_classes=4)
    batch = {"x": jnp.zeros((8, 2)), "y": jnp.array([0, 0, 0, 1, 1, 3, 3, 3])}
    state = jax.jit(recipe.init)(jax.random.key(0), batch)
    step = jax.jit(recipe.step)
    for number in range(3):
        state, _ = step(jax.random.key(number), state, batch)

    np.testing.assert_array_equal(state.model.label_counts, [9, 6, 0, 9])
    of_class = [recipe.sample(jax.random.key(0), state.model, 5, y=jnp.full(5, label)) for label in (0, 3)]
    assert not np.allclose(*of_class)
    assert recipe.sample(jax.random.key(0), state.model, 6).shape == (6, 2)
    with pytest.raises(ValueError, match="y must be given"):
        recipe.decode(state.model, jnp.zeros((2, 3)))


@pytest.mark.parametrize("y", [jnp.eye(8, 4, dtype=int), jnp.zeros(8)], ids=["one-hot", "floats"])
def test_classes_are_integers_of_each_example(y):
    recipe = recipes.gan(
        models.Generator((2,), (8,)), models.Discriminator((8,)), FROZEN, FROZEN, latent_dim=3, num_classes=4
    )
    with pytest.raises(AssertionError, match="gan: y must be"):
        jax.jit(recipe.init)(jax.random.key(0), {"x": jnp.zeros((8, 2)), "y": y})


def test_a_discriminator_of_least_squares_is_right_above_a_half():
    """Its targets are 1 and 0: data far from the generator's is told apart."""
    recipe = recipes.gan(Shift(), Linear(), FROZEN, optax.adam(0.02), latent_dim=1, game="least-squares")
    _, metrics = play(recipe, gaussian_data(2000) + 7, 600)

    assert float(metrics["discriminator_accuracy"]) > 0.99


def test_a_batch_has_an_axis_of_critic_steps():
    players = models.Generator((2,), (8,)), models.Discriminator((8,))
    recipe = recipes.gan(*players, FROZEN, FROZEN, latent_dim=3, critic_steps=3)
    x = jnp.zeros((8, 2))
    state = jax.eval_shape(recipe.init, jax.random.key(0), {"x": jnp.zeros((3, 8, 2))})
    with pytest.raises(AssertionError, match=r"gan: x must be \[3, B, \.\.\.\], got float32 \(8, 2\)"):
        jax.eval_shape(recipe.init, jax.random.key(0), {"x": x})
    with pytest.raises(AssertionError, match=r"gan: x must be \[3, B, \.\.\.\], got float32 \(8, 2\)"):
        jax.eval_shape(recipe.step, jax.random.key(0), state, {"x": x})
    # A batch of three examples has the right size by chance.
    with pytest.raises(
        AssertionError, match=r"gan: generated must be \[B, \.\.\.\] where x is \(2,\), got float32 \(2, 2\)"
    ):
        jax.eval_shape(recipe.step, jax.random.key(0), state, {"x": x[:3]})


def test_no_critic_steps_and_empty_packs_are_refused():
    for option in ("critic_steps", "packing"):
        with pytest.raises(ValueError, match="must be positive"):
            recipes.gan(Shift(), Linear(), FROZEN, FROZEN, latent_dim=1, **{option: 0})


def test_labels_are_smoothed_in_the_games_of_log_d_alone():
    recipe = recipes.gan(Still(), Bowl(), FROZEN, FROZEN, latent_dim=1, label_smoothing=0.2)
    _, metrics = play(recipe, jnp.full((4, 1), 2.0), 1)
    # Logits 2 and 1/2: the target of real examples is 0.8.
    d_real, d_fake = 1 / (1 + np.exp(-2)), 1 / (1 + np.exp(-0.5))
    expected = -(0.8 * np.log(d_real) + 0.2 * np.log(1 - d_real) + np.log(1 - d_fake))
    np.testing.assert_allclose(metrics["discriminator_loss"], expected, rtol=1e-5)
    with pytest.raises(ValueError, match="label smoothing is of the games minimax and non-saturating, got 'hinge'"):
        recipes.gan(Still(), Bowl(), FROZEN, FROZEN, latent_dim=1, game="hinge", label_smoothing=0.2)


@pytest.mark.parametrize(
    "network", [models.DCGANDiscriminator(), models.DCGANDiscriminator(norm=None, minibatch_std=True)]
)
@pytest.mark.parametrize("penalty", ["gradient_penalty", "zero_centered_penalty"])
def test_a_penalty_on_what_depends_on_the_batch_is_refused(network, penalty):
    with pytest.raises(ValueError, match="a gradient penalty is of one example alone"):
        recipes.gan(Shift(), network, FROZEN, FROZEN, latent_dim=1, **{penalty: 1.0})


def test_games_have_the_names_that_configs_offer():
    assert get_args(GameName) == tuple(GAMES)


def test_an_unknown_game_is_refused():
    with pytest.raises(ValueError, match="game must be one of minimax, non-saturating"):
        recipes.gan(Shift(), Linear(), FROZEN, FROZEN, latent_dim=1, game="chess")


def test_a_gradient_penalty_goes_through_our_convolutions_twice():
    """The gradient of a gradient, ours against that of Flax's own convolution."""
    from jaxgen.losses import gradient_penalty

    x = jax.random.normal(jax.random.key(0), (3, 6, 6, 2))

    def penalty_gradient(layer):
        params = layer.init(jax.random.key(1), x)

        def loss(params):
            return jnp.mean(gradient_penalty(lambda x: jnp.sum(jnp.tanh(layer.apply(params, x)), axis=(1, 2, 3)), x))

        return jax.grad(loss)(params)

    ours, flax_s = (penalty_gradient(make(4, (4, 4), 2)) for make in (models.conv, nn.Conv))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), ours, flax_s)
