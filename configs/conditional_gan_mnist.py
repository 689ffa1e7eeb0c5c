"""Conditional GAN on MNIST: generator and discriminator both see the class (Mirza & Osindero 2014).

    JAXGEN_DATA=DIR python -m train configs/conditional_gan_mnist.py

The networks are those of `configs/dcgan_mnist.py`.
"""

import functools

from configs.dcgan_mnist import experiment as dcgan

experiment = functools.partial(dcgan, conditional=True)
