"""The command line: the same tasks as the add-on's, run in this process."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from . import worker
from .core import owned, store
from .core.errors import FacewrightError, sentence_for
from .core.files import cache_folder
from .core.progress import Progress
from .footage.kinds import KINDS
from .formats.verdicts import in_words, judge_all
from .shape_keys.settled_words import settled_in_words

EXIT_USAGE = 2
STOPPED = 'facewright: stopped, nothing was written.'


def parser() -> argparse.ArgumentParser:
    """The arguments of every verb; its help is the command line's reference."""
    top = argparse.ArgumentParser(
        prog='facewright', description='A video of a face in, an animated head out.'
    )
    top.add_argument(
        '--verbose', action='store_true', help='show what libraries print, and tracebacks'
    )
    verbs = top.add_subparsers(dest='verb', required=True, metavar='VERB')

    add = verbs.add_parser(
        'reconstruct',
        help='footage → rig.npz, performance.npz, performance.csv (Live Link Face), overlay.png, report.json',
        description='Several videos, or a capture.json, are several views of one performance.',
    )
    add.add_argument(
        'sources',
        nargs='+',
        metavar='VIDEO_OR_CAPTURE_JSON',
        help='a video, a photo, the first image of a sequence, or a capture.json',
    )
    add.add_argument(
        '--model',
        default='builtin',
        metavar='PATH|builtin',
        help='an ICT-FaceKit folder or archive, or the built-in head (default)',
    )
    add.add_argument(
        '--quality',
        default='draft',
        choices=('draft', 'standard'),
        help='draft (default): from landmarks; standard: from the pictures themselves and part masks too, several times slower',
    )
    add.add_argument(
        '--out', required=True, type=Path, metavar='DIR', help='folder for the results'
    )
    add.add_argument(
        '--views',
        nargs='+',
        default=(),
        metavar='NAME',
        help="which of a capture's views to use (default: all)",
    )
    add.add_argument(
        '--kind',
        choices=KINDS,
        help='what the footage is (default: judged by names and neighbours; '
        'the summary says for what images were taken)',
    )
    add.add_argument(
        '--lens',
        type=positive,
        metavar='MM',
        help="the lens' focal length, as on a 35-mm camera, where you know it",
    )
    add.add_argument(
        '--rate',
        type=positive,
        metavar='FPS',
        help='frames a second of an image sequence (default: 24)',
    )
    add.add_argument('--start', type=seconds, metavar='S', help='first second of the clip to use')
    add.add_argument('--end', type=seconds, metavar='S', help='last second of the clip to use')
    add.add_argument(
        '--neutral-frame',
        type=int,
        metavar='N',
        help='number of a used frame (from 0) in which the face is at rest',
    )
    add.add_argument(
        '--masks',
        nargs='+',
        default=(),
        metavar='FOLDER',
        help='for each view a folder of part masks of your own (standard; docs/formats.md)',
    )
    add.add_argument(
        '--smooth',
        type=share,
        default=0.5,
        metavar='0..1',
        help='how much to calm the performance; blinks are kept (default: 0.5)',
    )

    add = verbs.add_parser(
        'bake-albedo', help="a reconstruction → albedo.png on the model's UVs, light.json"
    )
    result_arguments(add, 'that folder')
    add.add_argument(
        '--size', type=count, default=1024, metavar='PX', help='side of the texture (default: 1024)'
    )

    add = verbs.add_parser(
        'overlay',
        help='a reconstruction → its footage with the head or its parts drawn over, overlay.json (IoU of each part)',
    )
    result_arguments(add, 'its folder overlay')
    add.add_argument(
        '--show',
        default='mesh',
        choices=('mesh', 'parts'),
        help='mesh (default): shaded, half transparent; parts: outlines of the eight parts',
    )
    add.add_argument(
        '--frames',
        nargs='+',
        type=count,
        metavar='N',
        help='numbers of used frames, from 0 (default: six spread over the clip)',
    )

    add = verbs.add_parser(
        'wrap',
        help="a scan or sculpt → wrapped.obj (the face model's topology on it, in its own space), report.json",
    )
    mesh_arguments(add)

    add = verbs.add_parser(
        'shape-keys', help='any head → rig.npz: its neutral and 53 expressions, report.json'
    )
    mesh_arguments(add)
    add.add_argument(
        '--onto',
        default='mesh',
        choices=('model', 'mesh'),
        help="mesh (default): the mesh's own vertices in its file's order; model: the face model wrapped onto it",
    )
    add.add_argument(
        '--no-settle',
        dest='settle',
        action='store_false',
        help='leave lips, lids and cavities where the transfer puts them, crossings and all',
    )

    add = verbs.add_parser(
        'tetrahedra', help='what is filled between skin and cavities → flesh.npz, report.json'
    )
    head_arguments(add)
    add.add_argument(
        '--rig',
        metavar='RIG_NPZ',
        help="a head in the model's topology to fill instead of the model's own",
    )

    add = verbs.add_parser(
        'check-intersections',
        help='where cavities cross the skin, lips lips, lids eyeballs → crossings.npz, report.json',
    )
    add.add_argument('rig', metavar='RIG_NPZ', help="a head in the model's topology")
    head_arguments(add)
    add.add_argument(
        '--combinations',
        type=count,
        default=0,
        metavar='N',
        help='so many random combinations of expressions as well (default: 0)',
    )
    add.add_argument(
        '--seed', type=count, default=0, metavar='N', help='of the random combinations (default: 0)'
    )

    add = verbs.add_parser(
        'settle',
        help='no piece of the head crosses another any more, in any single shape → rig.npz, report.json',
    )
    add.add_argument('rig', metavar='RIG_NPZ', help="a head in the model's topology")
    head_arguments(add)

    add = verbs.add_parser(
        'fix-cavities',
        help='sockets, gums, teeth and eyeballs follow an edited skin → rig.npz, report.json',
    )
    add.add_argument(
        'rig', metavar='RIG_NPZ', help="a head in the model's topology, before the edits"
    )
    head_arguments(add)
    add.add_argument(
        '--edits',
        required=True,
        metavar='EDITS_NPZ',
        help='names n, before and edited n×V×3 (cm, head space): see docs/formats.md',
    )
    add.add_argument('--spread', action='store_true', help='give the same edit to the other shapes')

    add = verbs.add_parser(
        'bench',
        help='part-iou: how well each quality covers the true part masks of a capture → part_iou.md, part_iou.jpg',
    )
    add.add_argument('what', choices=('part-iou',))
    add.add_argument(
        'capture', metavar='FOLDER', help='a capture folder with capture.json and parts.npz'
    )
    head_arguments(add)
    add.add_argument(
        '--views',
        nargs='+',
        default=(),
        metavar='NAME',
        help="which of the capture's views to use (default: all)",
    )

    add = verbs.add_parser(
        'model', help='read a face model once, so that later runs open it in a second'
    )
    add.add_argument('source', metavar='PATH', help='an ICT-FaceKit folder, .zip or .tar')
    return top


