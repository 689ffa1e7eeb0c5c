"""Flax Linen models: numbers plus a forward pass. No loss, optimizer or sampling loop inside."""

from jaxgen.models.autoencoder import (
    Decoder,
    Gaussian,
    GaussianEncoder,
)
from jaxgen.models.layers import (
    MLP,
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
]
