"""Reading video files: what is in one, and its frames in the order shown, one at a time (PyAV)."""

from __future__ import annotations

import contextlib
import functools
import itertools
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.sidedata.sidedata import Type
from av.stream import Disposition

from ..core.errors import FacewrightError
from . import colours
from .clip_timing import keeps_rate
from .quicktime import FOCAL_KEYS, focal_35mm

log = logging.getLogger('facewright.footage')

STANDARD_RATES = tuple(Fraction(n, 1001) for n in (24000, 30000, 48000, 60000, 120000))
# Streams without an index: Blender finds their pictures by guessing.
UNSEEKABLE = ('mpeg', 'mpegts')


@dataclass(frozen=True)
class Video:
    """What is in a video file.

    size: width, height in pixels as shown.
    fps: the rate to call it by.
    times: T float64, s, the first frame at 0.
    turn: quarter turns clockwise to show a stored picture.
    flipped: mirrored left-right after the turn.
    aspect: pixel width / height as shown.
    stamps: T int64, the frames' own time stamps; None where the file has none to trust, and frames
        are counted.
    keys: K int64, stamps of the frames decoding can start at.
    sound_start: s on the clock of `times` when the first sound is heard, below 0 where it comes
        before the picture; None where there is none.
    focal_35mm: mm, the lens as on 36×24 mm film; None unknown.
    colours: which were converted (colours.conversion_in_words).
    """

    size: tuple[int, int]
    fps: float
    times: np.ndarray
    turn: int
    flipped: bool
    aspect: float
    stamps: np.ndarray | None
    keys: np.ndarray
    sound_start: float | None
    focal_35mm: float | None
    colours: str = ''


def probe(path: Path) -> Video:
    """Tell what a video file holds: reads the packets, decodes one frame.

    Raises FacewrightError where it cannot be used.
    """
    path = Path(path)
    try:
        stat = path.stat()
    except OSError:
        raise FacewrightError(f'There is no file {path}: check the path.') from None
    if stat.st_size == 0:
        raise FacewrightError(f'{path} is empty: copy it again from the camera.')
    return _probe(path, stat.st_mtime_ns, stat.st_size)


@functools.lru_cache(maxsize=64)
def _probe(path: Path, modified: int, length: int) -> Video:
    with _opened(path) as container:
        stream = _picture_stream(container, path)
        packets, left_out = [], 0
        try:
            for packet in container.demux(stream):
                if packet.size and packet.is_discard:  # by an edit list
                    left_out += 1
                elif packet.size:
                    packets.append((packet.pts, packet.is_keyframe))
        except av.error.FFmpegError as error:
            log.warning('%s is damaged after frame %d (%s)', path, len(packets), error)
        declared = stream.frames - left_out
        rate = stream.average_rate or stream.guessed_rate or stream.base_rate
        base = stream.time_base
        said = next((container.metadata[k] for k in FOCAL_KEYS if k in container.metadata), None)
        begins = float((stream.start_time or 0) * base)
        # In program streams stamps are guessed after a seek, often wrongly.
        guessed = container.format.name == 'mpeg'
    first = _first_frame(path)
    if not packets or first is None:
        raise FacewrightError(
            f'{path} holds no readable frame (it may be cut off): '
            'copy it again from the camera or convert it to MP4.'
        )
    if declared > len(packets):
        log.warning('%s ends early: %d of its %d frames can be read', path, len(packets), declared)
    size, turn, flipped, aspect, converted = first
    focal = focal_35mm(path) or _positive(said)
    stamps = [p for p, _ in packets]
    order, keys = None, np.zeros(0, np.int64)
    if None in stamps:
        fps = float(_snapped(rate)) if rate else 25.0
        times = np.arange(len(packets)) / fps
    else:
        shown = np.sort(np.array(stamps, np.int64))
        times, begins = _seconds(shown, base), shown[0] * float(base)
        fps = _nominal(rate, times)
        if (np.diff(shown) > 0).all() and not _out_of_order(path, stamps):
            order = shown
            if not guessed:
                keys = np.sort(np.array([p for p, key in packets if key], np.int64))
    sound = _sound_start(path, begins)
    return Video(size, fps, times, turn, flipped, aspect, order, keys, sound, focal, converted)


