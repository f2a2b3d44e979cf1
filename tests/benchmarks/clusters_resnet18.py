"""The clusters slider on ResNet-18: codebook, weights and size, and the fit against scikit-learn's.

    python tests/benchmarks/clusters_resnet18.py

Prints CPU time of this thread, medians with quartiles, for a slider that moves over 2 to 256 clusters (warm:
the weights were sorted into bins before), with one codebook for the model and with one per layer; then 16
clusters over all 11.7 million weights, ours and `sklearn.cluster.KMeans`, with their squared errors.
"""

from __future__ import annotations

import statistics
import time

import numpy as np
import torch
import torchvision

from workbench.algorithms.clustering import Histogram, cluster
from workbench.candidate import Candidate
from workbench.job import finish
from workbench.layers import weights
from workbench.storage import estimate_bytes
from workbench.technique import Context, prepared
from workbench.techniques.share_weights import ShareWeights

CLUSTERS = (2, 4, 8, 16, 17, 24, 32, 48, 64, 100, 128, 200, 256)
COMPARED = 16
ROUNDS = 3


def slide(candidate: Candidate, scope: str) -> tuple[list[float], list[float]]:
    """Seconds for codebooks and weights, and for the size, at each number of clusters."""
    context = Context(work=None)
    fits, sizes = [], []
    for clusters in (COMPARED, *CLUSTERS):
        step = ShareWeights(clusters, scope=scope)
        started = time.thread_time()
        shared = finish(step.apply(candidate, context, prepared(step, candidate, context)))
        fitted = time.thread_time()
        estimate_bytes(shared)
        fits.append(fitted - started)
        sizes.append(time.thread_time() - fitted)
    return fits[1:], sizes[1:]  # the first one sorted the weights into bins


def of_ours(flat: np.ndarray) -> tuple[float, float]:
    """Seconds from plain weights to values and codes, and the squared error of what they stand for."""
    started = time.thread_time()
    histogram = Histogram.of({"all": flat})
    found = cluster(histogram, COMPARED)
    codes = found.table()[histogram.bins["all"]]
    seconds = time.thread_time() - started
    return seconds, _error(flat, found.values.astype(np.float32), codes)


def again(histogram: Histogram) -> float:
    """Seconds the next move of the slider takes: values and codes from weights sorted before."""
    started = time.thread_time()
    _ = cluster(histogram, COMPARED).table()[histogram.bins["all"]]
    return time.thread_time() - started


def of_sklearn(flat: np.ndarray) -> tuple[float, float]:
    """The same for scikit-learn's KMeans with its defaults."""
    from sklearn.cluster import KMeans

    started = time.thread_time()
    fitted = KMeans(n_clusters=COMPARED, random_state=0).fit(flat[:, None])
    seconds = time.thread_time() - started
    return seconds, _error(flat, fitted.cluster_centers_[:, 0], fitted.labels_)


def summary(values: list[float]) -> str:
    """Median, quartiles and largest in words."""
    low, median, high = statistics.quantiles(values, n=4)
    return f"{median * 1e3:6.0f} ms ({low * 1e3:.0f}-{high * 1e3:.0f}, at most {max(values) * 1e3:.0f})"


def compare(flat: np.ndarray) -> None:
    """Print both fits side by side."""
    try:
        theirs = [of_sklearn(flat) for _ in range(ROUNDS)]
    except ImportError:
        print("scikit-learn is not installed here and no dependency of ours: pip install scikit-learn")
        theirs = []
    histogram = Histogram.of({"all": flat})
    ours, warm = [of_ours(flat) for _ in range(ROUNDS)], [again(histogram) for _ in range(ROUNDS)]
    cold, error = statistics.median(each[0] for each in ours), ours[0][1]
    print(f"{COMPARED} clusters, ours, from nothing {cold * 1e3:6.0f} ms, error {error:.6g}")
    print(f"{COMPARED} clusters, ours, warm         {statistics.median(warm) * 1e3:6.0f} ms")
    if theirs:
        seconds, other = statistics.median(each[0] for each in theirs), theirs[0][1]
        print(f"{COMPARED} clusters, scikit-learn       {seconds * 1e3:6.0f} ms, error {other:.6g}")
        ratios = f"{seconds / cold:.0f}× from nothing, {seconds / statistics.median(warm):.0f}× warm"
        print(f"faster: {ratios}; error {error / other:.4f} of scikit-learn's")


def _error(flat: np.ndarray, values: np.ndarray, codes: np.ndarray) -> float:
    return float(np.square(flat - values[codes], dtype=np.float64).sum())


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    candidate = Candidate.of(torchvision.models.resnet18(weights=None))
    for scope in ("model", "layer"):
        fits, sizes = slide(candidate, scope)
        both = [fit + size for fit, size in zip(fits, sizes, strict=True)]
        print(f"slider, one codebook per {scope}: {summary(both)}, of which the size {summary(sizes)}")
    compare(torch.cat([each.parameter.detach().flatten() for each in weights(candidate.model)]).numpy())


if __name__ == "__main__":
    main()
