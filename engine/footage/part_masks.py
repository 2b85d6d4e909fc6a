"""The parts of a face in a picture (papers/4, section 3.2): from landmarks and what the picture shows, or from masks of the user's own."""
from __future__ import annotations

_NOSE_RIGHT = [168, 122, 188, 174, 217, 198, 209, 129, 98, 97, 2]   # half of the nose's outline: root, bridge's side, wing, base
_NOSE_LEFT = [326, 327, 358, 429, 420, 437, 399, 412, 351]
NOSE_OUTLINE = _NOSE_RIGHT + _NOSE_LEFT      # landmarks round the nose, in order
