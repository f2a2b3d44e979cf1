"""What the examples are made of: the record, the checkpoint file, and the readers of their data."""
