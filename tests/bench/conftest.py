"""Where measurements are written."""

import platform
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope='session')
def table():
    """table(title, header, rows): print a Markdown table and add it to out/bench.md."""
    path = ROOT / 'out' / 'bench.md'
    path.parent.mkdir(exist_ok=True)

    def write(title, header, rows):
        lines = [
            f'## {title}',
            '',
            f'{platform.machine()}, {platform.system()}',
            '',
            '| ' + ' | '.join(header) + ' |',
            '|' + '---|' * len(header),
            *('| ' + ' | '.join(map(str, row)) + ' |' for row in rows),
            '',
        ]
        with Path(path).open('a', encoding='utf-8') as stream:
            stream.write('\n'.join(lines) + '\n')
        print('\n' + '\n'.join(lines))

    return write
