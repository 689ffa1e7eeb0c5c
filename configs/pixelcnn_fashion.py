"""PixelCNN on the 256 grey values of Fashion-MNIST, whose likelihood MNIST is held against in `train detect`.

    JAXGEN_DATA=DIR python -m train configs/pixelcnn_fashion.py
    JAXGEN_DATA=DIR python -m train configs/pixelcnn_fashion.py --mutation 0.2 --run-dir runs/background

What it reaches in 1,000 steps of 64 images, 5 minutes on 2 busy CPU cores, stands in docs/results/densities.md; by
default there are twice as many images. The second is a background model (Ren et al. 2019): a fifth of the pixels it
learns from are replaced by random ones.
"""

from configs.pixelcnn_mnist_static import experiment as pixelcnn
from train.experiment import variant

experiment = variant(pixelcnn, data="fashion_mnist", levels=256, blocks=5, steps=8000)
