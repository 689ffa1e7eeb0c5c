"""Regularised autoencoder on MNIST, sampled from by a density fitted to its codes (Ghosh et al. 2020).

    JAXGEN_DATA=DIR python -m train configs/rae_mnist.py
    python -m train.sample runs/rae_mnist --prior gmm

The networks and options are those of `configs/wae_mmd_mnist.py`.
"""

import functools

from configs.wae_mmd_mnist import experiment as wae

experiment = functools.partial(wae, family="rae")
