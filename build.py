"""One script, one verb a job: `python build.py demo`, `test`, `zip`, `env`.

Standard library only until its environment (.venv beside this file) exists. What goes into the
environment and into the zips is read from pyproject.toml. Where the package
index is a mirror, pip's own settings say so.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree
import zipfile
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent
VENV = ROOT / '.venv'
PYTHON = VENV / ('Scripts/python.exe' if os.name == 'nt' else 'bin/python')
DIST = ROOT / 'dist'
NEWEST_BLENDER = '5.0'
SESSION_LIMIT = 3600  # seconds; Blender's module has been seen to hang when it leaves
SERIES = (3, 11)  # the Python of every supported Blender
CHECKS = (('ruff', 'format', '--check', '.'), ('ruff', 'check', '.'), ('basedpyright',))  # modules


@dataclass(frozen=True)
class Platform:
    """name: Blender's; tags: the wheels' platform tags pip may take, best first."""

    name: str
    tags: tuple[str, ...]


PLATFORMS = {
    p.name: p
    for p in (
        Platform('windows-x64', ('win_amd64',)),
        Platform(
            'macos-arm64',
            tuple(
                f'macosx_{v}_{cpu}'
                for v in ('14_0', '13_0', '12_0', '11_0', '10_9')
                for cpu in ('arm64', 'universal2')
            ),
        ),
        Platform(
            'linux-x64',
            tuple(f'manylinux_2_{v}_x86_64' for v in (28, 27, 26, 24, 17))
            + ('manylinux2014_x86_64', 'manylinux2010_x86_64'),
        ),
    )
}

# What the extension consists of.
PARTS = (
    '__init__.py',
    '__main__.py',
    'blender_manifest.toml',
    'pyproject.toml',
    'LICENSE',
    'README.md',
    'addon',
    'engine',
)
LEAVE_OUT = ('__pycache__', '.pyc', '.DS_Store')
# Folders of PARTS that users never run: training, measuring, figures, the demo.
NOT_SHIPPED = ('engine/lab',)
EPOCH = (1980, 1, 1, 0, 0, 0)

# Windows refuses paths of more than 259 characters; Blender unpacks wheels below its user folder.
WINDOWS_BASE = (
    'C:\\Users\\a-name-of-20-letters\\AppData\\Roaming\\Blender Foundation\\Blender\\4.2'
    '\\extensions\\.local\\lib\\python3.11\\site-packages\\'
)
WINDOWS_LIMIT = 259

# Parts of wheels that only serve to compile or test against them.
TRIM = {
    'torch': re.compile(
        r'torch/(include|test|share)/|torch/bin/(?!torch_shm_manager)|torch/lib/[^/]+\.(lib|a)$'
    )
}

# Folders in wheels whose contents belong beside the packages (Blender 4.2 leaves them there).
DATA_FOLDER = re.compile(r'[^/]+\.data/(platlib|purelib)/')


def main() -> int:
    options = arguments()
    bare = options.job is zips and options.platform == 'small' and sys.version_info >= SERIES
    if sys.version_info[:2] != SERIES and not bare:
        return run_with_right_python()
    try:
        return options.job(options)
    except Stop as stop:
        print(f'build.py: {stop}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('build.py: stopped.', file=sys.stderr)
        return 130


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(required=True, metavar='VERB')

    def verb(name, job, text):
        add = verbs.add_parser(name, help=text, description=text)
        add.add_argument(
            '--torch-wheel',
            metavar='FILE_OR_INDEX',
            help="PyTorch's CPU build for Linux: a wheel, a folder of wheels or a package index, "
            'where pip does not find one by itself',
        )
        add.set_defaults(job=job)
        return add

    add = verb(
        'demo',
        demo,
        'make the environment, reconstruct a face from a video '
        'and leave a .blend, a contact sheet and figures',
    )
    add.add_argument(
        'footage',
        nargs='*',
        metavar='FOOTAGE',
        help="your own videos or capture.json; default: the built-in head's own performance",
    )
    add.add_argument(
        '--model',
        default='builtin',
        metavar='PATH',
        help='an ICT-FaceKit folder or archive; default: the built-in head',
    )
    add.add_argument('--out', type=Path, default=ROOT / 'demo-out', metavar='DIR')
    verb('check', check, "check the sources' layout, style and types")
    add = verb('test', test, 'make the environment and run all tests; what follows goes to pytest')
    add.add_argument('pytest', nargs=argparse.REMAINDER, metavar='PYTEST_ARGUMENTS')
    add = verb('zip', zips, 'make installable zips in dist/')
    add.add_argument('--platform', default='all', choices=(*PLATFORMS, 'small', 'all'))
    verb(
        'env', env, "make the environment alone, for use as the engine's Python in the preferences"
    )
    options, rest = parser.parse_known_args()
    if rest:
        if options.job is not test:
            parser.error(f'unknown arguments: {" ".join(rest)}')
        options.pytest = rest + options.pytest
    return options


class Stop(Exception):  # noqa: N818 (it ends the job with one sentence, as SystemExit does)
    """One sentence about why the job cannot go on."""


def run_with_right_python() -> int:
    """Start again with a Python that Blender's packages fit."""
    wanted = '.'.join(map(str, SERIES))
    found = shutil.which(f'python{wanted}')
    command = [found] if found else ['py', f'-{wanted}'] if shutil.which('py') else None
    if PYTHON.exists():
        command = [str(PYTHON)]
    if command and subprocess.run([*command, '-c', ''], capture_output=True).returncode == 0:
        return subprocess.call([*command, *sys.argv])
    print(
        f'build.py: this needs Python {wanted}, as Blender has it, and this is '
        f'{sys.version.split()[0]}: install Python {wanted} and run it again.',
        file=sys.stderr,
    )
    return 1


