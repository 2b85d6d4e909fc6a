"""The add-on comes and goes without a trace, and says what everything is."""

import os
import subprocess
import sys

import bpy
import pytest

import facewright
from facewright import addon as addon_package
from facewright.addon import jobs


def traces():
    found = {name for name in dir(bpy.types) if 'facewright' in name.lower()} | set(
        dir(bpy.ops.facewright)
    )
    handlers = [h for h in bpy.app.handlers.load_pre if 'facewright' in h.__module__]
    return found, handlers, hasattr(bpy.types.Scene, 'facewright')


def test_unregistering_leaves_nothing_and_twice_works():
    for _ in range(2):
        facewright.unregister()
        assert traces() == (set(), [], False)
        facewright.register()
        assert traces()[0] and traces()[1] and traces()[2]


def test_a_failure_while_registering_leaves_nothing(monkeypatch):
    facewright.unregister()
    monkeypatch.setattr(jobs, 'attach', lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        facewright.register()
    assert traces() == (set(), [], False)
    monkeypatch.undo()
    facewright.register()


@pytest.mark.parametrize('name', [c.__name__ for c in addon_package.CLASSES])
def test_everything_has_a_tooltip(name):
    cls = next(c for c in addon_package.CLASSES if c.__name__ == name)
    rna = cls.bl_rna
    if issubclass(cls, bpy.types.Operator):
        rna = getattr(bpy.ops.facewright, cls.bl_idname.removeprefix('facewright.')).get_rna_type()
        assert len(rna.description) > 15 and not rna.description.endswith('.') and cls.bl_label
    for name in getattr(cls, '__annotations__', {}):
        prop = rna.properties[name]
        assert prop.name and len(prop.description) > 8 and prop.description != prop.name, name
        for item in getattr(prop, 'enum_items', ()):
            assert item.description, item.identifier


def in_a_process_of_its_own(root, code) -> subprocess.CompletedProcess:
    start = (
        'import importlib.util, sys; spec = importlib.util.spec_from_file_location("w", '
        f'{str(root / "engine" / "worker.py")!r}); '
        'w = importlib.util.module_from_spec(spec); spec.loader.exec_module(w); '
        'w.register_package(); import facewright\n'
    )
    return subprocess.run(
        [sys.executable, '-c', start + code], capture_output=True, text=True, env=dict(os.environ)
    )


def test_importing_the_package_does_not_import_blender(root):
    assert in_a_process_of_its_own(root, 'assert "bpy" not in sys.modules').returncode == 0


def test_blender_loads_none_of_the_engine_s_heavy_parts(root):
    heavy = (
        'print([m for m in ("torch", "cv2", "mediapipe", "warp", "av", "scipy", "trimesh", '
        '"tetgen", "cholespy") if m in sys.modules])'
    )
    out = in_a_process_of_its_own(root, f'import bpy; facewright.register(); {heavy}')
    assert out.stdout.strip().splitlines()[-1] == '[]'


@pytest.mark.parametrize(
    'code',
    [
        'facewright.register()',
        'facewright.register(); facewright.unregister()',
        'facewright.register(); bpy.ops.wm.read_factory_settings()',
    ],
)
def test_blender_ends_cleanly_with_the_addon(root, code):
    assert in_a_process_of_its_own(root, f'import bpy; {code}').returncode == 0
