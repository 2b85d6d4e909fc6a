"""Settling: crossing pieces come apart, in single shapes to the last pair.

What does not cross stays.
"""

import json

import numpy as np
import pytest

from facewright.engine import tasks
from facewright.engine.core.errors import FacewrightError
from facewright.engine.face_model import load_model
from facewright.engine.face_model.pieces import pieces
from facewright.engine.formats.rig import Rig, read_rig, write_rig
from facewright.engine.shape_keys import settle as settling
from facewright.engine.shape_keys.contact import seen_skin
from facewright.engine.shape_keys.contact_options import ContactOptions
from facewright.engine.shape_keys.settle import Separator, poses, settle_head
from facewright.engine.shape_keys.settled_words import settled_in_words

QUICK = ContactOptions(poses=0, rounds=1)
NAMES = ('jawOpen', 'mouthClose', 'eyeBlink_L', 'eyeLookDown_L', 'mouthRollUpper', 'mouthPress_L')


@pytest.fixture(scope='module')
def model():
    return load_model('builtin')


@pytest.fixture(scope='module')
def separator(model):
    return Separator(model)


def test_a_head_without_crossings_comes_back_to_the_bit(model, separator):
    assert np.array_equal(separator.separate(model.neutral), model.neutral)


def raised(model, piece, by):
    """The neutral with a piece moved by a way (3, cm)."""
    out = model.neutral.copy()
    out[pieces(model)[piece]] += np.float32(by)
    return out


@pytest.mark.parametrize(
    'piece, by, kind',
    [
        ('lower_lip', (0, 0.08, 0), 1),
        ('upper_lip', (0, -0.06, 0.02), 1),
        ('upper_lid_L', (0, 0, -0.08), 2),
        ('lower_lid_R', (0.02, 0, -0.06), 2),
        ('upper_teeth', (0, 0, 0.4), 3),
    ],
)
def test_what_is_pushed_into_another_piece_comes_out_again(model, separator, piece, by, kind):
    pushed = raised(model, piece, by)
    assert separator.check.count(pushed)[kind] > 0
    apart = separator.separate(pushed)
    assert separator.check.count(apart).tolist() == [0, 0, 0, 0]
    assert np.linalg.norm(apart - pushed, axis=1).max() < 2 * np.linalg.norm(by) + 0.05
    part = pieces(model)
    rigid = np.concatenate(
        [part[name] for name in ('eyeball_L', 'eyeball_R', 'upper_teeth', 'lower_teeth')]
    )
    assert np.array_equal(apart[rigid], pushed[rigid])


def chosen(model, seed):
    """(neutral of a random person, some of the shapes, their names)."""
    neutral = model.shape(np.random.default_rng(seed).normal(size=len(model.identities)))
    return neutral, np.stack([model.expressions[model.names.index(name)] for name in NAMES]), NAMES


def test_a_random_person_settles_in_every_shape(model):
    """Its lids cross the eyeballs in every shape before."""
    neutral, expressions, names = chosen(model, 1)
    told = []
    found = settle_head(model, neutral, expressions, names, QUICK, told.append)
    assert found.before.sum() > 300 and (found.before.sum(1) > 0).all() and not found.after.any()
    again = Separator(model)
    assert not any(
        again.check.count(v).any() for v in poses(found.neutral, found.expressions, names)
    )
    assert found.seen.max() < 2.5 and np.median(found.seen) < 1
    seen = seen_skin(model, neutral)
    assert np.isclose(
        found.seen[0], 10 * np.linalg.norm(found.neutral - neutral, axis=1)[seen].max(), atol=1e-4
    )
    assert told == sorted(told) and 0.9 < told[-1] <= 1


def test_the_task_writes_a_rig_and_says_what_it_did(model, tmp_path, monkeypatch):
    monkeypatch.setattr(
        settling,
        'settle_contacts',
        lambda model, neutral, expressions, *_: (neutral, expressions, {}),
    )  # the slow part
    neutral, expressions, names = chosen(model, 1)
    names = ('jawOpen', 'mouthClose', 'eyeBlink_L', 'mySnarl')
    write_rig(tmp_path / 'rig.npz', Rig(neutral, expressions[:4], names, model.faces))
    progress = tasks.settle_shape_keys(str(tmp_path / 'rig.npz'), str(tmp_path / 'out'), 'builtin')
    steps = []
    while True:
        try:
            steps.append(next(progress))
        except StopIteration as stop:
            result = stop.value
            break
    rig = read_rig(tmp_path / 'out' / 'rig.npz')
    assert rig.names == names and rig.expressions.shape == (4, model.vertex_count, 3)
    assert [s['name'] for s in result['shapes']] == ['neutral', *names]
    assert sum(s['before'] for s in result['shapes']) > 50 and not sum(
        s['after'] for s in result['shapes']
    )
    assert json.loads((tmp_path / 'out' / 'report.json').read_text())['shapes'] == result['shapes']
    assert steps[-1].fraction == 1


def test_another_topology_is_a_sentence(model, tmp_path):
    write_rig(
        tmp_path / 'rig.npz',
        Rig(model.neutral[:9], model.expressions[:2, :9], model.names[:2], model.faces[:1]),
    )
    with pytest.raises(FacewrightError, match='topology'):
        list(tasks.settle_shape_keys(str(tmp_path / 'rig.npz'), str(tmp_path / 'out'), 'builtin'))
    assert not (tmp_path / 'out' / 'rig.npz').exists()


def test_words():
    def shape(name, before, after, seen):
        return {
            'name': name,
            'before': before,
            'after': after,
            'seen_mm': seen,
        }

    assert (
        settled_in_words([shape('neutral', 0, 0, 0), shape('jawOpen', 0, 0, 0)])
        == 'No shape crossed itself. What one sees is as it was.'
    )
    assert settled_in_words(
        [shape('neutral', 1200, 0, 1.23), shape('jawOpen', 0, 0, 0.5), shape('a', 0, 0, 0.5)]
    ) == (
        '1,200 crossings in 1 of the shapes before, none now. The skin one sees moved by 1.2 mm at '
        'most, in the Basis; '
        'in half of the shapes by less than 0.5 mm.'
    )
    assert 'now, in a (3), b (2), c (1) and 1 more' in settled_in_words(
        [shape(n, 5, k, 0.1) for n, k in (('b', 2), ('a', 3), ('c', 1), ('d', 1))]
    )
