"""The build of a wheel, with native cores in it if ``HATCH_BUILD_HOOKS_ENABLE`` is set.

``RUNWELL_LEVELS`` names the levels of processors that they are made for (``interp.prebuilt``).
"""

import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CoresHook(BuildHookInterface):  # type: ignore[type-arg]
    """Builds the cores, and marks the wheel as one for this Python and system."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build them before the wheel is packed."""
        if self.target_name != "wheel" or version == "editable":
            return
        if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
            raise SystemExit("wheels with native cores are made on Linux, for x86-64")
        directory = Path(self.directory, "cores").absolute()
        levels = os.environ.get("RUNWELL_LEVELS", "").split()
        sources = str(Path(self.root, "src").absolute())
        path = os.pathsep.join([sources, *filter(None, sys.path)])
        subprocess.run(
            [sys.executable, "-m", "runwell.interp.prebuilt", str(directory), *levels],
            check=True,
            env=os.environ | {"PYTHONPATH": path},
        )
        for core in sorted(directory.glob("core-*.so")):
            build_data["force_include"][str(core)] = f"runwell/cores/{core.name}"
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
