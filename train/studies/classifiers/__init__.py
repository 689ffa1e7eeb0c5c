"""Classifiers that studies compare, generative and discriminative, and their curves over training examples."""
