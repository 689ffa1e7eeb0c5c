"""Super-resolution of the Olivetti faces, 8 x 8 to 32 x 32, as in `configs/superres_mnist.py`.

    JAXGEN_DATA=DIR python -m train configs/superres_faces.py
    python -m train sample runs/superres_faces --given test

People are held out: the test set has four people whom the model has never seen. 64 grey values.
"""

from configs.superres_mnist import experiment as on_mnist
from train.experiment import variant

experiment = variant(on_mnist, data="olivetti_faces_32", factor=4, levels=64, head=64, steps=3000)
