"""Class-conditional PixelCNN on dynamically binarized MNIST; also a generative classifier (van den Oord et al. 2016b).

    JAXGEN_DATA=DIR python -m train configs/conditional_pixelcnn_mnist.py
    python -m train sample runs/conditional_pixelcnn_mnist --y 3

log p(x | y) of all classes gives a classifier by Bayes' rule; `python -m train evaluate` reports its accuracy. One busy
CPU core: 6 minutes. Reached: 88.65 nats [88.23, 89.06], accuracy 0.9151 [0.9096, 0.9211] (one seed,
docs/results/densities.md).
"""

from configs.pixelcnn_mnist_static import experiment as pixelcnn
from train.experiment import variant

experiment = variant(pixelcnn, data="mnist", binarize=True, conditional=True, blocks=5, steps=8000)
