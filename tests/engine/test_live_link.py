"""Live Link Face CSV: round trips, other tools' habits, and what is wrong with a file said by line and column."""
import csv

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from facewright.engine.errors import FacewrightError
from facewright.engine.face_model.expressions import ARKIT_NAMES, ICT_NAMES, LIVE_LINK_NAMES
from facewright.engine.live_link import COUNT, HEADER, head_angles, head_rotation, read_live_link, write_live_link
from facewright.engine.performance import Performance

RATES = (10., 12.5, 24000 / 1001, 24., 25., 30000 / 1001, 30., 48., 50., 60000 / 1001, 60., 100., 120.)


def performance(weights, names=ARKIT_NAMES, fps=30., angles=None):
    t = len(weights)
    rotation = head_rotation(np.zeros((t, 3)) if angles is None else angles)
    return Performance(np.arange(t) / fps, np.asarray(weights, np.float32), tuple(names), rotation, np.zeros((t, 3)), fps)


def table(rows, names=LIVE_LINK_NAMES, end='\n', separator=','):
    """CSV text from (timecode, value of every named column) rows."""
    lines = [separator.join(('Timecode', 'BlendShapeCount') + tuple(names))]
    return end.join(lines + [separator.join([timecode, '61'] + [value] * len(names)) for timecode, value in rows]) + end


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(RATES), st.integers(1, 130), st.integers(0, 10 ** 6), st.integers(0, 2 ** 32 - 1))
def test_what_is_written_is_read_back(tmp_path_factory, fps, count, start, seed):
    rng = np.random.default_rng(seed)
    angles = rng.uniform(-1.2, 1.2, 3) + np.cumsum(rng.normal(0, .02, (count, 3)), 0)
    p = performance(rng.uniform(0, 1, (count, 52)), fps=fps, angles=np.clip(angles, -1.5, 1.5))
    path = tmp_path_factory.mktemp('csv') / 'täke 1.csv'
    write_live_link(path, p, start)
    q = read_live_link(path, fps)
    assert q.fps == fps and q.names == ARKIT_NAMES
    np.testing.assert_allclose(q.time, p.time, atol=1e-9)
    np.testing.assert_allclose(q.weights, p.weights, atol=1e-6)
    np.testing.assert_allclose(q.rotation, p.rotation, atol=1e-6)


@pytest.mark.parametrize('fps, nominal', [(24., 24), (25., 25), (30., 30), (30000 / 1001, 30), (60., 60), (12.5, 12.5)])
def test_the_rate_is_found_in_the_timecode(tmp_path, fps, nominal):
    write_live_link(tmp_path / 'a.csv', performance(np.zeros((150, 52)), fps=fps))
    q = read_live_link(tmp_path / 'a.csv')
    assert q.fps == pytest.approx(nominal) and len(q.time) == 150


def test_the_apps_own_form(tmp_path):
    p = performance(np.full((2, 52), .25), fps=30000 / 1001)
    write_live_link(tmp_path / 'a.csv', p, start_timecode=30 * 3600 + 29)
    with open(tmp_path / 'a.csv', newline='') as stream:
        rows = list(csv.reader(stream))
    assert tuple(rows[0]) == HEADER and rows[0][0] == 'Timecode' and len(rows[0]) == 63
    assert [r[0] for r in rows[1:]] == ['01:00:00:29.000', '01:00:01:00.000']
    assert all(r[1] == '61' == str(COUNT) and len(r) == 63 for r in rows[1:])


def test_ict_names_are_written_under_apples(tmp_path):
    weights = np.zeros((1, 53))
    weights[0, ICT_NAMES.index('browInnerUp_L')] = .8
    weights[0, ICT_NAMES.index('mouthSmile_L')] = .6
    write_live_link(tmp_path / 'a.csv', performance(weights, ICT_NAMES))
    q = read_live_link(tmp_path / 'a.csv')
    got = dict(zip(q.names, q.weights[0]))
    assert got['browInnerUp'] == pytest.approx(.4) and got['mouthSmileLeft'] == pytest.approx(.6) and got['mouthSmileRight'] == 0


def test_the_tongue_is_kept(tmp_path):
    write_live_link(tmp_path / 'a.csv', performance([[.7]], ['tongueOut']))
    q = read_live_link(tmp_path / 'a.csv')
    assert q.weights[0, q.names.index('tongueOut')] == pytest.approx(.7)


