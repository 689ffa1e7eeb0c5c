"""Convolutional VAE on faces: Frey faces (Roweis), a film of one person, or Olivetti faces, 40 people.

    JAXGEN_DATA=DIR python -m train configs/vae_faces.py
    JAXGEN_DATA=DIR python -m train configs/vae_faces.py --data olivetti_faces --latent-dim 8 --steps 1000 \
        --run-dir runs/olivetti

The networks and options are those of `configs/vae_fashion.py`. Kingma & Welling 2014 use the Frey faces. log 1,565 =
7.4 nats suffice to tell 1,565 images apart, and a much larger KL leaves holes in the prior: hence 4 latents and a wide
Gaussian over grey values. Olivetti holds out people: 36 faces generalise poorly to others, as the reconstructions show.
2 CPU cores: 2 minutes. Reached on Frey faces: negative ELBO -240.54 nats [-241.69, -239.24] of density
(docs/results/vae_faces.json).
"""

from configs.vae_fashion import experiment as on_fashion
from train.experiment import variant

experiment = variant(on_fashion, data="frey_faces", latent_dim=4, std=0.25, steps=3000, batch_size=100)
