"""The engine's rasteriser against Blender's own render of the same mesh and camera."""

import subprocess
import sys
from pathlib import Path

import bpy
import numpy as np
import pytest

from facewright.addon import paths
from facewright.engine.core.sources import fingerprint

SIZE, FOCAL, CENTRE = (504, 896), 1500.0, (243.0, 470.0)

RASTERISE = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location('w', sys.argv[1])
w = importlib.util.module_from_spec(spec); spec.loader.exec_module(w); w.register_package()
import numpy, torch
from facewright.engine.face_model import load_model
from facewright.engine.geometry.polygons import triangulate
from facewright.engine.render.preview import head_to_camera
from facewright.engine.render.rasterise import rasterise_batch
model = load_model(sys.argv[2])
focal, cx, cy, width, height = map(float, sys.argv[4:9])
shape = model.neutral + .6 * model.expressions[model.names.index('jawOpen')]
points = head_to_camera(shape, 25, 8, 6, 75., shape.mean(0)).astype('float32')
triangles, size = torch.tensor(triangulate(model.faces)), (int(width), int(height))
seen = rasterise_batch(torch.tensor(points)[None], triangles, focal, (cx, cy), size)
numpy.savez(sys.argv[3], points=points, faces=model.faces, mask=seen.triangle[0].numpy() >= 0)
"""


def blender_mask(points, faces, folder):
    """H×W: where Blender's Cycles sees the mesh (V×3, OpenCV camera space), a sample at each
    pixel's centre.
    """
    scene, (width, height) = bpy.context.scene, SIZE
    mesh = bpy.data.meshes.new('head')
    mesh.from_pydata(
        (points * (1, -1, -1)).tolist(),
        [],
        [[v for v in face if v >= 0] for face in faces.tolist()],
    )
    scene.collection.objects.link(bpy.data.objects.new('head', mesh))
    lens = bpy.data.cameras.new('camera')
    lens.sensor_fit, lens.sensor_width, lens.lens, lens.clip_start, lens.clip_end = (
        'HORIZONTAL',
        36,
        FOCAL * 36 / width,
        0.1,
        1000,
    )
    lens.shift_x, lens.shift_y = (width / 2 - CENTRE[0]) / width, (CENTRE[1] - height / 2) / width
    scene.camera = bpy.data.objects.new('camera', lens)
    scene.collection.objects.link(scene.camera)
    render = scene.render
    render.engine, render.film_transparent, render.filepath = (
        'CYCLES',
        True,
        str(folder / 'blender.png'),
    )
    (
        render.resolution_x,
        render.resolution_y,
        render.resolution_percentage,
        render.pixel_aspect_x,
        render.pixel_aspect_y,
    ) = width, height, 100, 1, 1
    render.image_settings.file_format, render.image_settings.color_mode = 'PNG', 'RGBA'
    cycles = scene.cycles
    (
        cycles.device,
        cycles.samples,
        cycles.use_adaptive_sampling,
        cycles.use_denoising,
        cycles.max_bounces,
    ) = 'CPU', 1, False, False, 0
    cycles.pixel_filter_type, cycles.filter_width = 'BLACKMAN_HARRIS', 0.01
    bpy.ops.render.render(write_still=True)
    picture = bpy.data.images.load(render.filepath)
    pixels = np.empty(width * height * 4, np.float32)
    picture.pixels.foreach_get(pixels)
    return pixels.reshape(height, width, 4)[::-1, :, 3] > 0.5


def rasterise(source: str, path: Path, root: Path) -> None:
    """Draw a face model with the engine's rasteriser, in a process of its own, into a file."""
    environment = dict(paths.child_environment())
    if source != 'builtin':
        environment.pop('FACEWRIGHT_CACHE', None)  # reading it anew takes a minute
    worker, numbers = root / 'engine' / 'worker.py', map(str, (FOCAL, *CENTRE, *SIZE))
    subprocess.run(
        [sys.executable, '-c', RASTERISE, str(worker), source, str(path), *numbers],
        check=True,
        env=environment,
    )


@pytest.mark.parametrize('name', ['builtin', 'ict-facekit.tar.xz'])
def test_the_same_mask_as_blender_s(name, tmp_path, warm_cache, root, request):
    source = name if name == 'builtin' else str(request.getfixturevalue('shared_data') / name)
    sources = fingerprint('face_model', 'face_model.builtin', 'face_model.ict', 'render.preview')
    drawn = warm_cache / f'{sources} {fingerprint("render.rasterise")} {name}.npz'
    if not drawn.exists():
        rasterise(source, drawn, root)
    with np.load(drawn) as seen:
        ours, theirs = seen['mask'], blender_mask(seen['points'], seen['faces'], tmp_path)
    overlap = (ours & theirs).sum() / (ours | theirs).sum()
    print(
        f'{name}: {ours.sum()} and {theirs.sum()} pixels, IoU {overlap:.5f}, Blender '
        f'{bpy.app.version_string}'
    )
    assert 0.1 < ours.mean() < 0.9 and overlap >= 0.998
