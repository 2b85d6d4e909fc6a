"""A task's options: what is refused, that the tasks take them, and that the README says them."""

import inspect

import numpy as np
import pytest

from facewright.engine import tasks
from facewright.engine.core.errors import FacewrightError
from facewright.engine.tasks import options, specs

GOOD = {'sources': ['a.mp4', {'path': 'b.mp4', 'lens_mm': 26}], 'out': 'o'}


def test_every_task_has_a_spec_and_every_spec_a_task():
    assert set(tasks.MODULES) == set(specs.SPECS)
    for old, new in specs.ALIASES.items():
        assert old not in specs.SPECS and new in specs.SPECS
    with pytest.raises(ValueError, match="no task called 'dance'"):
        tasks.find_task('dance')
    assert tasks.find_task('wrap').__name__ == 'wrap_model'


@pytest.mark.parametrize('name', specs.SPECS)
def test_a_task_takes_what_its_spec_says(name):
    function = inspect.signature(inspect.unwrap(tasks.find_task(name))).parameters
    described = {one.name: one for one in options.parameters(specs.SPECS[name])}
    assert set(function) == set(described)
    for key, one in described.items():
        if function[key].default is not inspect.Parameter.empty:
            assert function[key].default == one.default, key


def test_every_default_is_allowed_and_every_option_has_help():
    for name, spec in specs.SPECS.items():
        assert spec.__doc__
        for one in options.parameters(spec):
            assert one.option.help and not one.option.help.endswith('.'), (name, one.name)
            assert one.required or options.problem_of(one, one.default) == '', (name, one.name)


def test_what_fits_comes_back():
    for more in (
        {},
        {'smooth': 1, 'neutral_frame': None, 'masks': [None, 'm']},
        {'smooth': np.float32(0.25), 'neutral_frame': np.int64(3), 'views': ('left',)},
    ):
        assert specs.check('reconstruct', GOOD | more) == GOOD | more


@pytest.mark.parametrize(
    'task,arguments,says',
    [
        ('reconstruct', {'out': 'o'}, 'reconstruct needs sources: a video, a photo'),
        ('reconstruct', GOOD | {'speed': 2}, "reconstruct has no option 'speed'"),
        (
            'reconstruct',
            GOOD | {'quality': 'best'},
            "quality is 'best': choose draft, standard or personal",
        ),
        ('reconstruct', GOOD | {'smooth': 1.5}, 'smooth is 1.5: choose a number from 0 to 1'),
        ('reconstruct', GOOD | {'smooth': float('nan')}, 'smooth is nan'),
        ('reconstruct', GOOD | {'smooth': True}, 'smooth is True'),
        ('reconstruct', GOOD | {'smooth': None}, 'smooth is None'),
        ('reconstruct', GOOD | {'neutral_frame': 1.0}, 'choose a whole number from 0 up'),
        ('reconstruct', GOOD | {'views': 'left'}, "views is 'left': give a list"),
        ('reconstruct', GOOD | {'views': [1]}, 'views is 1: give a text'),
        ('reconstruct', GOOD | {'sources': [1]}, 'sources has an entry 1: give a path'),
        ('reconstruct', GOOD | {'sources': [{'lens_mm': 3}]}, 'a source needs path'),
        ('reconstruct', GOOD | {'sources': [{'path': 'a', 'fps': 0}]}, 'from 0.1 to 1000'),
        ('reconstruct', GOOD | {'sources': [{'path': 'a', 'lens_mm': 0}]}, 'above 0, up to 2000'),
        ('reconstruct', GOOD | {'rate': 0}, 'rate is 0: choose a number above 0'),
        ('reconstruct', GOOD | {'part_masks': 1}, 'part_masks is 1: give true or false'),
        ('bake_albedo', {'result': 'r', 'size': 32}, 'a whole number from 64 to 4096'),
        ('preview_overlay', {'result': 'r', 'frames': [0, -1]}, 'frames is -1'),
    ],
)
def test_what_does_not_fit_is_a_sentence(task, arguments, says):
    with pytest.raises(FacewrightError) as error:
        specs.check(task, arguments)
    assert says in str(error.value) and str(error.value).endswith('.')
    with pytest.raises(FacewrightError):
        getattr(tasks, task)(**arguments)


def test_the_kinds_are_those_that_footage_knows():
    from facewright.engine.footage.kinds import KINDS
    from facewright.engine.footage.sources import SOURCE_KEYS

    assert tuple(choice.name for choice in specs.KINDS) == KINDS
    assert {one.name for one in options.parameters(specs.Source)} == set(SOURCE_KEYS)


def test_the_readme_has_the_synopsis(root):
    said = (root / 'README.md').read_text(encoding='utf-8')
    block = '\n'.join(specs.synopsis(task) for task in specs.on_command_line())
    assert '\n'.join('    ' + line for line in block.splitlines()) in said, block
