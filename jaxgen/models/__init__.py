"""Flax Linen models: numbers plus a forward pass. No loss, optimizer or sampling loop inside."""

from jaxgen.models.autoencoder import (
    Decoder,
    Gaussian,
    GaussianEncoder,
)
from jaxgen.models.convolution import (
    conv_general_dilated,
)
from jaxgen.models.layers import (
    MLP,
    conv,
    conv_transpose,
)
from jaxgen.models.vae import (
    VAE,
)

__all__ = [
    "MLP",
    "VAE",
    "Decoder",
    "Gaussian",
    "GaussianEncoder",
    "conv",
    "conv_general_dilated",
    "conv_transpose",
]
