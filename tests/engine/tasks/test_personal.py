"""Quality 'personal' as a step: what it keeps, says and resumes; its numbers: tests of its room."""

from types import SimpleNamespace

import numpy as np
import pytest

from facewright.engine.core.errors import FacewrightError
from facewright.engine.footage.footage import Camera, View
from facewright.engine.personal import refine as own_surface
from facewright.engine.tasks import personal
from facewright.engine.tasks.qualities import QUALITIES


@pytest.fixture
def run():
    """A reconstruction that Standard has found, with nothing in it but what the step takes."""
    camera = Camera(800.0, (320.0, 240.0), rotation=np.eye(3), translation=np.zeros(3))
    view = View('a', None, 'video', (640, 480), 25.0, np.arange(3) / 25, 0, 0, camera)
    performance = SimpleNamespace(
        rotation=np.eye(3)[None].repeat(3, 0),
        translation=np.zeros((3, 3)),
        weights=np.zeros((3, 5)),
        time=view.times,
    )
    return SimpleNamespace(
        actor=None,
        at_all_times=performance,
        face='model',
        footage=SimpleNamespace(views=(view, view)),
        neutral=np.zeros((4, 3), np.float32),
        report_more={},
        track=SimpleNamespace(cameras=(camera, camera)),
        views_seen=[SimpleNamespace(present=np.ones(3, bool))] * 2,
        warnings=[],
    )


def test_it_comes_after_standard_and_writes_the_same_files():
    standard, own = QUALITIES['standard'], QUALITIES['personal']
    assert own.finding == (*standard.finding, personal.find_own_surface)
    assert own.files == standard.files and own.writing == standard.writing


def test_the_head_is_taken_and_resumed(run, monkeypatch):
    head = own_surface.PersonalHead(np.ones((4, 3), np.float32), 3, 0.51)
    monkeypatch.setattr(own_surface, 'refine', lambda *given: iter([0.0, 0.5, head]))
    step = personal.find_own_surface
    assert [one.fraction for one in step.run(run)] == [0.0, 0.5]
    assert np.array_equal(run.neutral, np.ones((4, 3)))
    assert run.report_more == {'personal': {'pictures': 3, 'moved_mm': 0.51}}
    resumed = SimpleNamespace(report_more={}, warnings=[], neutral=None)
    step.load(resumed, step.save(run))
    assert np.array_equal(resumed.neutral, run.neutral)
    assert resumed.report_more == run.report_more and resumed.warnings == []


def test_too_little_to_see_keeps_standard_s_head_and_says_so(run, monkeypatch):
    def refine(*given):
        yield 0.0
        raise FacewrightError('Fewer than two pictures show the face.')

    monkeypatch.setattr(own_surface, 'refine', refine)
    list(personal.find_own_surface.run(run))
    assert run.warnings == ['Fewer than two pictures show the face.'] and not run.neutral.any()
    resumed = SimpleNamespace(report_more={}, warnings=[], neutral=None)
    personal.find_own_surface.load(resumed, personal.find_own_surface.save(run))
    assert resumed.warnings == run.warnings and resumed.report_more == {}


def test_a_rig_s_head_stays_as_it_is(run):
    run.actor = object()
    assert list(personal.find_own_surface.run(run)) == []
    assert run.warnings == [personal.KNOWN] and personal.find_own_surface.seconds(run) == {}


def test_one_camera_is_too_little_and_it_is_said(run):
    run.footage = SimpleNamespace(views=run.footage.views[:1])
    assert list(personal.find_own_surface.run(run)) == []
    assert run.warnings == [personal.ALONE] and personal.find_own_surface.seconds(run) == {}
