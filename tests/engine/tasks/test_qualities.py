"""The table of qualities: what specs.py offers, and what another entry needs."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np

from facewright.engine.core import store
from facewright.engine.core.pipeline import StageProgress, Step, expected_seconds
from facewright.engine.core.store import RESUMED
from facewright.engine.face_model import load_model
from facewright.engine.formats.rig import read_rig
from facewright.engine.lab.demo import render_demo_footage
from facewright.engine.shape_keys.lids import meet_lids
from facewright.engine.tasks import reconstruction, specs
from facewright.engine.tasks.qualities import OPENING, QUALITIES
from facewright.engine.tasks.steps import Reconstruction, Request
from facewright.engine.worker import run


def test_the_table_has_what_specs_offers():
    assert [choice.name for choice in specs.QUALITIES] == list(QUALITIES)


def test_every_step_has_its_share_of_the_bar():
    view = SimpleNamespace(name='view', times=np.arange(9), size=(64, 48))
    for name, quality in QUALITIES.items():
        steps = (*OPENING, *quality.finding, *quality.writing)
        state = Reconstruction(Request(quality=name), quality, SimpleNamespace(views=[view]))
        seconds = expected_seconds(steps, state)
        assert list(seconds)[:2] == ['Reading the face model', 'Finding the landmarks on the model']
        assert all(value > 0 for value in seconds.values())


def _enlarge(run):
    for k in range(4):
        yield StageProgress((k + 1) / 4, 'Enlarging the head')
    run.neutral = 2 * run.neutral
    run.report_more['enlarged'] = True


def _load(run, arrays):
    run.neutral, run.report_more['enlarged'] = arrays['neutral'], True


enlarge = Step[Reconstruction](
    phase='enlarge',
    run=_enlarge,
    seconds=lambda run: {'Enlarging the head': 5.0},
    checkpoint='enlarged',
    save=lambda run: {'neutral': run.neutral},
    load=_load,
)


def test_another_quality_is_an_entry(tmp_path, monkeypatch):
    """Draft's steps and one more, which is kept as theirs are."""
    draft = QUALITIES['draft']
    monkeypatch.setitem(QUALITIES, 'large', replace(draft, finding=(*draft.finding, enlarge)))
    monkeypatch.setattr(store, 'cache_folder', lambda: tmp_path / 'cache')
    clip = render_demo_footage(tmp_path / 'clip.mp4', frames=6, size=(320, 240))

    def ask(quality: str):
        return reconstruction.reconstruct([str(clip)], str(tmp_path / quality), quality=quality)

    task = ask('large')
    assert any(progress.stage == 'Writing the result' for progress in task)
    task.close()
    seen = []
    report = run(ask('large'), seen.append)
    stages = [progress.stage for progress in seen]
    assert RESUMED in stages and 'Enlarging the head' not in stages
    assert report['quality'] == 'large' and report['enlarged'] is True
    assert 'enlarge' in report['seconds']
    run(ask('draft'), lambda progress: None)
    large, small = (np.load(tmp_path / name / 'rig.npz')['neutral'] for name in ('large', 'draft'))
    # a face's rest, which moves into the neutral when it is written, is not twice as large
    np.testing.assert_allclose(large, 2 * small, atol=0.01)
    assert json.loads((tmp_path / 'large' / 'report.json').read_text())['enlarged'] is True
    model, rig = load_model('builtin').tracked, read_rig(tmp_path / 'draft' / 'rig.npz')
    shut = meet_lids(model, rig.neutral, model.expressions)  # this head's own lids meet
    assert rig.names[: len(shut)] == model.names
    np.testing.assert_array_equal(rig.expressions[: len(shut)], shut)
    assert np.abs(shut - model.expressions).max() > 0
