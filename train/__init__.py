"""The training application of jaxgen, run from a checkout: `python -m train configs/vae_digits.py`."""
