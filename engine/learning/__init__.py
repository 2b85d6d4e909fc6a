"""Optimising by gradients: the one loop, checkpoints, uniform Adam, networks."""
