"""Smoothing: jitter goes, blinks stay, strength 0 changes nothing."""

import dataclasses

import numpy as np
import pytest

from facewright.engine.core.errors import FacewrightError
from facewright.engine.formats.performance import Performance
from facewright.engine.tracking.smoothing import smooth


def turns(angles):
    c, s, o = np.cos(angles), np.sin(angles), np.zeros_like(angles)
    return np.stack(
        [np.stack([c, o, s], -1), np.stack([o, o + 1, o], -1), np.stack([-s, o, c], -1)], 1
    )


@pytest.fixture
def clean():
    """Ten seconds at 30 fps: a slow smile, two blinks of 5 and 9 frames, a slow head turn."""
    time = np.arange(300) / 30
    blink = np.zeros(300)
    blink[58:63] = [0.4, 0.9, 1.0, 0.8, 0.3]
    blink[200:209] = [0.2, 0.6, 1.0, 1.0, 1.0, 0.9, 0.6, 0.3, 0.1]
    smile = 0.5 - 0.5 * np.cos(2 * np.pi * time / 5)
    return Performance(
        time,
        np.stack([blink, smile], 1).astype(np.float32),
        ('eyeBlink_L', 'mouthSmile_L'),
        turns(0.3 * np.sin(time)),
        np.stack([np.sin(time), 0 * time, 60 + 0 * time], 1),
        30.0,
    )


def jittered(p, seed=0):
    rng = np.random.default_rng(seed)
    return dataclasses.replace(
        p,
        weights=np.clip(p.weights + rng.normal(0, 0.02, p.weights.shape), 0, 1).astype(np.float32),
        rotation=turns(0.3 * np.sin(p.time) + rng.normal(0, np.radians(0.3), len(p.time))),
        translation=p.translation + rng.normal(0, 0.05, p.translation.shape),
    )


def angles(p):
    return np.arctan2(p.rotation[:, 0, 2], p.rotation[:, 0, 0])


def test_jitter_is_halved_and_blinks_stay(clean):
    noisy = jittered(clean)
    calm = smooth(noisy, 0.5)

    def rms(x):
        return np.sqrt((np.diff(x, axis=0) ** 2).mean())

    assert rms(calm.weights[:, 1] - clean.weights[:, 1]) < 0.5 * rms(
        noisy.weights[:, 1] - clean.weights[:, 1]
    )
    assert rms(calm.translation - clean.translation) < 0.5 * rms(
        noisy.translation - clean.translation
    )
    assert rms(angles(calm) - angles(clean)) < 0.5 * rms(angles(noisy) - angles(clean))
    blink = calm.weights[:, 0]
    assert blink[58:63].max() > 0.95 and blink[200:209].max() > 0.95
    assert ((blink > 0.5) == (clean.weights[:, 0] > 0.5)).all()
    assert np.abs(calm.weights[:, 1] - clean.weights[:, 1]).max() < 0.06


def test_a_blink_of_one_frame_survives_full_strength(clean):
    weights = np.zeros((300, 2), np.float32)
    weights[150, 0] = 1
    calm = smooth(dataclasses.replace(clean, weights=weights), 1.0)
    assert calm.weights[150, 0] > 0.999 and calm.weights[149, 0] < 0.001


def test_lids_that_meet_for_one_frame_meet_after_it(clean):
    """A twentieth of a blink is half a millimetre between the lids."""
    rng = np.random.default_rng(0)
    weights = rng.uniform(0.1, 0.3, size=(300, 2)).astype(np.float32)  # lids that tremble
    weights[149:152, 0] = 0.9, 1.0, 0.9
    calm = smooth(dataclasses.replace(clean, weights=weights), 0.5)
    assert calm.weights[150, 0] > 0.99 and calm.weights[149:152, 0].max() < 1.01


def test_strength_zero_changes_nothing_and_ranges_hold(clean):
    noisy = jittered(clean)
    assert smooth(noisy, 0) is noisy
    calm = smooth(noisy, 1)
    assert calm.weights.min() >= 0 and calm.weights.max() <= 1 and calm.weights.dtype == np.float32
    assert np.allclose(
        calm.rotation @ calm.rotation.transpose(0, 2, 1), np.eye(3), atol=1e-12
    ) and np.allclose(np.linalg.det(calm.rotation), 1)
    assert calm.time is noisy.time and calm.names == noisy.names
    with pytest.raises(FacewrightError, match='between 0 and 1'):
        smooth(noisy, 1.5)


@pytest.mark.parametrize('frames', [1, 2, 3, 5])
def test_short_clips(clean, frames):
    cut = Performance(
        clean.time[:frames],
        clean.weights[:frames],
        clean.names,
        clean.rotation[:frames],
        clean.translation[:frames],
        30.0,
    )
    calm = smooth(cut, 0.7)
    assert calm.weights.shape == cut.weights.shape and np.isfinite(calm.rotation).all()


def test_uneven_times_weigh_neighbours_by_their_distance(clean):
    """A sample far away in time hardly counts, though it is the next row."""
    time = np.array([0, 0.03, 0.06, 5.0, 5.03, 5.06])
    weights = np.array([[0.2], [0.2], [0.2], [0.21], [0.21], [0.21]], np.float32)
    p = Performance(
        time, weights, ('jawOpen',), np.tile(np.eye(3), (6, 1, 1)), np.zeros((6, 3)), 30.0
    )
    assert np.allclose(smooth(p, 1).weights, weights, atol=1e-6)
