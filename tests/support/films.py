"""Tiny videos and images made on the spot."""

from fractions import Fraction

import av
import numpy as np


def picture(i, size=(64, 48)):
    """Draw a frame that says its number: a bright column moves right.

    The top left corner is red, the top right green.
    """
    w, h = size
    out = np.full((h, w, 3), 40, np.uint8)
    out[: h // 4, : w // 4] = (220, 30, 30)
    out[: h // 4, -w // 4 :] = (30, 220, 30)
    out[h // 2 :, (i * 4) % (w - 4) : (i * 4) % (w - 4) + 4] = 230
    return out


def write_video(
    path, frames, rate=Fraction(25), stamps=None, turn=0, sound=False, late=0.0, **encoding
):
    """Encode RGB arrays as a video file.

    stamps: the frames' times in ticks of 1/1000 s; else one a frame at `rate`.
    turn: degrees of the display rotation, counter-clockwise.
    late: seconds by which the sound starts after the picture; below 0: before.
    encoding: codec, pixels (the pixel format) and options of the encoder.
    """
    codec, pixels = encoding.get('codec', 'mpeg4'), encoding.get('pixels', 'yuv420p')
    options = encoding.get('options')
    assert set(encoding) <= {'codec', 'pixels', 'options'}
    height, width = frames[0].shape[:2]
    with av.open(str(path), 'w') as container:
        stream = container.add_stream(codec, rate=rate, options=options or {})
        stream.width, stream.height, stream.pix_fmt = width, height, pixels
        if codec == 'mpeg4':
            stream.bit_rate = 4_000_000
        if stamps is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        if turn:
            stream.set_display_rotation(turn)
        voice = container.add_stream('aac', rate=16000) if sound else None
        for i, picture_ in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture_), format='rgb24')
            if stamps is None and late < 0:
                frame.pts, frame.time_base = i, 1 / Fraction(rate)
                frame.pts += round(-late * rate)
            if stamps is not None:
                frame.pts, frame.time_base = stamps[i], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        if voice:
            _silence(container, voice, max(late, 0.0))
        container.mux(stream.encode(None))
    return path


def write_tagged(
    path, colour, matrix=2, full=False, transfer=2, primaries=2, size=(64, 48), count=2
):
    """Write a lossless clip of one colour: (Y, U, V) of 10 bits.

    matrix, transfer, primaries: H.273's numbers.
    """
    width, height = size
    planes = [
        np.full(n, c, np.uint16)
        for n, c in zip((width * height, width * height // 4, width * height // 4), colour)
    ]
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('ffv1', rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, 'yuv420p10le'
        context, frame = (
            stream.codec_context,
            av.VideoFrame.from_ndarray(
                np.concatenate(planes).reshape(height * 3 // 2, width), format='yuv420p10le'
            ),
        )
        for tagged in (context, frame):
            tagged.colorspace, tagged.color_range, tagged.color_trc, tagged.color_primaries = (
                matrix,
                2 if full else 1,
                transfer,
                primaries,
            )
        for i in range(count):
            frame.pts, frame.time_base = i, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_two_streams(path, first, second, default):
    """Write two streams of pictures into one file.

    default: the number of the one marked as default, None for neither.
    """
    with av.open(str(path), 'w', options={'default_mode': 'passthrough'}) as container:
        streams = []
        for k, frames in enumerate((first, second)):
            stream = container.add_stream('mpeg4', rate=25)
            stream.height, stream.width = frames[0].shape[:2]
            stream.pix_fmt, stream.bit_rate, stream.disposition = (
                'yuv420p',
                4_000_000,
                int(k == default),
            )
            streams.append(stream)
        for stream, frames in zip(streams, (first, second)):
            for picture_ in frames:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture_, format='rgb24')))
            container.mux(stream.encode(None))
    return path


def write_sound(path):
    with av.open(str(path), 'w') as container:
        _silence(container, container.add_stream('aac', rate=16000))
    return path


def _silence(container, stream, late=0.0):
    """.3 s of silence, from `late` on, with a beep after .1 s."""
    samples = np.zeros((1, 4800), np.float32)
    samples[0, 1600:1900] = np.sin(np.arange(300) * 0.5)
    for at in range(0, 4800, 960):
        frame = av.AudioFrame.from_ndarray(
            samples[:, at : at + 960].copy(), format='fltp', layout='mono'
        )
        frame.sample_rate, frame.pts = 16000, round(16000 * late) + at
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def beep(path):
    """Seconds from a file's first decoded sample to its beep."""
    with av.open(str(path)) as container:
        samples = np.concatenate([f.to_ndarray()[0] for f in container.decode(audio=0)])
        return np.argmax(np.abs(samples) > 0.3) / container.streams.audio[0].rate


def column(frame):
    """Where the bright column of `picture` is: its index, or −1."""
    h, w = frame.shape[:2]
    row = frame[h // 2 + 2 :].mean((0, 2))
    bright = row * (row > 120)
    if not bright.any():
        return -1
    return round((bright * np.arange(w)).sum() / max(bright.sum(), 1) / 4 - 0.4)
