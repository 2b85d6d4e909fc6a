"""Damaged and odd Live Link Face CSV: read, or refused in one sentence."""

from __future__ import annotations

import numpy as np
from fuzzing import HOSTILE_NUMBERS, damaged, fuzzed, survives
from hypothesis import given
from hypothesis import strategies as st

from facewright.engine.formats.live_link import HEADER, Timecode, write_live_link
from facewright.engine.formats.live_link_reader import read_recording

COLUMNS = st.sampled_from(
    [
        *HEADER,
        'eyeBlink_L',
        'cheekPuff_L',
        'blendShape1.jawOpen',
        'Time',
        'Frame',
        'Happy',
        '',
        '"',
        ' TIMECODE ',
    ]
)
STAMPS = st.one_of(
    st.builds(
        '{:02d}:{:02d}:{:02d}{}{:02d}'.format,
        st.integers(0, 25),
        st.integers(0, 61),
        st.integers(0, 61),
        st.sampled_from(':;.'),
        st.integers(0, 999),
    ),
    st.builds('00:00:{:02d}:{:06.3f}'.format, st.integers(0, 3), st.floats(0, 60)),
    st.integers(-5, 10**10).map(str),
    st.floats().map(str),
    st.sampled_from(HOSTILE_NUMBERS),
)
CELLS = st.floats(-2, 120).map('{:.4f}'.format) | st.sampled_from(['', '0', '1', *HOSTILE_NUMBERS])
JOINTS = st.sampled_from([',', ';', '\t', ', '])
ENCODINGS = st.sampled_from(['utf-8', 'utf-8-sig', 'utf-16', 'latin-1'])


def text_of(rows, joint, end) -> str:
    return end.join(joint.join(row) for row in rows)


TABLES = st.lists(COLUMNS, min_size=1, max_size=6).flatmap(
    lambda header: st.builds(
        lambda rows, joint, end: text_of([['Timecode', *header], *rows], joint, end),
        st.lists(
            st.tuples(
                STAMPS, st.lists(CELLS, min_size=len(header) - 1, max_size=len(header) + 1)
            ).map(lambda row: [row[0], *row[1]]),
            max_size=8,
        ),
        JOINTS,
        st.sampled_from(['\n', '\r\n', '\r']),
    )
)


def checked(path, fps=None):
    """Read a recording that must make sense where it is read at all."""
    read = survives(read_recording, path, fps)
    if read is not None:
        p = read.performance
        assert (
            np.isfinite(p.weights).all()
            and p.weights.min() >= 0
            and p.weights.max() <= 1
            and np.isfinite(p.rotation).all()
        )
        assert (
            (np.diff(p.time) > 0).all()
            and p.fps > 0
            and p.weights.shape == (len(p.time), len(p.names))
        )
        for note in read.notes:
            assert note.endswith('.') and '\n' not in note
        if read.timecode is not None:
            write_live_link(path.with_suffix('.out'), p, read.timecode)
    return read


@fuzzed
@given(text=TABLES, encoding=ENCODINGS, fps=st.sampled_from([None, 24.0, 29.97, 60.0]))
def test_tables_of_all_kinds(tmp_path, text, encoding, fps):
    path = tmp_path / 'take.csv'
    path.write_bytes(text.encode(encoding, 'replace'))
    checked(path, fps)


def valid() -> bytes:
    """A short take as we write it."""
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from facewright.engine.formats.performance import Performance

    with TemporaryDirectory() as folder:
        path = Path(folder) / 'take.csv'
        ones = np.full((6, 2), 0.5, np.float32)
        write_live_link(
            path,
            Performance(
                np.arange(6) / 30,
                ones,
                ('jawOpen', 'eyeBlink_L'),
                np.tile(np.eye(3), (6, 1, 1)),
                np.zeros((6, 3)),
                30.0,
            ),
            Timecode(57, 60),
        )
        return path.read_bytes()


@fuzzed
@given(data=damaged(valid()))
def test_a_damaged_take(tmp_path, data):
    path = tmp_path / 'take.csv'
    path.write_bytes(data)
    checked(path)


def test_the_valid_one_is_read(tmp_path):
    (tmp_path / 'take.csv').write_bytes(valid())
    assert checked(tmp_path / 'take.csv').timecode == Timecode(57, 60)
