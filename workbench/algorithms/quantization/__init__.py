"""What quantization computes with: grids of weights, ranges of activations, and where these are rounded."""
