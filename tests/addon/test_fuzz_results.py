"""Damaged result folders in Blender: brought in, or refused in one sentence; then nothing is left
in the file.
"""

from __future__ import annotations

import json

import bpy
import numpy as np
import pytest
from fuzzing import damaged, damaged_arrays, damaged_json, fuzzed, fuzzed_few, survives
from hypothesis import given
from hypothesis import strategies as st

from facewright.addon import api
from facewright.addon.scene import cameras, results
from facewright.engine.core.files import read_npz
from facewright.engine.face_model.part_labels import PARTS

JSON = ('report.json', 'cameras.json')


def as_bytes(value) -> bytes:
    return json.dumps(value).encode('utf-8', 'surrogatepass')


@pytest.mark.parametrize('name', JSON)
def test_damaged_json_is_read_or_refused(result, name):
    folder, _content = result
    valid = json.loads((folder / name).read_text())

    @fuzzed
    @given(data=st.one_of(damaged_json(valid).map(as_bytes), damaged(as_bytes(valid))))
    def check(data):
        (folder / name).write_bytes(data)
        report = survives(results.read_report, folder)
        assert report is None or isinstance(report['model'], str)
        if report is not None:
            survives(api.warnings_of, folder)
        views = survives(cameras.read_views, folder)
        for view in views or ():
            assert (
                view.K.shape == (3, 3)
                and view.R.shape == (3, 3)
                and view.t.shape == (3,)
                and view.time.ndim == 1
            )
            assert (
                all(np.isfinite(a).all() for a in (view.K, view.R, view.t, view.time))
                and 0 < view.fps < np.inf
                and min(view.size) > 0
            )

    check()


def counted() -> dict[str, int]:
    return {
        kind: len(getattr(bpy.data, kind))
        for kind in (
            'objects',
            'meshes',
            'collections',
            'cameras',
            'actions',
            'materials',
            'images',
            'movieclips',
        )
    }


@pytest.mark.parametrize('name', [*JSON, 'rig.npz', 'performance.npz', 'parts.npz'])
def test_a_damaged_result_comes_in_whole_or_not_at_all(result, model, model_path, name):
    """Fewer inputs: each builds a head."""
    folder, _content = result
    np.savez(
        folder / 'parts.npz',
        labels=np.arange(model.vertex_count, dtype=np.int8) % 9,
        names=np.array(PARTS),
    )
    whole = (folder / name).read_bytes()
    bpy.context.scene.facewright.model, bpy.context.scene.facewright.model_path = 'FILE', model_path
    inputs = (
        damaged_json(json.loads(whole))
        if name in JSON
        else damaged_arrays(read_npz(folder / name, 'file'))
    )

    @fuzzed_few
    @given(found=inputs)
    def check(found):
        if name in JSON:
            (folder / name).write_bytes(as_bytes(found))
        else:
            np.savez(folder / name, **found)
        before = counted()
        head = survives(api.apply_result, bpy.context, folder)
        if head is None:
            assert counted() == before
        else:
            bpy.data.batch_remove(list(bpy.data.objects))
            bpy.data.orphans_purge(do_recursive=True)
            for collection in list(bpy.data.collections):
                bpy.data.collections.remove(collection)

    check()
