"""Drivers on shape keys' values, and drivers elsewhere that read them: copied, merged, and kept
pointing at what they meant.

A driver whose own property is gone ends Blender 4.5 and 5.0 at the next evaluation, so a key's
driver goes before the key does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import bpy

from ...engine.shape_keys.editing import other_side, side_of
from .actions import value_path

MOST_LETTERS = 255  # what Blender keeps of a driver's expression
TARGET_SETTINGS = (
    'id',
    'data_path',
    'bone_target',
    'transform_type',
    'transform_space',
    'rotation_mode',
)
OPERATORS = {
    'AVERAGE': ('({})', ' + '),
    'SUM': ('({})', ' + '),
    'MIN': ('min({})', ', '),
    'MAX': ('max({})', ', '),
}


def find(datablock: bpy.types.ID, path: str, index: int = 0) -> bpy.types.FCurve | None:
    """Return the driver on a property; None where there is none."""
    data = getattr(datablock, 'animation_data', None)
    return (
        next((d for d in data.drivers if d.data_path == path and d.array_index == index), None)
        if data
        else None
    )


def driven(datablock: bpy.types.ID, path: str, index: int = 0) -> bpy.types.FCurve | None:
    """Return the driver that decides a property; None where there is none, or a muted one."""
    found = find(datablock, path, index)
    return found if found is not None and not found.mute else None


def remove(datablock: bpy.types.ID, path: str) -> None:
    """Take the driver off a property, if it has one."""
    found = find(datablock, path)
    if found is not None:
        datablock.animation_data.drivers.remove(found)


def copy(datablock: bpy.types.ID, source: str, target: str) -> bpy.types.FCurve | None:
    """Give the property `target` a copy of `source`'s driver, if that has one; returns the copy."""
    found = find(datablock, source)
    if found is None:
        return None
    remove(datablock, target)
    made = datablock.animation_data.drivers.from_existing(src_driver=found)
    made.data_path = target
    return made


def readers(
    keys: bpy.types.Key, path: str
) -> Iterator[tuple[bpy.types.ID, bpy.types.FCurve, bpy.types.DriverVariable]]:
    """Return every driver in the file that reads a property of shape keys: (what it drives a
    property of, driver, variable).
    """
    for owner in _owners(keys):
        for curve in owner.animation_data.drivers:
            for variable in curve.driver.variables:
                if any(_reads(target, keys, path) for target in variable.targets):
                    yield owner, curve, variable


def _owners(keys: bpy.types.Key) -> list[bpy.types.ID]:
    """Return what may hold drivers that read shape keys, their mesh or its objects."""
    mesh = keys.user
    read = {keys, mesh} | {o for o in bpy.data.objects if o.data == mesh}
    users = bpy.data.user_map(subset=read)
    found = read.union(*users.values())
    trees = {thing.node_tree for thing in found if getattr(thing, 'node_tree', None)}
    animated = [thing for thing in found | trees if getattr(thing, 'animation_data', None)]
    return sorted(animated, key=lambda thing: (thing.id_type, thing.name_full))


def _reads(target: bpy.types.DriverTarget, keys: bpy.types.Key, path: str) -> bool:
    if target.id is None or not target.data_path.endswith(path):
        return False
    before, thing = target.data_path[: -len(path)], target.id
    return (
        (thing == keys and before == '')
        or (thing == keys.user and before == 'shape_keys.')
        or (getattr(thing, 'data', None) == keys.user and before == 'data.shape_keys.')
    )


def retarget(keys: bpy.types.Key, old: str, new: str) -> None:
    """Let every driver in the file that reads the key `old` read the key `new`."""
    before, after = value_path(old), value_path(new)
    for _, curve, variable in list(readers(keys, before)):
        for target in variable.targets:
            if _reads(target, keys, before):
                target.data_path = target.data_path[: -len(before)] + after
        _drop_doubled(curve.driver)


