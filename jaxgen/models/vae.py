"""The variational autoencoder of Kingma & Welling 2014, optionally conditioned on a class (Sohn et al. 2015)."""

import jax
from flax import linen as nn

from jaxgen.models.autoencoder import Gaussian
from jaxgen.models.layers.condition import with_class


class VAE(nn.Module):
    """An encoder [B, ...] -> Gaussian and a decoder [B, Z] -> [B, ...]; a conditional VAE gives y to both."""

    encoder: nn.Module
    decoder: nn.Module
    num_classes: int | None = None  # None: unconditional, y is ignored

    @property
    def latent_dim(self) -> int:
        """Latent size Z."""
        return self.encoder.latent_dim

    def encode(self, x: jax.Array, y: jax.Array | None = None) -> Gaussian:
        """q(z | x), or q(z | x, y): [B, ...], [B] -> Gaussian of [B, Z]."""
        if self.num_classes is not None and not getattr(self.encoder, "channels", ()):
            x = x.reshape(x.shape[0], -1)  # so that the class adds K numbers instead of K channels
        return self.encoder(self._with_class(x, y))

    def decode(self, z: jax.Array, y: jax.Array | None = None) -> jax.Array:
        """The parameters of p(x | z), or of p(x | z, y): [B, Z], [B] -> [B, ...]."""
        return self.decoder(self._with_class(z, y))

    def __call__(self, x: jax.Array, y: jax.Array | None = None) -> jax.Array:
        """The reconstruction from the posterior mean: [B, ...], [B] -> [B, ...]."""
        return self.decode(self.encode(x, y).mean, y)

    def _with_class(self, inputs: jax.Array, y: jax.Array | None) -> jax.Array:
        if self.num_classes is None:
            return inputs
        if y is None:
            raise ValueError(
                f"this VAE is conditional on a class: y must be given, integers in 0..{self.num_classes - 1}"
            )
        return with_class(inputs, y, self.num_classes)
