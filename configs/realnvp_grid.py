"""RealNVP on a grid of 25 Gaussians, with the options of `configs/realnvp_ring.py`.

    python -m train configs/realnvp_grid.py

The entropy of the data is log 25 + 1 + log(2 pi .0025) = 0.065 nats.
"""

from configs.realnvp_ring import experiment as on_ring
from train.experiment import variant

experiment = variant(on_ring, data="grid")
