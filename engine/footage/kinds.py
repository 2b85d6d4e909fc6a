"""What a file is: a video, a photo, one image of a sequence, or a capture.json.

One list of suffixes and one rule for sequences, for the engine and the add-on. Standard library
only. Which images there are says image_formats.py.
"""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

from ..core.errors import FacewrightError
from .exif import exif, picture_size
from .image_formats import FORMATS, format_of

KINDS = ('video', 'sequence', 'photo', 'capture')
IMAGE_SUFFIXES = frozenset(suffix for row in FORMATS for suffix in row.suffixes)
_VIDEO_NAMES = """
.mp4 .m4v .mov .qt .avi .mkv .webm .mpg .mpeg .mpe .m1v .m2v .vob .ts .mts .m2ts .m2t .tod
.mod .3gp .3g2 .wmv .asf .flv .f4v .ogv .ogg .ogm .mxf .dv .divx .gif .apng .y4m .h264 .264
.avc .h265 .265 .hevc .ivf .obu .mjpeg .mjpg .nut .rm .rmvb .amv .insv .lrv .braw .r3d
"""
VIDEO_SUFFIXES = frozenset(_VIDEO_NAMES.split())
# How the videos begin whose names end otherwise: (offset, bytes).
VIDEO_STARTS = (
    (4, b'ftyp'),
    (4, b'moov'),
    (4, b'mdat'),
    (0, b'\x1aE\xdf\xa3'),
    (8, b'AVI '),
    (0, b'\0\0\1\xba'),
    (0, b'\0\0\1\xb3'),
    (0, b'\0\0\0\1'),
    (0, b'FLV'),
    (0, b'OggS'),
    (0, b'\x30\x26\xb2\x75'),
    (0, b'GIF8'),
    (0, b'G@'),
    (0, b'YUV4MPEG2'),
)

# A run is a sequence by itself from so many images on: as a rule; where the numbers have one or two
# digits; where the names are those that cameras and messengers give to photos.
SHORTEST, SHORTEST_OF_FEW_DIGITS, SHORTEST_OF_PHOTOS = 3, 10, 24
LARGEST_GAP, LEAST_PRESENT = 10, 0.75
PHOTO_NAMES = re.compile(
    r'(?i)(.*-wa|whatsapp.*|signal-.*|telegram.*|photo_.*|screenshot.*'
    r'|(img|dsc[nf]?|pxl|mvimg|sam|cimg|pict|imgp|gopr|_mg|p)[-_ ]?([0-9]{8}[-_ ])?)'
)
HEADER = 1 << 16  # bytes in which a picture's size stands


