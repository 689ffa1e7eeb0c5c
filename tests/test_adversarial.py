"""The half-step of a game, by hand, on sides of one network and of two."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn

from jaxgen import adversarial

Z = jnp.array([[1.0], [3.0]])
X = jnp.array([[2.0], [-4.0]])


class Scale(nn.Module):
    """Scale w x, and a running count of the calls in training mode."""

    axis_name: str | None = None

    @nn.compact
    def __call__(self, x, *, train):
        calls = self.variable("batch_stats", "calls", lambda: jnp.zeros(()))
        if train:
            calls.value += 1
        return self.param("w", nn.initializers.constant(0.5), ()) * x


class Joint(nn.Module):
    """A discriminator D(x, z) = a x + b z."""

    axis_name: str | None = None

    @nn.compact
    def __call__(self, x, z, *, train):
        a, b = (self.param(name, nn.initializers.constant(start), ()) for name, start in (("a", 2.0), ("b", -1.0)))
        return (a * x + b * z)[:, 0]


def test_a_generator_and_an_encoder_step_together_against_a_joint_discriminator():
    """A step of Wasserstein BiGAN's one side: it lowers D(x, E(x)) - D(G(z), z)."""
    side = {name: adversarial.init_player(Scale(), jax.random.key(0), X) for name in ("generator", "encoder")}
    judge = adversarial.init_player(Joint(), jax.random.key(0), X, Z)
    optimizer = optax.adam(0.1)
    opt_state = optimizer.init({name: player.params for name, player in side.items()})

    def loss(side):
        fake, generator = adversarial.apply_train(Scale(), side["generator"], Z, axis_name=None)
        code, encoder = adversarial.apply_train(Scale(), side["encoder"], X, axis_name=None)
        scores = [adversarial.apply_train(Joint(), judge, *pair, axis_name=None)[0] for pair in ((X, code), (fake, Z))]
        return scores[0] - scores[1], {"real": scores[0]}, ({"generator": generator, "encoder": encoder}, fake)

    after, _, metrics, fake = adversarial.half_step(optimizer, loss, side, opt_state, name="side")

    # D(x, E(x)) = 2 x - v x and D(G(z), z) = 2 w z - z: the gradients are -2 mean z = -4 in w, and -mean x = 1 in v.
    # Adam's first step is as long as its rate, and against the gradient's sign.
    np.testing.assert_allclose(after["generator"].params["w"], 0.5 + 0.1, rtol=1e-5)
    np.testing.assert_allclose(after["encoder"].params["w"], 0.5 - 0.1, rtol=1e-5)
    np.testing.assert_allclose(metrics["side_gradient_norm"], np.sqrt(16 + 1), rtol=1e-6)
    np.testing.assert_allclose(metrics["real"], -1.5, rtol=1e-6)
    np.testing.assert_allclose(metrics["loss"], -1.5 - 0, atol=1e-6)
    np.testing.assert_allclose(fake, 0.5 * Z, rtol=1e-6)
    assert all(player.statistics["batch_stats"]["calls"] == 1 for player in after.values())


def test_statistics_are_used_in_evaluation_and_updated_in_training_alone():
    player = adversarial.init_player(Scale(), jax.random.key(0), X)
    output, trained = adversarial.apply_train(Scale(), player, X, axis_name=None)

    np.testing.assert_array_equal(output, adversarial.apply_eval(Scale(), trained, X))
    assert (player.statistics["batch_stats"]["calls"], trained.statistics["batch_stats"]["calls"]) == (0, 1)
    assert player.params is trained.params


def test_generators_lose_as_their_games_are_named():
    scores = np.array([-2.0, 0.3])
    d = 1 / (1 + np.exp(-scores))
    expected = {
        "minimax": np.log(1 - d),
        "non-saturating": -np.log(d),
        "least-squares": (scores - 1) ** 2 / 2,
        "hinge": -scores,
        "wasserstein": -scores,
    }
    assert expected.keys() == adversarial.GAMES.keys()
    for name, game in adversarial.GAMES.items():
        np.testing.assert_allclose(game.generator_loss(jnp.float32(scores)), expected[name], rtol=1e-6)


def test_a_game_without_a_threshold_has_no_accuracy():
    def judge(player, scores):
        return scores, player

    real, fake = jnp.array([1.0, 0.25]), jnp.array([-2.0, -3.0])
    for game, accuracy in (("hinge", 1.0), ("least-squares", 0.75), ("wasserstein", None)):
        values, metrics, _ = adversarial.tell_apart(adversarial.GAMES[game], judge, None, real, fake)
        np.testing.assert_array_equal(metrics["discriminator_loss"], values)
        found = metrics.get("discriminator_accuracy")
        assert found is None if accuracy is None else np.mean(found) == accuracy


def test_a_discriminator_keeps_the_statistics_of_both_batches():
    player = adversarial.init_player(Scale(), jax.random.key(0), X)

    def discriminate(player, x):
        logits, player = adversarial.apply_train(Scale(), player, x, axis_name=None)
        return logits[:, 0], player

    after = adversarial.tell_apart(adversarial.GAMES["hinge"], discriminate, player, X, Z)[2]
    assert after.statistics["batch_stats"]["calls"] == 2


def test_diversity_is_the_variance_of_generated_over_that_of_real_examples():
    real, fake = 10 + np.random.default_rng(0).normal(size=(2, 8, 3, 2))
    fake = 2 * fake
    expected = fake.var(axis=0).sum() / real.var(axis=0).sum()
    together = adversarial.diversity(jnp.float32(fake), jnp.float32(real))
    apart = jax.vmap(lambda *sets: adversarial.diversity(*sets, axis_name="device"), axis_name="device")(
        jnp.float32(fake).reshape(4, 2, 3, 2), jnp.float32(real).reshape(4, 2, 3, 2)
    )

    # Squares of deviations from a mean of 20, which is rounded at 1e-6.
    np.testing.assert_allclose([together, *apart], expected, rtol=1e-5)