# ---- the environment -----------------------------------------------------------------------------


def project() -> dict:
    """pyproject.toml, read with Python 3.11's own reader."""
    import tomllib

    return tomllib.loads((ROOT / 'pyproject.toml').read_text(encoding='utf-8'))


def requirements(system: str) -> list[str]:
    """Return the engine's pinned requirements for 'linux', 'win32' or 'darwin'.

    On Linux the index's plain torch is a CUDA build of several GB.
    """
    lines = project()['project']['dependencies']
    return [
        line + '+cpu' if line.startswith('torch==') and system.startswith('linux') else line
        for line in lines
    ]


def run(command: list, quiet: bool = False, **options) -> str:
    """Run a command, its output shown unless `quiet`; return a quiet one's output.

    Raises Stop with its last lines where it fails.
    """
    done = subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.STDOUT if quiet else None,
        text=True,
        encoding='utf-8',
        errors='replace',
        **options,
    )
    if done.returncode:
        tail = '\n'.join((done.stdout or '').strip().splitlines()[-12:])
        raise Stop(
            f'{Path(command[0]).name} {" ".join(str(part) for part in command[1:4])} … '
            f'failed with exit code {done.returncode}' + (f':\n{tail}' if tail else '.')
        )
    return done.stdout or ''


def pip(*given, python: Path = PYTHON) -> str:
    return run([python, '-m', 'pip', '--disable-pip-version-check', *given], quiet=True)


def once(name: str, key: object, make) -> None:
    """Do a step of the environment unless its stamp says that it was done for the same `key`."""
    stamp = VENV / f'.{name}.stamp'
    digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return
    print(f'environment: {name}', flush=True)
    began = time.monotonic()
    stamp.unlink(missing_ok=True)
    make()
    stamp.write_text(digest)
    print(f'environment: {name} ready after {time.monotonic() - began:.0f} s', flush=True)


def torch_options(torch_wheel: str | None) -> list[str]:
    """pip's options for finding the CPU build."""
    if not torch_wheel:
        return []
    if '://' in torch_wheel:
        return ['--extra-index-url', torch_wheel]
    path = Path(torch_wheel)
    if not path.exists():
        raise Stop(f'there is no torch wheel at {path}: check --torch-wheel.')
    return ['--find-links', str((path if path.is_dir() else path.parent).resolve())]