@settings(max_examples=100, deadline=None)
@given(st.tuples(st.floats(-3.1, 3.1), st.floats(-1.5, 1.5), st.floats(-3.1, 3.1)))
def test_angles_come_back(angles):
    np.testing.assert_allclose(head_angles(head_rotation(np.array(angles))), angles, atol=1e-6)


@settings(max_examples=100, deadline=None)
@given(st.tuples(st.floats(-3.1, 3.1), st.sampled_from([-np.pi / 2, np.pi / 2, .3]), st.floats(-3.1, 3.1)))
def test_rotations_come_back_even_straight_up(angles):
    r = head_rotation(np.array(angles))
    np.testing.assert_allclose(head_rotation(head_angles(r)), r, atol=1e-6)
    np.testing.assert_allclose(r @ r.T, np.eye(3), atol=1e-12)


def test_which_way_the_head_turns():
    front, up = np.array([0, 0, 1.]), np.array([0, 1., 0])
    assert (head_rotation(np.array([.3, 0, 0])) @ front)[0] < 0   # yaw +: to the person's right, −x
    assert (head_rotation(np.array([0, .3, 0])) @ front)[1] < 0   # pitch +: down
    assert (head_rotation(np.array([0, 0, .3])) @ up)[0] > 0      # roll +: towards the left shoulder


def test_a_world_in_camera_axes_is_set_upright(tmp_path):
    angles = np.array([[.1, .2, -.3], [.15, .2, -.3]])
    p = performance(np.zeros((2, 52)), angles=angles)
    flipped = Performance(p.time, p.weights, p.names, np.diag([1., -1., -1.]) @ p.rotation, p.translation, p.fps)
    write_live_link(tmp_path / 'a.csv', flipped)
    np.testing.assert_allclose(read_live_link(tmp_path / 'a.csv').rotation, p.rotation, atol=1e-6)


def test_eyes_turn_as_the_weights_say(tmp_path):
    names = ('eyeLookInLeft', 'eyeLookOutRight', 'eyeLookDownLeft')
    write_live_link(tmp_path / 'a.csv', performance([[.5, .5, 1.]], names))
    with open(tmp_path / 'a.csv', newline='') as stream:
        row = next(csv.DictReader(stream))
    assert float(row['LeftEyeYaw']) == float(row['RightEyeYaw']) > 0  # both to the person's right
    assert float(row['LeftEyePitch']) > 0 == float(row['RightEyePitch'])


def test_gaps_are_filled_in(tmp_path, caplog):
    (tmp_path / 'a.csv').write_text(table([('00:00:00:00', '0'), ('00:00:00:01', '.1'), ('00:00:00:04', '.4')]))
    q = read_live_link(tmp_path / 'a.csv', 30.)
    np.testing.assert_allclose(q.weights[:, 5], [0, .1, .2, .3, .4], atol=1e-6)
    assert 'gap' in caplog.text


def test_midnight_and_doubled_timecodes(tmp_path):
    (tmp_path / 'a.csv').write_text(table([('23:59:59:28', '0'), ('23:59:59:29', '.1'), ('23:59:59:29', '.5'), ('00:00:00:00', '.2')]))
    np.testing.assert_allclose(read_live_link(tmp_path / 'a.csv', 30.).weights[:, 0], [0, .5, .2], atol=1e-6)


def test_drop_frame_timecode(tmp_path):
    (tmp_path / 'a.csv').write_text(table([('00:00:59;28', '0'), ('00:00:59;29', '.1'), ('00:01:00;02', '.2'), ('00:01:00;03', '.3')]))
    q = read_live_link(tmp_path / 'a.csv', 30000 / 1001)
    np.testing.assert_allclose(q.weights[:, 0], [0, .1, .2, .3], atol=1e-6)


@pytest.mark.parametrize('change', [
    lambda text: '\ufeff' + text, lambda text: text.replace('\n', '\r\n'), lambda text: text.replace(',', ';').replace('0.5', '0,5'),
    lambda text: text.replace(',', '\t'), lambda text: text + '\n\n', lambda text: text.replace('EyeBlinkLeft', 'eyeBlinkLeft'), lambda text: text.rstrip('\n')])
def test_other_tools_habits(tmp_path, change):
    text = table([('00:00:00:00', '0.5'), ('00:00:00:01', '0.5')])
    (tmp_path / 'a.csv').write_bytes(change(text).encode())
    q = read_live_link(tmp_path / 'a.csv', 30.)
    assert len(q.time) == 2 and (q.weights == .5).all()


