"""A small synthetic face model, results and clips to import, and what became of them in Blender."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from facewright.engine.face_model.expressions import ICT_NAMES
from facewright.engine.face_model.model import FaceModel
from facewright.engine.face_model.regions import REGION_NAMES
from facewright.engine.formats.performance import Performance, write_performance
from facewright.engine.formats.rig import Rig, write_rig

FLIP = np.diag([1.0, -1.0, -1.0])


def sphere_model(rows: int = 24, columns: int = 32, radius: float = 9.0) -> FaceModel:
    """A head-sized sphere of quads (triangles at the poles) with a smooth random shape per
    expression.
    """
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

    def at(r, c):
        return r * columns + c % columns

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


def turn(yaw, pitch=0.0, roll=0.0) -> np.ndarray:
    """T×3×3 rotations from T angles (radians) about y, x and z."""
    yaw, pitch, roll = np.broadcast_arrays(np.asarray(yaw, float), pitch, roll)

    def about(angle, i, j):
        out = np.tile(np.eye(3), (*angle.shape, 1, 1))
        out[..., i, i] = out[..., j, j] = np.cos(angle)
        out[..., i, j], out[..., j, i] = -np.sin(angle), np.sin(angle)
        return out

    return about(yaw, 2, 0) @ about(pitch, 1, 2) @ about(roll, 0, 1)


@dataclass(frozen=True)
class Recorded:
    """What make_result's footage is like.

    times: T s, None for `frames` at `fps`. views: [(name, R, t)] of cameras in a y-up world, None
    for one at the world's origin (OpenCV axes). centre: px, None for the picture's middle; aspect:
    fy / fx. first: the clip's frame that is the first sample. flag: the clip's rotation, degrees.
    fitted: whether the neutral differs from the model's.
    """

    frames: int = 24
    fps: float = 30 / 1.001
    times: Sequence[float] | None = None
    size: tuple[int, int] = (640, 480)
    focal: float = 900.0
    centre: tuple[float, float] | None = None
    aspect: float = 1.0
    views: list[tuple] | None = None
    clip: Path | None = None
    kind: str = 'video'
    first: int = 0
    sound: bool = False
    fitted: bool = True
    flag: int = 0


def make_result(folder: Path, model: FaceModel, model_path: str, **recorded) -> dict:
    """Write a reconstruction's folder as the engine does, of a known performance; returns what is
    in it. recorded: Recorded's fields.
    """
    seen = Recorded(**recorded)
    folder.mkdir(parents=True, exist_ok=True)
    clip = seen.clip or folder / 'missing.mp4'
    times = np.arange(seen.frames) / seen.fps if seen.times is None else np.array(seen.times, float)
    performance = _performance(seen, times, model.names)
    neutral = model.neutral + model.identities[0] if seen.fitted else model.neutral
    rig = Rig(neutral.astype(np.float32), model.expressions, model.names, model.faces)
    write_rig(folder / 'rig.npz', rig)
    write_performance(folder / 'performance.npz', performance)
    cameras = _cameras(seen, times, clip)
    report = _report(seen, [camera['name'] for camera in cameras], clip, model_path)
    (folder / 'cameras.json').write_text(
        json.dumps({'units': 'cm', 'cameras': cameras}), encoding='utf-8'
    )
    (folder / 'report.json').write_text(json.dumps(report), encoding='utf-8')
    return {'rig': rig, 'performance': performance, 'cameras': cameras, 'report': report}


def _performance(seen: Recorded, times: np.ndarray, names: tuple[str, ...]) -> Performance:
    """Every expression comes and goes at its own time; the head turns and moves."""
    weights = np.clip(0.5 + 0.5 * np.sin(times[:, None] * 3 + np.arange(len(names))), 0, 1)
    rotation = turn(0.4 * np.sin(times), 0.2 * np.cos(times), 0.1 * times)
    if seen.views:
        translation = np.stack([times, 0 * times, 0 * times], -1)
    else:
        rotation = FLIP @ rotation
        translation = np.stack([2 * np.sin(times), np.cos(times), 55 + times], -1)
    return Performance(times, weights.astype(np.float32), names, rotation, translation, seen.fps)


def _cameras(seen: Recorded, times: np.ndarray, clip: Path) -> list[dict]:
    """The entries of cameras.json, one a view."""
    width, height = seen.size
    cx, cy = seen.centre or (width / 2, height / 2)
    return [
        {
            'name': name,
            'video': str(clip),
            'fps': seen.fps,
            'width': width,
            'height': height,
            'K': [[seen.focal, 0, cx], [0, seen.focal * seen.aspect, cy], [0, 0, 1]],
            'R': np.asarray(rotation).tolist(),
            't': np.asarray(translation).tolist(),
            'time': times.tolist(),
        }
        for name, rotation, translation in seen.views or [('front', np.eye(3), np.zeros(3))]
    ]


def _report(seen: Recorded, names: list[str], clip: Path, model_path: str) -> dict:
    """report.json: an error that grows with the frames, the fourth of which is not measured."""
    per_frame = [1 + 0.1 * i for i in range(seen.frames)]
    if seen.frames > 3:
        per_frame[3] = None
    return {
        'version': '0.1.0',
        'model': model_path,
        'quality': 'draft',
        'seconds': {},
        'error': {'mean_percent': 1.5, 'mean_px': 1.0, 'per_frame': per_frame},
        'views': [
            {
                'name': name,
                'path': str(clip),
                'kind': seen.kind,
                'size': list(seen.size),
                'fps': seen.fps,
                'frames': seen.frames,
                'tracked': seen.frames - 1,
                'first': seen.first,
                'rotation': seen.flag,
                'focal_px': seen.focal,
                'sound': seen.sound,
            }
            for name in names
        ],
    }


VIDEO = """
import sys
from fractions import Fraction
import av, numpy as np
path, frames, turn = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
out = av.open(path, 'w')
picture = out.add_stream('mpeg4', rate=Fraction(30000, 1001))
picture.width, picture.height, picture.pix_fmt = 64, 48, 'yuv420p'
picture.set_display_rotation(-turn)
sound = out.add_stream('aac', rate=48000)
for i in range(frames):
    frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 8 * i, np.uint8), format='rgb24')
    out.mux(picture.encode(frame))
