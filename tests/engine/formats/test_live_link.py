"""Live Link Face CSV: round trips, other tools' habits, and what is wrong, by line and column."""

import csv
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facewright.engine.core.errors import FacewrightError
from facewright.engine.face_model.expressions import ARKIT_NAMES, ICT_NAMES, LIVE_LINK_NAMES
from facewright.engine.formats.live_link import (
    COUNT,
    HEAD,
    HEADER,
    Timecode,
    head_angles,
    head_rotation,
    timecode_base,
    write_live_link,
)
from facewright.engine.formats.live_link_reader import read_live_link, read_recording
from facewright.engine.formats.performance import Performance

RATES = (
    10.0,
    12.5,
    24000 / 1001,
    24.0,
    25.0,
    30000 / 1001,
    30.0,
    48.0,
    50.0,
    60000 / 1001,
    60.0,
    100.0,
    120.0,
)


def performance(weights, names=ARKIT_NAMES, fps=30.0, angles=None):
    t = len(weights)
    rotation = head_rotation(np.zeros((t, 3)) if angles is None else angles)
    return Performance(
        np.arange(t) / fps,
        np.asarray(weights, np.float32),
        tuple(names),
        rotation,
        np.zeros((t, 3)),
        fps,
    )


def table(rows, names=LIVE_LINK_NAMES, end='\n', separator=','):
    """CSV text from (timecode, value of every named column) rows."""
    lines = [separator.join(('Timecode', 'BlendShapeCount') + tuple(names))]
    return (
        end.join(
            lines
            + [separator.join([timecode, '61'] + [value] * len(names)) for timecode, value in rows]
        )
        + end
    )


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(RATES),
    st.integers(1, 130),
    st.none() | st.integers(0, 10**6),
    st.integers(0, 2**32 - 1),
)
def test_what_is_written_is_read_back(tmp_path_factory, fps, count, start, seed):
    rng = np.random.default_rng(seed)
    angles = rng.uniform(-1.2, 1.2, 3) + np.cumsum(rng.normal(0, 0.02, (count, 3)), 0)
    p = performance(rng.uniform(0, 1, (count, 52)), fps=fps, angles=np.clip(angles, -1.5, 1.5))
    path = tmp_path_factory.mktemp('csv') / 'täke 1.csv'
    write_live_link(path, p, None if start is None else Timecode(start, timecode_base(fps)[0]))
    q = read_live_link(path, fps)
    assert q.fps == fps and q.names == ARKIT_NAMES
    np.testing.assert_allclose(q.time, p.time, atol=1e-9)
    np.testing.assert_allclose(q.weights, p.weights, atol=1e-6)
    np.testing.assert_allclose(q.rotation, p.rotation, atol=1e-6)


@pytest.mark.parametrize(
    'fps, nominal',
    [(24.0, 24), (25.0, 25), (30.0, 30), (30000 / 1001, 30), (60.0, 60), (12.5, 12.5)],
)
def test_the_rate_is_found_in_the_timecode(tmp_path, fps, nominal):
    write_live_link(tmp_path / 'a.csv', performance(np.zeros((150, 52)), fps=fps))
    q = read_live_link(tmp_path / 'a.csv')
    assert q.fps == pytest.approx(nominal) and len(q.time) == 150


def test_the_apps_own_form(tmp_path):
    p = performance(np.full((2, 52), 0.25), fps=30000 / 1001)
    write_live_link(tmp_path / 'a.csv', p, Timecode(30 * 3600 + 29, 30))
    with (tmp_path / 'a.csv').open(newline='') as stream:
        rows = list(csv.reader(stream))
    assert tuple(rows[0]) == HEADER and rows[0][0] == 'Timecode' and len(rows[0]) == 63
    assert [r[0] for r in rows[1:]] == ['01:00:00:29.000', '01:00:01:00.000']
    assert all(r[1] == '61' == str(COUNT) and len(r) == 63 for r in rows[1:])


def test_ict_names_are_written_under_apples(tmp_path):
    weights = np.zeros((1, 53))
    weights[0, ICT_NAMES.index('browInnerUp_L')] = 0.8
    weights[0, ICT_NAMES.index('mouthSmile_L')] = 0.6
    write_live_link(tmp_path / 'a.csv', performance(weights, ICT_NAMES))
    q = read_live_link(tmp_path / 'a.csv')
    got = dict(zip(q.names, q.weights[0]))
    assert (
        got['browInnerUp'] == pytest.approx(0.4)
        and got['mouthSmileLeft'] == pytest.approx(0.6)
        and got['mouthSmileRight'] == 0
    )


