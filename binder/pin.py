"""Write `requirements.txt`: every package this project needs, at the version that is installed here.

    hatch run python binder/pin.py

The environment in which it runs is the one whose versions were tested. torch and torchvision are written as
their CPU builds, and what only their CUDA builds need is left out.
"""

from __future__ import annotations

import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

HERE = Path(__file__).resolve().parent
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
CPU_BUILDS = ("torch", "torchvision")
ONLY_CUDA = re.compile(r"(nvidia|cuda)-|triton$|cuda")
HEAD = f"""# Written by pin.py; every version is the one that the tests passed with.
# torch and torchvision as CPU builds (+cpu): the index of packages has only those with 5 GB of CUDA.
--extra-index-url {CPU_INDEX}
"""


def normal(name: str) -> str:
    """A distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def needed() -> dict[str, str]:
    """The version of each package the project needs, and of what those need in turn, on this platform."""
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    waiting = [Requirement(each) for each in project["dependencies"]]
    found: dict[str, str] = {}
    seen = set()
    while waiting:
        wanted = waiting.pop()
        name = normal(wanted.name)
        key = (name, frozenset(wanted.extras))
        if key in seen or ONLY_CUDA.match(name):
            continue
        seen.add(key)
        distribution = importlib.metadata.distribution(name)
        found[name] = distribution.version
        for line in distribution.requires or ():
            inner = Requirement(line)
            extras = wanted.extras or {""}
            if inner.marker is None or any(inner.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(inner)
    return dict(sorted(found.items()))


def pinned(versions: dict[str, str]) -> str:
    """The text of the file."""
    lines = []
    for name, version in versions.items():
        public = version.partition("+")[0]
        lines.append(f"{name}=={public}+cpu" if name in CPU_BUILDS else f"{name}=={version}")
    return HEAD + "\n".join(lines) + "\n"


def main() -> int:
    path = HERE / "requirements.txt"
    path.write_text(pinned(needed()), encoding="utf-8")
    print(f"{path.name}: {len(needed())} packages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
