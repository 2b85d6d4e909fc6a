"""Whether a Python can run the engine: asked in a child process, so that nothing of it is imported
here.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import bpy

from ..engine.core.errors import FacewrightError
from . import paths

ASK = """import importlib.util, json, sys
spec = importlib.util.spec_from_file_location('facewright_worker', sys.argv[1])
worker = importlib.util.module_from_spec(spec)
spec.loader.exec_module(worker)
wrong = worker.prepare_imports()
packages = [p[:3] for p in worker.unsuitable(worker.pinned_versions())]
print(json.dumps({'version': sys.version.split()[0], 'wrong': wrong, 'packages': packages}))
"""


@dataclass(frozen=True)
class Environment:
    """What a Python said of itself. wrong: one sentence, None where all is well; packages: (name,
    wanted, found or None) of those that don't fit.
    """

    python: str
    version: str
    wrong: str | None
    packages: tuple[tuple[str, str, str | None], ...]


def check(python: str | None = None, timeout: float = 60) -> Environment:
    """Ask a Python (default: the engine's, as in the preferences) which of the engine's
    requirements it has.
    """
    return _Question(python or paths.engine_python()).answer(timeout)


def ask(anew: bool = False) -> Environment | None:
    """Tell what is known of the engine's Python, and ask it, without waiting, where nothing is;
    None until it has answered.

    An answer holds as long as the file is the same one; `anew`: ask again.
    """
    key = _key(paths.engine_python())
    if anew:
        _known.pop(key, None)
    if key not in _known and key not in _asked:
        question = _asked[key] = _Question(key[0])
        question.listener = threading.Thread(target=_listen, args=(key, question), daemon=True)
        question.listener.start()
        if not bpy.app.background and not bpy.app.timers.is_registered(_redraw):
            bpy.app.timers.register(_redraw, first_interval=0.2)
    return _known.get(key)


def _redraw() -> float | None:
    """Draw the panels again once the answer is there: a timer in windows."""
    if _asked:
        return 0.2
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in ('VIEW_3D', 'PREFERENCES'):
                area.tag_redraw()
    return None


def wait() -> Environment | None:
    """Wait for what was asked; returns what is known then."""
    question = _asked.get(_key(paths.engine_python()))
    if question is not None:
        question.listener.join()
    return known()


def known() -> Environment | None:
    """Tell what the engine's Python answered; None where it was not asked, or has not
    answered yet.
    """
    return _known.get(_key(paths.engine_python()))


def asking() -> bool:
    """Tell whether an answer is awaited."""
    return _key(paths.engine_python()) in _asked


def detach() -> None:
    """End what is being asked, and forget all answers."""
    if bpy.app.timers.is_registered(_redraw):
        bpy.app.timers.unregister(_redraw)
    for question in list(_asked.values()):
        question.end()
    for question in list(_asked.values()):
        question.listener.join(5)
    _asked.clear()
    _known.clear()


_known: dict[tuple[str, int], Environment] = {}
_asked: dict[tuple[str, int], _Question] = {}


def _key(python: str) -> tuple[str, int]:
    """Return a Python, and when its file was last changed (0 where there is none)."""
    try:
        return python, Path(python).stat().st_mtime_ns
    except (OSError, ValueError):
        return python, 0


def _listen(key: tuple[str, int], question: _Question) -> None:
    """Wait, on a thread, for the answer; what cannot be asked counts as an answer too."""
    try:
        found = question.answer(60)
    except FacewrightError as error:
        found = Environment(key[0], '', str(error), ())
    if _asked.get(key) is question:
        _known[key] = found
        del _asked[key]


class _Question:
    """A child process of a Python that says what it has."""

    def __init__(self, python: str):
        self.python, self.process = python, None
        hidden = {'creationflags': subprocess.CREATE_NO_WINDOW} if sys.platform == 'win32' else {}
        self.listener: threading.Thread | None = None
        self.error: Exception | None = None
        try:
            self.process = subprocess.Popen(
                [python, '-I', '-B', '-c', ASK, str(paths.WORKER)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding='utf-8',
                errors='replace',
                env=paths.child_environment(),
                **hidden,
            )
        except (OSError, ValueError) as error:
            self.error = error

    def end(self) -> None:
        """Stop asking."""
        if self.process is not None:
            self.process.kill()

    def answer(self, timeout: float) -> Environment:
        """Wait for the answer; raises FacewrightError, in a sentence, where it is none."""
        if self.process is None:
            reason = getattr(self.error, 'strerror', None) or self.error
            raise FacewrightError(
                f'{self.python} cannot be started ({reason}): choose a Python 3.11 program.'
            )
        try:
            out, complaint = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise FacewrightError(
                f'{self.python} did not answer within {timeout:g} seconds: choose another Python.'
            ) from None
        try:
            answer = json.loads(out.strip().splitlines()[-1])
            packages = tuple(tuple(p) for p in answer['packages'])
            return Environment(self.python, answer['version'], answer['wrong'], packages)
        except (IndexError, ValueError, KeyError, TypeError):
            last = (complaint.strip().splitlines() or ['it said nothing'])[-1]
            raise FacewrightError(
                f'{self.python} is not a Python that can run the engine ({last}): choose a '
                'Python 3.11 program.'
            ) from None


def command(
    python: str,
    packages: tuple[tuple[str, str, str | None], ...],
    requirements: Path = paths.ROOT / 'requirements.txt',
) -> str:
    """Return what a user types to add the missing packages to an environment."""
    if requirements.exists():
        return f'"{python}" -m pip install --no-deps -r "{requirements}"'
    return f'"{python}" -m pip install --no-deps ' + ' '.join(
        f'{name}=={wanted}' for name, wanted, _ in packages
    )
