"""Runs one engine task in a child process: `python -I -B <root>/engine/worker.py JOB_FOLDER`.

JOB_FOLDER/job.json holds {"task": name, "arguments": {...}} and optionally "site_packages": folders
to import from first. Standard output carries JSON lines: {"progress", "stage", "remaining"} …, then
{"result": …} or {"error": sentence, "log": path}. Whatever else is printed, by Python or by a C++
library, goes to JOB_FOLDER/log.txt. The child ends as soon as its standard input does, so that none
outlives Blender.
"""

from __future__ import annotations

import faulthandler
import importlib
import importlib.metadata
import importlib.util
import json
import os
import re
import sys
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

try:
    import tomllib
except ModuleNotFoundError:
    print(
        json.dumps(
            {
                'error': f'The engine needs Python 3.11, and {sys.executable} is '
                f'{sys.version.split()[0]}: choose an environment with Python 3.11 in the '
                'Facewright preferences.',
                'log': None,
            }
        ),
        flush=True,
    )
    raise SystemExit(1) from None

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = 'facewright'
EXIT_ERROR, EXIT_INTERRUPTED = 1, 130
# s that a thread waits for one that runs Python: beside a thread that imports, one that calls
# compiled code every millisecond would spend its time waiting for turns (Python's own is 5 ms).
SWITCH_INTERVAL = 0.0005
# How far a version may be from the pinned one: mediapipe's weights are in the 0.10.21 wheel alone;
# numpy and protobuf break compiled packages when their minor version changes; for the others the
# major version decides. Of Pillow, which many extensions bring, and of pillow-heif every version
# reads photos.
SAME_PARTS = {'mediapipe': 3, 'numpy': 2, 'protobuf': 2, 'pillow': 0, 'pillow-heif': 0}


class Unsuitable(NamedTuple):
    """A distribution that importing would find, or lack, and that the engine cannot work with.

    wanted: the pinned version; found, folder: None where there is none.
    """

    name: str
    wanted: str
    found: str | None
    folder: str | None


