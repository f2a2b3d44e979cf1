"""Compress neural networks by hand in a notebook, and watch what happens."""

from workbench._version import __version__ as __version__
