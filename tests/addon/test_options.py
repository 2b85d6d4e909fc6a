"""Blender's properties say what the tasks' options say."""

from dataclasses import dataclass

import bpy
import pytest

from facewright import addon
from facewright.addon import options
from facewright.engine.tasks import specs
from facewright.engine.tasks.options import Display, option, parameter, parameters


def properties(task: str):
    return getattr(bpy.ops.facewright, task).get_rna_type().properties


def shown() -> list[tuple[str, str]]:
    """(task, option) of every option that the operator of the same name shows."""
    return [
        (task, one.name)
        for task, spec in specs.SPECS.items()
        for one in parameters(spec)
        if one.option.display
    ]


@pytest.mark.parametrize('task,name', shown())
def test_an_operator_s_property_is_its_task_s_option(task, name):
    one, found = parameter(specs.SPECS[task], name), properties(task)[name]
    display, limits = one.option.display, one.option.range
    assert found.name == display.name
    if one.option.choices:
        names = [choice.name.upper() for choice in one.option.choices]
        assert [item.identifier for item in found.enum_items] == names
        assert found.default == one.default.upper()
        return
    default = display.unset if one.default is None else one.default
    assert found.default == pytest.approx(default)
    if limits.least is not None:
        assert found.hard_min == pytest.approx(min(limits.least, default))
    if limits.most is not None:
        assert found.hard_max == pytest.approx(limits.most)


def test_every_task_that_an_operator_starts_bears_its_name():
    jobs = {
        cls.task
        for module in addon.OPERATORS.values()
        for cls in module.CLASSES
        if hasattr(cls, 'task')
    }
    assert jobs and all(f'FACEWRIGHT_OT_{task}' in dir(bpy.types) for task in jobs)


def test_what_nothing_means_is_said():
    @dataclass(frozen=True)
    class Some:
        frame: int = option(0, help='A frame', display=Display('Frame', meaning='the first'))
        group: str = option('', help='A group', display=Display('Group', meaning='all'))

    assert options.described(parameter(Some, 'frame')) == 'A frame. 0: the first'
    assert options.described(parameter(Some, 'group')) == 'A group. Empty: all'
