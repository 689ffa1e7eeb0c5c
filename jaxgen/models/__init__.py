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
    "Decoder",
    "Encoder",
    "Gaussian",
    "GaussianEncoder",
    "HierarchicalVAE",
    "class_moments",
    "conv",
    "conv_general_dilated",
    "conv_transpose",
    "merge",
    "total_variance",
]
