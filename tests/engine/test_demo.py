"""The demo's own footage: a known performance, rendered the same every time."""
import numpy as np
import pytest

from facewright.engine import demo
from facewright.engine.errors import FacewrightError
from facewright.engine.face_model.expressions import ICT_NAMES


def test_the_performance_is_in_range_and_has_what_a_demo_shows():
    p = demo.demo_performance(ICT_NAMES)
    assert p.weights.min() == 0 and p.weights.max() <= 1
    for name in ('eyeBlink_L', 'mouthSmile_R', 'jawOpen', 'browDown_L', 'eyeLookOut_L'):
        assert p.weights[:, ICT_NAMES.index(name)].max() > .5
    assert not p.weights[0].any()
    assert np.allclose(p.rotation @ np.swapaxes(p.rotation, 1, 2), np.eye(3)) and np.allclose(np.linalg.det(p.rotation), 1)
    assert np.allclose(p.rotation[0] @ demo.HEAD_CENTRE + p.translation[0], (0, .0, demo.DISTANCE), atol=1)


def test_the_clip_is_what_was_asked_for(tmp_path, monkeypatch):
    from facewright.engine.footage import open_footage, read_frames
    monkeypatch.setattr(demo, 'FRAMES', 3)
    rig, performance = demo.render_demo_footage(tmp_path / 'clip.mp4')
    (view,) = open_footage([str(tmp_path / 'clip.mp4')]).views
    pictures = list(read_frames(view))
    assert view.size == demo.SIZE and view.fps == demo.FPS and len(pictures) == len(performance.time) == 3
    assert np.std(pictures[1].astype(float)) > 20  # a head before a wall
    again = demo.demo_rig(demo.load_model('builtin'))
    assert np.array_equal(rig.neutral, again.neutral)


def test_another_format_is_refused(tmp_path):
    with pytest.raises(FacewrightError, match='.mp4'):
        demo.render_demo_footage(tmp_path / 'clip.avi')
