"""Gated PixelCNN on statically binarized MNIST: `configs/pixelcnn_mnist_static.py` with two gated stacks.

JAXGEN_DATA=DIR python -m train configs/gated_pixelcnn_mnist_static.py
"""

import functools

from configs.pixelcnn_mnist_static import experiment as pixelcnn

experiment = functools.partial(pixelcnn, network="gated", blocks=15, steps=8000)