def test_the_tongue_is_kept(tmp_path):
    write_live_link(tmp_path / 'a.csv', performance([[0.7]], ['tongueOut']))
    q = read_live_link(tmp_path / 'a.csv')
    assert q.weights[0, q.names.index('tongueOut')] == pytest.approx(0.7)


@settings(max_examples=100, deadline=None)
@given(st.tuples(st.floats(-3.1, 3.1), st.floats(-1.5, 1.5), st.floats(-3.1, 3.1)))
def test_angles_come_back(angles):
    np.testing.assert_allclose(head_angles(head_rotation(np.array(angles))), angles, atol=1e-6)


@settings(max_examples=100, deadline=None)
@given(
    st.tuples(
        st.floats(-3.1, 3.1), st.sampled_from([-np.pi / 2, np.pi / 2, 0.3]), st.floats(-3.1, 3.1)
    )
)
def test_rotations_come_back_even_straight_up(angles):
    r = head_rotation(np.array(angles))
    np.testing.assert_allclose(head_rotation(head_angles(r)), r, atol=1e-6)
    np.testing.assert_allclose(r @ r.T, np.eye(3), atol=1e-12)


def test_which_way_the_head_turns():
    front, up = np.array([0, 0, 1.0]), np.array([0, 1.0, 0])
    assert (head_rotation(np.array([0.3, 0, 0])) @ front)[0] < 0  # yaw +: to the person's right, −x
    assert (head_rotation(np.array([0, 0.3, 0])) @ front)[1] < 0  # pitch +: down
    assert (head_rotation(np.array([0, 0, 0.3])) @ up)[0] > 0  # roll +: towards the left shoulder


def test_a_world_in_camera_axes_is_set_upright(tmp_path):
    angles = np.array([[0.1, 0.2, -0.3], [0.15, 0.2, -0.3]])
    p = performance(np.zeros((2, 52)), angles=angles)
    flipped = Performance(
        p.time, p.weights, p.names, np.diag([1.0, -1.0, -1.0]) @ p.rotation, p.translation, p.fps
    )
    write_live_link(tmp_path / 'a.csv', flipped)
    np.testing.assert_allclose(read_live_link(tmp_path / 'a.csv').rotation, p.rotation, atol=1e-6)


def test_eyes_turn_as_the_weights_say(tmp_path):
    names = ('eyeLookInLeft', 'eyeLookOutRight', 'eyeLookDownLeft')
    write_live_link(tmp_path / 'a.csv', performance([[0.5, 0.5, 1.0]], names))
    with (tmp_path / 'a.csv').open(newline='') as stream:
        row = next(csv.DictReader(stream))
    assert float(row['LeftEyeYaw']) == float(row['RightEyeYaw']) > 0  # both to the person's right
    assert float(row['LeftEyePitch']) > 0 == float(row['RightEyePitch'])


def test_gaps_are_filled_in_and_told(tmp_path):
    (tmp_path / 'a.csv').write_text(
        table([('00:00:00:00', '0'), ('00:00:00:01', '.1'), ('00:00:00:04', '.4')])
    )
    read = read_recording(tmp_path / 'a.csv', 30.0)
    np.testing.assert_allclose(read.performance.weights[:, 5], [0, 0.1, 0.2, 0.3, 0.4], atol=1e-6)
    assert read.notes == ('A gap is filled in with straight lines: 0.1 s.',)
    (tmp_path / 'a.csv').write_text(
        table(
            [
                ('00:00:00:00', '0'),
                ('00:00:01:00', '.1'),
                ('00:00:31:00', '.4'),
                ('00:00:31:01', '.4'),
            ]
        )
    )
    assert (
        'the longest 30 s, from second 1.0 on' in read_recording(tmp_path / 'a.csv', 30.0).notes[0]
    )


def test_midnight_and_doubled_timecodes(tmp_path):
    (tmp_path / 'a.csv').write_text(
        table(
            [
                ('23:59:59:28', '0'),
                ('23:59:59:29', '.1'),
                ('23:59:59:29', '.5'),
                ('00:00:00:00', '.2'),
            ]
        )
    )
    np.testing.assert_allclose(
        read_live_link(tmp_path / 'a.csv', 30.0).weights[:, 0], [0, 0.5, 0.2], atol=1e-6
    )


