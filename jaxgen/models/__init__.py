"""Flax Linen models: numbers plus a forward pass. No loss, optimizer or sampling loop inside."""

from jaxgen.models.autoencoder import (
    Autoencoder,
    Decoder,
    Encoder,
    Gaussian,
    GaussianEncoder,
)
from jaxgen.models.classifier import (
    Classifier,
)
from jaxgen.models.convolution import (
    conv_general_dilated,
)
from jaxgen.models.gan import (
    DCGANDiscriminator,
    DCGANGenerator,
    Discriminator,
    Generator,
    Maxout,
    pack,
    with_class,
    with_minibatch_std,
)
from jaxgen.models.hierarchical_vae import (
    HierarchicalVAE,
)
from jaxgen.models.layers import (
    MLP,
    conv,
    conv_transpose,
)
from jaxgen.models.naive_bayes import (
    ClassMoments,
    class_moments,
    merge,
    total_variance,
)
from jaxgen.models.vae import (
    VAE,
)

__all__ = [
    "MLP",
    "VAE",
    "Autoencoder",
    "ClassMoments",
    "Classifier",
    "DCGANDiscriminator",
    "DCGANGenerator",
    "Decoder",
    "Discriminator",
    "Encoder",
    "Gaussian",
    "GaussianEncoder",
    "Generator",
    "HierarchicalVAE",
    "Maxout",
    "class_moments",
    "conv",
    "conv_general_dilated",
    "conv_transpose",
    "merge",
    "pack",
    "total_variance",
    "with_class",
    "with_minibatch_std",
]