def test_utf16(tmp_path):
    (tmp_path / 'a.csv').write_bytes(table([('00:00:00:00', '0.5')]).encode('utf-16'))
    assert (read_live_link(tmp_path / 'a.csv').weights == .5).all()


def test_missing_columns_are_zero_and_said(tmp_path, caplog):
    (tmp_path / 'a.csv').write_text(table([('00:00:00:00', '1')], names=('JawOpen',)))
    q = read_live_link(tmp_path / 'a.csv')
    assert dict(zip(q.names, q.weights[0]))['jawOpen'] == 1 and q.weights.sum() == 1
    assert 'EyeBlinkLeft' in caplog.text


def test_a_cut_off_last_line_is_left_out(tmp_path, caplog):
    text = table([('00:00:00:00', '1'), ('00:00:00:01', '1'), ('00:00:00:02', '1')])
    (tmp_path / 'a.csv').write_text(text[:-40])
    assert len(read_live_link(tmp_path / 'a.csv').time) == 2 and 'line 4' in caplog.text


@pytest.mark.parametrize('text, said', [
    ('', 'empty'), ('\n\n', 'empty'), ('a,b\n1,2\n', 'Timecode'), ('Timecode,BlendShapeCount\n00:00:00:00,61\n', 'expression columns'),
    ('Timecode,JawOpen\n', 'no frames'),
    ('Timecode,JawOpen\n00:00:00:00,x\n', 'line 2, column JawOpen'), ('Timecode,JawOpen\n00:00:00:00,1\n00:00:00:01,nan\n', 'line 3, column JawOpen'),
    ('Timecode,JawOpen\n00:00:00:00,inf\n', 'line 2, column JawOpen'), ('Timecode,JawOpen\n00:00:00:00,\n', 'line 2, column JawOpen'),
    ('Timecode,JawOpen\n00:00:00:00,1_0\n', 'line 2, column JawOpen'),
    ('Timecode,JawOpen\n\n\n00:00:00:00,oh\n', 'line 4, column JawOpen'),
    ('Timecode,JawOpen\n12,1\n', 'line 2, column Timecode'), ('Timecode,JawOpen\n00:00:61:00,1\n', 'line 2, column Timecode'),
    ('Timecode,JawOpen\n00:00:01.5,1\n', 'line 2, column Timecode'),
    ('Timecode,JawOpen\n00:00:01:00,1\n00:00:00:00,1\n', 'line 3, column Timecode'),
    ('Timecode,JawOpen\n00:00:00:00,1,2\n00:00:00:01,1\n', 'line 2')])
def test_what_is_wrong_is_said(tmp_path, text, said):
    (tmp_path / 'a.csv').write_text(text)
    with pytest.raises(FacewrightError, match=said) as caught:
        read_live_link(tmp_path / 'a.csv')
    assert '\n' not in str(caught.value) and 'a.csv' in str(caught.value)


@pytest.mark.parametrize('data', [b'\xff\xfe\x00', b'\x00\x01\x02\xff', b'\x89PNG\r\n\x1a\n\x00\x00'])
def test_binary_files(tmp_path, data):
    (tmp_path / 'a.csv').write_bytes(data)
    with pytest.raises(FacewrightError):
        read_live_link(tmp_path / 'a.csv')


def test_no_file_and_a_folder(tmp_path):
    for path in (tmp_path / 'no.csv', tmp_path):
        with pytest.raises(FacewrightError):
            read_live_link(path)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200) | st.lists(st.tuples(st.text('0123456789:;. ', max_size=12), st.text('0123456789.-e,na', max_size=6)), max_size=6).map(
    lambda rows: 'Timecode,JawOpen\n' + '\n'.join(','.join(r) for r in rows)))
def test_any_text_is_read_or_refused_in_one_sentence(tmp_path_factory, text):
    path = tmp_path_factory.mktemp('csv') / 'a.csv'
    path.write_bytes(text.encode('utf-8', 'surrogatepass'))
    try:
        q = read_live_link(path)
    except FacewrightError as error:
        assert str(error)
    else:
        assert np.isfinite(q.weights).all() and (np.diff(q.time) > 0).all() and q.fps > 0


def test_a_real_recording(shared_data, tmp_path):
    p = read_live_link(shared_data / 'curves' / 'alex_rom_3.csv')
    assert p.fps == 30 and p.time[-1] == pytest.approx(134.38, abs=.05) and p.weights.max() > .9
    write_live_link(tmp_path / 'a.csv', p)
    q = read_live_link(tmp_path / 'a.csv')
    np.testing.assert_allclose(q.weights, p.weights, atol=1e-6)
