"""WAE-GAN on MNIST: a Wasserstein autoencoder with a discriminator of latents (Tolstikhin et al. 2018).

    JAXGEN_DATA=DIR python -m train configs/wae_gan_mnist.py --seeds 5

Options as in `configs/wae_mmd_mnist.py`. As in the authors' code the discriminator has four layers of 512 and half the
learning rate of the encoder, and lambda multiplies its loss too. One busy CPU core: 5 minutes per seed. Reached:
squared error 18.47 [17.95, 18.98], Frechet distance 95.0 [86.3, 103.7] from N(0, I) on a classifier's features (5
seeds, docs/results/wae.md).
"""

from configs.wae_mmd_mnist import experiment as wae
from train.experiment import variant

experiment = variant(wae, family="wae-gan")
