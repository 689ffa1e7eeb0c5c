"""Losses of generative models: arrays in, values out.

A loss takes `[B, ...]` and returns `[B]` in nats, summed in float32; the caller takes the mean once. Every `*_loss`,
`*_nll` and divergence is minimised; only `importance_weighted_bound` is maximised. Networks return logits, and the
caller draws the noise. Losses between two sets (`mmd_*`) return one value, in units of their kernel. Shapes and dtypes
are checked when a function is traced, at no cost once it is compiled.
"""

from jaxgen.losses.adversarial import (
    gradient_penalty,
    hinge_discriminator_loss,
    hinge_generator_loss,
    least_squares_discriminator_loss,
    least_squares_generator_loss,
    minimax_discriminator_loss,
    minimax_generator_loss,
    non_saturating_generator_loss,
    wasserstein_critic_loss,
    wasserstein_generator_loss,
    zero_centered_penalty,
)
from jaxgen.losses.divergences import (
    gaussian_kl,
    gaussian_kl_between,
    gaussian_kl_per_dim,
)
from jaxgen.losses.likelihoods import (
    bernoulli_nll,
    bits_per_dim,
    categorical_nll,
    change_of_variables_nll,
    gaussian_nll,
    squared_error,
)
from jaxgen.losses.logistic_mixture import (
    discretized_logistic_mixture_draw,
    discretized_logistic_mixture_nll,
    logistic_mixture_mean,
)
from jaxgen.losses.mmd import (
    inverse_multiquadric,
    latent_kernel,
    mmd_biased,
    mmd_unbiased,
    rbf,
)
from jaxgen.losses.vae import (
    NegativeElbo,
    free_bits,
    importance_weighted_bound,
    negative_elbo,
    reparameterize,
)

__all__ = [
    "NegativeElbo",
    "bernoulli_nll",
    "bits_per_dim",
    "categorical_nll",
    "change_of_variables_nll",
    "discretized_logistic_mixture_draw",
    "discretized_logistic_mixture_nll",
    "free_bits",
    "gaussian_kl",
    "gaussian_kl_between",
    "gaussian_kl_per_dim",
    "gaussian_nll",
    "gradient_penalty",
    "hinge_discriminator_loss",
    "hinge_generator_loss",
    "importance_weighted_bound",
    "inverse_multiquadric",
    "latent_kernel",
    "least_squares_discriminator_loss",
    "least_squares_generator_loss",
    "logistic_mixture_mean",
    "minimax_discriminator_loss",
    "minimax_generator_loss",
    "mmd_biased",
    "mmd_unbiased",
    "negative_elbo",
    "non_saturating_generator_loss",
    "rbf",
    "reparameterize",
    "squared_error",
    "wasserstein_critic_loss",
    "wasserstein_generator_loss",
    "zero_centered_penalty",
]
