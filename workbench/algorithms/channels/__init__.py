"""Removing whole channels: what shrinks together, what matters least, and the smaller model."""