def head_arguments(add: argparse.ArgumentParser) -> None:
    """The face model and where to write to."""
    add.add_argument(
        '--model',
        default='builtin',
        metavar='PATH|builtin',
        help='an ICT-FaceKit folder or archive, or the built-in head (default)',
    )
    add.add_argument(
        '--out', required=True, type=Path, metavar='DIR', help='folder for the results'
    )


def result_arguments(add: argparse.ArgumentParser, default: str) -> None:
    """A reconstruction, and where to write to."""
    add.add_argument('result', metavar='DIR', help='folder of a reconstruction')
    add.add_argument(
        '--out', type=Path, metavar='DIR', help=f'folder for the results (default: {default})'
    )


def mesh_arguments(add: argparse.ArgumentParser) -> None:
    """A mesh, the face model, and what is known of the mesh."""
    add.add_argument(
        'mesh',
        metavar='MESH',
        help='a head as .obj, .ply, .stl, .off, .glb or .gltf, in any units and axes',
    )
    head_arguments(add)
    add.add_argument(
        '--markers',
        metavar='JSON',
        help='{"nose_tip": [x, y, z], …} in the mesh\'s units, where the face is not found rightly by itself',
    )
    add.add_argument(
        '--expression',
        default='auto',
        choices=('auto', 'none'),
        help='auto (default): a smile or closed eyes are found and taken off the neutral; none: it is at rest',
    )


def count(text: str) -> int:
    """A whole number from zero up."""
    value = int(text)
    if value < 0:
        raise ValueError
    return value


def positive(text: str) -> float:
    """A number above zero."""
    value = float(text)
    if not 0 < value < float('inf'):
        raise ValueError
    return value


def seconds(text: str) -> float:
    """A number from zero up."""
    value = float(text)
    if not 0 <= value < float('inf'):
        raise ValueError
    return value


def share(text: str) -> float:
    """A number from 0 to 1."""
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError
    return value


