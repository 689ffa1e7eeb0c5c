"""Conditional GAN on MNIST: generator and discriminator both see the class (Mirza & Osindero 2014).

    JAXGEN_DATA=DIR python -m train configs/conditional_gan_mnist.py

The networks are those of `configs/dcgan_mnist.py`; the paper uses MLPs. 2 CPU cores: 5 to 8 minutes. Reached: Frechet
distance 5.4 on classifier features (training data: 1.14; docs/results/gans.md). Sample classes with
`python -m train sample RUN --y 0 1 2`.
"""

from configs.dcgan_mnist import experiment as dcgan
from train.experiment import variant

experiment = variant(dcgan, conditional=True)