def test_drop_frame_timecode(tmp_path):
    (tmp_path / 'a.csv').write_text(
        table(
            [
                ('00:00:59;28', '0'),
                ('00:00:59;29', '.1'),
                ('00:01:00;02', '.2'),
                ('00:01:00;03', '.3'),
            ]
        )
    )
    q = read_live_link(tmp_path / 'a.csv', 30000 / 1001)
    np.testing.assert_allclose(q.weights[:, 0], [0, 0.1, 0.2, 0.3], atol=1e-6)


@pytest.mark.parametrize(
    'change',
    [
        lambda text: '\ufeff' + text,
        lambda text: text.replace('\n', '\r\n'),
        lambda text: text.replace(',', ';').replace('0.5', '0,5'),
        lambda text: text.replace(',', '\t'),
        lambda text: text + '\n\n',
        lambda text: text.replace('EyeBlinkLeft', 'eyeBlinkLeft'),
        lambda text: text.rstrip('\n'),
    ],
)
def test_other_tools_habits(tmp_path, change):
    text = table([('00:00:00:00', '0.5'), ('00:00:00:01', '0.5')])
    (tmp_path / 'a.csv').write_bytes(change(text).encode())
    q = read_live_link(tmp_path / 'a.csv', 30.0)
    assert len(q.time) == 2 and (q.weights == 0.5).all()


def test_utf16(tmp_path):
    (tmp_path / 'a.csv').write_bytes(table([('00:00:00:00', '0.5')]).encode('utf-16'))
    assert (read_live_link(tmp_path / 'a.csv').weights == 0.5).all()


def test_missing_columns_are_zero_and_said(tmp_path):
    (tmp_path / 'a.csv').write_text(table([('00:00:00:00', '1')], names=('JawOpen', 'Bored')))
    read = read_recording(tmp_path / 'a.csv')
    q = read.performance
    assert dict(zip(q.names, q.weights[0]))['jawOpen'] == 1 and q.weights.sum() == 1
    assert read.notes == (
        'EyeBlinkLeft, EyeLookDownLeft, EyeLookInLeft and 48 more are not in the file, and taken '
        'as 0; Bored is not known.',
    )


def test_a_cut_off_last_line_is_left_out_and_said(tmp_path):
    text = table([('00:00:00:00', '1'), ('00:00:00:01', '1'), ('00:00:00:02', '1')])
    (tmp_path / 'a.csv').write_text(text[:-40])
    read = read_recording(tmp_path / 'a.csv', 30.0)
    assert len(read.performance.time) == 2 and read.notes == (
        'The last line (4) is cut off, and left out.',
    )


@pytest.mark.parametrize(
    'text, said',
    [
        ('', 'empty'),
        ('\n\n', 'empty'),
        ('a,b\n1,2\n', 'Timecode'),
        ('Timecode,BlendShapeCount\n00:00:00:00,61\n', 'expression columns'),
        ('Timecode,JawOpen\n', 'no frames'),
        ('Timecode,JawOpen\n00:00:00:00,x\n', 'line 2, column JawOpen'),
        ('Timecode,JawOpen\n00:00:00:00,1\n00:00:00:01,nan\n', 'line 3, column JawOpen'),
        ('Timecode,JawOpen\n00:00:00:00,inf\n', 'line 2, column JawOpen'),
        ('Timecode,JawOpen\n00:00:00:00,\n', 'no frame in which a face'),
        ('Timecode,JawOpen\n00:00:00:00,1_0\n', 'line 2, column JawOpen'),
        ('Timecode,JawOpen\n\n\n00:00:00:00,oh\n', 'line 4, column JawOpen'),
        ('Timecode,JawOpen\nnoon,1\n', 'line 2, column Timecode'),
        ('Timecode,JawOpen\n00:00:61:00,1\n', 'line 2, column Timecode'),
        ('Timecode,JawOpen\n00:00:01:00,1\n12,1\n', 'line 3, column Timecode'),
        ('Timecode,JawOpen\n00:00:01.5,1\n00:00:01:12,1\n', 'line 3, column Timecode'),
        ('Timecode,JawOpen\n00:00:00:00,1\n00:00:00:01,1\n', 'shorter than a second.*File Rate'),
        ('Timecode,JawOpen\n00:00:00:00,0\n00:20:00:00,1\n', 'a gap of 20 minutes'),
        ('Timecode,JawOpen\n00:00:00:00,300\n00:00:01:00,1\n', 'neither 0 to 1 nor 0 to 100'),
        (
            'Timecode,BlendShapeCount,JawOpen\n00:00:00:00,0\n00:00:01:00,0\n',
            'no frame in which a face',
        ),
        ('Timecode,JawOpen\n00:00:01:00,1\n00:00:00:00,1\n', 'line 3, column Timecode'),
        ('Timecode,JawOpen\n00:00:00:00,1,2\n00:00:00:01,1\n', 'line 2'),
    ],
)
def test_what_is_wrong_is_said(tmp_path, text, said):
    (tmp_path / 'a.csv').write_text(text)
    with pytest.raises(FacewrightError, match=said) as caught:
        read_live_link(tmp_path / 'a.csv')
    assert '\n' not in str(caught.value) and 'a.csv' in str(caught.value)


