"""Glow on faces of 40 people, with the networks and options of `configs/glow_mnist.py`.

    JAXGEN_DATA=DIR python -m train configs/glow_faces.py
    python -m train interpolate runs/glow_faces --source-rows 0 --target-rows 10 --example 0 --alphas 0 1 8

Kingma & Dhariwal 2018, section 6: samples at a temperature below 1, and interpolation between people, here of the
test set, whom the model has not seen.
"""

from configs.glow_mnist import experiment as on_mnist
from train.experiment import variant

experiment = variant(on_mnist, data="olivetti_faces", temperature=0.7, batch_size=32, steps=3000, evaluate_every=500)
