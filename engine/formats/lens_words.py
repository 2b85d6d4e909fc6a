"""How sure a focal length is, in words.

Standard library only: the add-on and the command line say it in the same words.
"""

from __future__ import annotations

import math

# report.json's `focal_from`: where a focal length comes from, in words.
ORIGINS = {
    'given': 'as given',
    'file': "from the footage's own data",
    'turns': "from the head's turns",
    'guess': 'mostly a guess',
}


def focal_in_words(view: dict) -> str:
    """Say a view's focal length as report.json has it; '' where it doesn't.

    'focal length 1240 px ± 8 %, from the head's turns'.
    """
    focal = view.get('focal_px')
    if not _is_positive(focal):
        return ''
    words = f'focal length {focal:.0f} px'
    percent, origin = view.get('focal_percent'), view.get('focal_from')
    if _is_positive(percent):
        words += f' ± {percent:.0f} %'
    return f'{words}, {ORIGINS[origin]}' if origin in ORIGINS else words


def _is_positive(value: object) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value) and value > 0
