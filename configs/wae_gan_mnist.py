"""Wasserstein autoencoder with a latent discriminator on MNIST: `configs/wae_mmd_mnist.py` with an adversary.

    JAXGEN_DATA=DIR python -m train configs/wae_gan_mnist.py --seeds 5

As in the authors' code: four layers of 512, half the encoder's rate, and lambda on its loss too. One busy CPU core: 5
minutes a seed. Reached: squared error 18.47 [17.95, 18.98], Frechet distance 95.0 [86.3, 103.7] from N(0, I) on a
classifier's features (5 seeds, docs/results/wae.md).
"""

from configs.wae_mmd_mnist import experiment as wae
from train.experiment import variant

experiment = variant(wae, family="wae-gan")
