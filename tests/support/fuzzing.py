"""What fuzz tests share: how many inputs, how they are damaged, what a reader may do with them.

    from fuzzing import damaged, fuzzed, survives

    @fuzzed
    @given(data=damaged(VALID))
    def test_a_damaged_csv(tmp_path, data):
        path = tmp_path / 'take.csv'
        path.write_bytes(data)
        survives(read_live_link, path)

Tests of the engine's readers lie in tests/fuzz, those that need Blender in
tests/addon/test_fuzz_*.py. Each tries 200 inputs, the same ones every time; FACEWRIGHT_FUZZ=10000
asks for more. What is found goes into a test of its own, beside the reader's others.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import threading
import warnings

import numpy as np
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from facewright.engine.core.errors import FacewrightError

COUNT = int(os.environ.get('FACEWRIGHT_FUZZ', 200))
HANGS = 60  # seconds after which a reader hangs: far beyond what any of these inputs takes
LONGEST = 700  # characters of a sentence
HOSTILE_NUMBERS = (
    '0',
    '-1',
    '1e400',
    '-1e400',
    'nan',
    'inf',
    '1e-400',
    '2147483648',
    '4294967296',
    '9' * 40,
    '-9223372036854775809',
    '0x10',
    '1_000',
    '\uff11\uff12',  # digits of full width
    '',
    ' ',
    '1.',
    '.',
    '1e',
    '1,5',
    'true',
    'null',
    '"',
    '--1',
)
_NUMBER = re.compile(rb'-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?')

fuzzed = settings(
    max_examples=COUNT,
    deadline=None,
    database=None,
    derandomize=True,
    print_blob=False,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)

fuzzed_few = settings(fuzzed, max_examples=max(COUNT // 20, 10))  # where each input takes long


def survives(read, *given):
    """Call read(*given): its value, or None where it raised FacewrightError with one sentence.

    Anything else fails the test.
    """
    with _not_hanging():
        try:
            return read(*given)
        except FacewrightError as error:
            sentence = str(error)
    assert sentence.endswith('.'), f'no full stop: {sentence!r}'
    assert '\n' not in sentence and 'Traceback' not in sentence, (
        f'more than a sentence: {sentence!r}'
    )
    assert 10 < len(sentence) < LONGEST, f'{len(sentence)} characters: {sentence!r}'
    return None


@contextlib.contextmanager
def _not_hanging():
    """Fail after HANGS seconds where the system has alarms.

    Elsewhere pytest's own faulthandler_timeout must do.
    """
    if (
        not hasattr(signal, 'setitimer')
        or threading.current_thread() is not threading.main_thread()
    ):
        yield
        return

    def hung(*_):
        raise AssertionError(f'still reading after {HANGS} s')

    before = signal.signal(signal.SIGALRM, hung)
    signal.setitimer(signal.ITIMER_REAL, HANGS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@st.composite
def damaged(draw, valid: bytes, most: int = 4) -> bytes:
    """A valid file's bytes, damaged 0 to `most` times.

    Bytes overwritten, put in, cut out, repeated, swapped with others; cut short; a number made
    hostile.
    """
    data = bytearray(valid)
    for _ in range(draw(st.integers(0, most))):
        if not data:
            break
        at = draw(st.integers(0, len(data) - 1))
        kind = draw(
            st.sampled_from(('overwrite', 'insert', 'delete', 'repeat', 'end', 'number', 'bit'))
        )
        length = draw(st.integers(1, 64))
        if kind == 'overwrite':
            new = draw(st.binary(min_size=1, max_size=8))
            data[at : at + len(new)] = new
        elif kind == 'insert':
            data[at:at] = draw(st.binary(min_size=1, max_size=16))
        elif kind == 'delete':
            del data[at : at + length]
        elif kind == 'repeat':
            data[at:at] = data[at : at + length] * draw(st.integers(1, 20))
        elif kind == 'end':
            del data[at:]
        elif kind == 'bit':
            data[at] ^= 1 << draw(st.integers(0, 7))
        else:
            _replace_number(draw, data, at)
    return bytes(data)


def _replace_number(draw, data: bytearray, at: int) -> None:
    """Put a hostile number in the place of the first one from `at` on."""
    number = _NUMBER.search(data, at)
    if number:
        data[number.start() : number.end()] = draw(st.sampled_from(HOSTILE_NUMBERS)).encode()


@st.composite
def damaged_arrays(draw, valid: dict, most: int = 2) -> dict:
    """The arrays of a valid .npz with 0 to `most` of them taken away or replaced.

    By ones of other kinds, shapes and numbers.
    """
    arrays = dict(valid)
    for _ in range(draw(st.integers(0, most))):
        if not arrays:
            break
        name = draw(st.sampled_from(sorted(arrays)))
        if draw(st.integers(0, 5)) == 0:
            del arrays[name]
        else:
            arrays[name] = draw(_other_array(np.asarray(arrays[name])))
    return arrays


@st.composite
def _other_array(draw, array: np.ndarray) -> np.ndarray:
    """An array of another kind, shape or with other numbers than `array`."""
    kind = draw(st.sampled_from(('number', 'number', 'number', 'type', 'shape', 'empty', 'text')))
    if kind == 'number' and array.size and array.dtype.kind in 'fiub':
        out = array.copy()
        wide = out.dtype.kind == 'f'
        values = (
            (np.nan, np.inf, -np.inf, 1e300, 1e-300, -1.0, 0.0)
            if wide
            else (-1, 0, 1, 2, 3, 127, -128)
        )
        with np.errstate(over='ignore'):
            out.flat[draw(st.integers(0, out.size - 1))] = np.asarray(
                draw(st.sampled_from(values))
            ).astype(out.dtype)
        return out
    if kind == 'type':
        to = draw(
            st.sampled_from(
                ('f2', 'f4', 'f8', 'i1', 'u1', 'i8', 'u8', '?', 'c16', 'U3', 'S3', 'M8[s]')
            )
        )
        try:
            with np.errstate(all='ignore'), warnings.catch_warnings(action='ignore'):
                return array.astype(to)
        except (ValueError, TypeError):
            return np.zeros(array.shape, to)
    if kind == 'shape':
        shape = draw(
            st.sampled_from(
                (
                    (),
                    (1,),
                    (0,),
                    array.shape[:-1],
                    (*array.shape, 1),
                    (1, *array.shape),
                    array.shape[::-1],
                    (2, 2),
                )
            )
        )
        return np.resize(array, shape) if array.size else np.zeros(shape, array.dtype)
    if kind == 'text':
        return np.array(draw(st.lists(st.text(max_size=5), max_size=4)), 'U5')
    return np.zeros((0, *array.shape[1:]), array.dtype)


def json_values(depth: int = 3):
    """Anything JSON can hold, NaN and huge numbers included."""
    leaves = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=12),
        st.sampled_from(['', '..', '/', 'C:\\x', '\x00', 'é']),
    )
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
        ),
        max_leaves=2**depth,
    )


@st.composite
def damaged_json(draw, valid, most: int = 3):
    """A valid JSON value in which 0 to `most` values are replaced, taken away or repeated."""
    value = _copied(valid)
    for _ in range(draw(st.integers(0, most))):
        holder, key = None, None
        inside = value
        while isinstance(inside, (dict, list)) and inside:
            keys = list(inside) if isinstance(inside, dict) else range(len(inside))
            holder, key = inside, draw(st.sampled_from(list(keys)))
            inside = inside[key]
            if draw(st.booleans()):
                break
        if holder is None:
            value = draw(json_values())
            continue
        what = draw(st.sampled_from(('replace', 'remove', 'repeat')))
        if what == 'replace':
            holder[key] = draw(json_values())
        elif what == 'remove':
            del holder[key]
        elif isinstance(holder, list):
            holder.insert(key, _copied(holder[key]))
    return value


def _copied(value):
    """A deep copy of a JSON value."""
    if isinstance(value, dict):
        return {k: _copied(v) for k, v in value.items()}
    return [_copied(v) for v in value] if isinstance(value, list) else value
