"""The hook of the wheel's build that adds the built front end and the lessons as shared data."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).parent))
import shipping


class FrontEnd(BuildHookInterface[Any]):
    """Adds what `shipping.shipped` names."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        self._scratch = tempfile.TemporaryDirectory()
        build_data["shared_data"].update(shipping.shipped(Path(self._scratch.name)))

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if self.target_name == "wheel":
            self._scratch.cleanup()