def _seconds(stamps: np.ndarray, base: Fraction) -> np.ndarray:
    """Seconds from the first of T sorted stamps; where several have one stamp they are spread."""
    first = np.flatnonzero(np.diff(stamps, prepend=stamps[0] - 1))
    times = (stamps[first] - stamps[0]) * float(base)
    spacing = times[-1] / (len(times) - 1) if len(times) > 1 else float(base)
    after = times[-1] + spacing
    return np.interp(np.arange(len(stamps)), [*first, len(stamps)], [*times, after])


def _out_of_order(path: Path, stamps: list[int], tried: int = 48) -> bool:
    """Whether time stamps are those of decoding though pictures are shown in another order.

    AVI has no others. Then the decoder's order is right, and its pictures bear each other's stamps.
    """
    if any(b <= a for a, b in itertools.pairwise(stamps)):
        return False  # these stamps know of the other order
    with _opened(path) as container:
        stream = _picture_stream(container, path)
        if not stream.codec_context.has_b_frames:
            return False
        if container.format.name == 'avi':
            return True
        frames = itertools.islice(_decoded(container, stream, path), tried)
        shown = [frame.pts for frame in frames if frame.pts is not None]
        return any(b <= a for a, b in itertools.pairwise(shown))


def _sound_start(path: Path, begins: float) -> float | None:
    """When the first sound stream is first heard, s after the first picture, which is at `begins`.

    What the decoder drops at the start is left out.
    """
    with _opened(path) as container:
        if not container.streams.audio:
            return None
        stream = container.streams.audio[0]
        first = next(_decoded(container, stream, path), None) if stream.codec_context else None
        if first is not None and first.pts is not None:
            return float(first.pts * first.time_base) - begins
        if stream.start_time is None:
            return 0.0
        return float(stream.start_time * stream.time_base) - begins


@functools.lru_cache(maxsize=64)
def shown_right_by_counting(path: Path) -> bool:
    """Whether a player that counts shows each picture in its turn, in the colours read here.

    It takes picture k to be at k / rate, the rate FFmpeg guesses.
    """
    known = probe(path)
    if known.stamps is None or known.flipped or known.colours:
        return False
    with _opened(path) as container:
        stream = _picture_stream(container, path)
        rate = stream.guessed_rate or stream.average_rate
        counted = (
            container.format.name in UNSEEKABLE or stream.index != container.streams.video[0].index
        )
    return not counted and bool(rate) and keeps_rate(known.times, float(rate))


def read(
    path: Path, indices: np.ndarray, replaced: list[int] | None = None
) -> Iterator[np.ndarray]:
    """Frames with the given increasing indices (0 = first shown), H×W×3 uint8 RGB, turned upright.

    A frame that cannot be decoded is replaced by the last good one before it (the first good one at
    the start); its index goes into `replaced`.
    """
    last, waiting = None, 0
    replaced = [] if replaced is None else replaced
    with contextlib.closing(_Reader(Path(path))) as reader:
        for index in (int(i) for i in indices):
            frame = reader.frame(index)
            if frame is None:
                log.warning('%s: frame %d cannot be decoded', path, index)
                replaced.append(index)
                if last is None:
                    waiting += 1
                    continue
            else:
                last = _shown(frame, reader.video, path)
            for _ in range(waiting):
                yield last
            waiting = 0
            yield last
    if waiting:
        raise FacewrightError(
            f'{path} has no frame that can be decoded in the chosen part: '
            'copy it again from the camera or convert it to MP4.'
        )


