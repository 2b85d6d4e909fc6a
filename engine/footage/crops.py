"""Square crops of a picture, turned and scaled, and the way back.

Pixels count from the top-left corner, their centres are at .5.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Crop:
    """A square window of a picture.

    centre: pixels of the picture.
    side: pixels.
    roll: radians; the crop's x axis in the picture, clockwise as seen.
    """

    centre: tuple[float, float]
    side: float
    roll: float = 0.0

    def axes(self) -> np.ndarray:
        """2×2: columns are the crop's x and y axes in the picture."""
        c, s = np.cos(self.roll), np.sin(self.roll)
        return np.array([[c, -s], [s, c]])

    def to_picture(self, points: np.ndarray) -> np.ndarray:
        """Map points of the crop to pixels of the picture.

        points: N×2 or N×3 (x, y[, z]) in units of the crop's side from its corner; z scaled alike.
        """
        out = points * self.side
        out[..., :2] = (out[..., :2] - self.side / 2) @ self.axes().T + self.centre
        return out


def whole_picture(size: tuple[int, int], roll: float = 0.0) -> Crop:
    """The window that holds a whole picture of (width, height)."""
    return Crop((size[0] / 2, size[1] / 2), float(max(size)), roll)


def tiles(size: tuple[int, int], parts: int) -> list[Crop]:
    """Half-overlapping square windows, each 1/parts of the longer side."""
    side = max(size) / parts
    centres = []
    for length in size:
        if length <= side:
            centres.append([length / 2])
        else:
            count = int(np.ceil((length / side - 1) * 2)) + 1
            centres.append(np.linspace(side / 2, length - side / 2, count).tolist())
    return [Crop((x, y), side) for y in centres[1] for x in centres[0]]


def cut(picture: np.ndarray, crop: Crop, size: int, mirrored: bool = False) -> np.ndarray:
    """Cut H×W×3 uint8 to size×size×3 uint8 of the crop; black outside the picture.

    Shrinking averages first (area filter by whole factors), so that pixels do not flicker as the
    window moves. mirrored: left-right.
    """
    scale = crop.side / size
    factor = int(scale) if scale >= 2 else 1
    axes = crop.axes() * scale
    if mirrored:
        axes = axes * [-1, 1]
    origin = np.asarray(crop.centre) - axes @ [size / 2, size / 2]
    # Crop pixel (corner origin) → picture pixel.
    matrix = np.concatenate([axes, origin[:, None]], axis=1)
    if factor > 1:
        limit = [picture.shape[1], picture.shape[0]]
        corners = np.array([[0, 0, 1], [size, 0, 1], [0, size, 1], [size, size, 1]]) @ matrix.T
        low = np.clip(np.floor(corners.min(0)).astype(int) - 2 * factor, 0, limit)
        high = np.clip(np.ceil(corners.max(0)).astype(int) + 2 * factor, 0, limit)
        count = (high - low) // factor
        if (count < 1).any():
            return np.zeros((size, size, 3), np.uint8)
        high = low + count * factor
        picture = cv2.resize(
            picture[low[1] : high[1], low[0] : high[0]],
            tuple(int(c) for c in count),
            interpolation=cv2.INTER_AREA,
        )
        matrix = matrix / factor
        matrix[:, 2] -= low / factor
    matrix[:, 2] += matrix[:, :2] @ [0.5, 0.5] - 0.5  # OpenCV counts from pixel centres
    return cv2.warpAffine(
        picture,
        matrix,
        (size, size),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
    )