def environment(
    torch_wheel: str | None = None,
    extras: tuple[str, ...] = (),
    blenders: tuple[str, ...] = (),
) -> None:
    """Make .venv, or bring it up to date; an existing one is added to, never deleted."""
    if not PYTHON.exists():
        print('environment: a new virtual environment in .venv', flush=True)
        run([sys.executable, '-m', 'venv', VENV], quiet=True)
    lines = requirements(sys.platform)
    once('engine', lines, lambda: install_engine(lines, torch_wheel))
    once('command', project()['project'], install_command)
    for extra in extras:
        lines = project()['project']['optional-dependencies'][extra]
        once(extra, lines, functools.partial(pip, 'install', '--no-deps', *lines))
    for series in blenders:
        version = project()['tool']['facewright']['blender'][series]
        once(f'blender-{series}', version, functools.partial(install_blender, series, version))


def install_engine(lines: list[str], torch_wheel: str | None) -> None:
    torch = [line for line in lines if line.startswith('torch==')]
    try:
        pip('install', '--no-deps', '--only-binary=:all:', *torch_options(torch_wheel), *torch)
    except Stop as stop:
        raise Stop(no_cpu_torch(torch[0], stop)) from None
    refuse_cuda()
    pip(
        'install',
        '--no-deps',
        '--only-binary=:all:',
        *(line for line in lines if line not in torch),
    )


def no_cpu_torch(line: str, stop: Stop) -> str:
    if 'No matching distribution' not in str(stop):
        return str(stop)
    return (
        f"pip finds no {line}, PyTorch's CPU build, and the plain one would pull several GB of "
        'CUDA: give the CPU build with --torch-wheel, as a wheel, a folder of wheels or the '
        'address of PyTorch\'s CPU package index (see pytorch.org, "Start Locally").'
    )


def refuse_cuda() -> None:
    """Raise Stop where torch is a CUDA build on a system whose index gives that by accident."""
    if not sys.platform.startswith('linux'):
        return
    text = run(
        [
            PYTHON,
            '-c',
            'import importlib.metadata as m; d = m.distribution("torch"); '
            'print(d.version, *(d.requires or ()))',
        ],
        quiet=True,
    )
    if re.search(r'\+cu|nvidia|cuda', text):
        raise Stop(
            f'.venv holds a CUDA build of torch ({text.split()[0]}): '
            'remove .venv and give the CPU build with --torch-wheel.'
        )


def install_command() -> None:
    """This folder as the package `facewright`, with its command."""
    pip('install', '--no-deps', '--editable', ROOT)


def install_blender(series: str, version: str) -> None:
    """Install Blender as a module into .venv/blender/<series>, to be put on PYTHONPATH.

    Its numpy is the environment's.
    """
    target = VENV / 'blender' / series
    if (target / f'bpy-{version}.dist-info').is_dir():
        return
    part = target.with_name(series + '.part')
    shutil.rmtree(part, ignore_errors=True)
    pip('install', '--no-deps', '--only-binary=:all:', '--target', part, f'bpy=={version}')
    shutil.rmtree(target, ignore_errors=True)
    part.rename(target)


def blender_environment(series: str, resources: str) -> dict[str, str]:
    """The variables of a process that imports Blender's module, with user settings of its own."""
    folder = str(VENV / 'blender' / series)
    return {**os.environ, 'PYTHONPATH': folder, 'BLENDER_USER_RESOURCES': resources}


def env(options) -> int:
    environment(options.torch_wheel)
    print(f"The engine's Python, for the Facewright preferences: {PYTHON}")
    return 0


# ---- check ---------------------------------------------------------------------------------------


def check(options) -> int:
    """Check the sources' layout, style and types; nothing is changed."""
    environment(options.torch_wheel, extras=('test', 'dev'))
    failed = [
        ' '.join(command)
        for command in CHECKS
        if subprocess.call([str(PYTHON), '-m', *command], cwd=ROOT)
    ]
    print('check: ' + (f'failed: {", ".join(failed)}' if failed else 'clean'), flush=True)
    return 1 if failed else 0