out.mux(picture.encode())
samples = int(48000 * frames * 1001 / 30000)
tone = (.3 * np.sin(np.arange(samples) * .05)).astype(np.float32)[None]
for at in range(0, samples, 1024):
    both = np.ascontiguousarray(np.repeat(tone[:, at:at + 1024], 2, 0))
    piece = av.AudioFrame.from_ndarray(both, format='fltp', layout='stereo')
    piece.sample_rate, piece.pts = 48000, at
    out.mux(sound.encode(piece))
out.mux(sound.encode())
out.close()
"""


def make_clip(path: Path, frames: int = 30, turn: int = 0) -> Path:
    """A film of 29.97 fps, each picture 8 grey levels lighter than the one before, with sound;
    written in a process of its own.
    """
    subprocess.run(
        [sys.executable, '-I', '-c', VIDEO, str(path), str(frames), str(turn)], check=True
    )
    return path


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


def character(keys, size=0.2):
    """Somebody's mesh: a cube with the given shape keys, each pushing it its own way."""
    bpy.ops.mesh.primitive_cube_add(size=size)
    thing = bpy.context.object
    thing.shape_key_add(name='Basis')
    rest = coordinates(thing.data.vertices)
    for i, name in enumerate(keys):
        thing.shape_key_add(name=name).points.foreach_set(
            'co', (rest + 0.01 * np.array([np.sin(i), np.cos(i), 1])).astype(np.float32).ravel()
        )
        thing.data.shape_keys.key_blocks[name].value = 0
    return thing


def performance(names=ICT_NAMES, frames=20, fps=30.0, axes=None):
    """Every expression comes and goes; axes 3×3: of its world, None for y up."""
    axes = np.eye(3) if axes is None else axes
    time = np.arange(frames) / fps
    weights = 0.5 + 0.4 * np.sin(4 * time[:, None] + np.arange(len(names)))
    return Performance(
        time,
        weights.astype(np.float32),
        names,
        axes @ turn(0.3 * np.sin(time), 0.1 * time, 0.05),
        np.stack([time, 2 * time, 3 + time], -1) @ axes.T,
        fps,
    )


def add_mesh(name='Head', rings=12, radius=0.1, **where):
    bpy.ops.mesh.primitive_uv_sphere_add(segments=16, ring_count=rings, radius=radius, **where)
    bpy.context.object.name = name
    return bpy.context.object


def select(*things):
    for o in bpy.context.view_layer.objects:
        o.select_set(o in things)
    bpy.context.view_layer.objects.active = things[0] if things else None
