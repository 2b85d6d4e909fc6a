"""Engine tasks in a child process: start, progress, cancel, result. One job at a time; none
outlives Blender, the file or the add-on.
"""

from __future__ import annotations

import atexit
import collections
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import bpy

from ..engine.core import owned, store
from ..engine.core.errors import FacewrightError
from ..engine.core.result_folder import recover
from . import paths


class Job:
    """A running or finished task. `state`: 'running', 'done' (then `result`), 'failed' (`error`,
    `log`) or 'cancelled'.

    Everything changes in `poll`, on the caller's thread; a reader thread only fills a queue.
    """

    def __init__(
        self,
        task: str,
        arguments: dict,
        title: str = '',
        python: str | None = None,
        worker: Path | None = None,
        prepare: Callable[[Path], None] | None = None,
    ):
        """Start `PYTHON -I -B worker.py FOLDER`. Arguments are JSON-able; '{job}' in a text
        argument stands for the job's folder.

        prepare: called with the folder first, to put the task's input there.
        """
        self.task, self.title, self.state = task, title or task, 'running'
        self.started = self.reported_at = time.monotonic()
        self.fraction, self.stage, self.remaining = 0.0, 'Starting', None
        self.result, self.error, self.log = None, '', None
        self.folder, self._hold = _new_folder()
        self._lines: collections.deque[dict] = collections.deque()
        self._process = None
        self.arguments = {
            k: v.replace('{job}', str(self.folder)) if isinstance(v, str) else v
            for k, v in arguments.items()
        }
        self._out = Path(self.arguments['out']) if 'out' in self.arguments else None
        self._new_out = self._out is not None and not self._out.exists()
        try:
            if prepare:
                prepare(self.folder)
            (self.folder / 'job.json').write_text(
                json.dumps({'task': task, 'arguments': self.arguments}), encoding='utf-8'
            )
            self._process = _start_child(
                python or paths.engine_python(), worker or paths.WORKER, self.folder
            )
        except OSError as error:
            self.remove()
            raise FacewrightError(
                f'Cannot start the engine ({error.strerror or error}): choose its Python in '
                'the Facewright preferences.'
            ) from error
        except Exception:
            self.remove()
            raise
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def _read(self) -> None:
        for line in self._process.stdout:
            try:
                message = json.loads(line)
            except ValueError:
                continue
            if isinstance(message, dict):
                self._lines.append(message)

    def poll(self) -> str:
        """Take in what the child has said; returns the state."""
        if self.state != 'running':
            return self.state
        ended = self._process.poll() is not None
        if ended:
            self._reader.join(1)
        while self._lines:
            self._take(self._lines.popleft())
        if self.state == 'running' and ended:
            code = self._process.returncode
            reason = (
                'signal 9, as when the memory is full'
                if code == -9
                else f'signal {-code}'
                if code < 0
                else f'exit code {code}'
            )
            self._fail(
                f'The engine stopped unexpectedly ({reason}): try again, and if it happens '
                'again look into its log.',
                self.folder / 'log.txt',
            )
        if self.state != 'running':
            self._end()
        return self.state

    def _take(self, message: dict) -> None:
        if 'progress' in message:
            self.fraction, self.stage = float(message['progress']), str(message.get('stage', ''))
            self.remaining, self.reported_at = message.get('remaining'), time.monotonic()
        elif 'result' in message:
            self.result, self.state, self.fraction, self.remaining = (
                message['result'],
                'done',
                1.0,
                None,
            )
        elif 'error' in message:
            self._fail(str(message['error']), message.get('log'))

    def _fail(self, error: str, log) -> None:
        self.state, self.error, self.log = 'failed', error, Path(log) if log else None

    def cancel(self) -> None:
        """End the child at once, with all it started, and remove the job's folder."""
        if self.state == 'running':
            self.state = 'cancelled'
            self._end()
            self.remove()

    def _end(self) -> None:
        if self._process.poll() is None:
            _kill_tree(self._process)
        self._process.stdin.close()
        self._process.wait()
        self._reader.join(1)
        if (
            not self._reader.is_alive()
        ):  # closing under a reader would wait for whoever else holds the pipe
            self._process.stdout.close()
        if self.state != 'done' and self._out is not None:
            self._tidy_output()

    def _tidy_output(self) -> None:
        """Clear away what a child that failed or was killed left in the folder for its results."""
        recover(self._out)
        if self._new_out:
            with contextlib.suppress(OSError):
                self._out.rmdir()  # made for this job, and empty

    def remove(self) -> None:
        """Delete the job's folder (a failed job keeps it for its log)."""
        if self._hold is not None:
            self._hold.release()
        owned.remove(self.folder)