@pytest.mark.parametrize(
    'data', [b'\xff\xfe\x00', b'\x00\x01\x02\xff', b'\x89PNG\r\n\x1a\n\x00\x00']
)
def test_binary_files(tmp_path, data):
    (tmp_path / 'a.csv').write_bytes(data)
    with pytest.raises(FacewrightError):
        read_live_link(tmp_path / 'a.csv')


def test_no_file_and_a_folder(tmp_path):
    for path in (tmp_path / 'no.csv', tmp_path):
        with pytest.raises(FacewrightError):
            read_live_link(path)


@settings(max_examples=150, deadline=None)
@given(
    st.text(max_size=200)
    | st.lists(
        st.tuples(st.text('0123456789:;. ', max_size=12), st.text('0123456789.-e,na', max_size=6)),
        max_size=6,
    ).map(lambda rows: 'Timecode,JawOpen\n' + '\n'.join(','.join(r) for r in rows))
)
def test_any_text_is_read_or_refused_in_one_sentence(tmp_path_factory, text):
    path = tmp_path_factory.mktemp('csv') / 'a.csv'
    path.write_bytes(text.encode('utf-8', 'surrogatepass'))
    try:
        q = read_live_link(path)
    except FacewrightError as error:
        assert str(error)
    else:
        assert np.isfinite(q.weights).all() and (np.diff(q.time) > 0).all() and q.fps > 0


ZERO = dict.fromkeys(LIVE_LINK_NAMES + HEAD, 0.0)


def take(path, count, stamp, value=lambda t: {'JawOpen': t}, header=None, row=None):
    """Write a file of `count` samples.

    stamp(i): its timecodes; value(share of the take): what is not 0; header and row: how its lines
    are changed
    """
    header, row = header or (lambda cells: cells), row or (lambda i, cells: cells)
    lines = [header(['Timecode', 'BlendShapeCount', *ZERO])]
    for i in range(count):
        values = ZERO | value(i / max(count - 1, 1))
        lines.append(row(i, [stamp(i), '61', *(f'{v:.6f}' for v in values.values())]))
    path.write_text('\n'.join(','.join(cells) for cells in lines) + '\n')
    return path


def sixtieths(i):
    return f'00:00:{2 * i // 60:02d}:{2 * i % 60:02d}.000'


def jaw(read):
    return read.performance.weights[:, ARKIT_NAMES.index('jawOpen')]


@pytest.mark.parametrize(
    'blind',
    [
        lambda i, c: c[:1],
        lambda i, c: [c[0], '0'],
        lambda i, c: [c[0], '0', *[''] * 55],
        lambda i, c: [c[0], '0', *['0.0'] * (len(c) - 2)],
    ],
)
@pytest.mark.parametrize('where', [range(20, 30), range(0, 10), range(80, 90), [5, 7, 60]])
def test_rows_without_a_face_are_filled_in(tmp_path, blind, where):
    path = take(
        tmp_path / 'a.csv',
        90,
        sixtieths,
        row=lambda i, cells: blind(i, cells) if i in where else cells,
    )
    read = read_recording(path)
    inner = where not in (range(0, 10), range(80, 90))
    want = np.delete(np.linspace(0, 1, 90), [] if inner else list(where))
    np.testing.assert_allclose(jaw(read), want, atol=1e-5)
    assert (
        read.performance.fps == 30 and f'{len(where)} of 90 samples have no face' in read.notes[0]
    )
    assert read.timecode == Timecode(20 if where == range(0, 10) else 0, 60)