def kind_of(path: Path | str) -> str:
    """Tell what a file or folder is, one of KINDS, by its name, its neighbours and its first bytes.

    Raises FacewrightError, one sentence, where it can be no footage at all.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if path.is_dir():
        if (path / 'capture.json').exists():
            return 'capture'
        images_in(path)
        return 'sequence'
    if suffix == '.json':
        _check_capture(path)
        return 'capture'
    if suffix in IMAGE_SUFFIXES:
        return 'sequence' if sequence_of(path) else 'photo'
    if suffix not in VIDEO_SUFFIXES and not _begins_as_video(path):
        raise FacewrightError(
            f'{path} is no footage: choose a video, a photo, an image sequence or a capture.json.'
        )
    return 'video'


def sequence_of(path: Path) -> tuple[tuple[Path, ...], tuple[int, ...]] | None:
    """The images and numbers of the sequence that `path` is one of; None where it is a photo.

    A sequence by itself is a run (see run_of) with three images of successive numbers, in which at
    most a quarter of the numbers is missing; with one or two digits it has ten images. Not where a
    camera wrote its maker into the file, nor of a format that only cameras write, nor where the
    neighbours are of another size. Where names are a camera's or a messenger's (IMG_0012, DSC01234,
    IMG-20240101-WA0001): 24 without a gap.
    """
    found = run_of(path) if format_of(path).numbered else None
    if found is None:
        return None
    files, numbers = found
    prefix, digits = _numbered(path)
    span = numbers[-1] - numbers[0] + 1
    if _longest_stretch(numbers) < SHORTEST or len(numbers) < LEAST_PRESENT * span:
        return None
    if len(digits) < 3 and len(numbers) < SHORTEST_OF_FEW_DIGITS:
        return None
    if PHOTO_NAMES.fullmatch(prefix) and not len(numbers) == span >= SHORTEST_OF_PHOTOS:
        return None
    if exif(_start(path)).from_camera:
        return None
    at = numbers.index(int(digits))
    beside = files[max(at - 1, 0) : at + 2]
    return found if len({picture_size(_start(file)) for file in beside}) == 1 else None


def run_of(path: Path) -> tuple[tuple[Path, ...], tuple[int, ...]] | None:
    """The images beside `path` that differ from it in their last number only, and these numbers.

    Numbers with leading zeros have the same count of digits. Where more than ten numbers are
    missing in a row the run ends. None where fewer than two images are left.
    """
    name = _numbered(path)
    if name is None:
        return None
    prefix, digits = name
    pattern = re.compile(re.escape(prefix) + '([0-9]+)' + re.escape(path.suffix))
    run = {}
    for other in files_in(path.parent):
        hit = pattern.fullmatch(other.name)
        padded = digits[0] == '0' or (bool(hit) and hit[1][0] == '0')
        if hit and (len(hit[1]) == len(digits) or not padded):
            run[int(hit[1])] = other
    if int(digits) not in run:  # a file system for which other letters are the same name
        return None
    every = sorted(run)
    numbers = _without_large_gaps(every, int(digits))
    numbers = every if len(numbers) < 2 else numbers
    return (tuple(run[n] for n in numbers), tuple(numbers)) if len(numbers) > 1 else None


def images_in(folder: Path) -> tuple[Path, ...]:
    """List the images of a folder in natural order (frame2 before frame10).

    Those of the most frequent suffix, hidden ones left out. Raises FacewrightError where there are
    none.
    """
    found = [
        p
        for p in files_in(folder)
        if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith('.') and p.is_file()
    ]
    if not found:
        raise FacewrightError(
            f'{folder} holds no images: choose a folder of PNG, JPEG or TIFF '
            'frames, or a video file.'
        )
    by_suffix: dict[str, list[Path]] = {}
    for path in sorted(found, key=natural):
        by_suffix.setdefault(path.suffix.lower(), []).append(path)
    return tuple(max(by_suffix.values(), key=len))


def files_in(folder: Path) -> list[Path]:
    """What lies in a folder; FacewrightError where it cannot be read."""
    try:
        return list(Path(folder).iterdir())
    except OSError as error:
        raise FacewrightError(
            f'{folder} cannot be read ({error.strerror or error}): check its permissions.'
        ) from error


def natural(path: Path) -> list:
    """Sorting key of a file's name: frame2 before frame10."""
    parts = re.split('([0-9]+)', path.name)
    key = [(int(part), '') if k % 2 else (-1, part.lower()) for k, part in enumerate(parts)]
    return [*key, (-1, path.name)]


def kind_in_words(kind: str, files: tuple[Path, ...] = (), colours: str = '') -> str:
    """Say in words what footage was taken for: 'photo', 'sequence of 120 images, a to b' …

    `colours`: what is done to its colours, '' for nothing.
    """
    if kind == 'sequence':
        images = f'{len(files)} images' if len(files) > 1 else 'one image'
        kind = f'sequence of {images}, {files[0].name} to {files[-1].name}'
    return f'{kind}, {colours}' if colours else kind


def _numbered(path: Path) -> tuple[str, str] | None:
    """A name's part before its last number, and the number's digits."""
    match = re.fullmatch('(.*?)([0-9]+)', path.stem, re.DOTALL)
    return match and (match[1], match[2])


def _longest_stretch(numbers: tuple[int, ...]) -> int:
    """How many of increasing numbers follow each other without a gap."""
    longest = length = 1
    for before, number in itertools.pairwise(numbers):
        length = length + 1 if number == before + 1 else 1
        longest = max(longest, length)
    return longest


def _without_large_gaps(numbers: list[int], chosen: int) -> list[int]:
    """Those of increasing numbers around `chosen` between which few are missing."""
    first = last = numbers.index(chosen)
    while first and numbers[first] - numbers[first - 1] <= LARGEST_GAP + 1:
        first -= 1
    while last + 1 < len(numbers) and numbers[last + 1] - numbers[last] <= LARGEST_GAP + 1:
        last += 1
    return numbers[first : last + 1]


def _start(path: Path) -> bytes:
    """A file's first bytes; none where it cannot be read (which its reader will say)."""
    try:
        with path.open('rb') as stream:
            return stream.read(HEADER)
    except OSError:
        return b''


def _begins_as_video(path: Path) -> bool:
    start = _start(path)[:64]
    return any(start[at : at + len(mark)] == mark for at, mark in VIDEO_STARTS)


def _check_capture(path: Path) -> None:
    """FacewrightError where a .json is no capture: it must list cameras."""
    try:
        data = json.loads(path.read_text(encoding='utf-8-sig'))
        listed = isinstance(data, dict) and isinstance(data.get('cameras'), list)
    except (OSError, ValueError, RecursionError):
        listed = path.name.lower() == 'capture.json'  # whose reader says what is wrong with it
    if not listed:
        raise FacewrightError(
            f'{path} lists no cameras: a capture.json needs a list "cameras" with one entry a view.'
        )