class _Reader:
    """Finds frames of a video by their index, in increasing order; close() it."""

    def __init__(self, path: Path) -> None:
        self.path, self.video, self.container = path, probe(path), None
        self.may_jump = True
        self._open()

    def close(self) -> None:
        """Close the file."""
        self.container.close()

    def frame(self, index: int):
        """The decoded frame, or None where there is none to be had."""
        stamp = _jump(self.video, self.position, index) if self.may_jump else None
        if stamp is not None:
            self._seek(stamp)
            frame, came = self._until(index)
            if frame is not None or (came is not None and came <= index):
                return frame
            self.may_jump = False  # the file's index leads too far: read on from the beginning
            self._open()
        return self._until(index)[0]

    def _open(self) -> None:
        if self.container is not None:
            self.container.close()
        self.container = _opened(self.path)
        self.stream = _picture_stream(self.container, self.path)
        self.position = 0  # of the next frame the decoder shows, where known
        self._start()

    def _seek(self, stamp: int) -> None:
        try:
            self.container.seek(stamp, stream=self.stream)
        except av.error.FFmpegError as error:
            log.info('%s: %s', self.path, error)
        self._start()

    def _start(self) -> None:
        self.decoder, self.held = _decoded(self.container, self.stream, self.path), None

    def _until(self, index: int) -> tuple[object | None, int | None]:
        """Decode up to a frame: (it or None, the index of the first one that came or None).

        A later one is kept.
        """
        came = None
        while True:
            if self.held is None:
                frame = next(self.decoder, None)
                if frame is None:
                    return None, came
                at = _index(self.video, frame.pts, self.position)
                if at is None:
                    continue
                self.held = (at, frame)
            at, frame = self.held
            came = at if came is None else came
            self.position = at + 1
            if at > index:
                return None, came
            self.held = None
            if at == index:
                return frame, came


def _index(video: Video, stamp: int | None, position: int) -> int | None:
    """Which frame a decoded picture is; None for one that an edit list leaves out."""
    if video.stamps is None or stamp is None:
        return position
    at = int(np.searchsorted(video.stamps, stamp))
    at = min(
        (k for k in (at - 1, at) if 0 <= k < len(video.stamps)),
        key=lambda k: abs(int(video.stamps[k]) - stamp),
    )
    spacing = np.median(np.diff(video.stamps)) if len(video.stamps) > 1 else 1
    return at if abs(int(video.stamps[at]) - stamp) <= spacing / 2 else None


def _jump(video: Video, position: int, index: int) -> int | None:
    """The stamp to seek to before frame `index` when decoding stands at `position`.

    None: just go on.
    """
    if video.stamps is None or index - position < 8:
        return None
    at = int(np.searchsorted(video.keys, video.stamps[index], side='right')) - 1
    here = video.stamps[min(position, len(video.stamps) - 1)]
    return int(video.keys[at]) if at >= 0 and video.keys[at] > here else None


def _shown(frame, video: Video, path: Path) -> np.ndarray:
    """A decoded frame as it is shown, H×W×3 uint8 RGB."""
    try:
        picture = colours.to_rgb(frame)
    except (av.error.FFmpegError, ValueError, OSError) as error:
        raise FacewrightError(
            f'{path} has pictures of a kind that cannot be read '
            f'({frame.format.name}): convert it to MP4.'
        ) from error
    if video.turn:
        picture = np.rot90(picture, -video.turn)
    if video.flipped:
        picture = picture[:, ::-1]
    if picture.shape[1::-1] != video.size:  # the picture size changes within some files
        picture = cv2.resize(
            np.ascontiguousarray(picture), video.size, interpolation=cv2.INTER_AREA
        )
    return np.ascontiguousarray(picture)


def _decoded(container, stream, path: Path) -> Iterator:
    """Frames in the order shown.

    Damaged packets are skipped; what a decoder holds at the end comes.
    """
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError as error:
            log.warning('%s: %s', path, error)
            packet = None
        try:
            yield from stream.decode(packet)  # None: what is still held
        except av.error.EOFError:
            return
        except av.error.InvalidDataError as error:
            log.info('%s: %s', path, error)
        except av.error.FFmpegError as error:
            log.warning('%s: %s', path, error)
            return
        if packet is None:
            return