@pytest.mark.parametrize(
    'header, row',
    [
        (None, lambda i, c: [*c, '']),
        (lambda c: [*c, ''], lambda i, c: [*c, '']),
        (lambda c: [*c, '', ''], None),
        (None, lambda i, c: [*c, '', '', ' '] if i % 2 else c),
    ],
)
def test_commas_at_the_ends_of_lines(tmp_path, header, row):
    read = read_recording(take(tmp_path / 'a.csv', 90, sixtieths, header=header, row=row))
    np.testing.assert_allclose(jaw(read), np.linspace(0, 1, 90), atol=1e-5)
    assert not read.notes


def test_a_count_of_0_beside_values_is_a_face(tmp_path):
    read = read_recording(
        take(tmp_path / 'a.csv', 90, sixtieths, row=lambda i, c: [c[0], '0', *c[2:]])
    )
    np.testing.assert_allclose(jaw(read), np.linspace(0, 1, 90)[1:], atol=1e-5)


def test_frame_numbers_are_taken_at_a_rate_that_is_said(tmp_path):
    more = ['Angry', 'Disgusted', 'Happy']
    path = take(
        tmp_path / 'a.csv',
        90,
        lambda i: f'{i + 7}.0',
        header=lambda c: [*c, *more],
        row=lambda i, c: [*c, '12', '3', '4'],
    )
    read = read_recording(path, frames_rate=24.0)
    assert (
        read.performance.fps == 24
        and read.performance.time[-1] == pytest.approx(89 / 24)
        and 'frame numbers' in read.notes[0]
    )
    read = read_recording(path, 60.0)
    assert (
        read.performance.fps == 60
        and read.performance.time[-1] == pytest.approx(89 / 60)
        and not read.notes
    )


@pytest.mark.parametrize(
    'stamp',
    [
        lambda s: f'00:00:{int(s):02d}:{round(s % 1 * 1000):03d}',
        lambda s: f'00:00:{s:06.3f}',
        lambda s: f'{s:.4f}',
        lambda s: f'00:00:{s:09.6f}',
    ],
)
@pytest.mark.parametrize(
    'count, rate', [(24, 30.0), (200, 30.0), (300, 30 / 1.001), (20, 24.0), (200, 60.0)]
)
def test_clocks_of_other_programs(tmp_path, stamp, count, rate):
    read = read_recording(
        take(tmp_path / 'a.csv', count, lambda i: stamp(np.floor(i / rate * 1000 + 0.5) / 1000))
    )
    assert (
        read.performance.fps == pytest.approx(rate, rel=2e-3)
        and len(read.performance.time) == count
    )
    np.testing.assert_allclose(jaw(read), np.linspace(0, 1, count), atol=2e-4)


def test_two_samples_of_one_timecode_are_both_kept(tmp_path):
    read = read_recording(
        take(tmp_path / 'a.csv', 180, lambda i: f'00:00:{i // 60:02d}:{i % 60 // 2:02d}')
    )
    assert read.performance.fps == 60 and len(read.performance.time) == 180
    np.testing.assert_allclose(jaw(read), np.linspace(0, 1, 180), atol=1e-5)


@pytest.mark.parametrize(
    'spelled',
    [
        lambda n: (
            n.replace('Left', '_L').replace('Right', '_R')
            if n not in ('JawLeft', 'JawRight', 'MouthLeft', 'MouthRight')
            else n
        ),
        lambda n: n[0].lower() + n[1:],
        lambda n: f'blendShape1.{n}',
        lambda n: f'ARKit_{n}',
        lambda n: n.upper(),
        lambda n: f'head__{n}.001',
    ],
)
def test_names_spelled_otherwise(tmp_path, spelled):
    value = {n: (i + 1) / 60 for i, n in enumerate(LIVE_LINK_NAMES)}
    path = take(
        tmp_path / 'a.csv',
        90,
        sixtieths,
        lambda t: value,
        header=lambda c: [*c[:2], *(spelled(n) for n in c[2:54]), *c[54:]],
    )
    read = read_recording(path)
    np.testing.assert_allclose(read.performance.weights[5], list(value.values()), atol=1e-5)
    assert not read.notes


