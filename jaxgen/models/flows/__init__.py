"""Invertible layers, each x -> (z, log |det dz/dx|) with an `inverse`, and the chain of them that is a flow."""
