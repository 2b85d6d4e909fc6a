"""build.py: what it refuses and how, what the zips hold, and that Blender installs them."""

import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import textwrap
import threading
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
_spec = importlib.util.spec_from_file_location('facewright_build', ROOT / 'build.py')
build = importlib.util.module_from_spec(_spec)
sys.modules['facewright_build'] = build
_spec.loader.exec_module(build)

BLENDERS = sorted(
    path for path in (ROOT / '.venv' / 'blender').glob('*') if (path / 'bpy').is_dir()
)
needs_blender = pytest.mark.skipif(
    not BLENDERS, reason='needs the bpy modules that `build.py test` installs'
)
needs_tool = pytest.mark.skipif(
    not (ROOT / '.venv' / 'blender' / build.NEWEST_BLENDER).is_dir(),
    reason="needs Blender's extension tool, from its bpy module",
)


@pytest.fixture(scope='session')
def small_zip(tmp_path_factory):
    """The zip without wheels, built and validated by Blender's tool."""
    return build.make_zip(None, folder=tmp_path_factory.mktemp('dist'))


def wheel(folder, name, members):
    """A wheel file with the given members {path: bytes}."""
    path = folder / name
    with zipfile.ZipFile(path, 'w') as target:
        for member, data in members.items():
            target.writestr(member, data)
    return path


# ---- requirements --------------------------------------------------------------------------------


def test_every_requirement_is_pinned_once():
    lines = build.project()['project']['dependencies']
    assert all(line.count('==') == 1 for line in lines)
    names = [line.split('==')[0] for line in lines]
    assert len(set(names)) == len(names) and {'torch', 'mediapipe', 'numpy'} <= set(names)
    assert not any(name in ('opencv-python', 'opencv-contrib-python') for name in names)


