"""DCGAN on Fashion-MNIST, with the options and the budget of `configs/dcgan_mnist.py`.

    JAXGEN_DATA=DIR python -m train configs/dcgan_fashion.py

2 CPU cores: 6 minutes. Reached: Frechet distance 10.6 on classifier features (training data: 0.18;
docs/results/gans.md).
"""

from configs.dcgan_mnist import experiment as on_mnist
from train.experiment import variant

experiment = variant(on_mnist, data="fashion_mnist")
