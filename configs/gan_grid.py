"""GAN on a grid of 25 Gaussians, with the options and the protocol of `configs/gan_ring.py`.

    python -m train configs/gan_grid.py --seeds 10

Reached: 18.3 modes of 25 [16.6, 20.0], 61.2 % high-quality samples; with `--packing 2 --batch-size 200` 24.3 modes
[16.8, 24.8], 56.2 % (10 seeds, docs/results/gans.md).
"""

from configs.gan_ring import experiment as on_ring
from train.experiment import variant

experiment = variant(on_ring, data="grid")
