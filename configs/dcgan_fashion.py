"""DCGAN on Fashion-MNIST: `configs/dcgan_mnist.py`, its options and its budget, on other data.

    JAXGEN_DATA=DIR python -m train configs/dcgan_fashion.py

2 CPU cores: 6 minutes. Reached: Frechet distance 10.6 on features of a classifier (training data: 0.18;
docs/results/gans.md).
"""

from configs.dcgan_mnist import experiment as on_mnist
from train.experiment import variant

experiment = variant(on_mnist, data="fashion_mnist")
