"""capture.json: what is right is taken exactly, what is wrong is said by camera and field."""

import copy
import json

import cv2
import films
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facewright.engine.core.errors import FacewrightError
from facewright.engine.footage import open_footage, read_frames

FRAMES = 5


def camera(name):
    return {
        'name': name,
        'video': f'{name}.mp4',
        'fps': 25,
        'width': 64,
        'height': 48,
        'K': [[100, 0, 32], [0, 101, 24], [0, 0, 1]],
        'R': [[1, 0, 0], [0, -1, 0], [0, 0, -1]],
        't': [0, 1.5, 60],
        'time': [0.01 + 0.04 * i for i in range(FRAMES)],
    }


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp('Aufnahme 1')
    for name in 'ab':
        films.write_video(path / f'{name}.mp4', [films.picture(i) for i in range(FRAMES)])
    return path


def opened(folder, change=lambda data: None, **options):
    data = {'units': 'cm', 'cameras': [camera('a'), camera('b')]}
    change(data)
    (folder / 'capture.json').write_text(json.dumps(data), encoding='utf-8')
    return open_footage(folder / 'capture.json', **options)


def test_everything_is_taken(folder):
    footage = opened(folder)
    view = footage.views[1]
    assert footage.calibrated and [v.name for v in footage.views] == ['a', 'b']
    assert (
        view.camera.focal == 100
        and view.camera.aspect == 1.01
        and view.camera.centre == (32, 24)
        and view.camera.distortion == (0, 0, 0, 0)
    )
    np.testing.assert_array_equal(view.camera.translation, [0, 1.5, 60])
    np.testing.assert_allclose(view.times, 0.01 + 0.04 * np.arange(FRAMES))
    assert [films.column(f) for f in read_frames(view)] == list(range(FRAMES))
    assert open_footage(folder).views[0].name == 'a'  # the folder says the same


def test_views_are_chosen_by_name_and_order(folder):
    assert [v.name for v in opened(folder, views=['b', 'a']).views] == ['b', 'a']
    with pytest.raises(FacewrightError, match='no view c: the footage has a, b'):
        opened(folder, views=['c'])
    with pytest.raises(FacewrightError, match='twice'):
        opened(folder, views=['a', 'a'])


def test_offset_units_and_distortion(folder):
    def change(data):
        data['units'] = 'm'
        del data['cameras'][0]['time']
        data['cameras'][0].update(offset=-0.5, distortion=[0.1, -0.2, 0.001, 0])

    view = opened(folder, change).views[0]
    assert (
        view.times[0] == pytest.approx(-0.5)
        and view.camera.translation[2] == 6000
        and view.camera.distortion == (0.1, -0.2, 0.001, 0)
    )


def test_a_part_of_the_footage(folder):
    view = opened(folder, lambda data: data['cameras'][0].update(first=2, time=[1.0, 1.04])).views[
        0
    ]
    assert (
        view.first == 2
        and list(view.times) == [1.0, 1.04]
        and [films.column(f) for f in read_frames(view)] == [2, 3]
    )
    opened(
        folder,
        lambda data: [
            camera_.update(first=2, time=[1.0, 1.04, 1.08]) for camera_ in data['cameras']
        ],
    )
    cut = open_footage([{'path': folder / 'capture.json', 'start': 1.03}]).views[1]
    assert cut.first == 3 and [films.column(f) for f in read_frames(cut)] == [3, 4]
    with pytest.raises(FacewrightError, match=r'1 frames.*3 times'):
        opened(folder, lambda data: data['cameras'][0].update(first=4, time=[1.0, 1.04, 1.08]))


@pytest.mark.parametrize('key', ['name', 'video', 'width', 'height', 'K', 'R', 't'])
def test_missing_keys(folder, key):
    with pytest.raises(FacewrightError, match=rf'lacks {key}'):
        opened(folder, lambda data: data['cameras'][1].pop(key))


