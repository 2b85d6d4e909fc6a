"""The main job from end to end, inside Blender's module: footage → reconstruction → scene.

Run by `build.py demo`. The one module of the engine that knows Blender: it does what a user does,
with the add-on's operators.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import bpy
import numpy as np

import facewright

from ..core.errors import FacewrightError
from ..formats.performance import read_performance
from .demo import render_demo_footage


def own_footage(out: Path) -> str:
    """Render the demo's own clip and return its path.

    The built-in head gives a known performance; the truth lies beside it.
    """
    print("rendering the demo's own footage", flush=True)
    return str(render_demo_footage(out / 'footage.mp4'))


def reconstruct(footage: list[str], model: str, out: Path) -> bpy.types.Object:
    """Reconstruct with the add-on's operators, as a user would, and return the head."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    facewright.register()
    if model != 'builtin':
        bpy.ops.facewright.import_face_model(filepath=model)
    for source in footage:
        bpy.ops.facewright.add_footage(filepath=source)
    print('reconstructing', flush=True)
    bpy.ops.facewright.reconstruct(output=str(out))
    return bpy.context.scene.facewright.result


def correlation(out: Path) -> float:
    """Return the mean correlation of found with true weights, over expressions that move."""
    found, truth = (
        read_performance(out / f'{name}.npz').weights for name in ('performance', 'truth')
    )
    moving = truth.max(0) > 0.1
    return float(
        np.mean(
            [
                np.corrcoef(a, b)[0, 1] if a.std() > 1e-6 else 0.0
                for a, b in zip(found[:, moving].T, truth[:, moving].T)
            ]
        )
    )


def figures(head: bpy.types.Object, out: Path, seconds: dict[str, float]) -> dict:
    """Return what was reached, from the report and from the scene."""
    report = json.loads((out / 'report.json').read_text(encoding='utf-8'))
    scene, mean = bpy.context.scene, report['error']
    return {
        'blender': bpy.app.version_string,
        'model': report['model'],
        'quality': report['quality'],
        'views': [
            {key: view.get(key) for key in ('name', 'size', 'fps', 'frames', 'tracked', 'focal_px')}
            for view in report['views']
        ],
        'mean error, % of the distance between the outer eye corners': mean['mean_percent'],
        'mean error, px': mean['mean_px'],
        'vertices': len(head.data.vertices),
        'shape keys': len(head.data.shape_keys.key_blocks),
        'frames in the scene': [scene.frame_start, scene.frame_end],
        'fps': scene.render.fps / scene.render.fps_base,
        'seconds': {
            **report.get('seconds', {}),
            **{key: round(value, 2) for key, value in seconds.items()},
        },
    }


def main() -> int:
    """Run the demo; its figures go to figures.json and to the console."""
    parser = argparse.ArgumentParser()
    parser.add_argument('footage', nargs='*')
    parser.add_argument('--model', default='builtin')
    parser.add_argument('--out', type=Path, required=True)
    options = parser.parse_args()
    began = time.monotonic()
    try:
        footage = options.footage or [own_footage(options.out)]
        rendered = time.monotonic()
        head = reconstruct(footage, options.model, options.out)
    except FacewrightError as error:
        print(f'demo: {error}')
        return 1
    except RuntimeError:
        return 1  # an operator's error, which Blender has printed
    done = time.monotonic()
    blend = options.out / 'demo.blend'
    bpy.ops.wm.save_as_mainfile(filepath=str(blend), relative_remap=True)
    reached = figures(
        head,
        options.out,
        {'footage': rendered - began, 'reconstruct and build the scene': done - rendered},
    )
    if not options.footage:
        reached['mean correlation of the weights with the true ones'] = round(
            correlation(options.out), 3
        )
    (options.out / 'figures.json').write_text(
        json.dumps(reached, indent=1) + '\n', encoding='utf-8'
    )
    print(json.dumps(reached, indent=1))
    facewright.unregister()
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
