"""The badge for the README: where Binder and Colab find this repository, at the tag of this version.

    python binder/badge.py

The address is `Repository` of `project.urls` in pyproject.toml, and kept nowhere else.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from urllib.parse import quote, urlsplit

TOP = Path(__file__).resolve().parent.parent
FIRST = "notebooks/00-quickstart.ipynb"
NO_ADDRESS = (
    "This repository has no public address yet. Write it into pyproject.toml, as Repository under "
    "[project.urls], and run `python binder/badge.py` for the badge."
)


def address(pyproject: str) -> str | None:
    """The repository's address; None where it is not known."""
    urls = tomllib.loads(pyproject)["project"].get("urls", {})
    return next(
        (url.rstrip("/").removesuffix(".git") for name, url in urls.items() if name.lower() == "repository"),
        None,
    )


def version(source: str) -> str:
    """The version that a tag is named after."""
    found = re.search(r'__version__ = "([^"]+)"', source)
    if found is None:
        raise ValueError("workbench/_version.py names no version")
    return found[1]


def lines(url: str, tag: str) -> str:
    """Markdown: the badge of Binder, which opens the quickstart, and the same notebook on Colab.

    Raises:
        ValueError: the address is not one that Binder takes.
    """
    host, path = urlsplit(url).netloc, urlsplit(url).path.strip("/")
    if host != "github.com" or path.count("/") != 1:
        raise ValueError(f"Binder's badge needs an address like https://github.com/OWNER/NAME, got {url!r}")
    opened, at = quote(f"lab/tree/{FIRST}", safe=""), quote(tag, safe="")
    binder = f"https://mybinder.org/v2/gh/{path}/{at}?urlpath={opened}"
    colab = f"https://colab.research.google.com/github/{path}/blob/{at}/{FIRST}"
    return (
        f"[![Open the quickstart on Binder](https://mybinder.org/badge_logo.svg)]({binder})\n"
        f"[![Open the quickstart on Colab](https://colab.research.google.com/assets/colab-badge.svg)]({colab})"
    )


def badge() -> str:
    """What goes into the README."""
    url = address((TOP / "pyproject.toml").read_text(encoding="utf-8"))
    tag = "v" + version((TOP / "workbench" / "_version.py").read_text(encoding="utf-8"))
    return NO_ADDRESS if url is None else lines(url, tag)


if __name__ == "__main__":
    print(badge())
    sys.exit(0)
