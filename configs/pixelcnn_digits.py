"""PixelCNN on scikit-learn's 8 x 8 digits, binarized anew at each visit: minutes, and no data to fetch.

python -m train configs/pixelcnn_digits.py
"""

import functools

from configs.pixelcnn_mnist_static import experiment as pixelcnn

experiment = functools.partial(pixelcnn, data="digits", binarize=True, blocks=5, steps=8000)
