"""A net begun anew: the same structure, weights drawn as its layers draw them."""

from __future__ import annotations

from torch import nn

from workbench.randomness import isolated_random


def initialised(model: nn.Module, seed: int) -> nn.Module:
    """`model` itself, in eval mode, every layer's weights drawn anew from `seed`.

    A parameter of a person's own module without `reset_parameters` is drawn with the mean and the spread it
    has, since nobody says how it was begun; a module's own `reset_parameters` is used where there is one.
    """
    with isolated_random(seed):
        for module in model.modules():
            reset = getattr(module, "reset_parameters", None) or getattr(module, "_reset_parameters", None)
            if callable(reset):
                reset()
            else:
                _drawn_anew(module)
    return model.eval()


def _drawn_anew(module: nn.Module) -> None:
    import torch

    with torch.no_grad():
        for parameter in module.parameters(recurse=False):
            if parameter.numel() > 1 and parameter.is_floating_point():
                parameter.normal_(float(parameter.mean()), float(parameter.std()))