def read_both(keys: bpy.types.Key, whole: str, left: str, right: str) -> None:
    """Let drivers that read the key `whole` read its halves: those of a left or right key that
    side's, others the mean of the two."""
    before = value_path(whole)
    for _, curve, variable in list(readers(keys, before)):
        side = _side(curve.data_path)
        _point(variable, keys, before, value_path(right if side == 'right' else left))
        if side is None:
            name = _free_name(curve.driver, variable.name + '_right')
            if _spread(curve.driver, variable.name, name):
                _point(
                    _add(curve.driver, variable, name), keys, value_path(left), value_path(right)
                )


def _point(
    variable: bpy.types.DriverVariable, keys: bpy.types.Key, before: str, after: str
) -> None:
    for target in variable.targets:
        if _reads(target, keys, before):
            target.data_path = target.data_path[: -len(before)] + after


def _spread(driver: bpy.types.Driver, name: str, second: str) -> bool:
    """Make a driver use the mean of two variables where it used one; False where its expression has
    no room for that."""
    if driver.type == 'AVERAGE' and len(driver.variables) == 1:
        return True
    text = _renamed(_expression(driver), {name: f'(({name} + {second}) / 2)'})
    if len(text) > MOST_LETTERS:
        return False
    driver.type, driver.expression = 'SCRIPTED', text
    return True


def keep_side(datablock: bpy.types.ID, path: str, side: str) -> None:
    """Let a driver that is the mean of a left and a right key read the one of `side` ('left' or
    'right') alone.
    """
    curve = find(datablock, path)
    if curve is None or curve.driver.type != 'AVERAGE' or len(curve.driver.variables) != 2:
        return
    named = [_named(v.targets[0].data_path) for v in curve.driver.variables]
    if None not in named and other_side(named[0]) == named[1]:
        away = next(v for v, name in zip(curve.driver.variables, named) if side_of(name) != side)
        curve.driver.variables.remove(away)


def merge(keys: bpy.types.Key, left: str, right: str) -> bool:
    """Give the key `left` the mean of its driver and `right`'s, which is removed; False, and
    nothing changed, where that can't be said."""
    one, two = (find(keys, value_path(n)) for n in (left, right))
    if one is None and two is None:
        return True
    if (
        one is None
        or two is None
        or not (_identity(one) and _identity(two))
        or one.mute != two.mute
    ):
        return False
    a, b = one.driver, two.driver
    if _signature(a) != _signature(b):
        taken = {v.name for v in a.variables}
        called = {
            v.name: _unlike(v.name, taken | {w.name for w in b.variables}) for v in b.variables
        }
        if a.type != 'AVERAGE' or b.type != 'AVERAGE' or len(a.variables) != len(b.variables):
            text = f'({_expression(a)} + {_renamed(_expression(b), called)}) / 2'
            if len(text) > MOST_LETTERS:
                return False
            a.type, a.expression = 'SCRIPTED', text
        for variable in b.variables:
            _add(a, variable, called[variable.name])
        _drop_doubled(a)
    remove(keys, value_path(right))
    return True


def mirror(datablock: bpy.types.ID, path: str) -> bool:
    """Let a driver read the other side of whatever it reads that has one (bones, keys, properties);
    False where that is missing."""
    complete = True
    for variable in find(datablock, path).driver.variables:
        for target in variable.targets:
            complete &= _mirror_target(target)
    return complete


def _mirror_target(target: bpy.types.DriverTarget) -> bool:
    if target.id is None:
        return True
    complete, bone = True, other_side(target.bone_target)
    if bone:
        there = bone in getattr(target.id.data, 'bones', ())
        target.bone_target, complete = bone if there else target.bone_target, there
    called = re.sub(r'(?<=\[")[^"]*(?="\])', lambda m: other_side(m[0]) or m[0], target.data_path)
    if called != target.data_path:
        try:
            target.id.path_resolve(called)
        except ValueError:
            return False
        target.data_path = called
    return complete