@pytest.mark.parametrize(
    'key, value',
    [
        ('name', 3),
        ('video', ''),
        ('width', 64.5),
        ('height', -1),
        ('width', 'wide'),
        ('K', [[100, 0, 32]]),
        ('K', [[100, 0, 32], [0, float('nan'), 24], [0, 0, 1]]),
        ('K', [[0, 0, 32], [0, 1, 24], [0, 0, 1]]),
        ('K', [[100, 0, 32], [0, 100, 24], [0, 0, 2]]),
        ('K', '1 2 3'),
        ('R', np.eye(3).tolist()[:2]),
        ('R', (np.eye(3) * 2).tolist()),
        ('R', np.diag([1, 1, -1]).tolist()),
        ('t', [1, 2]),
        ('t', [1, 2, float('inf')]),
        ('t', [1, 2, '3']),
        ('t', [1, 2, True]),
        ('distortion', [1, 2]),
        ('distortion', [1, 2, 3, float('nan')]),
        ('time', [0, 0, 1, 2, 3]),
        ('time', []),
        ('time', [0, 0.1, None, 0.3, 0.4]),
        ('offset', 'late'),
        ('first', -1),
        ('first', 0.5),
        ('first', '2'),
        ('fps', 0),
        ('t', [[1], [2, 3]]),
    ],
)
def test_wrong_values_are_said_by_camera_and_field(folder, key, value):
    with pytest.raises(FacewrightError, match=f'camera (b|1).*"{key}"'):
        opened(folder, lambda data: data['cameras'][1].update({key: value}))


@pytest.mark.parametrize(
    'change, said',
    [
        (lambda d: d['cameras'][1].update(video='no.mp4'), 'no.mp4'),
        (lambda d: d['cameras'][1].update(video='x' * 400), 'there is no'),
        (lambda d: d['cameras'][1].update(name='a'), 'two cameras named a'),
        (lambda d: d['cameras'][1].update(width=65), 'calibrated'),
        (lambda d: d['cameras'][1].update(time=[0, 1, 2]), '5 frames.*3 times'),
        (lambda d: d.update(units='inch'), 'units'),
        (lambda d: d.update(cameras=[]), 'no cameras'),
        (lambda d: d.update(cameras={}), 'no cameras'),
        (lambda d: d.update(cameras=[1]), 'camera 0'),
    ],
)
def test_what_does_not_fit_together(folder, change, said):
    with pytest.raises(FacewrightError, match=said) as caught:
        opened(folder, change)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    'text', ['', '[', '{}', '[]', 'null', '"x"', '{"cameras": [[]]}', '[' * 5000]
)
def test_what_is_no_capture(folder, text):
    (folder / 'capture.json').write_text(text)
    with pytest.raises(FacewrightError, match=r'capture\.json'):
        open_footage(folder / 'capture.json')


VALUE = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(sorted(camera('a')) + ['distortion', 'offset']),
        VALUE,
        min_size=1,
        max_size=3,
    )
)
def test_any_change_is_taken_or_refused_in_one_sentence(folder, change):
    try:
        footage = opened(folder, lambda data: data['cameras'][0].update(copy.deepcopy(change)))
    except FacewrightError as error:
        assert 'capture.json' in str(error) or '.mp4' in str(error)
    else:
        view = footage.views[0]
        assert (
            np.isfinite(view.camera.focal)
            and np.isfinite(view.camera.translation).all()
            and (np.diff(view.times) > 0).all()
        )


@pytest.mark.parametrize('count', [1, 2])
def test_its_times_tell_a_photo_from_a_sequence(folder, count):
    for k in range(count + 2):
        (folder / f's.{k:04d}.png').write_bytes(cv2.imencode('.png', films.picture(k))[1].tobytes())
    if count == 2:
        for k in (2, 3):
            (folder / f's.{k:04d}.png').unlink()
    view = opened(
        folder,
        lambda data: data['cameras'][0].update(
            video='s.0000.png', time=[0.1 * k for k in range(count)]
        ),
    ).views[0]
    assert view.kind == ('photo' if count == 1 else 'sequence') and len(view.images) == count


def test_the_dev_capture(shared_data):
    footage = open_footage(shared_data / 'captures' / 'dev', views=['view_1'])
    truth = np.load(shared_data / 'captures' / 'dev' / 'truth.npz')
    assert (
        footage.calibrated
        and footage.views[0].size == (288, 512)
        and len(footage.views[0].times) == 48
    )
    assert (
        truth['time'][0] - 0.11 <= footage.views[0].times[0]
        and footage.views[0].times[-1] <= truth['time'][-1] + 0.11
    )