@pytest.mark.skipif(os.name == 'nt', reason='makes symbolic links')
def test_the_list_is_complete(root, tmp_path):
    """Every module of the engine imports, and torch trains, with the pinned packages alone."""
    for name in build.project()['project']['dependencies']:
        for top in {file.parts[0] for file in importlib.metadata.files(name.split('==')[0])} - {
            '..',
            '__pycache__',
        }:
            source = Path(importlib.metadata.distribution(name.split('==')[0]).locate_file(top))
            if top == 'cv2':  # it looks for itself by its real path
                shutil.copytree(source, tmp_path / top)
            elif not (tmp_path / top).exists():
                (tmp_path / top).symlink_to(source)
    program = textwrap.dedent("""
        import importlib.util, pkgutil, sys
        sys.path.insert(0, sys.argv[2])
        spec = importlib.util.spec_from_file_location('w', sys.argv[1])
        w = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(w)
        assert w.prepare_imports() is None
        package = w.register_package()
        import cv2, scipy.sparse.linalg, scipy.spatial, torch, trimesh, warp, av
        import safetensors.torch, pillow_heif
        torch.optim.Adam([torch.zeros(1, requires_grad=True)]).step()
        import facewright.engine
        from facewright.engine.footage.detector.mediapipe_networks import mediapipe
        mediapipe()
        for module in pkgutil.walk_packages(facewright.engine.__path__, 'facewright.engine.'):
            if not module.name.startswith('facewright.engine.lab'):  # not shipped
                importlib.import_module(module.name)
        print('all there')
    """)
    done = subprocess.run(
        [
            sys.executable,
            '-I',
            '-S',
            '-c',
            program,
            str(root / 'engine' / 'worker.py'),
            str(tmp_path),
        ],
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip().endswith('all there'), done.stderr[-2000:]


def test_linux_takes_the_cpu_build_of_torch():
    assert 'torch==2.13.0+cpu' in build.requirements('linux')
    assert 'torch==2.13.0' in build.requirements('win32') and 'torch==2.13.0' in build.requirements(
        'darwin'
    )


@pytest.mark.skipif(
    not sys.platform.startswith('linux'), reason='CUDA builds come by accident on Linux'
)
@pytest.mark.parametrize(
    'found, refused',
    [
        ('2.13.0+cpu filelock', False),
        ('2.13.0 filelock', False),
        ('2.13.0 nvidia-cublas==13.0', True),
        ('2.13.0+cu130 filelock', True),
    ],
)
def test_a_cuda_build_is_refused(monkeypatch, found, refused):
    monkeypatch.setattr(build, 'run', lambda *_, **__: found)
    if refused:
        with pytest.raises(build.Stop, match='--torch-wheel'):
            build.refuse_cuda()
    else:
        build.refuse_cuda()


def test_no_cpu_build_says_how_to_give_one(monkeypatch):
    def pip(*_, **__):
        raise build.Stop('ERROR: No matching distribution found for torch==2.13.0+cpu')

    monkeypatch.setattr(build, 'pip', pip)
    with pytest.raises(build.Stop, match=r'several GB of CUDA.*--torch-wheel'):
        build.install_engine(['torch==2.13.0+cpu'], None)


def test_torch_wheel_may_be_a_file_a_folder_or_an_index(tmp_path):
    file = tmp_path / 'torch-2.13.0+cpu-cp311-cp311-linux_x86_64.whl'
    file.touch()
    assert (
        build.torch_options(str(file))
        == build.torch_options(str(tmp_path))
        == ['--find-links', str(tmp_path)]
    )
    assert build.torch_options('https://example.org/cpu') == [
        '--extra-index-url',
        'https://example.org/cpu',
    ]
    with pytest.raises(build.Stop, match='check --torch-wheel'):
        build.torch_options(str(tmp_path / 'nothing.whl'))


# ---- steps and verbs -----------------------------------------------------------------------------


def test_a_step_runs_once_and_again_after_a_change_or_a_failure(monkeypatch, tmp_path):
    monkeypatch.setattr(build, 'VENV', tmp_path)
    done = []
    build.once('step', [1], lambda: done.append(1))
    build.once('step', [1], lambda: done.append(2))
    build.once('step', [2], lambda: done.append(3))
    with pytest.raises(ZeroDivisionError):
        build.once('step', [3], lambda: 1 / 0)
    build.once('step', [3], lambda: done.append(4))
    assert done == [1, 3, 4]


@pytest.mark.parametrize('line', [['dance'], [], ['zip', '--platform', 'amiga'], ['zip', '--what']])
def test_wrong_verbs_are_usage_errors(monkeypatch, line):
    monkeypatch.setattr(sys, 'argv', ['build.py', *line])
    with pytest.raises(SystemExit) as stop:
        build.arguments()
    assert stop.value.code == 2


def test_pytest_arguments_are_handed_on(monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['build.py', 'test', '-k', 'some thing', '-x'])
    assert build.arguments().pytest == ['-k', 'some thing', '-x']


@pytest.fixture
def fake_sessions(monkeypatch):
    """Run `build.py test` with pytest replaced; return (exit code, commands).

    outcomes: {words in the command: (exit code, tests, failures)}.
    meanwhile: called in each session with its environment.
    """

    def run(outcomes, *given, meanwhile=lambda env: None):
        commands = []

        def call(command, cwd, env, stdout, stderr, timeout):
            commands.append((command, env))
            meanwhile(env)
            code, tests, failures = next(
                value
                for key, value in outcomes.items()
                if key in ' '.join(command) + env.get('PYTHONPATH', '')
            )
            report = next(
                part.split('=', 1)[1] for part in command if part.startswith('--junitxml=')
            )
            Path(report).write_text(
                f'<testsuites><testsuite tests="{tests}" failures="{failures}" errors="0" '
                'skipped="0"/></testsuites>'
            )
            return code

        monkeypatch.setattr(build, 'environment', lambda *_, **__: None)
        monkeypatch.setattr(build.subprocess, 'call', call)
        monkeypatch.setattr(sys, 'argv', ['build.py', 'test', *given])
        return build.main(), commands

    return run


def test_test_runs_the_engine_and_every_blender(fake_sessions, capsys):
    code, commands = fake_sessions({'': (0, 3, 0)})
    assert code == 0 and len(commands) == 1 + len(build.project()['tool']['facewright']['blender'])
    assert (
        capsys.readouterr().out.splitlines()[-1]
        == f'{3 * len(commands)} passed, 0 failed, 0 skipped'
    )
    assert sum('BLENDER_USER_RESOURCES' in env for _, env in commands) == len(commands) - 1


def test_the_engine_and_blender_are_tested_beside_one_another(fake_sessions, capsys):
    """Each on half of the cores; the Blenders one after the other, in the order of their age."""
    both, seen = threading.Barrier(2, timeout=60), []

    def meanwhile(env):
        in_blender = 'BLENDER_USER_RESOURCES' in env
        if not in_blender or not seen:
            both.wait()
        if in_blender:
            seen.append(env['PYTHONPATH'])
        assert 'OMP_NUM_THREADS' in env

    code, commands = fake_sessions({'': (0, 3, 0)}, meanwhile=meanwhile)
    assert code == 0 and seen == sorted(seen) and len(seen) == len(commands) - 1
    out = capsys.readouterr().out
    assert out.index('==== engine') < out.index('==== Blender')


@pytest.mark.parametrize(
    'outcomes',
    [
        {'blender/4.5': (1, 3, 1), '': (0, 3, 0)},
        {'blender/4.5': (139, 3, 0), '': (0, 3, 0)},
        {'': (5, 0, 0)},
    ],
    ids=['a failure', 'a crash', 'nothing ran'],
)
def test_test_fails(fake_sessions, outcomes):
    assert fake_sessions(outcomes)[0] != 0


def test_chosen_tests_run_where_they_belong(fake_sessions, root, monkeypatch):
    monkeypatch.chdir(root)
    assert len(fake_sessions({'': (0, 1, 0)}, 'tests/test_build.py::test_x', '-q')[1]) == 1
    _, commands = fake_sessions({'': (0, 1, 0)}, 'tests/addon')
    assert all(
        env['PYTHONPATH'].endswith(series)
        for (_, env), series in zip(
            commands, build.project()['tool']['facewright']['blender'], strict=True
        )
    )


# ---- zips ----------------------------------------------------------------------------------------


@needs_tool
def test_the_small_zip_holds_the_extension_alone(small_zip, root):
    with zipfile.ZipFile(small_zip) as members:
        names = members.namelist()
        manifest = tomllib.loads(members.read('blender_manifest.toml').decode())
        listed = members.read('requirements.txt').decode()
    tops = {name.split('/')[0] for name in names}
    assert tops == {*build.PARTS, 'requirements.txt'}
    assert not any('__pycache__' in name or name.endswith('.pyc') for name in names)
    source = {
        path.relative_to(root).as_posix()
        for part in ('addon', 'engine')
        for path in (root / part).rglob('*')
        if path.is_file() and '__pycache__' not in path.parts
    }
    users_never_run = {name for name in source if name.startswith('engine/lab/')}
    assert users_never_run and not users_never_run & set(names)
    assert source - users_never_run <= set(names)
    assert (
        'wheels' not in manifest
        and manifest['id'] == 'facewright'
        and manifest['platforms'] == list(build.PLATFORMS)
    )
    assert all(line in listed for line in build.project()['project']['dependencies'])
    assert small_zip.stat().st_size < 20e6


def test_the_small_zip_needs_no_environment(tmp_path, root):
    """A bare copy, a Python with nothing installed, no other program to be found."""
    for part in (*build.PARTS, 'build.py'):
        if (root / part).is_dir():
            shutil.copytree(
                root / part, tmp_path / 'copy' / part, ignore=shutil.ignore_patterns('__pycache__')
            )
        else:
            shutil.copy(
                root / part, (tmp_path / 'copy').mkdir(exist_ok=True) or tmp_path / 'copy' / part
            )
    done = subprocess.run(
        [sys._base_executable, '-I', '-S', 'build.py', 'zip', '--platform', 'small'],
        cwd=tmp_path / 'copy',
        env={'PATH': ''},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and 'MB, not checked' in done.stdout, done.stderr
    (made,) = (tmp_path / 'copy' / 'dist').iterdir()
    assert build.make_zip(None, folder=tmp_path).read_bytes() == made.read_bytes()
    assert {p.name for p in (tmp_path / 'copy').iterdir()} == {*build.PARTS, 'build.py', 'dist'}


@needs_tool
def test_the_same_tree_gives_the_same_bytes(small_zip, tmp_path):
    again = build.make_zip(None, folder=tmp_path)
    assert again.read_bytes() == small_zip.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == [again.name]


@needs_tool
def test_an_invalid_zip_is_refused_and_not_left(monkeypatch, tmp_path):
    monkeypatch.setattr(
        build,
        'manifest_for',
        lambda text, *_: text.replace('id = "facewright"', 'id = "no good id"'),
    )
    with pytest.raises(build.Stop, match='key "id" invalid'):
        build.make_zip(None, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


@needs_tool
def test_a_platforms_manifest_lists_its_wheels(tmp_path, root):
    wheels = [
        wheel(tmp_path, 'b-1.0-py3-none-any.whl', {'b.py': b''}),
        wheel(tmp_path, 'a-1.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl', {'a.py': b''}),
    ]
    platform = build.PLATFORMS['linux-x64']
    staged = build.stage(tmp_path / 'facewright', platform, wheels)
    manifest = tomllib.loads((staged / 'blender_manifest.toml').read_text())
    assert manifest['platforms'] == ['linux-x64']
    assert manifest['wheels'] == [f'./wheels/{path.name}' for path in reversed(wheels)]
    assert (
        manifest['permissions']
        == tomllib.loads((root / 'blender_manifest.toml').read_text())['permissions']
    )
    made = tmp_path / 'made.zip'
    build.pack(staged, made)
    build.validate(made)


def test_versions_agree(root):
    manifest = tomllib.loads((root / 'blender_manifest.toml').read_text())
    project = build.project()['project']
    assert manifest['version'] == project['version']
    assert manifest['license'] == [f'SPDX:{project["license"]}']


def test_trimming_keeps_what_runs_and_every_licence(tmp_path):
    deep = 'torch-2.0.dist-info/licenses/third_party/' + 'x/' * 80 + 'LICENSE'
    path = wheel(
        tmp_path,
        'torch-2.0-cp311-cp311-macosx_11_0_universal2.whl',
        {
            'torch/__init__.py': b'1',
            'torch/include/a.h': b'2',
            'torch/lib/t.lib': b'3',
            'torch/lib/t.dll': b'4',
            'torch/bin/torch_shm_manager': b'5',
            'torch/bin/protoc': b'6',
            'torch/test/x': b'7',
            deep: b'some licence',
            'torch-2.0.dist-info/METADATA': b'',
            'torch-2.0.dist-info/RECORD': b'old',
            'torch-2.0.dist-info/WHEEL': b'Tag: cp311-cp311-macosx_11_0_universal2\n',
        },
    )
    made = build.trim(path, tmp_path, 'torch')
    assert made.name == 'torch-2.0-cp311-cp311-macosx_11_0_arm64.whl'
    with zipfile.ZipFile(made) as members:
        names = set(members.namelist())
        record = members.read('torch-2.0.dist-info/RECORD').decode()
        assert b'some licence' in members.read('torch-2.0.dist-info/licenses/THIRD_PARTY.txt')
        assert b'arm64' in members.read('torch-2.0.dist-info/WHEEL')
    assert {name for name in names if name.startswith('torch/')} == {
        'torch/__init__.py',
        'torch/lib/t.dll',
        'torch/bin/torch_shm_manager',
    }
    assert {line.split(',')[0] for line in record.splitlines()} == names
    other = wheel(tmp_path, 'six-1.0-py3-none-any.whl', {'six.py': b''})
    assert build.trim(other, tmp_path, 'six') == other


def test_libraries_in_a_data_folder_lie_beside_their_module(tmp_path):
    """As pip puts them, and Blender 4.2 does not: pillow-heif's for Windows."""
    path = wheel(
        tmp_path,
        'heif-1.0-cp311-cp311-win_amd64.whl',
        {
            '_heif.pyd': b'1',
            'heif-1.0.data/platlib/libheif.dll': b'2',
            'heif-1.0.dist-info/METADATA': b'',
            'heif-1.0.dist-info/RECORD': b'old',
            'heif-1.0.dist-info/WHEEL': b'Tag: cp311-cp311-win_amd64\n',
        },
    )
    (tmp_path / 'trimmed').mkdir()
    made = build.trim(path, tmp_path / 'trimmed', 'heif')
    with zipfile.ZipFile(made) as members:
        names = set(members.namelist())
        record = members.read('heif-1.0.dist-info/RECORD').decode()
        assert members.read('libheif.dll') == b'2'
    assert not any('.data/' in name for name in names)
    assert {line.split(',')[0] for line in record.splitlines()} == names


def test_too_long_a_path_for_windows_is_named(tmp_path):
    build.check_lengths([wheel(tmp_path, 'a-1-py3-none-any.whl', {'a/b.py': b''})])
    long = 'a/' * 100 + 'b.py'
    with pytest.raises(build.Stop, match=r'b\.py of a-2'):
        build.check_lengths([wheel(tmp_path, 'a-2-py3-none-any.whl', {long: b''})])


# ---- installing ----------------------------------------------------------------------------------

INSTALL = """
import json, sys
import bpy
path, python = sys.argv[1:]
done = bpy.ops.extensions.package_install_files(
    filepath=path, repo='user_default', enable_on_install=True
)
assert done == {'FINISHED'}
name = 'bl_ext.user_default.facewright'
assert name in bpy.context.preferences.addons, sorted(bpy.context.preferences.addons.keys())
preferences = bpy.context.preferences.addons[name].preferences
if preferences is not None:
    preferences.python = python
before = set(bpy.data.objects)
finished = bpy.ops.facewright.add_head() == {'FINISHED'}
(head,) = set(bpy.data.objects) - before
keys = len(head.data.shape_keys.key_blocks)
report = {'finished': finished, 'keys': keys, 'file': sys.modules[name].__file__}
print('INSTALLED ' + json.dumps(report))
bpy.ops.preferences.addon_disable(module=name)
assert not hasattr(bpy.types.Scene, 'facewright')
"""


@pytest.fixture(scope='session')
def cache(tmp_path_factory):
    """A folder for face models that all Blenders share: the first builds the head for all."""
    return tmp_path_factory.mktemp("Zoë's cache")


def install(archive, blender, python, folder, cache):
    """Install a zip into a Blender whose user folder has a space and an accent.

    Add a head there, disable the add-on.
    """
    resources = folder / "Zoë's Blender"
    resources.mkdir()
    environment = {
        **os.environ,
        'PYTHONPATH': str(blender),
        'BLENDER_USER_RESOURCES': str(resources),
        'FACEWRIGHT_CACHE': str(cache),
    }
    done = subprocess.run(
        [sys.executable, '-c', INSTALL, str(archive), python],
        capture_output=True,
        text=True,
        env=environment,
        cwd=folder,
    )
    line = next((line for line in done.stdout.splitlines() if line.startswith('INSTALLED ')), None)
    assert line, done.stdout[-2000:] + done.stderr[-2000:]
    told = json.loads(line.split(' ', 1)[1])
    assert told['finished'] and told['keys'] == 55 and str(resources) in told['file']
    assert done.returncode == 0, done.stderr[-2000:]


@needs_tool
@needs_blender
@pytest.mark.parametrize('blender', BLENDERS, ids=lambda path: path.name)
def test_blender_installs_the_small_zip(small_zip, tmp_path, blender, cache):
    """With this environment chosen as the engine's Python."""
    install(small_zip, blender, sys.executable, tmp_path, cache)


@pytest.mark.zips
@needs_blender
@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='installs the Linux zip')
@pytest.mark.parametrize('blender', BLENDERS, ids=lambda path: path.name)
def test_the_whole_zip_brings_all_the_engine_needs(tmp_path, blender, cache):
    """With a bare Python, as Blender's own is: every package comes from the zip's wheels."""
    install(
        build.make_zip(build.PLATFORMS['linux-x64'], folder=tmp_path),
        blender,
        str(Path(sys._base_executable).resolve()),
        tmp_path,
        cache,
    )


@pytest.mark.zips
@pytest.mark.parametrize('platform', build.PLATFORMS.values(), ids=build.PLATFORMS)
def test_a_platforms_zip_builds_and_is_valid(platform, tmp_path):
    path = build.make_zip(platform, folder=tmp_path)
    with zipfile.ZipFile(path) as members:
        wheels = [name for name in members.namelist() if name.endswith('.whl')]
    assert len(wheels) == len(build.project()['project']['dependencies'])
    ending = {'windows-x64': 'win_amd64', 'macos-arm64': '_arm64', 'linux-x64': '_x86_64'}[
        platform.name
    ]  # what Blender 4.2 accepts
    assert all(name.removesuffix('.whl').endswith(('-any', ending)) for name in wheels)


# ---- check ---------------------------------------------------------------------------------------


@pytest.mark.parametrize('broken', [None, 'format', 'lint', 'basedpyright'])
def test_check_fails_where_any_of_its_checks_does(monkeypatch, capsys, broken):
    """`build.py check` runs layout, lint and types, all of them, and fails with any."""
    seen = []

    def call(command, cwd):
        seen.append(' '.join(command[2:]))
        name = {'ruff format --check .': 'format', 'ruff check .': 'lint'}.get(seen[-1], seen[-1])
        return int(name == broken)

    monkeypatch.setattr(build, 'environment', lambda *_, **__: None)
    monkeypatch.setattr(build.subprocess, 'call', call)
    monkeypatch.setattr(sys, 'argv', ['build.py', 'check'])
    assert build.main() == (broken is not None)
    assert len(seen) == 3
    assert ('clean' in capsys.readouterr().out) == (broken is None)
