"""Whether a Python can run the engine: asked in a child process, so that nothing of it is imported here."""
from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ..engine.errors import FacewrightError
from . import paths

ASK = '''import importlib.util, json, sys
spec = importlib.util.spec_from_file_location('facewright_worker', sys.argv[1])
worker = importlib.util.module_from_spec(spec)
spec.loader.exec_module(worker)
wrong = worker.prepare_imports()
print(json.dumps({'version': sys.version.split()[0], 'wrong': wrong, 'packages': [p[:3] for p in worker.unsuitable(worker.pinned_versions())]}))
'''


@dataclass(frozen=True)
class Environment:
    """What a Python said of itself. wrong: one sentence, None where all is well; packages: (name, wanted, found or None) of those that don't fit."""
    python: str
    version: str
    wrong: str | None
    packages: tuple[tuple[str, str, str | None], ...]


def check(python: str | None = None, timeout: float = 60) -> Environment:
    """Ask a Python (default: the engine's, as in the preferences) which of the engine's requirements it has."""
    python = python or paths.engine_python()
    hidden = {'creationflags': subprocess.CREATE_NO_WINDOW} if sys.platform == 'win32' else {}
    try:
        asked = subprocess.run([python, '-I', '-B', '-c', ASK, str(paths.WORKER)], capture_output=True, text=True, encoding='utf-8', errors='replace',
                               stdin=subprocess.DEVNULL, timeout=timeout, env=paths.child_environment(), **hidden)
    except (OSError, ValueError) as error:
        raise FacewrightError(f'{python} cannot be started ({getattr(error, "strerror", None) or error}): choose a Python 3.11 program.') from error
    except subprocess.TimeoutExpired as error:
        raise FacewrightError(f'{python} did not answer within {timeout:g} seconds: choose another Python.') from error
    try:
        answer = json.loads(asked.stdout.strip().splitlines()[-1])
        return Environment(python, answer['version'], answer['wrong'], tuple(tuple(p) for p in answer['packages']))
    except (IndexError, ValueError, KeyError, TypeError):
        last = (asked.stderr.strip().splitlines() or ['it said nothing'])[-1]
        raise FacewrightError(f'{python} is not a Python that can run the engine ({last}): choose a Python 3.11 program.') from None


def command(python: str, packages: tuple[tuple[str, str, str | None], ...], requirements: Path = paths.ROOT / 'requirements.txt') -> str:
    """What a user types to add the missing packages to an environment."""
    if requirements.exists():
        return f'"{python}" -m pip install --no-deps -r "{requirements}"'
    return f'"{python}" -m pip install --no-deps ' + ' '.join(f'{name}=={wanted}' for name, wanted, _ in packages)
