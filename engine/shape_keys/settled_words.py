"""What settling a head did, in words: for the panel, the command line and scripts.

Standard library alone.
"""

from __future__ import annotations

import statistics

NAMED = 3  # shapes that still cross are named, so many


def settled_in_words(shapes: list[dict]) -> str:
    """Say what report.json's `shapes` of settling say.

    Crossings before and after, what of it one sees.
    """
    before, after = (sum(s[key] for s in shapes) for key in ('before', 'after'))
    if not before:
        words = 'No shape crossed itself'
    else:
        crossing, plural = sum(s['before'] > 0 for s in shapes), 's' if before != 1 else ''
        words = f'{before:,} crossing{plural} in {crossing} of the shapes before'
    left = sorted((s for s in shapes if s['after']), key=lambda s: -s['after'])
    if left:
        words += f', {after:,} now, in ' + ', '.join(
            f'{_called(s)} ({s["after"]})' for s in left[:NAMED]
        )
        words += f' and {len(left) - NAMED} more' if len(left) > NAMED else ''
    elif before:
        words += ', none now'
    furthest = max(shapes, key=lambda s: s['seen_mm'])
    if furthest['seen_mm'] < 0.05:
        return words + '. What one sees is as it was.'
    half = statistics.median(s['seen_mm'] for s in shapes)
    return words + (
        f'. The skin one sees moved by {furthest["seen_mm"]:.1f} mm at most, in '
        f'{_called(furthest)}; '
        f'in half of the shapes by less than {max(half, 0.1):.1f} mm.'
    )


def _called(shape: dict) -> str:
    """Return a shape's name as Blender has it."""
    return 'the Basis' if shape['name'] == 'neutral' else shape['name']
