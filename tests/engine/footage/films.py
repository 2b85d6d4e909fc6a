"""Tiny videos and images made on the spot."""
from fractions import Fraction

import av
import numpy as np


def picture(i, size=(64, 48)):
    """A frame that says its number: a bright column moves right, the top left corner is red, the top right green."""
    w, h = size
    out = np.full((h, w, 3), 40, np.uint8)
    out[:h // 4, :w // 4] = (220, 30, 30)
    out[:h // 4, -w // 4:] = (30, 220, 30)
    out[h // 2:, (i * 4) % (w - 4):(i * 4) % (w - 4) + 4] = 230
    return out


def write_video(path, frames, rate=Fraction(25), codec='mpeg4', pixels='yuv420p', stamps=None, turn=0, sound=False, options=None, late=0.):
    """frames: RGB arrays; stamps: their times in ticks of 1/1000 s (else one a frame at `rate`); turn: degrees of the display rotation (counter-clockwise);
    late: seconds by which the sound starts after the picture (below 0: before)."""
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
            _silence(container, voice, max(late, 0.))
        container.mux(stream.encode(None))
    return path


def write_sound(path):
    with av.open(str(path), 'w') as container:
        _silence(container, container.add_stream('aac', rate=16000))
    return path


def _silence(container, stream, late=0.):
    """.3 s of silence, from `late` on, with a beep after .1 s."""
    samples = np.zeros((1, 4800), np.float32)
    samples[0, 1600:1900] = np.sin(np.arange(300) * .5)
    for at in range(0, 4800, 960):
        frame = av.AudioFrame.from_ndarray(samples[:, at:at + 960].copy(), format='fltp', layout='mono')
        frame.sample_rate, frame.pts = 16000, round(16000 * late) + at
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def beep(path):
    """Seconds from a file's first decoded sample to its beep."""
    with av.open(str(path)) as container:
        samples = np.concatenate([f.to_ndarray()[0] for f in container.decode(audio=0)])
        return np.argmax(np.abs(samples) > .3) / container.streams.audio[0].rate


def column(frame):
    """Where the bright column of `picture` is: its index, or −1."""
    h, w = frame.shape[:2]
    row = frame[h // 2 + 2:].mean((0, 2))
    return int(round((row * np.arange(w) * (row > 120)).sum() / max((row * (row > 120)).sum(), 1) / 4 - .4)) if (row > 120).any() else -1
