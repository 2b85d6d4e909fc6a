"""Part masks of the user's own: label images from any face parser, or painted."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...core.errors import FacewrightError
from ...face_model.part_labels import (
    LEFT_BROW,
    LEFT_EYE,
    LOWER_LIP,
    NOSE,
    RIGHT_BROW,
    RIGHT_EYE,
    SKIN,
    UPPER_LIP,
)
from ..footage import View
from ..image_formats import opencv_pixels
from ..kinds import files_in, natural

# Pixel values of face parsers' label pictures → face_model.part_labels; what is not named is 0. l_
# and r_ are told apart by where they lie (see UserMasks), as parsers disagree whose left they mean.
NUMBERINGS: dict[str, dict[int, int]] = {
    'facewright': {k: k for k in range(LOWER_LIP + 1)},
    'celebamask-hq': {
        1: SKIN,
        2: NOSE,
        4: LEFT_EYE,
        5: RIGHT_EYE,
        6: LEFT_BROW,
        7: RIGHT_BROW,
        11: UPPER_LIP,
        12: LOWER_LIP,
    },  # the data set's own order of 19
    'face-parsing': {
        1: SKIN,
        2: LEFT_BROW,
        3: RIGHT_BROW,
        4: LEFT_EYE,
        5: RIGHT_EYE,
        10: NOSE,
        12: UPPER_LIP,
        13: LOWER_LIP,
    },  # face-parsing.PyTorch's order of 19
}
_PARSER_CLASSES = 19
MASK_SUFFIXES = ('.png', '.tif', '.tiff', '.bmp', '.pgm')  # kept exactly, as labels must be


@dataclass(frozen=True)
class UserMasks:
    """Masks made elsewhere, one file a frame of a view; `read` opens them one by one."""

    files: tuple[Path, ...]  # T
    size: tuple[int, int]  # width, height of the view
    numbering: str  # of NUMBERINGS

    def __len__(self) -> int:
        return len(self.files)

    def read(self, frame: int) -> np.ndarray:
        """Read a frame's labels, H×W uint8 of face_model.part_labels.

        Raises FacewrightError where the file is unreadable, of another size or holds unknown
        labels.
        """
        values = _read_values(self.files[frame])
        if values.shape[::-1] != self.size:
            raise FacewrightError(
                f'{self.files[frame]} is {values.shape[1]}×{values.shape[0]} pixels, '
                f'the footage {self.size[0]}×{self.size[1]}: '
                'make the masks at the size of the footage.'
            )
        highest = LOWER_LIP if self.numbering == 'facewright' else _PARSER_CLASSES - 1
        if values.max(initial=0) > highest:
            raise FacewrightError(
                f'{self.files[frame]} holds the label {values.max()}: '
                f'{self.numbering} masks have 0 to {highest}.'
            )
        table = np.zeros(256, np.uint8)
        for value, label in NUMBERINGS[self.numbering].items():
            table[value] = label
        labels = table[values]
        return labels if self.numbering == 'facewright' else _own_left(labels)


def read_user_masks(
    folder_or_pattern: Path | str, view: View, numbering: str = 'auto'
) -> UserMasks:
    """Open the user's own masks of a view: grey images whose values are labels.

    PNG, TIFF or BMP, one a frame in natural order of their names; as many as the view has frames,
    or as its file has where the view starts later.

    folder_or_pattern: a folder (or, where it has one named like the view, that one in it), a
        pattern with * such as masks/face_*.png, or one file for a photo.
    numbering: of NUMBERINGS; 'auto' takes Facewright's where no value is above 8, else
        CelebAMask-HQ's; a folder called after a numbering, or in one called so, has that.
    Raises FacewrightError: one sentence that names the file.
    """
    if numbering not in ('auto', *NUMBERINGS):
        raise FacewrightError(
            f'There is no numbering {numbering!r} of masks: use {", ".join(("auto", *NUMBERINGS))}.'
        )
    files = _mask_files(Path(folder_or_pattern).expanduser(), view.name)
    _without_gaps(files)
    count = len(view.times)
    if (
        len(files) not in (count, count + view.first)
        and not len(files) > count + view.first > count
    ):
        raise FacewrightError(
            f'{folder_or_pattern} holds {len(files)} masks, '
            f'the view {view.name} {count} frames: give one mask a frame.'
        )
    files = files[:count] if len(files) == count else files[view.first : view.first + count]
    if numbering == 'auto':
        numbering = _guessed_numbering(files)
    masks = UserMasks(tuple(files), view.size, numbering)
    masks.read(0)
    return masks


def _guessed_numbering(files: list[Path]) -> str:
    """By a folder's name, else by the highest value in some of the files."""
    named = [part.name for part in files[0].parents if part.name in NUMBERINGS]
    if named:
        return named[0]
    count = len(files)
    chosen = sorted({0, count // 4, count // 2, 3 * count // 4, count - 1})
    highest = max(int(_read_values(files[k]).max(initial=0)) for k in chosen)
    return 'celebamask-hq' if highest > LOWER_LIP else 'facewright'


def _mask_files(path: Path, view: str) -> list[Path]:
    if '*' in path.name:
        found = (
            [p for p in path.parent.glob(path.name) if p.suffix.lower() in MASK_SUFFIXES]
            if path.parent.is_dir()
            else []
        )
    elif path.is_dir():
        inner = path / view
        found = [
            p
            for p in files_in(inner if inner.is_dir() else path)
            if p.suffix.lower() in MASK_SUFFIXES and not p.name.startswith('.')
        ]
    elif path.is_file():
        found = [path]
    else:
        raise FacewrightError(f'There is no file or folder of masks {path}: check the path.')
    if not found:
        raise FacewrightError(
            f'{path} holds no masks: choose a folder of PNG, TIFF or BMP label images.'
        )
    return sorted(found, key=natural)


def _without_gaps(files: list[Path]) -> None:
    """FacewrightError where files numbered alike leave a number out."""
    numbers = [re.fullmatch(r'(.*?)([0-9]+)', file.stem) for file in files]
    if len(files) < 2 or not all(numbers) or len({match[1] for match in numbers}) > 1:
        return
    found = [int(match[2]) for match in numbers]
    for k, (a, b) in enumerate(itertools.pairwise(found)):
        if b == a + 1:
            continue
        wrong = f'comes {files[k + 1].name} with the same number'
        if b > a + 1:
            wrong = f'the mask with the number {a + 1} is missing'
        raise FacewrightError(f'After {files[k]} {wrong}: give one mask a frame.')


def _read_values(path: Path) -> np.ndarray:
    """H×W uint8 values of a grey label image."""
    try:
        values = opencv_pixels(path.read_bytes())
    except OSError:
        values = None
    if values is None:
        raise FacewrightError(f'{path} is not a readable image: make the mask again.')
    if values.ndim == 3:
        if values.shape[2] == 2 or (values[..., :3] != values[..., :1]).any():
            raise FacewrightError(
                f'{path} is a colour image: save masks as grey images whose values are the labels.'
            )
        values = values[..., 0]
    if values.dtype.kind not in 'ui' or values.max(initial=0) > 255:
        raise FacewrightError(
            f'{path} holds values above 255: save masks as grey images whose values are the labels.'
        )
    return values.astype(np.uint8)


def _own_left(labels: np.ndarray) -> np.ndarray:
    """Labels whose left eyes and brows are the person's.

    Seen from the eyes, the person's left is to the right where the mouth is below.
    """

    def where(*parts: int) -> np.ndarray:
        return np.argwhere(np.isin(labels, parts))[:, ::-1]

    below = where(NOSE, UPPER_LIP, LOWER_LIP)
    swapped = labels.copy()
    for left, right in ((LEFT_BROW, RIGHT_BROW), (LEFT_EYE, RIGHT_EYE)):
        ours, theirs = where(left), where(right)
        if not len(below) or not len(ours) + len(theirs):
            continue
        middle = np.concatenate([where(LEFT_EYE, RIGHT_EYE, LEFT_BROW, RIGHT_BROW)]).mean(0)
        down = below.mean(0) - middle
        # To the person's left in a picture that is not mirrored.
        across = np.array([down[1], -down[0]])
        if len(ours) and len(theirs):
            wrong = (ours.mean(0) - theirs.mean(0)) @ across < 0
        elif len(ours):
            wrong = (ours.mean(0) - below.mean(0)) @ across < 0
        else:
            wrong = (theirs.mean(0) - below.mean(0)) @ across > 0
        if wrong:
            swapped[labels == left], swapped[labels == right] = right, left
    return swapped
