"""Wasserstein autoencoder with a latent discriminator on MNIST: `configs/wae_mmd_mnist.py` with an adversary.

JAXGEN_DATA=DIR python -m train configs/wae_gan_mnist.py
"""

import functools

from configs.wae_mmd_mnist import experiment as wae

experiment = functools.partial(wae, family="wae-gan")
