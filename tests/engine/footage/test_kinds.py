"""What a file is taken for: one rule for the engine and the add-on."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from facewright.engine.core.errors import FacewrightError
from facewright.engine.footage import kinds, open_footage

ROOT = Path(__file__).resolve().parents[3]


def images(folder, *names, sizes=()):
    """Grey PNG or JPEG images, 8×6 pixels or of `sizes`, in turn."""
    for k, name in enumerate(names):
        width, height = sizes[k] if sizes else (8, 6)
        picture = np.full((height, width, 3), 9, np.uint8)
        (folder / name).write_bytes(cv2.imencode(Path(name).suffix, picture)[1].tobytes())
    return folder / names[0]


def numbered(pattern, numbers):
    return [pattern.format(n) for n in numbers]


@pytest.mark.parametrize(
    'names',
    [
        numbered('a.{:04d}.png', range(1, 4)),
        numbered('frame_{:03d}.jpg', range(100)),
        numbered('f{}.png', range(1, 13)),
        numbered('{:05d}.png', [7, 8, 9, 11]),
        numbered('img{:03d}.png', range(1, 31)),
        numbered('s.{:04d}.exr', range(998, 1003)),
        [*numbered('a{:04d}.png', range(20)), 'a5000.png'],
    ],
)
def test_numbered_images_are_a_sequence(tmp_path, names):
    for name in names:
        (tmp_path / name).write_bytes(b'x')
    assert kinds.kind_of(tmp_path / names[2]) == 'sequence'


@pytest.mark.parametrize(
    'names',
    [
        ['IMG-20240101-WA0001.jpg', 'IMG-20240101-WA0002.jpg', 'IMG-20240101-WA0007.jpg'],
        numbered('IMG-20240101-WA{:04d}.jpg', range(1, 6)),
        numbered('DSC0{}.JPG', range(1201, 1220)),
        numbered('IMG_{:04d}.png', range(12, 14)),
        numbered('P10100{:02d}.jpg', range(1, 9)),
        numbered('PXL_20240101_{}.jpg', range(101010101, 101010106)),
        numbered('lisa{}.jpg', (1, 2, 3)),
        numbered('lisa{:02d}.jpg', range(5)),
        numbered('face{:03d}.jpg', (1, 2)),
        numbered('face{:03d}.jpg', (1, 2, 3, 7)),
        numbered('face{:03d}.jpg', range(1, 90, 3)),
        numbered('WhatsApp Image 2024-01-01 at 12.00.0{}.jpeg', range(3)),
        ['me.jpg', 'you.jpg'],
    ],
)
def test_photos_beside_each_other_are_photos(tmp_path, names):
    for name in names:
        (tmp_path / name).write_bytes(b'x')
    assert kinds.kind_of(tmp_path / names[0]) == 'photo'


def test_images_of_other_sizes_are_no_sequence(tmp_path):
    names = numbered('a.{:04d}.png', range(1, 4)) + numbered('b.{:04d}.jpg', range(1, 4))
    images(tmp_path, *names, sizes=[(8, 6), (6, 8), (8, 6)] * 2)
    assert kinds.kind_of(tmp_path / names[0]) == kinds.kind_of(tmp_path / names[3]) == 'photo'


def test_a_large_gap_ends_a_sequence(tmp_path):
    images(tmp_path, *numbered('a.{:04d}.png', [*range(1, 6), *range(100, 120)]))
    assert len(open_footage(tmp_path / 'a.0003.png').views[0].times) == 5
    assert len(open_footage(tmp_path / 'a.0103.png').views[0].times) == 20


def test_the_user_s_word_counts(tmp_path):
    def opened(kind):
        return open_footage([{'path': tmp_path / 'WA0002.jpg', 'kind': kind}]).views[0]

    images(tmp_path, 'WA0001.jpg', 'WA0002.jpg', 'WA0007.jpg')
    assert opened('photo').kind == 'photo' and opened(None).kind == 'photo'
    assert opened('sequence').kind == 'sequence'
    np.testing.assert_allclose(opened('sequence').times * 24, [0, 1, 6])
    images(tmp_path, *numbered('a.{:04d}.png', range(3)))
    photo = open_footage([{'path': tmp_path / 'a.0001.png', 'kind': 'photo'}]).views[0]
    assert photo.kind == 'photo' and photo.images == (tmp_path / 'a.0001.png',)


def test_a_sequence_without_numbers_is_the_folder_s(tmp_path):
    first = images(tmp_path, 'blink.png', 'rest.png', 'smile.png')
    view = open_footage([{'path': first, 'kind': 'sequence'}]).views[0]
    assert [p.name for p in view.images] == ['blink.png', 'rest.png', 'smile.png']


@pytest.mark.parametrize(
    'names',
    [
        ['f1.png', 'f2.png', 'f10.png'],
        ['blink.png', 'rest.png', 'smile.png'],
        ['a1.png', 'a2.png', 'b1.png', 'b2.png'],
        numbered('a.{:04d}.png', range(3)),
    ],
)
def test_a_folder_is_opened_again_from_a_result(tmp_path, names):
    from facewright.engine.footage.capture import CaptureView
    from facewright.engine.formats import result

    images(tmp_path, *names)
    view = open_footage([{'path': tmp_path, 'start': 1 / 24}]).views[0]
    given = CaptureView(
        'v', view.path.parent / names[0], view.size, view.camera, view.times, 0.0, 24.0
    )
    again = result._open_view(given, {'kind': 'sequence', 'first': view.first})
    assert again.images == view.images and again.first == view.first == 1


@pytest.mark.parametrize('kind', ['video', 'photo'])
def test_a_folder_is_no_file(tmp_path, kind):
    images(tmp_path, 'a.png')
    with pytest.raises(FacewrightError, match=f'is a folder, no {kind}'):
        open_footage([{'path': tmp_path, 'kind': kind}])


def test_a_capture_by_any_name(tmp_path):
    (tmp_path / 'cameras.json').write_text(json.dumps({'cameras': []}))
    assert kinds.kind_of(tmp_path / 'cameras.json') == 'capture'
    (tmp_path / 'package.json').write_text('{"name": "x"}')
    with pytest.raises(FacewrightError, match='lists no cameras'):
        kinds.kind_of(tmp_path / 'package.json')


@pytest.mark.parametrize(
    'name', ['notes.txt', 'scene.blend', 'head.obj', 'take.csv', 'take.wav', 'x']
)
def test_what_is_no_footage_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b'v 0 0 0\n' * 9)
    with pytest.raises(FacewrightError, match='is no footage: choose'):
        kinds.kind_of(tmp_path / name)


def test_a_video_of_another_name(tmp_path):
    (tmp_path / 'take 3').write_bytes(b'\0\0\0\x18ftypisom')
    assert kinds.kind_of(tmp_path / 'take 3') == 'video'


def test_a_name_in_other_letters_is_a_photo(tmp_path):
    images(tmp_path, *numbered('a.{:04d}.png', range(5)))
    assert (
        kinds.run_of(tmp_path / 'A.0001.png') is None
        and kinds.sequence_of(tmp_path / 'A.0001.png') is None
    )
    assert kinds.run_of(tmp_path / 'a.0009.png') is None


def test_a_relative_path(tmp_path, monkeypatch):
    images(tmp_path, *numbered('a.{:04d}.png', range(5)))
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'b').mkdir()
    for path in ('a.0001.png', './a.0001.png', 'b/../a.0001.png'):
        assert kinds.kind_of(path) == 'sequence' and len(open_footage(path).views[0].images) == 5


def test_in_words():
    files = tuple(Path(f'a.{n:04d}.png') for n in range(1, 121))
    assert (
        kinds.kind_in_words('sequence', files) == 'sequence of 120 images, a.0001.png to a.0120.png'
    )
    assert (
        kinds.kind_in_words('photo', files[:1]) == 'photo'
        and kinds.kind_in_words('video') == 'video'
    )


def test_odd_names_are_sorted(tmp_path):
    names = ['²2.png', '10.png', '2.png', 'b.png', '٣.png']
    in_order = [p.name for p in sorted(map(Path, names), key=kinds.natural)]
    assert in_order == ['2.png', '10.png', 'b.png', '²2.png', '٣.png']


def test_it_needs_nothing_but_the_standard_library():
    code = (
        'import importlib.util, sys, pathlib; root = pathlib.Path(sys.argv[1]); '
        's = importlib.util.spec_from_file_location("w", root / "engine" / "worker.py"); '
        'w = importlib.util.module_from_spec(s); s.loader.exec_module(w); '
        'w.register_package(root); '
        'import facewright.engine.footage.kinds; '
        'assert not {"numpy", "cv2", "av", "torch"} & set(sys.modules)'
    )
    subprocess.run([sys.executable, '-c', code, str(ROOT)], check=True)
