"""Where handles on brows, lips, cheeks and nose go in each shape, from handles.json."""

from __future__ import annotations

import json
from pathlib import Path

Offset = tuple[float, float, float]  # cm, head space

_TABLE = Path(__file__).with_name('handles.json')

# Shape → measured point (of the 468) → how far it goes in the left side's shape at full weight.
HANDLES: dict[str, dict[int, Offset]] = {
    shape: {int(point): tuple(offset) for point, offset in table.items()}
    for shape, table in json.loads(_TABLE.read_text(encoding='utf-8')).items()
}
