"""The demo's own footage: a known performance, rendered, with its truth beside it."""

import numpy as np

from facewright.engine.face_model.expressions import ICT_NAMES
from facewright.engine.formats.performance import read_performance
from facewright.engine.lab import demo


def test_the_performance_is_in_range_and_has_what_a_demo_shows():
    weights, angles = demo.demo_performance(ICT_NAMES, np.arange(demo.FRAMES) / float(demo.RATE))
    assert weights.min() == 0 and weights.max() <= 1 and np.abs(angles).max() > 10
    for name in ('eyeBlink_L', 'mouthSmile_R', 'jawOpen', 'browInnerUp_L', 'eyeLookOut_L'):
        assert weights[:, ICT_NAMES.index(name)].max() > 0.3


def test_the_clip_and_its_truth(tmp_path):
    from facewright.engine.footage import open_footage, read_frames

    demo.render_demo_footage(tmp_path / 'clip.mp4', frames=3, size=(320, 240))
    (view,) = open_footage([str(tmp_path / 'clip.mp4')]).views
    pictures, truth = list(read_frames(view)), read_performance(tmp_path / 'truth.npz')
    assert view.size == (320, 240) and len(pictures) == len(truth.time) == 3
    assert abs(view.fps - float(demo.RATE)) < 1e-3 and np.allclose(
        view.times, truth.time, atol=1e-3
    )
    assert np.std(pictures[1].astype(float)) > 20  # a head before a wall
    assert np.allclose(
        truth.rotation @ np.swapaxes(truth.rotation, 1, 2), np.eye(3)
    ) and np.allclose(np.linalg.det(truth.rotation), 1)
    assert (truth.translation[:, 2] > 30).all()
