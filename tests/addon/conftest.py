"""Real Blender, as the bpy module of whichever version is on the path; a small synthetic face model instead of a real one."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip(
    'bpy', reason='needs Blender as the bpy module (build.py test runs these once per version)'
)

import facewright
from facewright.engine.face_model import store
from facewright.engine.face_model.expressions import ICT_NAMES
from facewright.engine.face_model.model import FaceModel
from facewright.engine.face_model.regions import REGION_NAMES

_status = 0


def pytest_sessionfinish(session, exitstatus):
    global _status
    _status = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    """Blender as a module crashes (4.2, once its own exporters were used) or hangs (4.5, in a destructor after rendering) on leaving;
    test_registering sees to it that ours leaves cleanly."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(_status)


def sphere_model(rows: int = 24, columns: int = 32, radius: float = 9.0) -> FaceModel:
    """A head-sized sphere of quads (triangles at the poles) with a smooth random shape per expression."""
    rng = np.random.default_rng(7)
    polar = np.linspace(0, np.pi, rows + 1)[1:-1]
    around = np.linspace(0, 2 * np.pi, columns, endpoint=False)
    ring = np.stack(
        [
            np.sin(polar)[:, None] * np.sin(around),
            np.cos(polar)[:, None] + 0 * around,
            np.sin(polar)[:, None] * np.cos(around),
        ],
        -1,
    )
    points = np.concatenate([ring.reshape(-1, 3), [[0, 1, 0], [0, -1, 0]]])
    at = lambda r, c: r * columns + c % columns
    top, bottom = (rows - 1) * columns, (rows - 1) * columns + 1
    faces = [
        (at(r, c), at(r + 1, c), at(r + 1, c + 1), at(r, c + 1))
        for r in range(rows - 2)
        for c in range(columns)
    ]
    faces += [(top, at(0, c), at(0, c + 1), -1) for c in range(columns)] + [
        (bottom, at(rows - 2, c + 1), at(rows - 2, c), -1) for c in range(columns)
    ]
    faces = np.array(faces, np.int32)
    centres = points[rng.integers(0, len(points), len(ICT_NAMES))]
    bumps = np.exp(-((points[None] - centres[:, None]) ** 2).sum(-1) / 0.1)[..., None] * rng.normal(
        size=(len(ICT_NAMES), 1, 3)
    )
    v, front = len(points), np.flatnonzero(points[:, 2] > 0.6)
    regions = {
        name: np.arange(i, v, len(REGION_NAMES), dtype=np.int32)
        for i, name in enumerate(REGION_NAMES)
    }
    return FaceModel(
        name='sphere',
        neutral=(radius * points).astype(np.float32),
        faces=faces,
        names=ICT_NAMES,
        expressions=bumps.astype(np.float32),
        identities=rng.normal(size=(3, v, 3)).astype(np.float32) * 0.1,
        uvs=(points[:, :2] / 2 + 0.5).astype(np.float32),
        face_uvs=faces.copy(),
        materials=('Face', 'Teeth', 'Eyelashes'),
        face_materials=(np.arange(len(faces)) % 3).astype(np.uint8),
        regions=regions,
        landmarks68=np.resize(front, 68).astype(np.int32),
        source='test',
    )


@pytest.fixture(scope='session')
def model() -> FaceModel:
    return sphere_model()


@pytest.fixture(scope='session')
def model_path(model, tmp_path_factory) -> str:
    """The synthetic model as a cached .npz, in a folder with a space and letters outside ASCII."""
    path = tmp_path_factory.mktemp('models') / 'kopf übung' / 'sphere.npz'
    store.write_model(path, model)
    return str(path)


@pytest.fixture(autouse=True)
def addon(tmp_path, monkeypatch):
    """A fresh file with the add-on registered and its own cache folder; unregistered afterwards."""
    monkeypatch.setenv('FACEWRIGHT_CACHE', str(tmp_path / 'cache é'))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    facewright.register()
    yield facewright
    facewright.unregister()


@pytest.fixture
def fake_worker(monkeypatch) -> Path:
    """Jobs run tests/addon/fake_worker.py instead of the engine."""
    from facewright.addon import paths

    worker = Path(__file__).with_name('fake_worker.py')
    monkeypatch.setattr(paths, 'WORKER', worker)
    return worker


def turn(yaw, pitch=0.0, roll=0.0) -> np.ndarray:
    """T×3×3 rotations from T angles (radians) about y, x and z."""
    yaw, pitch, roll = np.broadcast_arrays(np.asarray(yaw, float), pitch, roll)

    def about(angle, i, j):
        out = np.tile(np.eye(3), (*angle.shape, 1, 1))
        out[..., i, i] = out[..., j, j] = np.cos(angle)
        out[..., i, j], out[..., j, i] = -np.sin(angle), np.sin(angle)
        return out

    return about(yaw, 2, 0) @ about(pitch, 1, 2) @ about(roll, 0, 1)


FLIP = np.diag([1.0, -1.0, -1.0])


