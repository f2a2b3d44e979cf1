"""A quantized candidate as a runtime's own int8 kernels take it: its codes, its scales, its zero points."""
