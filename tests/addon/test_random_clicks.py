"""Whatever is clicked in whatever order: no exception, no orphan, nothing of the user's lost.

FACEWRIGHT_CLICKS=200 in the environment plays so many sequences; a failure names its seed, and
`random_clicks.py FOLDER SEED` plays that one again.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SEQUENCES = int(os.environ.get('FACEWRIGHT_CLICKS', 24))
BATCH = 12  # sequences a process of Blender plays
LIMIT = 600  # seconds, so that a hang ends


@pytest.mark.parametrize('first', range(0, SEQUENCES, BATCH))
def test_random_sequences_of_clicks_keep_every_promise(first, tmp_path):
    seeds = range(first, min(first + BATCH, SEQUENCES))
    played = subprocess.run(
        [
            sys.executable,
            str(Path(__file__).with_name('random_clicks.py')),
            str(tmp_path),
            *map(str, seeds),
        ],
        capture_output=True,
        text=True,
        errors='replace',
        timeout=LIMIT,
    )
    broken = [part.partition('END')[0] for part in played.stdout.split('BROKEN')[1:]]
    steps = (tmp_path / 'steps.txt').read_text(encoding='utf-8').splitlines()
    assert not broken, '\n'.join(broken)
    assert played.returncode == 0, (steps[-8:], played.stderr[-2000:])
