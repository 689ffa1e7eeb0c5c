"""Wasserstein autoencoder with MMD on scikit-learn's 8 x 8 digits: a minute, and no data to fetch.

python -m train configs/wae_mmd_digits.py
"""

import functools

from configs.wae_mmd_mnist import experiment as on_mnist

experiment = functools.partial(on_mnist, data="digits", channels=(), hidden=(256, 256), cost_weight=0.5)
