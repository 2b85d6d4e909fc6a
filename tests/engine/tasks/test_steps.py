"""The steps of a reconstruction: what is read late, so that its imports run beside the detector."""

from types import SimpleNamespace

import pytest

from facewright.engine.annotate import landmarks
from facewright.engine.core.pipeline import StageProgress
from facewright.engine.tasks.qualities import QUALITIES
from facewright.engine.tasks.steps import BINDING, Reconstruction, Request, bind_landmarks


@pytest.mark.parametrize('known', [True, False])
def test_landmarks_known_before_are_read_when_they_are_asked_for(monkeypatch, known):
    asked = []

    def model_landmarks(model, progress=None):
        asked.append(model)
        return 'landmarks'

    monkeypatch.setattr(landmarks, 'model_landmarks', model_landmarks)
    run = Reconstruction(Request(), QUALITIES['draft'], SimpleNamespace(views=()))
    run.face, run.landmarks_are_cached = 'face', known
    seen = list(bind_landmarks.run(run))
    assert seen[-1] == StageProgress(1.0, BINDING) and asked == ([] if known else ['face'])
    assert run.landmarks == run.landmarks == 'landmarks' and asked == ['face']
