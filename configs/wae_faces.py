"""WAE-MMD on faces: Frey faces (Roweis), a film of one person, or Olivetti faces, 40 people.

    JAXGEN_DATA=DIR python -m train configs/wae_faces.py
    JAXGEN_DATA=DIR python -m train configs/wae_faces.py --data olivetti_faces --steps 1000 --decay-steps 1000 \
        --run-dir runs/olivetti

The options are those of `configs/wae_mmd_mnist.py`. 2 CPU cores, busy: two minutes. Reached on Frey faces: squared
error 1.70 [1.55, 1.86] per image, and codes not distinguishable from the prior (one seed, docs/results/wae.md).
"""

from configs.wae_mmd_mnist import experiment as on_mnist
from train.experiment import variant

experiment = variant(
    on_mnist,
    data="frey_faces",
    latent_dim=4,
    channels=(32, 64),
    hidden=(256,),
    steps=3000,
    decay_steps=3000,
    cost_weight=0.5,
)
