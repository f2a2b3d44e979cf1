"""Make a checkpoint: `python -m workbench.examples.training lenet-5`; or data: `... mnist-subset`.

One thread, one seed: the same command gives the same file, byte for byte, on one machine.
"""

from __future__ import annotations

import argparse
import sys
import time

import torch

from workbench.errors import WorkloadError
from workbench.examples import find, names
from workbench.examples.parts import checkpoint
from workbench.examples.parts.example import Example, Splits
from workbench.examples.training import mails, subset
from workbench.examples.training.loop import Epoch, Trained, correct, train

_DATA = {"mnist-subset": subset.pack, "mails-data": mails.pack}


def make_checkpoint(example: Example) -> dict[str, str]:
    """Train the example on its full data and write its checkpoint; returns the figures written with it."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    splits = example.splits("full")
    started = time.process_time()
    trained = train(example, splits, example.training, lambda epoch: _show(epoch, len(splits.validation[1])))
    print(f"trained in {time.process_time() - started:.0f} CPU seconds")
    figures = _figures(example, splits, trained)
    checkpoint.write(trained.net, example.path, figures)
    return figures


def _figures(example: Example, splits: Splits, trained: Trained) -> dict[str, str]:
    training = example.training
    figures = {
        "example": example.name,
        "command": f"python -m workbench.examples.training {example.name}",
        "data": splits.title,
        "train_n": str(len(splits.train[1])),
        "seed": str(training.seed),
        "epochs": str(training.epochs),
        "kept_epoch": str(trained.best.number),
        "batch": str(training.batch),
        "learning_rate": str(training.learning_rate),
        "weight_decay": str(training.weight_decay),
        "shift": str(training.shift),
        **({} if training.optimizer == "sgd" else {"optimizer": training.optimizer}),
        "torch": torch.__version__.split("+")[0],
        "parameters": str(sum(parameter.numel() for parameter in trained.net.parameters())),
    }
    shipped = example.splits("subset")
    for prefix, source in (("", splits), ("shipped_", shipped)):
        for split in ("validation", "test"):
            pair = getattr(source, split)
            figures[f"{prefix}{split}_correct"] = str(correct(trained.net, pair))
            figures[f"{prefix}{split}_n"] = str(len(pair[1]))
    return figures


def _show(epoch: Epoch, samples: int) -> None:
    accuracy = 100 * epoch.validation_correct / samples
    print(f"epoch {epoch.number:2}: loss {epoch.loss:.4f}, validation {accuracy:.2f} %", flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m workbench.examples.training", description=__doc__)
    parser.add_argument("what", choices=[*names(), *_DATA])
    what = parser.parse_args(arguments).what
    try:
        if what in _DATA:
            print(f"{_DATA[what]():,} bytes")
        else:
            for key, value in make_checkpoint(find(what)).items():
                print(f"{key}: {value}")
    except WorkloadError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
