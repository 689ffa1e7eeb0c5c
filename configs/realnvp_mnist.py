"""RealNVP on the logits of dequantized MNIST, under the protocol of `configs/maf_mnist.py` and in the same table.

    JAXGEN_DATA=DIR python -m train configs/realnvp_mnist.py --seeds 5

Five or ten affine couplings (`--num-layers 10`) of alternating pixels, without a multi-scale architecture.
"""

from configs.maf_mnist import experiment as maf
from train.experiment import variant

experiment = variant(maf, layer="coupling")
