"""PixelCNN of each class of dynamically binarized MNIST (van den Oord et al. 2016b, eq. 3): a generative classifier.

    JAXGEN_DATA=DIR python -m train configs/conditional_pixelcnn_mnist.py
    python -m train.sample runs/conditional_pixelcnn_mnist --y 3

By Bayes' rule log p(x | y) of all classes classifies; `python -m train.evaluate` says how well.
"""

import functools

from configs.pixelcnn_mnist_static import experiment as pixelcnn

experiment = functools.partial(pixelcnn, data="mnist", binarize=True, conditional=True, blocks=5, steps=2000)
