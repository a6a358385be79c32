"""The console entry `tidemark`: runs the native program that the package carries."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path


def main() -> None:
    """Replaces this process by the program; it reads `*.py` definitions with this same Python."""
    package = Path(__file__).resolve().parent
    program = package / "bin" / "tidemark"
    if not program.exists():
        sys.exit(f"tidemark: {program} is missing; the package is incomplete, install it again")
    environment = os.environ | {"TIDEMARK_PYTHON": sys.executable}
    arrow = _arrow_elsewhere(package)
    if arrow is not None:
        paths = [arrow, environment.get("LD_LIBRARY_PATH", "")]
        environment["LD_LIBRARY_PATH"] = os.pathsep.join(filter(None, paths))
    os.execve(program, ["tidemark", *sys.argv[1:]], environment)


def _arrow_elsewhere(package: Path) -> str | None:
    """Where pyarrow is, if it does not lie beside this package, where the program looks for it."""
    if (package.parent / "pyarrow").is_dir():
        return None
    spec = find_spec("pyarrow")
    folders = spec.submodule_search_locations if spec is not None else None
    return next(iter(folders), None) if folders else None


if __name__ == "__main__":
    main()
