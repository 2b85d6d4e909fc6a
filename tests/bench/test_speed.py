"""Small pieces that every run pays for, each beside the plain way of doing it, in one run."""

import time

import numpy as np
import pytest
import torch

from facewright.engine.evidence.point_basis import DTYPE
from facewright.engine.face_model import load_model
from facewright.engine.geometry.rows import unique_rows
from facewright.engine.tracking.arrow import _solved, _solved_apart

pytestmark = pytest.mark.bench
TIMES = 5  # the least time of so many counts
FRAMES, UNKNOWNS = 240, 59  # of an 8 s clip; of a frame: pose and weights


def seconds(work) -> float:
    """The least processor time of a few runs."""
    found = []
    for _ in range(TIMES):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return min(found)


def test_small_pieces(shared_data, table):
    faces = load_model(shared_data / 'ict-facekit.tar.xz').faces
    pairs = np.concatenate([faces[:, [a, b]] for a in range(4) for b in range(a)])
    pairs = np.sort(pairs[(pairs >= 0).all(1)], axis=1)
    half = torch.as_tensor(np.random.default_rng(0).normal(size=(FRAMES, UNKNOWNS, UNKNOWNS)))
    blocks = half @ half.mT + UNKNOWNS * torch.eye(UNKNOWNS, dtype=DTYPE)
    right = torch.ones(FRAMES, UNKNOWNS, 1, dtype=DTYPE)
    nothing = torch.zeros(FRAMES - 1, UNKNOWNS, UNKNOWNS, dtype=DTYPE)
    rows = []
    for what, ours, peer, plain in (
        (
            f'the edges of ICT-FaceKit ({len(pairs)} pairs)',
            lambda: unique_rows(pairs),
            'np.unique(axis=0)',
            lambda: np.unique(pairs, axis=0),
        ),
        (
            f'{FRAMES} frames that do not touch one another',
            lambda: _solved_apart(blocks, right),
            'block after block',
            lambda: _solved(blocks, nothing, right),
        ),
    ):
        np.testing.assert_allclose(ours(), plain(), rtol=1e-9)
        rows.append(
            (what, f'{1000 * seconds(ours):.1f} ms', peer, f'{1000 * seconds(plain):.1f} ms')
        )
    table('Small pieces', ('what', 'facewright', 'the plain way', 'takes'), rows)
