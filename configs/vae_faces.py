"""Convolutional VAE on faces: Frey's film of one face (Roweis), or the 40 people of Olivetti.

    JAXGEN_DATA=DIR python -m train configs/vae_faces.py
    JAXGEN_DATA=DIR python -m train configs/vae_faces.py --data olivetti_faces --latent-dim 8 --steps 1000 \
        --run-dir runs/olivetti

The networks and options are those of `configs/vae_fashion.py`. Kingma & Welling 2014 trained on the first. 1,565 images
are at most log 1,565 = 7.4 nats apart: a KL far above that leaves holes in the prior, so there are 4 latents, and the
Gaussian over grey values is wide. The second holds out people: 36 faces say little of another, as the reconstructions
show. 2 CPU cores: 2 minutes. Reached on the first: negative ELBO -240.54 nats [-241.69, -239.24] of density
(docs/results/vae_faces.json).
"""

from configs.vae_fashion import experiment as on_fashion
from train.experiment import variant

experiment = variant(on_fashion, data="frey_faces", latent_dim=4, std=0.25, steps=3000, batch_size=100)
