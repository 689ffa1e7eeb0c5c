"""GAN on a ring of 8 Gaussians, with the protocol of PacGAN (Lin et al. 2018, section 4.1).

    python -m train configs/gan_ring.py [--seeds 10]

The paper trains for 400,000 steps, by default this is a tenth, 11 minutes per seed on one idle core. Reached: 7.9 modes
[5.4, 8.0], 83.0 % high-quality samples, reverse KL 0.28 nats (10 seeds, docs/results/gans.md). Variants, with results
on the same page: `--packing 2 --batch-size 200` (PacGAN2; the batch size counts examples), and the small network
`--init-std None --hidden 128 128 --discriminator-hidden 128 128 --pieces 1 --no-batch-norm --learning-rate 1e-3 --beta1
0.5` with `--latent-dim 254 --batch-size 500` (VEEGAN's) or with `--game wasserstein --critic-steps 5 --gradient-penalty
10` (WGAN-GP).
"""

import jax
import optax

from jaxgen import models, preprocess, recipes
from jaxgen.recipe import Recipe
from train.experiment import DataSpec, Experiment, Fraction, GameName, Rate, Size, Weight


def experiment(
    *,
    learning_rate: Rate = 1e-4,
    beta1: Fraction = 0.8,
    latent_dim: Size = 2,
    hidden: tuple[Size, ...] = (400, 400, 400, 400),
    batch_norm: bool = True,
    norm_momentum: Fraction = 0.99,
    norm_epsilon: Rate = 1e-5,
    hidden_bias: bool = True,
    init_std: Rate | None = 0.02,
    discriminator_hidden: tuple[Size, ...] = (200, 200, 200),
    pieces: Size = 5,
    game: GameName = "non-saturating",
    critic_steps: Size = 1,
    gradient_penalty: Weight = 0.0,
    packing: Size = 1,
    simultaneous: bool = False,
) -> Experiment:
    """A generator with batch norm and ReLU against a maxout discriminator that sees packs of `packing` points.

    Weights are initialised from N(0, init_std^2), or with `--init-std None` from LeCun's distribution. The authors'
    code also has `--simultaneous --norm-momentum 0.95 --norm-epsilon 1e-4 --no-hidden-bias`.
    """
    kernel_init = jax.nn.initializers.lecun_normal() if init_std is None else jax.nn.initializers.normal(init_std)

    def recipe(spec: DataSpec) -> Recipe:
        return recipes.gan(
            models.Generator(
                spec.shape,
                hidden,
                batch_norm=batch_norm,
                momentum=norm_momentum,
                epsilon=norm_epsilon,
                hidden_bias=hidden_bias,
                kernel_init=kernel_init,
                dtype=spec.dtype,
            ),
            models.Discriminator(discriminator_hidden, pieces=pieces, kernel_init=kernel_init, dtype=spec.dtype),
            optax.inject_hyperparams(optax.adam)(learning_rate, b1=beta1),
            optax.adam(learning_rate, b1=beta1),
            latent_dim=latent_dim,
            game=game,
            critic_steps=critic_steps,
            gradient_penalty=gradient_penalty,
            packing=packing,
            order="at once" if simultaneous else "in turn",
        )

    return Experiment(
        recipe=recipe,
        prepare=preprocess.scale,
        data="ring",
        batch_size=100,
        steps=40000,
        evaluate_every=1000,
        checkpoint_every=1000,
    )
