"""Whether heads of one person are nearer to each other than to any other person's.

Twelve people of the London set, a neutral and a smiling photo of each. Distance of two heads: mean
distance of corresponding vertices of the narrow face (ICT 0–6705), millimetres, one laid onto the
other by a rigid motion and a scale; beside it, between their identity coefficients. A person is
told from the others where both heads are nearer to each other than either is to any of the other
22; a head is recognised where its nearest is the same person's.
"""

import numpy as np
import pytest
from photo_fit import fit

pytestmark = pytest.mark.bench
NARROW_FACE = slice(0, 6706)
KINDS = 'neutral', 'smiling'
LEAST = {'draft': 10, 'standard': 10}  # of the twelve that must be told apart


def head_distance(one, other):
    """Mean distance of two heads' vertices (N×3, cm), in mm, rigidly aligned with scale."""
    from facewright.engine.geometry.rigid import move, rigid_motion

    return (
        10 * np.linalg.norm(move(one, *rigid_motion(one, other, scale=True)) - other, axis=1).mean()
    )


def tell_apart(distance):
    """From 2N×2N distances (each person's two heads beside each other): what is told apart.

    Returns how many of N people are told from all others, how many of 2N heads are recognised, the
    mean distance of one person's two heads, and of different people's.
    """
    people = np.arange(len(distance)) // 2
    other = people[:, None] != people
    same = distance[np.arange(len(distance)), np.arange(len(distance)) ^ 1]
    nearest = np.where(other, distance, np.inf).min(1)
    recognised = (same < nearest).reshape(-1, 2)
    return recognised.all(1).sum(), recognised.sum(), same.mean(), distance[other].mean()


def test_telling_apart_counts_people_and_heads():
    line = np.array([0.0, 1.0, 5.0, 6.0, 6.5, 9.0])
    people, heads, same, _ = tell_apart(np.abs(line[:, None] - line))
    assert (people, heads) == (1, 4)  # the fourth and the fifth are nearer to another person
    assert same == pytest.approx((2 * 1 + 2 * 1 + 2 * 2.5) / 6)


@pytest.mark.parametrize('quality', ['draft', 'standard'])
def test_people_are_told_apart(shared_data, table, quality):
    from facewright.engine.annotate.landmarks import model_landmarks
    from facewright.engine.face_model import load_model

    model = load_model(str(shared_data / 'ict-facekit.tar.xz')).tracked
    landmarks, folder = model_landmarks(model), shared_data / 'photos' / 'london'
    people = sorted({p.name[:3] for p in folder.glob('*_smiling.jpg')})
    heads, coefficients = [], []
    for person in people:
        for kind in KINDS:
            neutral, found, _ = fit(model, landmarks, folder / f'{person}_{kind}.jpg', quality)
            heads.append(neutral[NARROW_FACE].astype(float))
            coefficients.append(found.identity)
    between = np.array([[head_distance(a, b) for b in heads] for a in heads])
    codes = np.array(coefficients)
    rows = [
        (name, *told[:2], *(f'{d:.2f}' for d in told[2:]))
        for name, told in (
            ('heads, mm', tell_apart(between)),
            ('identity coefficients', tell_apart(np.linalg.norm(codes[:, None] - codes, axis=2))),
        )
    ]
    table(
        f'Identity: {len(people)} people, a neutral and a smiling photo each, {quality}',
        (
            'distance of',
            'people told apart',
            'heads recognised',
            "one person's",
            "different people's",
        ),
        rows,
    )
    assert rows[0][1] >= LEAST[quality], rows
