"""Gated PixelCNN on statically binarized MNIST (van den Oord et al. 2016b).

    JAXGEN_DATA=DIR python -m train configs/gated_pixelcnn_mnist_static.py

The options are those of `configs/pixelcnn_mnist_static.py`. A public reproduction reaches 81.50 nats on dynamically
binarized MNIST. One busy CPU core: 43 minutes for 2.6 epochs. Reached: 84.12 nats [83.72, 84.52], one seed
(docs/results/autoregressive.md).
"""

from configs.pixelcnn_mnist_static import experiment as pixelcnn
from train.experiment import variant

experiment = variant(pixelcnn, network="gated", blocks=15, steps=8000)
