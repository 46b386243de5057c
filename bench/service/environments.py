"""One virtual environment for each server, of the locked versions in requirements/, kept in the user's cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
RUNTIME = HERE.parents[1] / "templates/service/python"

# modelship's own lock is the one that goes into images; the bench adds what its models need.
LOCKS = {"modelship": [RUNTIME / "requirements.txt", HERE / "requirements/modelship.txt"]}


def cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "modelship/bench-service"


def environment(name: str, cache: Path) -> Path:
    """The folder of a virtual environment, made when its locks have changed since it was."""
    locks = LOCKS.get(name, [HERE / f"requirements/{name}.txt"])
    digest = hashlib.sha256(b"".join(lock.read_bytes() for lock in locks) + sys.version.encode()).hexdigest()
    folder = cache / "environments" / name
    stamp = folder / "locks.sha256"
    if stamp.exists() and stamp.read_text() == digest:
        return folder
    print(f"making an environment for {name}", file=sys.stderr)
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python, uv = folder / "bin/python", shutil.which("uv")
    pip = [uv, "pip", "install", "--python", python] if uv else [python, "-m", "pip", "install"]
    # Each lock on its own: one with hashes would demand them of the other.
    for lock in locks:
        subprocess.run([*pip, "--quiet", "-r", lock], check=True)
    stamp.write_text(digest)
    return folder


def versions(folder: Path, packages: list[str]) -> dict[str, str]:
    code = "import sys\nfrom importlib.metadata import version\nfor name in sys.argv[1:]: print(version(name))"
    found = subprocess.run(
        [folder / "bin/python", "-c", code, *packages], check=True, capture_output=True, text=True
    ).stdout.split()
    return dict(zip(packages, found, strict=True))
