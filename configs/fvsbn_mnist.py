"""Fully visible sigmoid belief network on dynamically binarized MNIST (Frey et al. 1996).

    JAXGEN_DATA=DIR python -m train configs/fvsbn_mnist.py

The budget of a public reproduction that reports 96.58 nats: 50 epochs of batches of 512, Adam at 1e-3. It trains on all
60,000 images; here the last one validates. It is `configs/made_uci.py` without a hidden layer.
"""

from configs.made_uci import experiment as made
from train.experiment import variant

experiment = variant(
    made,
    optimizer="adam",
    learning_rate=1e-3,
    hidden=(),
    ordering="natural",
    binarize=True,
    data="mnist",
    batch_size=512,
    steps=5900,
    valid_rows=(59999, 60000),
    evaluate_every=590,
    checkpoint_every=590,
)