# ---- test ----------------------------------------------------------------------------------------


@dataclass
class Tally:
    """The results of the test sessions so far: counts, and the sessions that failed."""

    passed: int = 0
    bad: int = 0
    skipped: int = 0
    failed: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, report: Path) -> int:
        """Add pytest's report of a session; return how many tests it had."""
        if not report.exists():
            return 0
        total = 0
        results = xml.etree.ElementTree.parse(report)  # noqa: S314 (pytest's own file)
        for suite in results.getroot().iter('testsuite'):
            tests, skipped = int(suite.get('tests', 0)), int(suite.get('skipped', 0))
            bad = int(suite.get('failures', 0)) + int(suite.get('errors', 0))
            with self.lock:  # sessions run beside one another
                self.passed += tests - bad - skipped
                self.bad += bad
                self.skipped += skipped
            total += tests
        return total


@dataclass(frozen=True)
class Session:
    """One run of pytest in a process of its own. variables: its environment's."""

    name: str
    arguments: list[str]
    variables: dict[str, str]


def test(options) -> int:
    """Run the engine's tests and, beside them, the add-on's once in each Blender; print the sum.

    The Blenders come one after the other, as each uses what the one before it made.
    """
    series = tuple(project()['tool']['facewright']['blender'])
    environment(options.torch_wheel, extras=('test',), blenders=series)
    given = [argument for argument in options.pytest if argument != '--']
    chosen = [a for a in given if not a.startswith('-') and Path(a.split('::')[0]).exists()]
    others = [argument for argument in given if argument not in chosen]
    in_blender = [a for a in chosen if is_in_blender(a)]
    outside = [a for a in chosen if a not in in_blender]
    began, tally = time.monotonic(), Tally()
    with tempfile.TemporaryDirectory() as once:
        engine, blenders = [], []
        if outside or not chosen:
            paths = outside or ['tests', '--ignore=tests/addon']
            engine.append(Session('engine', [*others, *paths], dict(os.environ)))
        if in_blender or not chosen:
            for one in series:
                resources = Path(once) / one  # Blender's, and what one session makes for the others
                variables = blender_environment(one, str(resources))
                variables['FACEWRIGHT_TEST_CACHE'] = str(Path(once) / 'made once')
                arguments = [*others, *(in_blender or ['tests/addon'])]
                blenders.append(Session(f'Blender {one}', arguments, variables))
        run_beside(engine, blenders, tally)
    failures = f'; failed: {", ".join(tally.failed)}' if tally.failed else ''
    print(f'\nall sessions together, {time.monotonic() - began:.0f} s{failures}')
    print(f'{tally.passed} passed, {tally.bad} failed, {tally.skipped} skipped', flush=True)
    return 1 if tally.bad or tally.failed or not tally.passed else 0


