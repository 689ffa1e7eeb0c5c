"""Model families: losses, networks and an optimizer wired into a `Recipe`, one family a file."""

from jaxgen.recipes.autoencoder import (
    autoencoder,
    rae,
)
from jaxgen.recipes.autoregressive import (
    autoregressive,
    made,
)
from jaxgen.recipes.bernoulli_mixture import (
    bernoulli_mixture,
)
from jaxgen.recipes.bigan import (
    bigan,
)
from jaxgen.recipes.classifier import (
    multinomial_classifier,
    one_vs_rest_classifier,
)
from jaxgen.recipes.cyclegan import (
    cyclegan,
)
from jaxgen.recipes.ema import (
    with_ema,
)
from jaxgen.recipes.flow import (
    flow,
)
from jaxgen.recipes.gan import (
    gan,
)
from jaxgen.recipes.gaussian import (
    gaussian,
)
from jaxgen.recipes.hierarchical_vae import (
    hierarchical_iwae,
    hierarchical_vae,
)
from jaxgen.recipes.infogan import (
    infogan,
)
from jaxgen.recipes.naive_bayes import (
    bernoulli_naive_bayes,
    gaussian_naive_bayes,
)
from jaxgen.recipes.schedule_free import (
    with_evaluation_parameters,
)
from jaxgen.recipes.vae import (
    iwae,
    vae,
)
from jaxgen.recipes.wae import (
    wae_gan,
    wae_mmd,
)

__all__ = [
    "autoencoder",
    "autoregressive",
    "bernoulli_mixture",
    "bernoulli_naive_bayes",
    "bigan",
    "cyclegan",
    "flow",
    "gan",
    "gaussian",
    "gaussian_naive_bayes",
    "hierarchical_iwae",
    "hierarchical_vae",
    "infogan",
    "iwae",
    "made",
    "multinomial_classifier",
    "one_vs_rest_classifier",
    "rae",
    "vae",
    "wae_gan",
    "wae_mmd",
    "with_ema",
    "with_evaluation_parameters",
]
