"""GAN losses of discriminator and generator, and gradient penalties.

Real and fake batches have the same B: row i of a discriminator loss is the sum of the terms of real example i and fake
example i, so that the mean over rows is the sum of the two expectations in the paper. D = sigmoid(logits); scores are
raw network outputs.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxgen._checks import check
from jaxgen.losses._reduce import flat, root, sum_event


def minimax_discriminator_loss(real_logits: jax.Array, fake_logits: jax.Array, *, smoothing: float = 0.0) -> jax.Array:
    """-log D(x) - log(1 - D(G(z))), which is -V, in nats: [B], [B] -> [B].

    Goodfellow et al. 2014, eq. 1, negated so that it is minimised; at the optimum D = p / (p + q) its mean is log 4 - 2
    JSD. With `smoothing` the target of real examples only is 1 - smoothing (one-sided label smoothing, Salimans et al.
    2016, section 3.4). Raises AssertionError unless both are floating [B], ValueError unless 0 <= smoothing < 1.
    """
    check("minimax_discriminator_loss", real_logits=(real_logits, "float [B]"), fake_logits=(fake_logits, "float [B]"))
    if not 0 <= smoothing < 1:
        raise ValueError(f"smoothing must be at least 0 and less than 1, got {smoothing}")

    real, fake = real_logits.astype(jnp.float32), fake_logits.astype(jnp.float32)
    # log D = -softplus(-l) and log(1 - D) = -softplus(l) = -softplus(-l) - l: no probability is ever rounded to 0 or 1.
    return jax.nn.softplus(-real) + smoothing * real + jax.nn.softplus(fake)


def minimax_generator_loss(fake_logits: jax.Array) -> jax.Array:
    """log(1 - D(G(z))) in nats, negative and unbounded below: [B] -> [B].

    Goodfellow et al. 2014, eq. 1. Its gradient, -D, vanishes where the discriminator is confident; see
    `non_saturating_generator_loss`. Raises AssertionError unless the input is floating [B].
    """
    check("minimax_generator_loss", fake_logits=(fake_logits, "float [B]"))

    return -jax.nn.softplus(fake_logits.astype(jnp.float32))


def non_saturating_generator_loss(fake_logits: jax.Array) -> jax.Array:
    """-log D(G(z)) in nats: [B] -> [B].

    Goodfellow et al. 2014, section 3, last paragraph. Raises AssertionError unless the input is floating [B].
    """
    check("non_saturating_generator_loss", fake_logits=(fake_logits, "float [B]"))

    return jax.nn.softplus(-fake_logits.astype(jnp.float32))


def least_squares_discriminator_loss(real_scores: jax.Array, fake_scores: jax.Array) -> jax.Array:
    """1/2 (D(x) - 1)^2 + 1/2 D(G(z))^2 with D the score itself: [B], [B] -> [B].

    Mao et al. 2017 ("Least squares generative adversarial networks"), eq. 9. Raises AssertionError unless both are
    floating [B].
    """
    check(
        "least_squares_discriminator_loss",
        real_scores=(real_scores, "float [B]"),
        fake_scores=(fake_scores, "float [B]"),
    )

    real, fake = real_scores.astype(jnp.float32), fake_scores.astype(jnp.float32)
    return 0.5 * (jnp.square(real - 1) + jnp.square(fake))


def least_squares_generator_loss(fake_scores: jax.Array) -> jax.Array:
    """1/2 (D(G(z)) - 1)^2 with D the score itself: [B] -> [B].

    Mao et al. 2017, eq. 9. Raises AssertionError unless the input is floating [B].
    """
    check("least_squares_generator_loss", fake_scores=(fake_scores, "float [B]"))

    return 0.5 * jnp.square(fake_scores.astype(jnp.float32) - 1)


def hinge_discriminator_loss(real_scores: jax.Array, fake_scores: jax.Array) -> jax.Array:
    """max(0, 1 - D(x)) + max(0, 1 + D(G(z))) with D the score itself: [B], [B] -> [B].

    Lim & Ye 2017 ("Geometric GAN"); Miyato et al. 2018 ("Spectral normalization"), eq. 16, negated. The
    derivative at the margin is 0. Raises AssertionError unless both are floating [B].
    """
    check("hinge_discriminator_loss", real_scores=(real_scores, "float [B]"), fake_scores=(fake_scores, "float [B]"))

    real, fake = real_scores.astype(jnp.float32), fake_scores.astype(jnp.float32)
    return jax.nn.relu(1 - real) + jax.nn.relu(1 + fake)


def hinge_generator_loss(fake_scores: jax.Array) -> jax.Array:
    """-D(G(z)) with D the score itself: [B] -> [B].

    Miyato et al. 2018, eq. 17. Raises AssertionError unless the input is floating [B].
    """
    check("hinge_generator_loss", fake_scores=(fake_scores, "float [B]"))

    return -fake_scores.astype(jnp.float32)


def wasserstein_critic_loss(real_scores: jax.Array, fake_scores: jax.Array) -> jax.Array:
    """f(G(z)) - f(x), minus the estimated Wasserstein distance: [B], [B] -> [B].

    Arjovsky et al. 2017 ("Wasserstein GAN"), eq. 3, negated so that it is minimised. It is meaningful only for a
    Lipschitz f, as enforced by `gradient_penalty`. Raises AssertionError unless both are floating [B].
    """
    check("wasserstein_critic_loss", real_scores=(real_scores, "float [B]"), fake_scores=(fake_scores, "float [B]"))

    return fake_scores.astype(jnp.float32) - real_scores.astype(jnp.float32)


def wasserstein_generator_loss(fake_scores: jax.Array) -> jax.Array:
    """-f(G(z)): [B] -> [B].

    Arjovsky et al. 2017, theorem 3. Raises AssertionError unless the input is floating [B].
    """
    check("wasserstein_generator_loss", fake_scores=(fake_scores, "float [B]"))

    return -fake_scores.astype(jnp.float32)


def _squared_gradient_norm(function: str, critic: Callable[[jax.Array], jax.Array], x: jax.Array) -> jax.Array:
    """||grad critic(x_i)||^2 over the event axes: [B, ...] -> [B]."""
    check(function, x=(x, "float [B, ...]"))

    def total(points: jax.Array) -> jax.Array:
        scores = critic(points)
        check(function, x=(x, "float [B, ...]"), **{"critic(x)": (scores, "float [B]")})
        return jnp.sum(scores)

    # Score i depends on x_i alone, so the gradient of the sum holds the gradient of each score in its own row.
    return sum_event(jnp.square(flat(jax.grad(total)(x))))


def gradient_penalty(critic: Callable[[jax.Array], jax.Array], x: jax.Array) -> jax.Array:
    """(||grad critic(x)||_2 - 1)^2 at the given points, norm over the event axes: x [B, ...] -> [B].

    Gulrajani et al. 2017 ("Improved training of Wasserstein GANs"), eq. 3, without the weight. The caller draws the
    points; in the paper epsilon x + (1 - epsilon) G(z) with epsilon ~ U(0, 1) per example. `critic` maps [B, ...] to
    scores [B] and must not use batch norm or a minibatch standard deviation: score i would depend on other rows. Where
    the norm is 0 the value is 1 and the gradient, which does not exist, is 0. Raises AssertionError where x is not
    floating or the scores are not [B].
    """
    return jnp.square(root(_squared_gradient_norm("gradient_penalty", critic, x)) - 1)


def zero_centered_penalty(critic: Callable[[jax.Array], jax.Array], x: jax.Array) -> jax.Array:
    """||grad critic(x)||_2^2 at the given points, norm over the event axes: x [B, ...] -> [B].

    Mescheder et al. 2018 ("Which training methods for GANs do actually converge?"), eq. 9 at real x (R1) and eq. 10 at
    generated x (R2), without their factor gamma / 2, which is the caller's weight. `critic` and errors as in
    `gradient_penalty`.
    """
    return _squared_gradient_norm("zero_centered_penalty", critic, x)
