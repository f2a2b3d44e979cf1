"""Removing whole channels: what shrinks together, what matters least, and the smaller model."""

from workbench.algorithms.channels.locks import Lock, locks

__all__ = ["Lock", "locks"]
