"""PixelCNN on the 256 grey values of Fashion-MNIST, for out-of-distribution detection with `python -m train detect`.

    JAXGEN_DATA=DIR python -m train configs/pixelcnn_fashion.py
    JAXGEN_DATA=DIR python -m train configs/pixelcnn_fashion.py --mutation 0.2 --run-dir runs/background

Results after 1,000 steps of 64 images, 5 minutes on 2 busy CPU cores, are in docs/results/densities.md; the default is
twice as many images. The second command trains a background model (Ren et al. 2019) on data in which a fifth of the
pixels are replaced by random ones.
"""

from configs.pixelcnn_mnist_static import experiment as pixelcnn
from train.experiment import variant

experiment = variant(pixelcnn, data="fashion_mnist", levels=256, blocks=5, steps=8000)
