"""Linear, MLP and convolutional classifiers."""

from collections.abc import Callable, Sequence

import jax
from flax import linen as nn

from jaxgen.models.layers.basic import MLP, conv


class Classifier(nn.Module):
    """A classifier, logits of K classes, with the last hidden layer as features: [B, ...] -> [B, K].

    Each of `channels` is a 3 x 3 convolution followed by 2 x 2 max-pooling (LeCun et al. 1998); an MLP with the
    `hidden` layers follows. Without both it is linear, and its features are x.
    """

    num_classes: int
    hidden: Sequence[int] = ()
    activation: Callable[[jax.Array], jax.Array] = nn.relu
    channels: Sequence[int] = ()

    def setup(self) -> None:
        """Name the layers."""
        self.convolutions = [conv(features, (3, 3)) for features in self.channels]
        self.mlp = MLP(self.hidden, self.activation)
        self.logits = nn.Dense(self.num_classes)

    def features(self, x: jax.Array) -> jax.Array:
        """The last hidden layer: [B, ...] -> [B, F]."""
        if self.channels and x.ndim != 4:
            raise ValueError(f"a convolutional classifier needs images [B, H, W, C], got shape {x.shape}")
        for convolution in self.convolutions:
            x = nn.max_pool(self.activation(convolution(x)), (2, 2), (2, 2), padding="SAME")
        return self.mlp(x)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Logits [B, K]."""
        return self.logits(self.features(x))