def test_ict_s_halves_are_kept_beside_their_mean(tmp_path):
    path = take(
        tmp_path / 'a.csv',
        40,
        sixtieths,
        lambda t: {'CheekPuff': 0.2, 'JawOpen': 0.6},
        header=lambda c: [
            'cheekPuff_L' if n == 'CheekPuff' else 'cheekPuff_R' if n == 'JawOpen' else n for n in c
        ],
    )
    q = read_recording(path).performance
    got = dict(zip(q.names, q.weights[3]))
    assert (
        got['cheekPuff_L'] == pytest.approx(0.2)
        and got['cheekPuff_R'] == pytest.approx(0.6)
        and got['cheekPuff'] == pytest.approx(0.4)
    )


@pytest.mark.parametrize(
    'value, said',
    [
        (lambda t: {'JawOpen': 100 * t, 'MouthFunnel': 40 * t}, 'percent'),
        (lambda t: {'JawOpen': 104 * t, 'MouthFunnel': -3}, 'percent'),
        (lambda t: {'JawOpen': 1.4 * t, 'MouthFunnel': 0.3}, 'limited'),
        (lambda t: {'JawOpen': t, 'MouthFunnel': 0.3, 'TongueOut': 50 * (t == 1)}, 'limited'),
    ],
)
def test_percents_and_weights_beyond_one(tmp_path, value, said):
    read = read_recording(take(tmp_path / 'a.csv', 90, sixtieths, value))
    factor = 100 if said == 'percent' else 1
    np.testing.assert_allclose(
        jaw(read), np.clip([value(i / 89)['JawOpen'] / factor for i in range(90)], 0, 1), atol=1e-5
    )
    assert said in ' '.join(read.notes)


@pytest.mark.parametrize(
    'angles, degrees',
    [
        ({'HeadYaw': 17}, True),
        ({'HeadYaw': -5, 'HeadPitch': 1}, True),
        ({'HeadPitch': 1.7}, True),
        ({'HeadYaw': 0.6}, False),
        ({'HeadRoll': 1.5}, False),
        ({'HeadRoll': -3.1}, False),
    ],
)
def test_degrees_are_recognised(tmp_path, angles, degrees):
    read = read_recording(
        take(
            tmp_path / 'a.csv',
            90,
            sixtieths,
            lambda t: {'JawOpen': t} | {n: v * t for n, v in angles.items()},
        )
    )
    want = np.array([angles.get(n, 0.0) for n in HEAD])
    np.testing.assert_allclose(
        read.performance.rotation[-1],
        head_rotation(np.radians(want) if degrees else want),
        atol=1e-6,
    )
    assert degrees == any('degrees' in note and 'radians' not in note for note in read.notes)


@pytest.mark.parametrize('fps', [10.0, 12.5, 24.0, 25.0, 30.0, 30000 / 1001, 50.0, 60.0, 120.0])
@pytest.mark.parametrize('count', [2, 3, 9, 10])
def test_our_own_short_takes_keep_their_speed(tmp_path, fps, count):
    p = performance(np.linspace(0, 1, count)[:, None] * np.ones(52), fps=fps)
    write_live_link(tmp_path / 'a.csv', p)
    q = read_live_link(tmp_path / 'a.csv')
    assert q.fps == pytest.approx(fps, rel=2e-3) and len(q.time) == count
    np.testing.assert_allclose(q.weights, p.weights, atol=1e-6)


@pytest.mark.parametrize(
    'start',
    [
        Timecode(13 * 3600 * 60 + 31.652, 60),
        Timecode(24 * 86400 - 10, 24),
        Timecode(30 * 59 + 20, 30, True),
        Timecode(30 * 3600 - 9, 30, True),
        Timecode(60 * 599 + 58, 60, True),
    ],
)
def test_the_source_s_timecode_survives(tmp_path, start):
    p = performance(np.linspace(0, 1, 300)[:, None] * np.ones(52), fps=start.rate)
    write_live_link(tmp_path / 'a.csv', p, start)
    read = read_recording(tmp_path / 'a.csv')
    assert (
        read.timecode.base == start.base
        and read.timecode.drop == start.drop
        and read.timecode.ticks == pytest.approx(start.ticks, abs=1e-3)
    )
    write_live_link(tmp_path / 'b.csv', read.performance, read.timecode)
    cells = [
        [line.split(',')[0] for line in (tmp_path / name).read_text().splitlines()]
        for name in ('a.csv', 'b.csv')
    ]
    assert cells[0] == cells[1] and len(read.performance.time) == 300


