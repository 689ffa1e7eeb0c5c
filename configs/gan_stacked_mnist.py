"""DCGAN on stacked MNIST, three digits as colour channels, 1,000 modes (Srivastava et al. 2017, section 4.2).

    JAXGEN_DATA=DIR python -m train configs/gan_stacked_mnist.py

The networks are those of `configs/dcgan_mnist.py`. The protocol of PacGAN (Lin et al. 2018, section 4.2) is 50 epochs
of 128,000 images, 100,000 steps; here a tenth of the images is used for validation. Its batch of 64 packs would be
`--packing 2 --batch-size 128`. 2 CPU cores: 4 to 7 minutes. Reached: 999 modes, reverse KL 0.29, and with `--packing 2`
981 and 0.51 (published baselines: 99 and 78.9 modes; docs/results/gans.md).
"""

from configs.dcgan_mnist import experiment as dcgan
from train.experiment import variant

experiment = variant(dcgan, data="stacked_mnist")
