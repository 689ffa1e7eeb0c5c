"""BiGAN on MNIST, permutation-invariant: G, E and the discriminator of pairs are MLPs (Donahue et al. 2017, section 4).

    JAXGEN_DATA=DIR python -m train configs/bigan_mnist.py

The paper's networks have two layers of 1,024, z ~ U(-1, 1) with 50 values, Adam 2e-4 with beta1 .5, weight decay 2.5e-5
and 400 epochs; here z is N(0, I), the rate is constant and the default is a tenth of the epochs.
`--regress 0` is the paper's latent regressor, `--regress 0.25` the joint one. Not trained to its end here.
"""

import jax
import optax

from jaxgen import models, preprocess, recipes
from jaxgen.recipe import Recipe
from train.experiment import DataSpec, Experiment, Fraction, GameName, Rate, Size, Weight


def experiment(
    *,
    learning_rate: Rate = 2e-4,
    beta1: Fraction = 0.5,
    weight_decay: Weight = 2.5e-5,
    latent_dim: Size = 50,
    hidden: tuple[Size, ...] = (1024, 1024),
    game: GameName = "non-saturating",
    simultaneous: bool = True,
    regress: Weight | None = None,
) -> Experiment:
    """`hidden` are the layers of all three networks."""

    def recipe(spec: DataSpec) -> Recipe:
        spec.require_unit_interval("a sigmoid")

        def adam(learning_rate: Rate) -> optax.GradientTransformation:
            # In the gradient, as L2 regularisation is.
            return optax.chain(optax.add_decayed_weights(weight_decay), optax.adam(learning_rate, b1=beta1))

        return recipes.bigan(
            models.Generator(spec.shape, hidden, batch_norm=True, output_activation=jax.nn.sigmoid),
            models.InferenceNetwork(latent_dim, hidden),
            models.JointDiscriminator(hidden) if regress is None else models.Discriminator(hidden),
            optax.inject_hyperparams(adam)(learning_rate),
            adam(learning_rate),
            latent_dim=latent_dim,
            game=game,
            order="at once" if simultaneous else "in turn",
            regress=regress,
        )

    return Experiment(
        recipe=recipe,
        prepare=preprocess.scale,
        data="mnist",
        batch_size=128,
        steps=15600,
        evaluate_every=1950,
        checkpoint_every=1950,
    )