def test_drop_frame_labels_skip_the_first_of_each_minute_but_the_tenth(tmp_path):
    write_live_link(
        tmp_path / 'a.csv',
        performance(np.zeros((3, 52)), fps=30 / 1.001),
        Timecode(30 * 59 + 29, 30, True),
    )
    assert [line[:11] for line in (tmp_path / 'a.csv').read_text().splitlines()[1:]] == [
        '00:00:59;29',
        '00:01:00;02',
        '00:01:00;03',
    ]
    write_live_link(
        tmp_path / 'a.csv',
        performance(np.zeros((2, 52)), fps=30 / 1.001),
        Timecode(30 * 599 + 29, 30, True),
    )
    assert [line[:11] for line in (tmp_path / 'a.csv').read_text().splitlines()[1:]] == [
        '00:09:59;29',
        '00:10:00;00',
    ]


CASES = {
    'rows_only_timecode_no_face': ('no face', None),
    'frame_number_timecode_68': ('frame numbers', None),
    'extra_trailing_comma': ('', None),
    'names_with_underscore': ('', None),
    'percent_0_100': ('percent', None),
    'degrees_head': ('degrees', None),
    'tc24_start0_short': ('', 24.0),
    'hhmmss_colon_ms_short': ('', None),
}


@pytest.mark.parametrize('name', CASES)
def test_what_failed_in_the_field(shared_data, name):
    said, fps = CASES[name]
    path = shared_data / 'cases' / 'csv' / f'{name}.csv'
    if fps:
        with pytest.raises(FacewrightError, match='File Rate'):
            read_recording(path)
    read = read_recording(path, fps)
    p = read.performance
    assert p.fps == (fps or 30) and said in ' '.join(read.notes) and (said or not read.notes)
    assert len(p.time) == len(
        path.read_text().splitlines()
    ) - 1 and p.weights.max() == pytest.approx(1, abs=0.02)
    turned = np.degrees(np.abs(head_angles(p.rotation)).max())
    assert 11 < turned < 18 or name == 'frame_number_timecode_68'


@pytest.mark.parametrize('name', ['alex_rom_3', 'alex_rom_4', 'S88-001'])
def test_real_recordings_come_back_to_print_precision(shared_data, tmp_path, name):
    first = read_recording(shared_data / 'curves' / f'{name}.csv')
    write_live_link(tmp_path / 'a.csv', first.performance, first.timecode)
    again = read_recording(tmp_path / 'a.csv')
    assert first.performance.fps == again.performance.fps == 30 and len(
        first.performance.time
    ) == len(again.performance.time)
    with (shared_data / 'curves' / f'{name}.csv').open(newline='') as stream:
        source = list(csv.DictReader(stream))
    with (tmp_path / 'a.csv').open(newline='') as stream:
        ours = list(csv.DictReader(stream))
    assert ours[0]['Timecode'] == source[0]['Timecode'] or not source[0]['EyeBlinkLeft']

    def ticks(row):
        hours, minutes, seconds, frames = row['Timecode'].split(':')
        return ((int(hours) * 60 + int(minutes)) * 60 + int(seconds)) * 60 + float(frames)

    seen = [row for row in source if row['EyeBlinkLeft']]
    places = np.cumsum(
        [0, *(round((ticks(b) - ticks(a)) / 2) for a, b in pairwise(source))]
    )  # the app's clock drifts by half a sample
    first = source.index(seen[0])
    for row, place in zip(source, places - places[first]):
        if row['EyeBlinkLeft']:
            back = ours[place]
            for column in (*LIVE_LINK_NAMES, *HEAD):
                want = (
                    min(float(row[column]), 1.0)
                    if column in LIVE_LINK_NAMES
                    else float(row[column])
                )
                assert abs(want - float(back[column])) < 2e-8, (row['Timecode'], column)


def test_a_real_recording(shared_data, tmp_path):
    p = read_live_link(shared_data / 'curves' / 'alex_rom_3.csv')
    assert p.fps == 30 and p.time[-1] == pytest.approx(134.38, abs=0.05) and p.weights.max() > 0.9
    write_live_link(tmp_path / 'a.csv', p)
    q = read_live_link(tmp_path / 'a.csv')
    np.testing.assert_allclose(q.weights, p.weights, atol=1e-6)
