"""What the ONNX exporter says: kept quiet while it works, and its pages of errors made one line."""

from __future__ import annotations

import io
import logging
import re
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from typing import TextIO

_NOISY = ("torch.onnx", "torch.export", "torch.fx", "torch._export", "torch._dynamo", "onnxscript", "onnx_ir")
_NO_OPERATION = re.compile(r"No ONNX function found for <OpOverload\(op='([\w.]+)'")
_BY_VALUE = "GuardOnDataDependentSymNode"


def is_hopeless(error: BaseException) -> bool:
    """Whether a fixed batch dimension would not help either."""
    cause = _cause(error)
    return bool(_NO_OPERATION.search(str(cause))) or type(cause).__name__ == _BY_VALUE


def reason(error: BaseException) -> str:
    """The cause in one line: the exporter wraps it in several pages."""
    cause = _cause(error)
    text = str(cause)
    if found := _NO_OPERATION.search(text):
        return f"ONNX has no operation for {found.group(1)}"
    if type(cause).__name__ == _BY_VALUE:
        return "which way it goes depends on the values of a tensor (an if or a loop on .item())"
    return text.strip().split("\n")[0][:200] or type(cause).__name__


def _cause(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error


class _Elsewhere(io.TextIOBase):
    """Standard error for all threads but this one: `torch.export` prints what it could not trace."""

    def __init__(self, real: TextIO) -> None:
        self._real = real
        self._silent = threading.get_ident()

    def write(self, text: str) -> int:
        return len(text) if threading.get_ident() == self._silent else self._real.write(text)

    def flush(self) -> None:
        self._real.flush()


@contextmanager
def quiet() -> Iterator[None]:
    """No warnings and no log lines: what matters is raised."""
    loggers = [logging.getLogger(name) for name in _NOISY]
    levels = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stderr(_Elsewhere(sys.stderr)):
            warnings.simplefilter("ignore")
            yield
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)