def register_package(root: Path = ROOT):
    """Make the folder `root`, whatever its name, the package `facewright`, and return it."""
    if PACKAGE in sys.modules:
        return sys.modules[PACKAGE]
    init = root / '__init__.py'
    spec = importlib.util.spec_from_file_location(
        PACKAGE, init, submodule_search_locations=[str(root)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f'{init} cannot be imported')
    package = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = package
    if init.exists():
        spec.loader.exec_module(package)
    return package


def pinned_versions(root: Path = ROOT) -> dict[str, str]:
    """The engine's requirements as pyproject.toml pins them: {distribution: version}."""
    project = tomllib.loads((root / 'pyproject.toml').read_text(encoding='utf-8'))['project']
    pinned = re.compile(r'([\w.-]+)==([\w.+-]+)')
    return {m[1]: m[2] for line in project['dependencies'] if (m := pinned.match(line))}


def unsuitable(pinned: dict[str, str]) -> list[Unsuitable]:
    """List what importing would find that the engine cannot work with."""
    problems = []
    for name, wanted in pinned.items():
        found = folder = None
        try:
            distribution = importlib.metadata.distribution(name)
            found, folder = distribution.version, str(distribution.locate_file(''))
        except importlib.metadata.PackageNotFoundError:
            if name.startswith('opencv') and importlib.util.find_spec('cv2'):
                continue  # opencv-python and opencv-contrib-python serve as well
        parts = SAME_PARTS.get(name, 1)
        if (
            found is None
            or found.split('+')[0].split('.')[:parts] != wanted.split('+')[0].split('.')[:parts]
        ):
            problems.append(Unsuitable(name, wanted, found, folder))
    return problems


def extension_site_packages(root: Path = ROOT) -> Path | None:
    """Return where Blender puts the wheels of all extensions, when `root` is an installed one.

    <extensions>/.local/lib/…/site-packages; None where there is no such folder.
    """
    version = f'python{sys.version_info[0]}.{sys.version_info[1]}'
    folder = root.parent.parent / '.local' / 'lib' / version / 'site-packages'
    return folder if folder.is_dir() else None


def extensions_that_bring(distribution: str, version: str, root: Path = ROOT) -> list[str]:
    """Name the other installed extensions that bundle this version of a distribution."""
    wheel = f'{distribution}-{version}-'.replace('-', '_').lower()
    names = []
    for manifest in sorted(root.parent.parent.glob('*/*/blender_manifest.toml')):
        if manifest.parent == root:
            continue
        try:
            data = tomllib.loads(manifest.read_text(encoding='utf-8'))
        except (OSError, ValueError):
            continue
        if any(
            str(path).rsplit('/', 1)[-1].replace('-', '_').lower().startswith(wheel)
            for path in data.get('wheels', ())
        ):
            names.append(str(data.get('name', manifest.parent.name)))
    return names


def explain(problems: list[Unsuitable], root: Path = ROOT) -> str:
    """Say in one sentence what is unsuitable and, as far as can be told, who brought it."""
    missing = [f'{one.name} {one.wanted}' for one in problems if one.found is None]
    if missing and sys.version_info[:2] != (3, 11):
        return (
            f'The engine needs Python 3.11, and {sys.executable} is {sys.version.split()[0]}: '
            'choose an environment with Python 3.11 in the Facewright preferences.'
        )
    if missing:
        return (
            f"The engine's Python ({sys.executable}) lacks {', '.join(missing)}: install the "
            'Facewright zip made for this system, or choose an environment that has them in the '
            'Facewright preferences.'
        )
    name, wanted, found, folder = problems[0]
    culprits = extensions_that_bring(name, str(found), root)
    who = (
        f'the extension {" or ".join(culprits)} brings it: disable it'
        if culprits
        else f'it lies in {folder}: remove it there'
    )
    return (
        f'{name} {found} shadows the {wanted} that Facewright needs; {who}, or choose another '
        'environment in the Facewright preferences.'
    )


def prepare_imports(first: Sequence[str] = (), root: Path = ROOT) -> str | None:
    """Put the engine's own packages first on sys.path and check their versions.

    Returns what is wrong in one sentence, or None.
    """
    for folder in reversed(first):
        sys.path.insert(0, str(folder))
    pinned = pinned_versions(root)
    problems = unsuitable(pinned)
    bundled = extension_site_packages(root)
    if problems and not first and bundled:
        sys.path.insert(0, str(bundled))
        importlib.invalidate_caches()
        problems = unsuitable(pinned)
    return explain(problems, root) if problems else None


def redirect_output(log: Path):
    """Send file descriptors 1 and 2 to the file `log`; return a stream onto standard output."""
    real = os.fdopen(os.dup(1), 'w', encoding='utf-8', newline='\n')
    log.parent.mkdir(parents=True, exist_ok=True)
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream, descriptor in ((sys.stdout, 1), (sys.stderr, 2)):
        if stream is not None:
            stream.flush()
        os.dup2(target, descriptor)
    os.close(target)
    sys.stdout = os.fdopen(
        1, 'w', encoding='utf-8', errors='backslashreplace', buffering=1, closefd=False
    )
    sys.stderr = os.fdopen(
        2, 'w', encoding='utf-8', errors='backslashreplace', buffering=1, closefd=False
    )
    return real


def leave_with_parent() -> None:
    """End this process at once when its standard input ends: its parent closed it or is gone."""

    def watch():
        try:
            while os.read(0, 4096):
                pass
        except OSError:
            pass
        os._exit(EXIT_INTERRUPTED)

    threading.Thread(target=watch, daemon=True).start()


def find_task(name: str):
    """The task function called `name`, from engine/tasks."""
    return importlib.import_module(f'{PACKAGE}.engine.tasks').find_task(name)


def run(task, report) -> object:
    """Run a task's generator to its end, calling report(Progress) for each; return its result."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL)
    try:
        while True:
            report(next(task))
    except StopIteration as stop:
        return stop.value
    finally:
        task.close()
        sys.setswitchinterval(before)


def work(folder: Path, send) -> int:
    """Run the job of `folder`, calling send(dict) for every line; return the exit code."""
    try:
        register_package()
        job = json.loads((folder / 'job.json').read_text(encoding='utf-8'))
        wrong = prepare_imports(job.get('site_packages', []))
        if wrong:
            send({'error': wrong, 'log': str(folder / 'log.txt')})
            return EXIT_ERROR
        importlib.import_module(f'{PACKAGE}.engine.core.device').check_device()
        task = find_task(job['task'])(**job.get('arguments', {}))
        result = run(
            task,
            lambda p: send(
                {
                    'progress': round(float(p.fraction), 4),
                    'stage': p.stage,
                    'remaining': p.remaining,
                }
            ),
        )
        send({'result': result})
        return 0
    except BrokenPipeError:
        return EXIT_ERROR
    except BaseException as error:  # noqa: BLE001 - whatever it is, the parent gets a sentence
        traceback.print_exc()
        errors = importlib.import_module(f'{PACKAGE}.engine.core.errors')
        send({'error': errors.sentence_for(error), 'log': str(folder / 'log.txt')})
        return EXIT_INTERRUPTED if isinstance(error, KeyboardInterrupt) else EXIT_ERROR


def main() -> int:
    """Run the job of the folder on the command line; return the exit code."""
    if len(sys.argv) != 2:
        print('usage: worker.py JOB_FOLDER', file=sys.stderr)
        return 2
    folder = Path(sys.argv[1]).resolve()
    lines = redirect_output(folder / 'log.txt')
    faulthandler.enable(sys.stderr)
    leave_with_parent()

    def send(message: dict) -> None:
        lines.write(json.dumps(message, allow_nan=False) + '\n')
        lines.flush()

    return work(folder, send)


if __name__ == '__main__':
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # libraries' threads and atexit handlers have nothing left to do, and some hang
