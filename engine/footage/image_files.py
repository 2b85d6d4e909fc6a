"""Writing image files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ..core.errors import FacewrightError
from ..core.files import replacing


def write_image(path: Path, rgb: np.ndarray, quality: int | None = None) -> None:
    """Write a picture, H×W×3 uint8 RGB, as .png or .jpg, through a temporary file.

    path: may have any letters.
    quality: of a .jpg, 0 to 100.
    Raises FacewrightError where the picture cannot be encoded or the file not be written.
    """
    options = [] if quality is None else [cv2.IMWRITE_JPEG_QUALITY, quality]
    try:
        done, data = cv2.imencode(Path(path).suffix, np.ascontiguousarray(rgb[..., ::-1]), options)
    except cv2.error:
        done = False
    if not done:
        raise FacewrightError(
            f'A picture of {rgb.shape[1]}×{rgb.shape[0]} pixels could not be encoded for {path}: '
            'choose a smaller size.'
        )
    with replacing(path) as temporary:
        temporary.write_bytes(data.tobytes())