def make_result(
    folder: Path,
    model: FaceModel,
    model_path: str,
    frames: int = 24,
    fps: float = 30 / 1.001,
    size=(640, 480),
    focal=900.0,
    centre=None,
    aspect=1.0,
    times=None,
    views=None,
    clip: Path | None = None,
    kind='video',
    first=0,
    sound=False,
    fitted=True,
    flag=0,
) -> dict:
    """A reconstruction's folder as the engine writes it, of a known performance; returns what is in it.

    One camera at the world's origin (OpenCV axes), unless `views` gives [(name, R, t)] in a y-up world.
    """
    from facewright.engine.formats.performance import Performance, write_performance
    from facewright.engine.formats.rig import Rig, write_rig

    np.random.default_rng(3)
    folder.mkdir(parents=True, exist_ok=True)
    times = np.arange(frames) / fps if times is None else np.asarray(times, float)
    weights = np.clip(0.5 + 0.5 * np.sin(times[:, None] * 3 + np.arange(len(model.names))), 0, 1)
    axes = np.eye(3) if views else FLIP
    rotation = axes @ turn(0.4 * np.sin(times), 0.2 * np.cos(times), 0.1 * times)
    translation = (
        np.stack([2 * np.sin(times), np.cos(times), 55 + times], -1)
        if not views
        else np.stack([times, 0 * times, 0 * times], -1)
    )
    performance = Performance(
        times, weights.astype(np.float32), model.names, rotation, translation, fps
    )
    neutral = model.neutral + model.identities[0] if fitted else model.neutral
    rig = Rig(neutral.astype(np.float32), model.expressions, model.names, model.faces)
    write_rig(folder / 'rig.npz', rig)
    write_performance(folder / 'performance.npz', performance)
    cx, cy = centre or (size[0] / 2, size[1] / 2)
    K = [[focal, 0, cx], [0, focal * aspect, cy], [0, 0, 1]]
    clip = clip or folder / 'missing.mp4'
    listed = views or [('front', np.eye(3), np.zeros(3))]
    import json

    cameras = [
        {
            'name': n,
            'video': str(clip),
            'fps': fps,
            'width': size[0],
            'height': size[1],
            'K': K,
            'R': np.asarray(R).tolist(),
            't': np.asarray(t).tolist(),
            'time': times.tolist(),
        }
        for n, R, t in listed
    ]
    per_frame = [1 + 0.1 * i for i in range(frames)]
    if frames > 3:
        per_frame[3] = None
    report = {
        'version': '0.1.0',
        'model': model_path,
        'quality': 'draft',
        'seconds': {},
        'error': {'mean_percent': 1.5, 'mean_px': 1.0, 'per_frame': per_frame},
        'views': [
            {
                'name': n,
                'path': str(clip),
                'kind': kind,
                'size': list(size),
                'fps': fps,
                'frames': frames,
                'tracked': frames - 1,
                'first': first,
                'rotation': flag,
                'focal_px': focal,
                'sound': sound,
            }
            for n, _, _ in listed
        ],
    }
    (folder / 'cameras.json').write_text(
        json.dumps({'units': 'cm', 'cameras': cameras}), encoding='utf-8'
    )
    (folder / 'report.json').write_text(json.dumps(report), encoding='utf-8')
    return {'rig': rig, 'performance': performance, 'cameras': cameras, 'report': report}


VIDEO = """
import sys
from fractions import Fraction
import av, numpy as np
path, frames, turn = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
out = av.open(path, 'w')
picture = out.add_stream('mpeg4', rate=Fraction(30000, 1001)); picture.width, picture.height, picture.pix_fmt = 64, 48, 'yuv420p'
picture.set_display_rotation(-turn)
sound = out.add_stream('aac', rate=48000)
for i in range(frames):
    frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 8 * i, np.uint8), format='rgb24')
    out.mux(picture.encode(frame))
out.mux(picture.encode())
samples = int(48000 * frames * 1001 / 30000)
tone = (.3 * np.sin(np.arange(samples) * .05)).astype(np.float32)[None]
for at in range(0, samples, 1024):
    piece = av.AudioFrame.from_ndarray(np.ascontiguousarray(np.repeat(tone[:, at:at + 1024], 2, 0)), format='fltp', layout='stereo'); piece.sample_rate = 48000; piece.pts = at
    out.mux(sound.encode(piece))
out.mux(sound.encode())
out.close()
"""


def make_clip(path: Path, frames: int = 30, turn: int = 0) -> Path:
    """A film of 29.97 fps, each picture 8 grey levels lighter than the one before, with sound; written in a process of its own."""
    subprocess.run(
        [sys.executable, '-I', '-c', VIDEO, str(path), str(frames), str(turn)], check=True
    )
    return path


@pytest.fixture
def result(tmp_path, model, model_path):
    """(folder, contents) of a small reconstruction."""
    folder = tmp_path / 'result ä'
    return folder, make_result(folder, model, model_path)


def coordinates(points) -> np.ndarray:
    """N×3 of a mesh's vertices or a shape key's points."""
    out = np.empty(len(points) * 3, np.float32)
    points.foreach_get('co', out)
    return out.reshape(-1, 3)


def posed(head, frame) -> np.ndarray:
    """V×3 evaluated vertices of an object in Blender's world at a (fractional) frame."""
    bpy.context.scene.frame_set(int(frame // 1), subframe=frame % 1)
    graph = bpy.context.evaluated_depsgraph_get()
    seen = head.evaluated_get(graph)
    return (
        coordinates(seen.data.vertices) @ np.array(seen.matrix_world)[:3, :3].T
        + np.array(seen.matrix_world)[:3, 3]
    )