def arguments_of(options: argparse.Namespace) -> tuple[str, dict]:
    """The task a command line asks for, and its arguments."""
    if options.verb == 'model':
        return 'import_face_model', {'source': options.source}
    if options.verb != 'reconstruct':
        given = {
            k: str(v) if isinstance(v, Path) else v
            for k, v in vars(options).items()
            if k not in ('verb', 'verbose')
        }
        if options.verb == 'tetrahedra':
            given['head'] = given.pop('rig')
        if options.verb == 'bench':
            return 'bench_part_iou', {k: v for k, v in given.items() if k != 'what'} | {
                'views': list(options.views)
            }
        if options.verb == 'overlay':
            return 'preview_overlay', given
        names = {
            'wrap': 'wrap_model',
            'shape-keys': 'generate_shape_keys',
            'tetrahedra': 'build_tetrahedra',
            'settle': 'settle_shape_keys',
        }
        return names.get(options.verb, options.verb.replace('-', '_')), given
    extra = {
        'lens_mm': options.lens,
        'fps': options.rate,
        'start': options.start,
        'end': options.end,
        'kind': options.kind,
    }
    extra = {key: value for key, value in extra.items() if value is not None}
    if options.start is not None and options.end is not None and options.end <= options.start:
        raise FacewrightError(
            f'--end {options.end:g} does not come after --start {options.start:g}: give a later end.'
        )
    return 'reconstruct', {
        'sources': [{'path': source, **extra} for source in options.sources],
        'out': str(options.out),
        'model': options.model,
        'quality': options.quality,
        'views': list(options.views),
        'neutral_frame': options.neutral_frame,
        'smooth': options.smooth,
        'masks': list(options.masks),
    }


def clock(remaining: float) -> str:
    """Seconds left as a person says them: '8 s', '1:05 min', '1:02 h'."""
    whole = int(remaining + 0.5)
    if whole < 60:
        return f'{whole} s'
    return (
        f'{whole // 60}:{whole % 60:02d} min'
        if whole < 3600
        else f'{whole // 3600}:{whole // 60 % 60:02d} h'
    )


def bar(progress: Progress, width: int = 24) -> str:
    """One line: bar, percent, stage, time left."""
    fraction = min(max(progress.fraction, 0.0), 1.0)
    full = int(fraction * width)
    left = '' if progress.remaining is None else f', {clock(progress.remaining)} left'
    return f'[{"#" * full}{"." * (width - full)}] {100 * fraction:3.0f} %  {progress.stage}{left}'


class ProgressLine:
    """Redraws one line on a terminal; elsewhere prints a line when the stage changes."""

    def __init__(self, stream):
        self.stream, self.terminal, self.stage, self.width, self.drawn = (
            stream,
            stream.isatty(),
            None,
            0,
            0.0,
        )

    def show(self, progress: Progress) -> None:
        if self.terminal:
            if time.monotonic() - self.drawn < 0.1 and progress.stage == self.stage:
                return
            line = bar(progress)
            self.stream.write('\r' + line.ljust(self.width))
            self.width, self.drawn = len(line), time.monotonic()
        elif progress.stage != self.stage:
            self.stream.write(bar(progress) + '\n')
        self.stage = progress.stage
        self.stream.flush()

    def clear(self) -> None:
        if self.terminal and self.width:
            self.stream.write('\r' + ' ' * self.width + '\r')
            self.stream.flush()


def summary(verb: str, options: argparse.Namespace, result: dict) -> str:
    """What a person wants to read at the end."""
    if verb == 'model':
        return f'{options.source} is ready: later runs open it at once.'
    lines = [result['table']] if 'table' in result else []
    fit = result.get('fit')
    if fit and fit.get('model_to_mesh_median_mm') is not None:
        lines.append(
            f'distance to the mesh: median {fit["model_to_mesh_median_mm"]:.2f} mm, 95 % below {fit["model_to_mesh_95_mm"]:.2f} mm'
        )
    if result.get('expression'):
        named = ', '.join(
            f'{n} {w:.2f}' for n, w in sorted(result['expression'].items(), key=lambda e: -e[1])[:6]
        )
        lines.append(
            f'found and taken off the neutral: {named}'
            if verb == 'shape-keys'
            else f'expression found: {named}'
        )
    if verb == 'check-intersections':
        crossing = {n: c for n, c in result['shapes'].items() if c}
        lines.append(
            f'{len(crossing)} of {len(result["shapes"])} shapes cross themselves'
            + (
                ': '
                + ', '.join(
                    f'{n} {c}' for n, c in sorted(crossing.items(), key=lambda e: -e[1])[:8]
                )
                if crossing
                else ''
            )
        )
        if result['combinations']:
            lines.append(
                f'{result["combinations_with_crossings"]} of {result["combinations"]} combinations do, {result["crossings_in_combinations"]} pairs of triangles in all'
            )
    if verb == 'fix-cavities':
        lines += [
            f'{s["name"]}: {s["before"]} crossing pairs before, {s["after"]} after'
            for s in result['shapes']
        ]
    if verb == 'settle':
        lines.append(settled_in_words(result['shapes']))
    if verb == 'bake-albedo':
        lines.append(
            f'from {result["pictures"]} pictures; they show {result["seen_percent"]:.0f} % of the texture, and with the light it explains them to {result["residual_percent"]:.1f} %'
        )
    if verb == 'overlay':
        lines += [
            f'{name.replace("_", " ")}: IoU {100 * value:.1f} %'
            for name, value in result['iou'].items()
            if value is not None
        ]
    if verb == 'tetrahedra':
        lines.append(
            f'{result["tetrahedra"]} tetrahedra, at most {max(result["inverted_percent"].values()):.2f} % turned inside out in any shape'
        )
    for view in result.get('views', ()):
        if 'tracked' in view and 'frames' in view:
            focal = f', focal length {view["focal_px"]:.0f} px' if view.get('focal_px') else ''
            read_as = view.get('read_as', 'video')
            lines.append(
                f'{view["name"]}: face tracked in {view["tracked"]} of {view["frames"]} frames{focal}'
                + (f', read as {read_as}' if read_as != 'video' else '')
            )
    error = result.get('error') or {}
    if error.get('mean_percent') is not None:
        lines.append(in_words(judge_all(error), figures=True))
    lines += [f'warning: {sentence}' for sentence in result.get('warnings', ())]
    return '\n'.join([*lines, f'written to {result.get("out", options.out)}'])


