"""ResNet-18 at rank ratio 0.25: time, error and latency of ours against tensorly's Tucker and the dense net.

    python tests/benchmarks/factorize_resnet18.py [--quick]

Prints, each within one run: CPU seconds to factorize every layer (ours, torch's SVD of the same unfoldings,
tensorly's iterative partial Tucker), reconstruction errors at the same ranks, a slider's move, latency of the
split net beside the dense one in turns (PyTorch eager; ONNX Runtime too without --quick), and for each layer
the predicted and the measured time. The weights are random with the spectra of trained ones: no pretrained
weights can be had offline. `--quick` leaves tensorly to the layers up to 256 channels.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torchvision
from torch import Tensor, nn

from workbench.algorithms.lowrank import multiplied, timing
from workbench.algorithms.lowrank.prepared import Prepared, PreparedLayer
from workbench.algorithms.lowrank.prepared import prepare as split_all
from workbench.algorithms.lowrank.ranks import choose
from workbench.algorithms.lowrank.rule import Rule
from workbench.algorithms.lowrank.thin import thin
from workbench.candidate import Candidate
from workbench.job import finish
from workbench.technique import Context, prepared
from workbench.techniques.factorize import Factorize
from workbench.workload import Workload

RATIO, ROUNDS = 0.25, 40


def net() -> nn.Module:
    """ResNet-18 whose kernels have falling spectra, as trained ones have (a power law, exponent 0.5)."""
    torch.manual_seed(0)
    model = torchvision.models.resnet18(weights=None).eval()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Conv2d):
                for mode in (0, 1):
                    module.weight.copy_(_colored(module.weight, mode))
    return model


def _colored(weight: Tensor, mode: int) -> Tensor:
    """The weight with the directions of one mode scaled by a power law, its norm kept."""
    unfolded = weight.movedim(mode, 0)
    basis, _ = torch.linalg.qr(torch.randn(len(unfolded), len(unfolded)))
    scales = torch.arange(1, len(unfolded) + 1) ** -0.5
    colored = (basis * scales) @ (basis.T @ unfolded.flatten(1))
    return (colored * weight.norm() / colored.norm()).reshape(unfolded.shape).movedim(0, mode)


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of this thread, and the result."""
    started = time.thread_time()
    result = work()
    return time.thread_time() - started, result


def of_ours(model: nn.Module, refine: int = 0) -> Candidate:
    """Every layer split from nothing: prepared and cut."""
    candidate, context = Candidate(model), Context(work=None)
    step = Factorize(RATIO, method="tucker", worth=0.0, where="any", refine=refine)
    return finish(step.apply(candidate, context, prepared(step, candidate, context)))


def of_torch(model: nn.Module) -> None:
    """torch's SVD of the two unfoldings of each convolution, and of the linear layer."""
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            weight = module.weight.detach()
            for mode in range(2 if weight.ndim == 4 and weight.shape[2] > 1 else 1):
                torch.linalg.svd(weight.movedim(mode, 0).flatten(1), full_matrices=False)


def of_tensorly(weight: Tensor, ranks: tuple[int, int]) -> Tensor:
    """tensorly's partial Tucker of a convolution at our ranks, multiplied back."""
    import tensorly
    from tensorly.decomposition import partial_tucker

    tensorly.set_backend("pytorch")
    (core, factors), _ = partial_tucker(weight, rank=list(ranks), modes=[0, 1], init="svd")
    return torch.einsum("rsxy,or,is->oixy", core, factors[0], factors[1])


def relative_error(weight: Tensor, near: Tensor) -> float:
    """The norm of the difference over the norm."""
    return float((weight - near).norm() / weight.norm())


def compare(model: nn.Module, quick: bool) -> dict[str, bool]:
    """Time and error against tensorly on the convolutions that Tucker splits, and on all layers."""
    plain = split_all(model, None, method="tucker")
    refined = split_all(model, None, method="tucker", sweeps=3)
    theirs, rows = 0.0, []
    for each, better in zip(plain.layers, refined.layers, strict=True):
        if "tucker" not in each.splits or (quick and each.layer.shape.out > 256):
            continue
        split, weight = each.splits["tucker"], each.layer.weight()
        ranks = split.at(RATIO)
        taken, near = seconds(lambda weight=weight, ranks=ranks: of_tensorly(weight, ranks))
        theirs += taken
        errors = [
            relative_error(
                weight, multiplied(thin(p.layer, p.splits["tucker"].factors(ranks))).weight.detach()
            )
            for p in (each, better)
        ]
        rows.append((relative_error(weight, near), *errors))
    times = [seconds(lambda: of_ours(model))[0] for _ in range(5)]
    refined_times = [seconds(lambda: of_ours(model, refine=3))[0] for _ in range(3)]
    ours = statistics.median(times)
    svd = statistics.median(seconds(lambda: of_torch(model))[0] for _ in range(1 if quick else 3))
    array = np.array(rows)
    plain_ratio, refined_ratio = array[:, 1] / array[:, 0], array[:, 2] / array[:, 0]
    print(f"ours, all layers             {ours:6.2f} s CPU (best {min(times):.2f}, worst {max(times):.2f})")
    print(f"ours, refined by 3 sweeps    {statistics.median(refined_times):6.2f} s CPU")
    print(f"torch.linalg.svd, unfoldings {svd:6.2f} s CPU")
    part = " (layers up to 256 channels only)" if quick else ""
    print(f"tensorly partial_tucker      {theirs:6.2f} s CPU{part}: {theirs / ours:.1f}× ours")
    print(
        f"error over tensorly's: plain mean {plain_ratio.mean():.4f}, worst {plain_ratio.max():.4f}; "
        f"refined mean {refined_ratio.mean():.4f}, worst {refined_ratio.max():.4f}"
    )
    judged = {} if quick else {"at least 10× faster than tensorly": theirs >= 10 * ours}
    return judged | {
        "all layers in under 1.5 s": ours < 1.5,
        "error at most 5 % above tensorly's": bool(plain_ratio.max() <= 1.05),
        "refined: equal error": bool(refined_ratio.max() <= 1.001),
    }