current: Job | None = None
"""The last job started, running or over; panels read it."""


def running() -> Job | None:
    """Return the job that is running now, if any."""
    return current if current is not None and current.state == 'running' else None


def start(
    task: str, arguments: dict, title: str = '', prepare: Callable[[Path], None] | None = None
) -> Job:
    """Start a task as the current job (arguments as Job's); FacewrightError while
    another one runs.
    """
    global current
    if running():
        raise FacewrightError(f'{current.title} is still running: wait for it or cancel it first.')
    clear()
    current = Job(task, arguments, title, prepare=prepare)
    return current


def clear() -> None:
    """Forget the last job, with its folder."""
    global current
    if current is not None and current.state != 'running':
        current.remove()
        current = None


def cancel() -> bool:
    """Cancel the current job; whether there was one running."""
    job = running()
    if job:
        job.cancel()
    return job is not None


def wait(job: Job, tell: Callable[[str], None] = lambda stage: None) -> dict:
    """Run a job to its end and return its result; FacewrightError with its sentence, and its log's
    path, where it failed.

    tell: called with each new stage. An interruption (Ctrl-C) cancels the job.
    """
    stage = None
    try:
        while job.poll() == 'running':
            if job.stage != stage:
                stage = job.stage
                tell(stage)
            time.sleep(0.02)
    except BaseException:
        job.cancel()
        raise
    return result(job)


def result(job: Job) -> dict:
    """Return a finished job's result; raises FacewrightError for a failed or cancelled one."""
    if job.state == 'failed':
        raise FacewrightError(job.error + (f' (Log: {job.log})' if job.log else ''))
    if job.state == 'cancelled':
        raise FacewrightError(f'{job.title} was cancelled.')
    return job.result


def _new_folder() -> tuple[Path, owned.Hold | None]:
    base = paths.cache_folder() / 'jobs'
    try:
        folder, held = owned.make_new(base)
    except OSError as error:
        raise FacewrightError(
            f'Cannot write to {base} ({error.strerror or error}): choose another cache folder '
            'in the Facewright preferences.'
        ) from error
    store.evict(base)
    return folder, held


def _start_child(python: str, worker: Path, folder: Path) -> subprocess.Popen:
    """Start the engine on a job's folder, in a process group of its own; its errors go to
    log.txt there.
    """
    if sys.platform == 'win32':
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
        apart = {'creationflags': flags}
    else:
        apart = {'start_new_session': True}
    with (folder / 'log.txt').open('wb') as log:
        return subprocess.Popen(
            [python, '-I', '-B', str(worker), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=folder,
            env=paths.child_environment(),
            **apart,
        )


def _kill_tree(process: subprocess.Popen) -> None:
    if sys.platform == 'win32':
        subprocess.run(
            ['taskkill', '/F', '/T', '/PID', str(process.pid)],  # noqa: S607  Windows' own
            capture_output=True,
            creationflags=subprocess.CREATE_NO_WINDOW,
        )
        process.kill()
        return
    with contextlib.suppress(ProcessLookupError):
        # its own session: the group is the child and what it started
        os.killpg(process.pid, signal.SIGKILL)


@bpy.app.handlers.persistent
def _before_load(*_) -> None:
    cancel()
    clear()


def _at_exit() -> None:
    cancel()


def attach() -> None:
    """End the job when another file is loaded and when Blender quits."""
    bpy.app.handlers.load_pre.append(_before_load)
    atexit.register(_at_exit)


def detach() -> None:
    """End the job and take the handlers away."""
    cancel()
    clear()
    atexit.unregister(_at_exit)
    if _before_load in bpy.app.handlers.load_pre:
        bpy.app.handlers.load_pre.remove(_before_load)