@dataclass
class Log:
    """Where what libraries print goes; None: it is shown. keep: whether it stays when the run is over."""

    path: Path | None = None
    keep: bool = False


@contextlib.contextmanager
def chatter_in_a_log(shown: bool) -> Iterator[Log]:
    """Send what is printed in the block into a log in the cache, unless it is to be shown or the cache cannot be written to."""
    log, hold = Log(), None
    if not shown:
        with contextlib.suppress(OSError):
            base = cache_folder() / 'jobs'
            folder, hold = owned.make_new(base)
            store.evict(base)
            log.path = folder / 'log.txt'
    if log.path is None:
        yield log
        return
    saved = os.dup(1), os.dup(2), sys.stdout, sys.stderr
    try:
        worker.redirect_output(log.path).close()
        yield log
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = saved[2:]
        for descriptor, copy in zip((1, 2), saved[:2]):
            os.dup2(copy, descriptor)
            os.close(copy)
        if hold is not None:
            hold.release()
        if not log.keep:
            owned.remove(log.path.parent)


@contextlib.contextmanager
def stopping_once(leave: Callable[[], None]) -> Iterator[None]:
    """Turn the first Ctrl-C, SIGTERM or SIGHUP into KeyboardInterrupt; at the next one call leave() and end the process at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    stopped = []

    def stop(*_):
        if stopped:
            leave()
            os._exit(worker.EXIT_INTERRUPTED)
        stopped.append(True)
        raise KeyboardInterrupt

    signals = [
        getattr(signal, name) for name in ('SIGINT', 'SIGTERM', 'SIGHUP') if hasattr(signal, name)
    ]
    before = {number: signal.signal(number, stop) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def main(arguments: list[str] | None = None) -> int:
    """Run one command line; returns the exit code: 0 done, 1 an error told in one sentence, 2 a wrong command line, 130 Ctrl-C."""
    options = parser().parse_args(arguments)
    errors = os.fdopen(os.dup(2), 'w', encoding=sys.stderr.encoding or 'utf-8', errors='replace')
    line = ProgressLine(errors)
    out = getattr(options, 'out', None)
    new_folder = out is not None and not out.exists()

    def leave(text: str = STOPPED) -> None:
        line.clear()
        if new_folder:
            with contextlib.suppress(OSError):
                out.rmdir()  # made for this run, and empty
        print(text, file=errors, flush=True)

    with stopping_once(leave):
        with chatter_in_a_log(options.verbose) as log:
            text, code = outcome(options, line, log)
    if code:
        leave(text)
    else:
        line.clear()
        print(text)
    errors.close()
    return code


def outcome(options: argparse.Namespace, line: ProgressLine, log: Log) -> tuple[str, int]:
    """Run the task a command line asks for: what to print, and the exit code."""
    try:
        wrong = worker.prepare_imports()
        if wrong:
            raise FacewrightError(wrong)
        name, given = arguments_of(options)
        return summary(
            options.verb, options, worker.run(worker.find_task(name)(**given), line.show)
        ), 0
    except KeyboardInterrupt:
        return STOPPED, worker.EXIT_INTERRUPTED
    except FacewrightError as error:
        return f'facewright: {error}', worker.EXIT_ERROR
    except BaseException as error:
        traceback.print_exc()
        log.keep = log.path is not None
        where = f'\n(log: {log.path})' if log.keep else ''
        return f'facewright: {sentence_for(error)}{where}', worker.EXIT_ERROR
