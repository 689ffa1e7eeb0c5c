"""Regularised autoencoder on MNIST, sampled by a density fitted to its codes (Ghosh et al. 2020).

    JAXGEN_DATA=DIR python -m train configs/rae_mnist.py --seeds 5
    python -m train sample runs/rae_mnist --prior gmm

The networks and options are those of `configs/wae_mmd_mnist.py`. It has the paper's penalty on the codes; the one on
the decoder's weights would be an optimizer with weight decay. 2 CPU cores, busy: 4 minutes per seed. Reached: Frechet
distance 48.7 [46.1, 51.4] from a mixture fitted to the codes, 551.9 from N(0, I) (5 seeds, docs/results/wae.md).
"""

from configs.wae_mmd_mnist import experiment as wae
from train.experiment import variant

experiment = variant(wae, family="rae")
