"""The scripts that made what `data/` holds: the checkpoints and the subset of MNIST."""
