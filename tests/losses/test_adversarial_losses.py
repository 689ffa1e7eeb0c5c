"""The players' losses against SciPy in float64, the game's optimum by quadrature, the penalties by hand."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, optimize, stats
from scipy.special import expit, log_expit

from jaxgen import losses

RNG = np.random.default_rng(6)
REAL, FAKE = np.float64(np.float32(3 * RNG.normal(size=(2, 50))))
# From log(1 - sigmoid(17)) on, what goes through a float32 probability is infinite.
EXTREME = np.array([-1e4, -200, -88, -17, -1, 0, 1, 17, 88, 200, 1e4])

# Value and gradients in float64, on other ways than the losses go: probabilities and their logarithms.
TWO_PLAYERS = {
    "minimax_discriminator_loss": (
        lambda real, fake: -log_expit(real) - log_expit(-fake),
        lambda real, fake: (expit(real) - 1, expit(fake)),
    ),
    "least_squares_discriminator_loss": (
        lambda real, fake: ((real - 1) ** 2 + fake**2) / 2,
        lambda real, fake: (real - 1, fake),
    ),
    "hinge_discriminator_loss": (
        lambda real, fake: -(np.minimum(0, real - 1) + np.minimum(0, -1 - fake)),
        lambda real, fake: (np.where(real < 1, -1, 0), np.where(fake > -1, 1, 0)),
    ),
    "wasserstein_critic_loss": (
        lambda real, fake: fake - real,
        lambda real, fake: (-np.ones_like(real), np.ones_like(fake)),
    ),
}
ONE_PLAYER = {
    "minimax_generator_loss": (lambda fake: log_expit(-fake), lambda fake: -expit(fake)),
    "non_saturating_generator_loss": (lambda fake: -log_expit(fake), lambda fake: -expit(-fake)),
    "least_squares_generator_loss": (lambda fake: (fake - 1) ** 2 / 2, lambda fake: fake - 1),
    "hinge_generator_loss": (lambda fake: -fake, lambda fake: -np.ones_like(fake)),
    "wasserstein_generator_loss": (lambda fake: -fake, lambda fake: -np.ones_like(fake)),
}


@pytest.mark.parametrize("name", TWO_PLAYERS)
def test_values_and_gradients_of_the_discriminators(name):
    loss, (value, gradients) = getattr(losses, name), TWO_PLAYERS[name]
    away_from_the_kinks = [np.where(np.abs(EXTREME) == 1, 2 * EXTREME, EXTREME)] * 2
    for real, fake in [(REAL, FAKE), np.meshgrid(*away_from_the_kinks)]:
        real, fake = real.ravel(), fake.ravel()
        arguments = jnp.float32(real), jnp.float32(fake)
        np.testing.assert_allclose(loss(*arguments), value(real, fake), rtol=1e-6, atol=1e-37)
        found = jax.grad(lambda arguments: loss(*arguments).sum())(arguments)
        np.testing.assert_allclose(found, gradients(real, fake), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", ONE_PLAYER)
def test_values_and_gradients_of_the_generators(name):
    loss, (value, gradient) = getattr(losses, name), ONE_PLAYER[name]
    for fake in (FAKE, EXTREME):
        np.testing.assert_allclose(loss(jnp.float32(fake)), value(fake), rtol=1e-6, atol=1e-37)
        found = jax.grad(lambda fake: loss(fake).sum())(jnp.float32(fake))
        np.testing.assert_allclose(found, gradient(fake), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_smoothing_is_of_the_real_examples_alone(smoothing):
    for real, fake in [(REAL, FAKE), (EXTREME, EXTREME)]:
        expected = -(1 - smoothing) * log_expit(real) - smoothing * log_expit(-real) - log_expit(-fake)
        found = losses.minimax_discriminator_loss(jnp.float32(real), jnp.float32(fake), smoothing=smoothing)
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-37)


@pytest.mark.parametrize("smoothing", [-0.1, 1.0, float("nan")])
def test_smoothing_is_a_share(smoothing):
    with pytest.raises(ValueError, match="smoothing must be at least 0 and less than 1"):
        losses.minimax_discriminator_loss(jnp.zeros(2), jnp.zeros(2), smoothing=smoothing)


# The game on a line. The quantiles at (i + 1/2) / n are the midpoint rule for an expectation, so that the mean of the
# loss over them is the integral the paper writes.
P, Q = stats.norm(0, 1), stats.norm(1, 1.5)
GRID = (np.arange(20_000) + 0.5) / 20_000
X_REAL, X_FAKE = P.ppf(GRID), Q.ppf(GRID)


def value_of_the_game(logits, smoothing=0.0):
    arguments = jnp.float32(logits(X_REAL)), jnp.float32(logits(X_FAKE))
    loss = losses.minimax_discriminator_loss(*arguments, smoothing=smoothing)
    return -np.mean(np.float64(loss))


def optimal_logits(x):
    return P.logpdf(x) - Q.logpdf(x)  # of D = p / (p + q)


def test_the_game_at_the_optimum_is_the_jensen_shannon_divergence():
    def kl_to_the_mixture(a):
        return integrate.quad(lambda x: a.pdf(x) * np.log(2 * a.pdf(x) / (P.pdf(x) + Q.pdf(x))), -12, 14)[0]

    jsd = (kl_to_the_mixture(P) + kl_to_the_mixture(Q)) / 2
    np.testing.assert_allclose(value_of_the_game(optimal_logits), 2 * jsd - np.log(4), atol=2e-5)
    np.testing.assert_allclose(value_of_the_game(np.zeros_like), -np.log(4), rtol=1e-6)  # D = 1/2: the value at q = p


@pytest.mark.parametrize("change", [np.ones_like, np.sin, np.tanh, lambda x: x, lambda x: np.exp(-(x**2))])
def test_no_change_of_the_optimal_discriminator_raises_the_value(change):
    best = value_of_the_game(optimal_logits)
    for size in (-1.0, -0.1, 0.1, 1.0):
        assert value_of_the_game(lambda x, size=size: optimal_logits(x) + size * change(x)) < best - 1e-4


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("change", [np.ones_like, np.sin, np.tanh])
def test_the_value_is_stationary_at_the_optimal_discriminator(change, smoothing):
    # Salimans et al. 2016, section 3.4: with smoothing, D = (1 - smoothing) p / (p + q).
    def logits(x):
        d = (1 - smoothing) * expit(optimal_logits(x))
        return np.log(d) - np.log1p(-d) if smoothing else optimal_logits(x)

    def along(size):
        arguments = [jnp.float32(logits(x)) + size * jnp.float32(change(x)) for x in (X_REAL, X_FAKE)]
        return losses.minimax_discriminator_loss(*arguments, smoothing=smoothing).mean()

    np.testing.assert_allclose(jax.grad(along)(0.0), 0, atol=2e-5)


def test_the_saturating_generator_learns_nothing_from_a_sure_discriminator():
    sure = jnp.array([-30.0])
    assert -1e-12 < jax.grad(lambda fake: losses.minimax_generator_loss(fake).sum())(sure)[0] < 0
    np.testing.assert_allclose(jax.grad(lambda fake: losses.non_saturating_generator_loss(fake).sum())(sure), [-1])


PENALTIES = {
    "gradient_penalty": lambda norm: (norm - 1) ** 2,
    "zero_centered_penalty": lambda norm: norm**2,
}
every_penalty = pytest.mark.parametrize("name", PENALTIES)


@every_penalty
def test_penalty_of_a_linear_critic(name):
    # Its gradient is the weight, everywhere: norm 13 over both event axes; over one of them, 3 and 4, 12.
    weight = jnp.array([[3.0, 0.0], [4.0, 12.0]])
    x = jnp.float32(RNG.normal(size=(5, 2, 2)))
    found = getattr(losses, name)(lambda x: jnp.einsum("bij,ij->b", x, weight), x)
    np.testing.assert_allclose(found, np.full(5, PENALTIES[name](13.0)), rtol=1e-6)
    short = getattr(losses, name)(lambda x: jnp.einsum("bij,ij->b", x, weight / 26), x)
    np.testing.assert_allclose(short, np.full(5, PENALTIES[name](0.5)), rtol=1e-6)


@every_penalty
def test_penalty_of_a_quadratic_critic(name):
    # 1/2 x A x + b x of a symmetric A has the gradient A x + b.
    matrix, bias, x = RNG.normal(size=(4, 4)), RNG.normal(size=4), RNG.normal(size=(6, 4))
    matrix = matrix + matrix.T

    def critic(x):
        return 0.5 * jnp.einsum("bi,ij,bj->b", x, jnp.float32(matrix), x) + x @ jnp.float32(bias)

    norms = np.linalg.norm(x @ matrix + bias, axis=1)
    np.testing.assert_allclose(
        getattr(losses, name)(critic, jnp.float32(x)), PENALTIES[name](norms), rtol=1e-5, atol=1e-5
    )


@every_penalty
def test_gradient_with_respect_to_the_critics_parameters(name):
    # The critic v tanh(W x) has the gradient W'(v (1 - tanh^2)); differences of the penalty of that, in float64.
    x, sizes = RNG.normal(size=(6, 3)), ((4, 3), (4,))
    parameters = RNG.normal(size=16)

    def split(flat):
        return flat[:12].reshape(sizes[0]), flat[12:].reshape(sizes[1])

    def oracle(flat):
        matrix, weight = split(flat)
        gradient = (weight * (1 - np.tanh(x @ matrix.T) ** 2)) @ matrix
        return PENALTIES[name](np.linalg.norm(gradient, axis=1)).sum()

    def total(flat):
        matrix, weight = split(flat)
        return getattr(losses, name)(lambda x: jnp.tanh(x @ matrix.T) @ weight, jnp.float32(x)).sum()

    value, gradient = jax.jit(jax.value_and_grad(total))(jnp.float32(parameters))
    np.testing.assert_allclose(value, oracle(parameters), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(gradient, optimize.approx_fprime(parameters, oracle, 1e-7), rtol=1e-4, atol=1e-4)


@every_penalty
def test_gradient_is_finite_where_the_norm_is_zero(name):
    # weight * |x|^2 has no gradient at x = 0, nor anywhere at weight 0: the rows there add nothing, and no nan.
    def total(weight, x):
        return getattr(losses, name)(lambda x: weight * jnp.sum(jnp.square(x), axis=1), x).sum()

    x = jnp.array([[0.0, 0.0], [3.0, 4.0]])
    np.testing.assert_allclose(total(0.5, x), PENALTIES[name](0.0) + PENALTIES[name](5.0), rtol=1e-6)
    of_weight, of_x = jax.grad(total, (0, 1))(0.5, x)
    # The norm is 2 weight |x| = 10 weight in the second row; d/dnorm is 2 (norm - 1), or 2 norm.
    slope = 2 * (5 - 1) if name == "gradient_penalty" else 2 * 5
    np.testing.assert_allclose(of_weight, slope * 10, rtol=1e-6)
    np.testing.assert_allclose(of_x, slope * np.array([[0, 0], [0.6, 0.8]]), rtol=1e-6)
    for gradient in jax.jit(jax.grad(total, (0, 1)))(0.0, x):
        np.testing.assert_array_equal(gradient, np.zeros_like(gradient))


@every_penalty
def test_penalty_of_a_critic_of_the_wrong_kind_is_refused(name):
    x = jnp.ones((5, 3))
    for critic in (lambda x: x[:, :1], jnp.mean, lambda x: x.ravel(), lambda x: x[1:, 0]):
        with pytest.raises(AssertionError):
            getattr(losses, name)(critic, x)
    with pytest.raises(AssertionError):
        getattr(losses, name)(functools.partial(jnp.sum, axis=1), jnp.ones((5, 3), jnp.int32))


@pytest.mark.parametrize("name", TWO_PLAYERS)
@pytest.mark.parametrize("shapes", [((4,), (4, 1)), ((4, 1), (4,)), ((4,), (1,)), ((4,), (3,)), ((4, 1), (4, 1))])
def test_unequal_batches_are_refused(name, shapes):
    with pytest.raises(AssertionError):
        getattr(losses, name)(*(jnp.zeros(shape) for shape in shapes))


@pytest.mark.parametrize("name", ONE_PLAYER)
@pytest.mark.parametrize("wrong", [jnp.zeros(()), jnp.zeros((4, 1)), jnp.zeros(4, jnp.int32)])
def test_generators_refuse_wrong_arguments(name, wrong):
    with pytest.raises(AssertionError):
        getattr(losses, name)(wrong)
