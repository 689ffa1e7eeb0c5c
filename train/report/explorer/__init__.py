"""The explorer of a report: a latent map, lines between classes and components, decoded beforehand."""