def _first_frame(path: Path) -> tuple[tuple[int, int], int, bool, float, str] | None:
    """Size, turn, flip and pixel aspect as shown, and what is done to the colours, from a frame."""
    with _opened(path) as container:
        stream = _picture_stream(container, path)
        for frame in _decoded(container, stream, path):
            turn, flipped = orientation(frame)
            aspect = float(frame_aspect) if (frame_aspect := stream.sample_aspect_ratio) else 1.0
            size = (frame.width, frame.height)
            if turn % 2:
                size, aspect = size[::-1], 1 / aspect
            return size, turn, flipped, aspect, colours.conversion_in_words(frame)
    return None


def orientation(frame) -> tuple[int, bool]:
    """Read a frame's display matrix: (quarter turns clockwise, mirrored left-right after them).

    Any other angle is rounded.
    """
    try:
        data = frame.side_data.get(Type.DISPLAYMATRIX)
    except ValueError:  # side data of a kind PyAV has no name for, such as EXIF
        return -round(frame.rotation / 90) % 4, False
    if data is None:
        return 0, False
    # Row vector (x, y) · m = shown, y down.
    m = np.frombuffer(bytes(data), np.int32, 9).reshape(3, 3)[:2, :2] / 65536.0
    if not np.isfinite(m).all() or abs(np.linalg.det(m)) < 1e-6:
        return 0, False
    flipped = bool(np.linalg.det(m) < 0)
    if flipped:
        m = m * [-1, 1]  # undo the mirror that comes last
    return round(float(np.degrees(np.arctan2(m[0, 1], m[0, 0]))) / 90) % 4, flipped


def _opened(path: Path):
    # "file:", as FFmpeg takes what is before a colon for a protocol; no playlist may open others.
    url, options = f'file:{path.absolute()}', {'protocol_whitelist': 'file'}
    try:
        return av.open(url, metadata_errors='ignore', options=options)
    except (av.error.FFmpegError, ValueError, OSError) as error:
        if isinstance(error, PermissionError):
            raise FacewrightError(f'{path} may not be read: change its permissions.') from error
        raise FacewrightError(
            f'{path} is not a video that can be read (it may be cut off or of another kind): '
            'copy it again from the camera or convert it to MP4.'
        ) from error


def _picture_stream(container, path: Path):
    """The default stream of pictures, as players take it: the first marked so, else the first."""
    streams = [
        s
        for s in container.streams.video
        if not s.disposition & Disposition.attached_pic and s.codec_context is not None
    ]
    if not streams:
        if container.streams.audio:
            raise FacewrightError(f'{path} holds only sound: choose a file with a picture.')
        raise FacewrightError(f'{path} holds no video that can be decoded: convert it to MP4.')
    stream = next((s for s in streams if s.disposition & Disposition.default), streams[0])
    stream.thread_type = 'AUTO'
    return stream


def _snapped(rate: Fraction) -> Fraction:
    """2997/100 and its like → the broadcast rate they stand for."""
    return next((r for r in STANDARD_RATES if abs(rate / r - 1) < Fraction(1, 20000)), rate)


def _nominal(rate: Fraction | None, times: np.ndarray) -> float:
    """The frame rate to call a clip by: the file's where its frames keep it.

    Else the median spacing's.
    """
    if len(times) < 2:
        return float(rate) if rate else 25.0
    spacing = np.diff(times)
    typical = float(np.median(spacing))
    if rate and abs(typical * float(rate) - 1) < 0.02:
        return float(_snapped(Fraction(rate)))
    return float(_snapped(Fraction(1 / typical).limit_denominator(1001)))


def _positive(text: str | None) -> float | None:
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    return value if 1 < value < 1000 else None
