"""Colourization of CIFAR-10 given shades of grey, with the network and options of `configs/superres_mnist.py`.

    JAXGEN_DATA=DIR python -m train configs/colorize_cifar.py
    python -m train sample runs/colorize_cifar --given test

On the subset of 4,000 images, whose numbers stand beside no published ones; 32 values of each channel.
"""

from configs.superres_mnist import experiment as superresolution
from train.experiment import variant

experiment = variant(superresolution, data="cifar10_4k", given="grey", levels=32, channels=24, head=96, steps=3000)
