"""docs/scripting.md from the operators and the tasks themselves; a test keeps the two in step.

Written anew by: PYTHONPATH=<folder of bpy> python tests/addon/scripting_reference.py
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TARGET = ROOT / 'docs' / 'scripting.md'

HEAD = """# Scripting Blender

Written from the operators and tasks by `tests/addon/scripting_reference.py`; a test keeps it so.

Every operator raises `RuntimeError` with one sentence where something is wrong. Operators that take
long ({tasks}, and `add_head` and `apply_result` the first time) start a job in a window and return
`{{'RUNNING_MODAL'}}`; under `blender -b`, and with the `bpy` module, they return when it is done.
`bpy.ops.facewright.cancel()` stops it. Each of them has its task in the engine, which bears its
name, as does its verb on the command line (with - for _): [what the tasks take](#tasks).

What the panels show is `scene.facewright`. The same as Python functions: `addon/api`.
"""


def default_of(prop) -> str:
    """A property's default as one writes it in Python."""
    if prop.type == 'COLLECTION':
        return '[]'
    if prop.type == 'POINTER':
        return 'None'
    if prop.type == 'FLOAT':
        return f'{prop.default:.6g}'
    return repr(prop.default)


def meaning_of(prop) -> str:
    """Its description and, of a choice, the items."""
    items = ', '.join(f'`{i.identifier}`' for i in prop.enum_items) if prop.type == 'ENUM' else ''
    return prop.description + (f' ({items})' if items else '')


def table(properties) -> list[str]:
    """A Markdown table of RNA properties."""
    return [
        '| parameter | default | meaning |',
        '|---|---|---|',
        *(f'| `{p.identifier}` | `{default_of(p)}` | {meaning_of(p)} |' for p in properties),
    ]


def task_table(spec: type) -> list[str]:
    """A Markdown table of a task's options (engine/tasks/specs.py)."""
    from facewright.engine.tasks import options

    lines = ['| option | command line | default | meaning |', '|---|---|---|---|']
    for one in options.parameters(spec):
        default = '' if one.required else f'`{one.default!r}`'
        spelled = f'`{one.flag}`' if one.option.spelling else ''
        choices = ', '.join(f'`{choice.name}`' for choice in one.option.choices)
        meaning = one.option.help + (f' ({choices})' if choices else '')
        if one.type in (int, float) and one.option.range.least is not None:
            meaning += f' ({options.allowed(one)})'
        lines.append(f'| `{one.name}` | {spelled} | {default} | {meaning} |')
    return lines


def tasks() -> list[str]:
    """The part about what the engine's tasks take."""
    from facewright.engine.tasks import specs

    lines = [
        '## Tasks\n',
        'What a job sends to the engine (`engine/worker.py`), what the functions of `engine.tasks` '
        'take, and how the command line spells it. An entry of `sources` is a path, or a dict of '
        "the source's own options.\n",
    ]
    for task, spec in specs.SPECS.items():
        lines += [f'### {task}\n', *task_table(spec), '']
    return [*lines, '### an entry of sources\n', *task_table(specs.Source), '']


def reference() -> str:
    """The whole page."""
    import bpy

    from facewright.addon import CLASSES, OPERATORS
    from facewright.engine.tasks import specs

    named = [f'`{task}`' for task in specs.SPECS if hasattr(bpy.types, f'FACEWRIGHT_OT_{task}')]
    lines = [HEAD.format(tasks=', '.join(named))]
    for title, module in OPERATORS.items():
        lines.append(f'## {title}\n')
        for cls in module.CLASSES:
            rna = getattr(
                bpy.ops.facewright, cls.bl_idname.removeprefix('facewright.')
            ).get_rna_type()
            shown = [p for p in rna.properties if p.identifier != 'rna_type' and not p.is_hidden]
            lines += [
                f'### bpy.ops.{cls.bl_idname}\n',
                rna.description + '.\n',
                *(table(shown) + [''] if shown else []),
            ]
    for title, name in (
        ('scene.facewright', 'Settings'),
        ('scene.facewright.shapes', 'ShapeSettings'),
        ('scene.facewright.views[i]', 'FootageView'),
    ):
        cls = next(c for c in CLASSES if c.__name__ == name)
        lines += [
            f'## {title}\n',
            *table(cls.bl_rna.properties[n] for n in cls.__annotations__),
            '',
        ]
    return '\n'.join([*lines, *tasks()])


if __name__ == '__main__':
    sys.path.insert(0, str(ROOT / 'engine'))
    import worker

    worker.register_package(ROOT)
    import facewright

    facewright.register()
    TARGET.write_text(reference(), encoding='utf-8')
    print(TARGET)
