"""The demo's own footage: somebody's built-in head gives a known performance to a known camera."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np

from ..core.files import replacing, write_npz, write_text
from ..face_model import load_model
from ..face_model.paint import albedo, visible_faces
from ..formats.performance import Performance, read_performance, write_performance
from ..render.preview import head_to_camera, render_camera

RATE = Fraction(30000, 1001)
FRAMES = 90
SIZE = (640, 480)
FOCAL, DISTANCE = 900.0, 62.0  # px, cm
PERSON_SEED, PERSON_SPREAD = 7, 0.8


def bump(time: np.ndarray, at: float, width: float) -> np.ndarray:
    """Rise and fall smoothly to 1 at `at` s, `width` s long."""
    u = np.clip((time - at) / width + 0.5, 0, 1)
    return np.sin(np.pi * u) ** 2


def demo_performance(names: tuple[str, ...], time: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (weights T×E, yaw, pitch and roll T×3 in degrees) at times T (s).

    Speech, two blinks, a smile, raised brows, a glance.
    """
    tracks = {
        'jawOpen': 0.35 * bump(time, 0.35, 0.3)
        + 0.25 * bump(time, 0.7, 0.25)
        + 0.3 * bump(time, 2.3, 0.5),
        'mouthFunnel': 0.4 * bump(time, 0.7, 0.3),
        'mouthPucker': 0.5 * bump(time, 2.65, 0.35),
        'mouthSmile_L': 0.85 * bump(time, 1.55, 1.1),
        'mouthSmile_R': 0.75 * bump(time, 1.55, 1.1),
        'cheekSquint_L': 0.4 * bump(time, 1.55, 1.0),
        'cheekSquint_R': 0.4 * bump(time, 1.55, 1.0),
        'eyeBlink_L': bump(time, 0.55, 0.3) + bump(time, 2.1, 0.3),
        'eyeBlink_R': bump(time, 0.55, 0.3) + bump(time, 2.1, 0.3),
        'browInnerUp_L': 0.7 * bump(time, 1.1, 0.7),
        'browInnerUp_R': 0.7 * bump(time, 1.1, 0.7),
        'browOuterUp_L': 0.6 * bump(time, 1.1, 0.7),
        'browOuterUp_R': 0.6 * bump(time, 1.1, 0.7),
        'eyeLookOut_L': 0.6 * bump(time, 2.65, 0.6),
        'eyeLookIn_R': 0.6 * bump(time, 2.65, 0.6),
    }
    weights = np.zeros((len(time), len(names)), np.float32)
    for name, values in tracks.items():
        weights[:, names.index(name)] = np.clip(values, 0, 1)
    angles = np.stack(
        [
            14 * np.sin(2 * np.pi * time / 3),
            6 * np.sin(2 * np.pi * time / 2.2),
            4 * np.sin(2 * np.pi * time / 2.7 + 1),
        ],
        1,
    )
    return weights, angles


def render_demo_footage(path: Path, frames: int = FRAMES, size: tuple[int, int] = SIZE) -> Path:
    """Write the clip (H.264, 29.97 fps) to `path` and return it.

    What is shown in it goes to truth.npz beside (performance.npz's format).
    """
    import av

    path = Path(path)
    model = load_model().tracked
    time = np.arange(frames) / float(RATE)
    weights, angles = demo_performance(model.names, time)
    identity = np.random.default_rng(PERSON_SEED).normal(size=len(model.identities)) * PERSON_SPREAD
    person, colours, faces = model.shape(identity), albedo(model), model.faces[visible_faces(model)]
    focal, centre = FOCAL * size[0] / SIZE[0], (size[0] / 2, size[1] / 2)
    y, x = np.mgrid[: size[1], : size[0]]
    backdrop = (
        np.stack([70 + 40 * y / size[1], 84 + 30 * y / size[1], 100 + 30 * x / size[0]], -1)
    ).astype(np.uint8)
    rotation, translation = [], []
    with replacing(path) as temporary, av.open(str(temporary), 'w', format='mp4') as container:
        stream = container.add_stream(
            'libx264', rate=RATE, options={'crf': '16', 'preset': 'veryfast', 'threads': '2'}
        )
        stream.width, stream.height, stream.pix_fmt = size[0], size[1], 'yuv420p'
        for w, (yaw, pitch, roll) in zip(weights, angles):
            head = person + np.tensordot(w, model.expressions, 1)
            camera = head_to_camera(head.astype(np.float64), yaw, pitch, roll, DISTANCE)
            origin = head_to_camera(
                np.concatenate([np.zeros((1, 3)), np.eye(3)]), yaw, pitch, roll, DISTANCE
            )
            rotation.append((origin[1:] - origin[0]).T)
            translation.append(origin[0])
            picture = render_camera(camera, faces, colours, focal, centre, size, backdrop)
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format='rgb24')):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    write_performance(
        path.with_name('truth.npz'),
        Performance(
            time, weights, model.names, np.stack(rotation), np.stack(translation), float(RATE)
        ),
    )
    return path


def render_demo_capture(folder: Path, frames: int = FRAMES, size: tuple[int, int] = SIZE) -> Path:
    """Write the clip as a capture whose true parts are known, and return the clip's path.

    view.mp4, its camera (capture.json) and the true parts in every frame (parts.npz) in `folder`:
    what `bench part-iou` takes.
    """
    from ..footage.capture import read_capture
    from ..formats.animated_head import AnimatedHead
    from ..formats.trajectory import trajectory_of
    from ..texture.part_iou import parts_at

    clip = render_demo_footage(folder / 'view.mp4', frames, size)
    truth, focal = read_performance(folder / 'truth.npz'), FOCAL * size[0] / SIZE[0]
    camera = {
        'name': 'view',
        'video': clip.name,
        'fps': truth.fps,
        'width': size[0],
        'height': size[1],
        'K': [[focal, 0, size[0] / 2], [0, focal, size[1] / 2], [0, 0, 1]],
        'R': np.eye(3).tolist(),
        't': [0, 0, 0],
        'time': truth.time.tolist(),
    }
    write_text(
        folder / 'capture.json',
        json.dumps({'units': 'cm', 'axes': 'OpenCV camera', 'cameras': [camera]}),
    )
    model = load_model().tracked
    person = model.shape(
        np.random.default_rng(PERSON_SEED).normal(size=len(model.identities)) * PERSON_SPREAD
    )
    head = AnimatedHead(person, model.expressions, trajectory_of(truth))
    view = read_capture(folder / 'capture.json')[0]
    write_npz(
        folder / 'parts.npz', view=np.stack([parts_at(head, model, view, k) for k in range(frames)])
    )
    return clip
