"""A VAE with several stochastic layers z_1 ... z_L (Rezende et al. 2014; Burda et al. 2016, section 3)."""

from collections.abc import Sequence

import jax
from flax import linen as nn

from jaxgen.models.autoencoder import Gaussian


class HierarchicalVAE(nn.Module):
    """q(z_1 | x) prod q(z_l | z_{l-1}) and p(z_L) prod p(z_{l-1} | z_l) p(x | z_1).

    `encoders` are the L modules of q, from x upwards, and `priors` the L - 1 modules of p, from the top downwards, each
    [B, ...] -> Gaussian; the decoder maps [B, Z_1] -> [B, ...].
    """

    encoders: Sequence[nn.Module]
    priors: Sequence[nn.Module]
    decoder: nn.Module

    def setup(self) -> None:
        """Check that the sizes of encoders and priors match."""
        sizes = [encoder.latent_dim for encoder in self.encoders[-2::-1]]
        if [prior.latent_dim for prior in self.priors] != sizes:
            raise ValueError(
                f"expected priors of latent sizes {sizes}, those of the encoders but the top one, downwards"
            )

    @property
    def latent_dims(self) -> tuple[int, ...]:
        """Latent sizes Z_1 ... Z_L."""
        return tuple(encoder.latent_dim for encoder in self.encoders)

    def infer(self, below: jax.Array, layer: int) -> Gaussian:
        """q(z_{layer + 1} | z_layer), with z_0 = x: [B, ...] -> Gaussian of [B, Z]."""
        return self.encoders[layer](below)

    def generate(self, above: jax.Array, layer: int) -> Gaussian:
        """p(z_{layer + 1} | z_{layer + 2}), for layers below the top: [B, Z] -> Gaussian of [B, Z]."""
        return self.priors[len(self.encoders) - 2 - layer](above)

    def decode(self, z: jax.Array) -> jax.Array:
        """The parameters of p(x | z_1): [B, Z] -> [B, ...]."""
        return self.decoder(z)

    def __call__(self, x: jax.Array) -> jax.Array:
        """The reconstruction through the means of all layers: [B, ...] -> [B, ...]."""
        z = x
        for layer in range(len(self.encoders)):
            z = self.infer(z, layer).mean
        for layer in reversed(range(len(self.priors))):
            z = self.generate(z, layer).mean
        return self.decode(z)