def run_beside(shown: list[Session], beside: list[Session], tally: Tally) -> None:
    """Run sessions in turn, and others in turn beside them, whose output is printed afterwards.

    Each half has half of the cores: threads of two that wait for one another by spinning would
    take each other's.
    """
    if not shown or not beside:
        for session in [*shown, *beside]:
            run_session(session, tally)
        return
    half = {'OMP_NUM_THREADS': str(max(1, (os.cpu_count() or 2) // 2))}
    shown, beside = (
        [replace(one, variables={**half, **one.variables}) for one in sessions]
        for sessions in (shown, beside)
    )
    with tempfile.TemporaryFile() as log, ThreadPoolExecutor(1) as pool:
        others = [pool.submit(run_session, session, tally, log) for session in beside]
        try:
            for session in shown:
                run_session(session, tally)
            wait(others)
        finally:
            for other in others:
                other.cancel()
            wait(others)
            log.seek(0)
            sys.stdout.write(log.read().decode(errors='replace'))
    for other in others:
        other.result()


def is_in_blender(argument: str) -> bool:
    """Whether a path or test id lies in tests/addon."""
    path = Path(argument.split('::')[0]).resolve()
    return (ROOT / 'tests' / 'addon') in (path, *path.parents)


def run_session(session: Session, tally: Tally, log: IO[bytes] | None = None) -> None:
    """Run pytest once in a process of its own and add its results to `tally`.

    log: where its output goes; None: to where this process's goes.
    """
    heading = f'\n==== {session.name} ====\n'
    if log is None:
        print(heading, end='', flush=True)
    else:
        log.write(heading.encode())
        log.flush()
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / 'report.xml'
        command = [str(PYTHON), '-m', 'pytest', f'--junitxml={report}', '--durations=8']
        try:
            code = subprocess.call(
                [*command, *session.arguments],
                cwd=ROOT,
                env=session.variables,
                stdout=log,
                stderr=log,
                timeout=SESSION_LIMIT,
            )
        except subprocess.TimeoutExpired:
            code = 'none: it did not end'
        seen = tally.add(report)
    if code not in (0, 5) or (code == 0 and not seen):
        tally.failed.append(f'{session.name} (exit code {code})')


# ---- demo ----------------------------------------------------------------------------------------


def demo(options) -> int:
    """Footage → reconstruction → Blender scene, in options.out."""
    environment(options.torch_wheel, blenders=(NEWEST_BLENDER,))
    out = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    footage = [str(Path(source).resolve()) for source in options.footage]
    with tempfile.TemporaryDirectory() as resources:
        if subprocess.call(
            [
                str(PYTHON),
                '-m',
                'facewright.engine.lab.demo_scene',
                '--model',
                options.model,
                '--out',
                str(out),
                *footage,
            ],
            env=blender_environment(NEWEST_BLENDER, resources),
        ):
            return 1
    print(f'{out}: demo.blend, overlay.png, figures.json, after {time.monotonic() - began:.0f} s')
    return 0


# ---- zip -----------------------------------------------------------------------------------------


def zips(options) -> int:
    """Make the zips asked for, each checked by Blender's own extension tool.

    The small one needs no environment, and is checked where one is there.
    """
    names = [*PLATFORMS, 'small'] if options.platform == 'all' else [options.platform]
    if names != ['small']:
        environment(options.torch_wheel, blenders=(NEWEST_BLENDER,))
    problems = []
    for name in names:
        try:
            path = make_zip(None if name == 'small' else PLATFORMS[name], options.torch_wheel)
            checked = (
                'valid'
                if extension_tool()
                else "not checked, as Blender's extension tool is not here"
            )
            print(
                f'{path.relative_to(ROOT)}: {path.stat().st_size / 1e6:.1f} MB, {checked}',
                flush=True,
            )
        except Stop as stop:
            problems.append(f'{name}: {stop}')
    for problem in problems:
        print(f'build.py: {problem}', file=sys.stderr)
    return 1 if problems else 0


def make_zip(
    platform: Platform | None, torch_wheel: str | None = None, folder: Path = DIST
) -> Path:
    """Make one installable zip, with the platform's wheels or, for None, without any.

    It is written whole or not at all.
    """
    version = project()['project']['version']
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f'facewright-{version}-{platform.name if platform else "small"}.zip'
    wheels = fetch_wheels(platform, torch_wheel) if platform else []
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        staged = stage(Path(scratch) / 'facewright', platform, wheels)
        made = Path(scratch) / path.name
        pack(staged, made)
        if platform or extension_tool():
            validate(made)
        made.replace(path)
    return path


def stage(folder: Path, platform: Platform | None, wheels: list[Path]) -> Path:
    """The extension's folder as it will be installed."""
    folder.mkdir()
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=left_out)
        else:
            shutil.copyfile(source, folder / part)
    (folder / 'requirements.txt').write_text(
        '\n'.join(
            [
                "# The engine's requirements, complete: "
                'pip install --no-deps -r requirements.txt, with Python 3.11',
                *project()['project']['dependencies'],
                '',
            ]
        ),
        encoding='utf-8',
    )
    for wheel in wheels:
        (folder / 'wheels').mkdir(exist_ok=True)
        shutil.copyfile(wheel, folder / 'wheels' / wheel.name)
    manifest = folder / 'blender_manifest.toml'
    manifest.write_text(
        manifest_for(
            manifest.read_text(encoding='utf-8'), platform, [wheel.name for wheel in wheels]
        ),
        encoding='utf-8',
    )
    return folder


def left_out(folder: str, names: list[str]) -> list[str]:
    """What of a folder below ROOT does not belong into the zip."""
    within = Path(folder).relative_to(ROOT)
    return [n for n in names if n.endswith(LEAVE_OUT) or (within / n).as_posix() in NOT_SHIPPED]


def manifest_for(text: str, platform: Platform | None, wheels: list[str]) -> str:
    """The manifest with one platform and its wheels; unchanged for the small zip."""
    if platform is None:
        return text
    text = re.sub(r'^platforms = .*$', f'platforms = ["{platform.name}"]', text, flags=re.MULTILINE)
    lines = ''.join(f'  "./wheels/{name}",\n' for name in sorted(wheels))
    return text.replace('\n[permissions]', f'\nwheels = [\n{lines}]\n\n[permissions]', 1)


def fetch_wheels(platform: Platform, torch_wheel: str | None) -> list[Path]:
    """The pinned requirements' wheels for a platform, trimmed; kept in build/wheels."""
    fetched, trimmed = (
        ROOT / 'build' / 'wheels' / platform.name,
        ROOT / 'build' / 'wheels' / f'{platform.name}-trimmed',
    )
    for folder in (fetched, trimmed):
        folder.mkdir(parents=True, exist_ok=True)
    tags = [part for tag in platform.tags for part in ('--platform', tag)]
    wheels, missing = [], []
    for line in requirements('linux' if platform.name.startswith('linux') else platform.name):
        name, version = line.split('==')
        stem = f'{name.replace("-", "_")}-{version}-'.lower()
        if not find_wheel(fetched, stem):
            try:
                pip(
                    'download',
                    '--only-binary=:all:',
                    '--no-deps',
                    '--python-version',
                    '.'.join(map(str, SERIES)),
                    '--implementation',
                    'cp',
                    *tags,
                    *(torch_options(torch_wheel) if name == 'torch' else ()),
                    '--dest',
                    fetched,
                    line,
                )
            except Stop as stop:
                missing.append(
                    no_cpu_torch(line, stop)
                    if name == 'torch' and '+cpu' in line
                    else line
                    if 'No matching distribution' in str(stop)
                    else str(stop)
                )
                continue
        wheels.append(trim(find_wheel(fetched, stem), trimmed, name))
    if missing:
        raise Stop(f'no wheel of {"; ".join(missing)} for {platform.name}.')
    if platform.name.startswith('windows'):
        check_lengths(wheels)
    return wheels


def find_wheel(folder: Path, stem: str) -> Path | None:
    return next(
        (path for path in sorted(folder.glob('*.whl')) if path.name.lower().startswith(stem)), None
    )


def trim(wheel: Path, folder: Path, name: str) -> Path:
    """Copy a wheel without what only compilers and torch's own tests need.

    Its many licence files become one. For Blender 4.2 it is tagged arm64 where it is universal2,
    which that takes for another system, and what lies in {name}.data/platlib lies where pip would
    put it, as pillow-heif's libraries for Windows. Returns the wheel itself where nothing of that
    applies.
    """
    unwanted = TRIM.get(name)
    if not unwanted and 'universal2' not in wheel.name and not has_data_folder(wheel):
        return wheel
    made = folder / wheel.name.replace('universal2', 'arm64')
    if made.exists() and made.stat().st_mtime >= Path(__file__).stat().st_mtime:
        return made
    part = made.with_suffix('.part')
    with (
        zipfile.ZipFile(wheel) as source,
        zipfile.ZipFile(part, 'w', zipfile.ZIP_DEFLATED) as target,
    ):
        info = next(n.split('/')[0] for n in source.namelist() if n.endswith('.dist-info/METADATA'))
        nested = re.compile(rf'{re.escape(info)}/licenses/third_party/')
        records, licences = [], []
        for member in source.infolist():
            if (
                member.is_dir()
                or (unwanted and unwanted.match(member.filename))
                or member.filename == f'{info}/RECORD'
            ):
                continue
            data = source.read(member)
            if unwanted and nested.match(member.filename):
                licences.append(f'==== {member.filename} ====\n'.encode() + data)
                continue
            if member.filename == f'{info}/WHEEL':
                data = data.replace(b'universal2', b'arm64')
            place = DATA_FOLDER.sub('', member.filename)
            add_member(target, place, data, records, member.external_attr)
        if licences:
            add_member(target, f'{info}/licenses/THIRD_PARTY.txt', b'\n\n'.join(licences), records)
        text = ''.join(f'{line}\n' for line in (*records, f'{info}/RECORD,,'))
        target.writestr(zipfile.ZipInfo(f'{info}/RECORD', EPOCH), text, zipfile.ZIP_DEFLATED)
    part.replace(made)
    return made


def has_data_folder(wheel: Path) -> bool:
    """Whether a wheel has files that pip would put elsewhere than they lie in it."""
    with zipfile.ZipFile(wheel) as members:
        return any(DATA_FOLDER.match(name) for name in members.namelist())


def add_member(
    target: zipfile.ZipFile,
    name: str,
    data: bytes,
    records: list[str],
    attributes: int = 0o644 << 16,
) -> None:
    """Write one file of a wheel, and its line of RECORD."""
    import base64

    entry = zipfile.ZipInfo(name, EPOCH)
    entry.external_attr = attributes
    target.writestr(entry, data, zipfile.ZIP_DEFLATED)
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()
    quoted = f'"{name}"' if ',' in name else name
    records.append(f'{quoted},sha256={digest},{len(data)}')


def check_lengths(wheels: list[Path]) -> None:
    """Raise where a file of a wheel would have too long a path on Windows."""
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as members:
            longest = max(members.namelist(), key=len)
        if len(WINDOWS_BASE) + len(longest) > WINDOWS_LIMIT:
            raise Stop(
                f'{longest} of {wheel.name} has {len(longest)} characters, and Windows allows '
                f'{WINDOWS_LIMIT - len(WINDOWS_BASE)} '
                "below Blender's folder: leave that file out (TRIM in build.py)."
            )


def pack(folder: Path, path: Path) -> None:
    """Zip a folder's contents, so that the same tree gives the same bytes.

    Sorted, of fixed dates, wheels stored as they are.
    """
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as target:
        for file in sorted(p for p in folder.rglob('*') if p.is_file()):
            entry = zipfile.ZipInfo(file.relative_to(folder).as_posix(), EPOCH)
            entry.external_attr = 0o644 << 16
            entry.compress_type = (
                zipfile.ZIP_STORED if file.suffix == '.whl' else zipfile.ZIP_DEFLATED
            )
            entry.file_size = file.stat().st_size
            with file.open('rb') as source, target.open(entry, 'w') as sink:
                shutil.copyfileobj(source, sink, 1 << 20)


def extension_tool() -> Path | None:
    """Blender's own extension tool, None where the environment has no Blender."""
    folder = VENV / 'blender' / NEWEST_BLENDER
    return (
        next(folder.rglob('bl_pkg/cli/blender_ext.py'), None)
        if PYTHON.exists() and folder.is_dir()
        else None
    )


def validate(path: Path) -> None:
    """Blender's own extension tool over a zip; raises Stop with what it says."""
    tool = extension_tool()
    if tool is None:
        raise Stop("Blender's extension tool is not in the environment: run build.py env again.")
    run([PYTHON, '-B', tool, 'validate', path], quiet=True)


if __name__ == '__main__':
    raise SystemExit(main())
