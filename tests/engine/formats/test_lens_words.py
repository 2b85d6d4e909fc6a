"""How sure a focal length is, in words."""

import pytest

from facewright.engine.formats.lens_words import focal_in_words


@pytest.mark.parametrize(
    'view,words',
    [
        (
            {'focal_px': 1240.4, 'focal_percent': 7.6, 'focal_from': 'turns'},
            "focal length 1240 px ± 8 %, from the head's turns",
        ),
        (
            {'focal_px': 900, 'focal_percent': 0.0, 'focal_from': 'file'},
            "focal length 900 px, from the footage's own data",
        ),
        (
            {'focal_px': 900, 'focal_percent': 0, 'focal_from': 'given'},
            'focal length 900 px, as given',
        ),
        (
            {'focal_px': 900, 'focal_percent': 33.3, 'focal_from': 'guess'},
            'focal length 900 px ± 33 %, mostly a guess',
        ),
        ({'focal_px': 1234.4}, 'focal length 1234 px'),  # a report of before
        ({'focal_px': 1234.4, 'focal_percent': 'x', 'focal_from': 'moon'}, 'focal length 1234 px'),
        ({'focal_px': float('nan')}, ''),
        ({}, ''),
    ],
)
def test_a_focal_length_and_how_sure_it_is(view, words):
    assert focal_in_words(view) == words
