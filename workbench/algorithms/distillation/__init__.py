"""Distillation: what is taught (losses/), between which layers, by whom, and to what student."""