def slide(work: Workload) -> Prepared:
    """The move of a slider over what was prepared once."""
    candidate, context = work.candidate(), Context(work)
    for method in ("tucker", "auto"):
        step = Factorize(RATIO, method=method)
        took, _ = seconds(lambda step=step: prepared(step, candidate, context))
        moves = [seconds(lambda step=step, n=n: _moved(step, n, candidate, context))[0] for n in range(9)]
        move = statistics.median(moves) * 1e3
        print(f"slider, {method:8} prepared once in {took:.2f} s; a move {move:.0f} ms")
    return prepared(Factorize(RATIO, method="tucker"), candidate, context)


def _moved(step: Factorize, n: int, candidate: Candidate, context: Context) -> Candidate:
    step = step.replace(ratio=0.15 + 0.02 * n)
    return finish(step.apply(candidate, context, prepared(step, candidate, context)))


def latency(work: Workload, split: nn.Module) -> dict[str, bool]:
    """The dense and the split net in turns."""
    example = work.example
    with torch.no_grad():
        runs = {"dense": work.baseline, "split": split}
        taken: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(ROUNDS):
            for name, model in runs.items():
                taken[name].append(seconds(lambda model=model: model(example))[0])
    ratios = [dense / thin for dense, thin in zip(taken["dense"], taken["split"], strict=True)]
    low, _, high = statistics.quantiles(ratios, n=4)
    medians = {name: statistics.median(each) for name, each in taken.items()}
    print(
        f"PyTorch eager, 224 pixels, 1 thread: dense {medians['dense'] * 1e3:.1f} ms, split "
        f"{medians['split'] * 1e3:.1f} ms: {medians['dense'] / medians['split']:.2f}× ({low:.2f}–{high:.2f})"
    )
    return {"at least 2.2× faster on PyTorch eager": medians["dense"] >= 2.2 * medians["split"]}


def onnx_latency(work: Workload, split: nn.Module) -> None:
    """The same on ONNX Runtime, through the project's own measurement."""
    from workbench.measurement import measure

    found = measure(work, split, runtimes=("onnxruntime",)).latency["onnxruntime"]
    print(
        f"ONNX Runtime, 1 thread: dense {found.baseline_ms:.1f} ms, split {found.median_ms:.1f} ms: "
        f"{found.speedup:.2f}× ({found.speedup_low:.2f}–{found.speedup_high:.2f})"
    )


def predicted(model: Prepared) -> None:
    """Each layer's predicted time beside a new measurement, and its two break-evens."""
    # ranks that were not timed: the prediction is an interpolation
    chosen, _ = choose(model, Rule(ratio=0.35, worth=0.0, where="any"))
    layers = {each.name: each for each in model.layers}
    errors = []
    print(f"{'layer':24}{'whole':>9}{'predicted':>11}{'measured':>10}   larger above  slower above (of full)")
    for each in chosen:
        layer: PreparedLayer = layers[each.name]
        curve = timing.curve(layer, each.split)
        chain = thin(layer.layer, each.split.sketch(each.ranks))
        inputs = torch.randn(layer.layer.input_shape)
        _, measured = timing.milliseconds([layer.layer.module, chain], inputs)
        errors.append(curve.at(each.ranks) / measured - 1)
        print(
            f"{each.name:24}{curve.whole_ms:9.3f}{curve.at(each.ranks):11.3f}{measured:10.3f}"
            f"{each.split.break_even:15}{curve.break_even:14}  ({each.split.full[0]})"
        )
    off = [abs(each) for each in errors]
    print(f"prediction off by {statistics.median(off):.0%} in the median, {max(off):.0%} at worst")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    model = net()
    promises = compare(model, quick)
    work = Workload(model, input_shape=(3, 224, 224), threads=1)
    model_prepared = slide(work)
    split = of_ours(model).model
    promises |= latency(work, split)
    if not quick:
        onnx_latency(work, split)
    predicted(model_prepared)
    for promise, holds in promises.items():
        print(f"{promise}: {holds}")
    return int(not all(promises.values()))


if __name__ == "__main__":
    sys.exit(main())
