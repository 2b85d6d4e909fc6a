"""What a person wants to read once a task is done on the command line, from its result."""

from __future__ import annotations

from collections.abc import Callable

from ..formats.lens_words import focal_in_words
from ..formats.verdicts import in_words, judge_all
from ..shape_keys.comparison import NEUTRAL, Difference, difference_in_words, shapes_in_words
from ..shape_keys.settled_words import settled_in_words

NAMED = 8  # shapes that cross themselves are named, so many
NAMED_EXPRESSIONS = 6


def summary(task: str, arguments: dict, result: dict) -> str:
    """Say what a task's result says, a line each."""
    if task == 'import_face_model':
        return f'{arguments["source"]} is ready: later runs open it at once.'
    lines = [result['table']] if 'table' in result else []
    lines += _fit(task, result)
    lines += LINES[task](result) if task in LINES else []
    lines += [f'the head is that of {result["rig"]}'] if result.get('rig') else []
    lines += [line for view in result.get('views', ()) for line in _view(view)]
    error = result.get('error') or {}
    if error.get('mean_percent') is not None:
        lines.append(in_words(judge_all(error), figures=True))
    lines += [f'warning: {sentence}' for sentence in result.get('warnings', ())]
    written = result.get('out', arguments.get('out'))
    return '\n'.join([*lines, f'written to {written}'] if written else lines)


def _fit(task: str, result: dict) -> list[str]:
    """How far a wrapped model is from its mesh, and what the face on it did."""
    lines, fit = [], result.get('fit') or {}
    if fit.get('model_to_mesh_median_mm') is not None:
        lines.append(
            f'distance to the mesh: median {fit["model_to_mesh_median_mm"]:.2f} mm, '
            f'95 % below {fit["model_to_mesh_95_mm"]:.2f} mm'
        )
    if result.get('expression'):
        strongest = sorted(result['expression'].items(), key=lambda entry: -entry[1])
        named = ', '.join(f'{name} {w:.2f}' for name, w in strongest[:NAMED_EXPRESSIONS])
        removed = task == 'generate_shape_keys'
        lines.append(
            f'found and taken off the neutral: {named}' if removed else f'expression found: {named}'
        )
    return lines


def _view(view: dict) -> list[str]:
    if 'tracked' not in view or 'frames' not in view:
        return []
    line = f'{view["name"]}: face tracked in {view["tracked"]} of {view["frames"]} frames'
    if held := view['frames'] - view['tracked']:
        line += f' (no face in {held}: there the head was carried on)'
    lens = focal_in_words(view)
    if lens:
        line += f', {lens}'
    if view.get('read_as', 'video') != 'video':
        line += f', read as {view["read_as"]}'
    return [line]


def _crossings(result: dict) -> list[str]:
    shapes = result['shapes']
    crossing = sorted(((n, c) for n, c in shapes.items() if c), key=lambda entry: -entry[1])
    named = ', '.join(f'{name} {count}' for name, count in crossing[:NAMED])
    line = f'{len(crossing)} of {len(shapes)} shapes cross themselves'
    lines = [f'{line}: {named}' if named else line]
    if result['combinations']:
        lines.append(
            f'{result["combinations_with_crossings"]} of {result["combinations"]} combinations do, '
            f'{result["crossings_in_combinations"]} pairs of triangles in all'
        )
    return lines


def _fixed(result: dict) -> list[str]:
    return [
        f'{shape["name"]}: {shape["before"]} crossing pairs before, {shape["after"]} after'
        for shape in result['shapes']
    ]


def _albedo(result: dict) -> list[str]:
    return [
        f'from {result["pictures"]} pictures; they show {result["seen_percent"]:.0f} % of the '
        f'texture, and with the light it explains them to {result["residual_percent"]:.1f} %'
    ]


def _overlay(result: dict) -> list[str]:
    return [
        f'{name.replace("_", " ")}: IoU {100 * value:.1f} %'
        for name, value in result['iou'].items()
        if value is not None
    ]


def _tetrahedra(result: dict) -> list[str]:
    worst = max(result['inverted_percent'].values())
    return [
        f'{result["tetrahedra"]} tetrahedra, at most {worst:.2f} % turned inside out in any shape'
    ]


def _settled(result: dict) -> list[str]:
    return [settled_in_words(result['shapes'])]


def _compared(result: dict) -> list[str]:
    found = {s['name']: Difference(s['mean_mm'], s['largest_mm']) for s in result['shapes']}
    neutral = found.pop(NEUTRAL)
    differ = sorted(found.items(), key=lambda entry: -entry[1].largest)
    return [
        shapes_in_words(found),
        difference_in_words(NEUTRAL, neutral),
        *(difference_in_words(name, one) for name, one in differ if not one.none),
    ]


LINES: dict[str, Callable[[dict], list[str]]] = {
    'check_intersections': _crossings,
    'fix_cavities': _fixed,
    'settle_shape_keys': _settled,
    'compare_with_model': _compared,
    'bake_albedo': _albedo,
    'preview_overlay': _overlay,
    'build_tetrahedra': _tetrahedra,
}