def source(curve: bpy.types.FCurve) -> tuple[bpy.types.ID, str] | None:
    """Return the one property (ID, data path) whose value a driver passes on unchanged; None where
    it does anything else.
    """
    driver = curve.driver
    if len(driver.variables) != 1 or not _identity(curve):
        return None
    variable = driver.variables[0]
    target = variable.targets[0]
    if variable.type != 'SINGLE_PROP' or target.id is None or not target.data_path:
        return None
    if driver.type == 'SCRIPTED' and driver.expression.strip(' ()') != variable.name:
        return None
    try:
        value = target.id.path_resolve(target.data_path)
    except ValueError:
        return None
    return (target.id, target.data_path) if isinstance(value, (int, float)) else None


def _expression(driver: bpy.types.Driver) -> str:
    """Return what a driver computes from its variables, as an expression in brackets."""
    if driver.type == 'SCRIPTED':
        return f'({driver.expression})'
    around, between = OPERATORS[driver.type]
    text = around.format(between.join(v.name for v in driver.variables) or '0')
    many = len(driver.variables) if driver.type == 'AVERAGE' else 1
    return text if many < 2 else f'({text} / {many})'


def _renamed(expression: str, called: dict[str, str]) -> str:
    return re.sub(r'[^\W\d]\w*', lambda m: called.get(m[0], m[0]), expression)


def _free_name(driver: bpy.types.Driver, wanted: str) -> str:
    return (
        _unlike(wanted, {v.name for v in driver.variables})
        if wanted in [v.name for v in driver.variables]
        else wanted
    )


def _unlike(name: str, taken: set[str]) -> str:
    return next(n for n in (f'{name}_{i}' for i in range(2, 1000)) if n not in taken)


def _add(
    driver: bpy.types.Driver, like: bpy.types.DriverVariable, name: str
) -> bpy.types.DriverVariable:
    """Give a driver a copy of a variable."""
    made = driver.variables.new()
    made.name, made.type = name, like.type
    for target, source_target in zip(made.targets, like.targets):
        if like.type == 'SINGLE_PROP':
            target.id_type = source_target.id_type
        for setting in TARGET_SETTINGS:
            value = getattr(source_target, setting)
            if value != getattr(target, setting):
                setattr(target, setting, value)
    return made


def _drop_doubled(driver: bpy.types.Driver) -> None:
    """Take away variables of a mean that read what another of them reads, where all are doubled
    alike."""
    if driver.type != 'AVERAGE':
        return
    read = [_variable(v)[1:] for v in driver.variables]
    if len(set(read)) * read.count(read[0]) == len(read) if read else False:
        for variable in [v for i, v in enumerate(driver.variables) if read[i] in read[:i]]:
            driver.variables.remove(variable)


def _signature(driver: bpy.types.Driver) -> tuple:
    return (
        driver.type,
        driver.expression if driver.type == 'SCRIPTED' else '',
        tuple(_variable(v) for v in driver.variables),
    )


def _variable(variable: bpy.types.DriverVariable) -> tuple:
    return (
        variable.name,
        variable.type,
        tuple(tuple(getattr(t, s) for s in TARGET_SETTINGS) for t in variable.targets),
    )


def _identity(curve: bpy.types.FCurve) -> bool:
    """Return whether a driver's curve passes on what the driver computes."""
    if not len(curve.keyframe_points) and not len(curve.modifiers):
        return True
    return all(abs(curve.evaluate(x) - x) < 1e-6 for x in (0.0, 0.1, 0.25, 0.5, 0.75, 1.0))


def _named(path: str) -> str | None:
    """Return the shape key a path is the value of."""
    found = re.search(r'key_blocks\["(.*)"\]\.value$', path)
    return found[1] if found else None


def _side(path: str) -> str | None:
    name = _named(path)
    return side_of(name) if name else None
