"""Video frames as sRGB-like pictures: matrices, ranges; HDR (HLG, PQ) and wide gamuts → BT.709."""

from __future__ import annotations

import functools

import cv2
import numpy as np

# ITU-T H.273: transfer characteristics, primaries and matrices as files tag them.
PQ, HLG = 16, 18
BT2020, P3_THEATRE, P3 = 9, 11, 12
BT709_MATRIX, UNTAGGED = 1, 2
# Matrices that FFmpeg's converter knows; the others (YCgCo, ICtCp …) are taken for the nearest one.
KNOWN_MATRICES = frozenset(range(8)) | {9}
NEAREST_MATRIX = {10: 9, 13: 9, 14: 9, 15: 9}  # else BT.709's
# Width or height from which untagged pictures are BT.709's, as players take it.
HD = (1280, 577)

SDR_GAMMA = 2.4  # of the displays BT.709 is made for (ITU-R BT.1886)
SDR_WHITE = 203.0  # cd/m² shown as white; what is brighter is clipped (ITU-R BT.2408)
HLG_PEAK, HLG_GAMMA = 1000.0, 1.2  # cd/m² and system gamma of HLG's reference display (BT.2100)

# Linear RGB of wider primaries → linear RGB of BT.709's, all with a white of D65.
TO_BT709 = {
    BT2020: np.array(
        [
            [1.660491, -0.587641, -0.072850],
            [-0.124550, 1.132900, -0.008349],
            [-0.018151, -0.100579, 1.118730],
        ]
    ),
    P3: np.array(
        [[1.224940, -0.224940, 0.0], [-0.042057, 1.042057, 0.0], [-0.019638, -0.078636, 1.098274]]
    ),
}


def to_rgb(frame) -> np.ndarray:
    """Turn a decoded av.VideoFrame into an H×W×3 uint8 RGB picture in BT.709's primaries.

    The matrix and range are the frame's own; untagged, the matrix is BT.601's, or BT.709's for HD.
    HLG and PQ are taken as the light of their reference displays, with SDR_WHITE as white, for a
    display of gamma 2.4. HLG's system gamma is applied to each channel, as zimg does (FFmpeg's
    zscale), by which phones' and converters' files keep their saturation.
    """
    matrix = _matrix(frame)
    transfer, primaries = _light(frame)
    if transfer == 0 and primaries == 0:
        return frame.to_ndarray(format='rgb24', src_colorspace=matrix, dst_colorspace=matrix)
    wide = frame.to_ndarray(format='rgb48le', src_colorspace=matrix, dst_colorspace=matrix)
    linear = np.take(_to_linear(transfer), wide)
    if primaries:
        linear = cv2.transform(linear, TO_BT709[primaries])
    np.clip(linear, 0, 1, linear)
    return np.take(_to_display(), (linear * 65535 + 0.5).astype(np.uint16))


def conversion_in_words(frame) -> str:
    """Say what is converted ('HDR (HLG) converted to BT.709') or not understood; '' for neither."""
    transfer, primaries = _light(frame)
    wide = {BT2020: 'BT.2020', P3: 'P3'}
    if int(frame.colorspace) not in KNOWN_MATRICES:
        return f'colours of an unknown kind (matrix {int(frame.colorspace)}), which may be wrong'
    name = {HLG: 'HDR (HLG)', PQ: 'HDR (PQ)'}.get(transfer) or wide.get(primaries)
    return f'{name} converted to BT.709' if name else ''


def _matrix(frame) -> int | None:
    """The matrix to read a frame with, where that is not simply its own."""
    own = int(frame.colorspace)
    if own not in KNOWN_MATRICES:
        return NEAREST_MATRIX.get(own, BT709_MATRIX)
    hd = frame.width >= HD[0] or frame.height >= HD[1]
    return BT709_MATRIX if own == UNTAGGED and hd and not frame.format.is_rgb else None


def _light(frame) -> tuple[int, int]:
    """Tell (HLG, PQ or 0: ordinary transfer; BT2020, P3 or 0: primaries of BT.709 or near)."""
    transfer, primaries = int(frame.color_trc), int(frame.color_primaries)
    transfer = transfer if transfer in (PQ, HLG) else 0
    primaries = P3 if primaries == P3_THEATRE else primaries
    if transfer and primaries == UNTAGGED:
        primaries = BT2020
    return transfer, primaries if primaries in TO_BT709 else 0


@functools.cache
def _to_linear(transfer: int) -> np.ndarray:
    """65536 float32: a 16-bit code → linear light, white at 1."""
    code = np.arange(65536) / 65535
    if transfer == PQ:
        return (_pq(code) / SDR_WHITE).astype(np.float32)
    if transfer == HLG:
        return (HLG_PEAK * _hlg(code) ** HLG_GAMMA / SDR_WHITE).astype(np.float32)
    return (code**SDR_GAMMA).astype(np.float32)


@functools.cache
def _to_display() -> np.ndarray:
    """65536 uint8: 16-bit linear light → the code of a display of gamma 2.4."""
    return ((np.arange(65536) / 65535) ** (1 / SDR_GAMMA) * 255 + 0.5).astype(np.uint8)


def _hlg(code: np.ndarray) -> np.ndarray:
    """Scene light, 0 to 1, of an HLG signal (inverse OETF, ITU-R BT.2100 table 5)."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)


def _pq(code: np.ndarray) -> np.ndarray:
    """cd/m² of a PQ signal (EOTF, ITU-R BT.2100 table 4)."""
    m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
    power = code ** (1 / m2)
    return 10000 * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)
