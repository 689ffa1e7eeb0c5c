"""PixelCNN++ on a subset of CIFAR-10 in colour, with the network and options of `configs/pixelcnnpp_fashion.py`.

    JAXGEN_DATA=DIR python -m train configs/pixelcnnpp_cifar.py

4,000 of the 60,000 images: its bits per dimension stand beside no published ones. Two epochs, so without dropout.
"""

from configs.pixelcnnpp_fashion import experiment as on_fashion
from train.experiment import variant

experiment = variant(
    on_fashion, data="cifar10_4k", components=10, decay=5e-3, steps=400, evaluate_every=200, checkpoint_every=200
)
