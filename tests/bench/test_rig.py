"""A rig from another take: Draft with the actor's head beside Draft that finds it anew, ICT."""

import re
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from clips import finish, reconstructed, tracked_model, written

from facewright.engine.footage import open_footage
from facewright.engine.footage.detector import detect_view
from facewright.engine.footage.footage import Observations
from facewright.engine.formats.performance import write_performance
from facewright.engine.formats.rig import Rig, write_rig
from facewright.engine.shape_keys.plain import plain_expressions
from facewright.engine.tracking.draft import track

pytestmark = pytest.mark.bench
CAPTURES = 'dev', 'dev2', 'dev3'
FIRST, SECOND = 'view_1', 'view_2'
# Two takes of one person each, the second followed with the first one's rig; the first of another
# pair is a stranger's.
TAKES = (
    ('grid_pwij3p', 'grid_swwp2s'),
    ('grid_swwp2s', 'grid_pwij3p'),
    *(
        (f'obama_weekly_address_{1 + n % 7}', f'obama_weekly_address_{1 + (n + 1) % 7}')
        for n in range(7)
    ),
)


def seen_in(path, view=''):
    """(Footage of one view, what the detector sees in it)."""
    footage = open_footage([str(path)])
    if view:
        footage = replace(footage, views=tuple(v for v in footage.views if v.name == view))
    return footage, detect_view(footage.views[0])


def follow(model, landmarks, footage, seen):
    """(Track, seconds) of Draft."""
    began = time.process_time()
    found = finish(track(model, landmarks, footage, Observations((seen,))))
    return found, time.process_time() - began


def as_rig(model, head):
    """The model of an actor whose neutral was found, with the shapes that were written."""
    return model.of_actor(head, plain_expressions(model, head)[1][: len(model.names)])


def true_model(model, capture):
    """The model of a capture's actor as he is; what the truth lacks (eyes, mouth) is the mean's."""
    truth = np.load(capture / 'truth.npz')
    neutral, shapes, count = model.neutral.copy(), model.expressions.copy(), len(truth['neutral'])
    neutral[:count] = truth['neutral']
    rows = [truth['names'].tolist().index(name) for name in model.names]
    shapes[:, :count] = truth['expressions'][rows]
    return model.of_actor(neutral, shapes)


def score(shared_data, capture, folder, model, head, performance):
    """(surface mm, correlation) of what was found of the second view, aligned."""
    folder.mkdir(exist_ok=True)
    write_rig(folder / 'rig.npz', Rig(head, model.expressions, model.names, model.faces))
    write_performance(folder / 'performance.npz', performance)
    tool = shared_data.parent / 'bin' / 'score_capture'
    command = [sys.executable, str(tool), str(capture), str(folder), '--align', '--views', SECOND]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r'surface mm: mean ([\d.]+).*?correlation ([\d.-]+)', told, re.S)
    return float(found[1]), float(found[2])


def test_captures(shared_data, table, tmp_path):
    """The second view's Draft, by whose head: its own, the first view's Draft's and Standard's."""
    where = str(shared_data / 'ict-facekit.tar.xz')
    (model, landmarks), rows, falls = tracked_model(where), [], []
    for name in CAPTURES:
        capture = shared_data / 'captures' / name
        path = str(capture / 'capture.json')
        footage, seen = seen_in(path, SECOND)
        first = {q: reconstructed(where, path, q, FIRST).neutral for q in ('draft', 'standard')}
        models = {
            'anew': model,
            **{q: as_rig(model, head) for q, head in first.items()},
            'true': true_model(model, capture),
        }
        row, seconds = [], []
        for kind, own in models.items():
            found, spent = follow(own, landmarks, footage, seen)
            given = None if kind == 'anew' else own.shape(own.known_identity)
            head, performance = written(own, landmarks, footage, seen, found, given)
            row.append(score(shared_data, capture, tmp_path / kind, own, head, performance))
            seconds.append(spent)
        rows.append(
            (name, *(f'{mm:.2f} ({c:.2f})' for mm, c in row), *(f'{s:.1f}' for s in seconds))
        )
        falls.append(row[3][0] / row[0][0])
    heads = 'found anew', "view_1's Draft", "view_1's Standard", 'the true one'
    header = ('', *(f'{h}: mm (correlation)' for h in heads), *(f'{h}: s' for h in heads))
    table('A rig from another take: Draft of view_2, surface', header, rows)
    assert max(falls) < 0.5


def test_takes(shared_data, table):
    """Landmarks' error of Draft with the same actor's rig of another take, and a stranger's."""
    where = str(shared_data / 'ict-facekit.tar.xz')
    (model, landmarks), rows, sums = tracked_model(where), [], []
    paths = {p.stem: p for p in (shared_data / 'videos').iterdir()}
    for earlier, later in TAKES:
        stranger = 'grid_bbaf2n' if earlier.startswith('obama') else 'obama_weekly_address_6'
        footage, seen = seen_in(paths[later])
        heads = [reconstructed(where, str(paths[n]), 'draft').neutral for n in (earlier, stranger)]
        row = []
        for own in (model, *(as_rig(model, head) for head in heads)):
            found, seconds = follow(own, landmarks, footage, seen)
            row.append((100 * float(np.nanmean(found.errors[0])), seconds))
        errors = [error for error, _ in row]
        rows.append(
            (later, earlier, *(f'{e:.2f}' for e in errors), *(f'{s:.1f}' for _, s in row[:2]))
        )
        sums.append(errors)
    header = 'take', 'rig of', 'anew, %', 'rig, %', "a stranger's rig, %", 'anew, s', 'rig, s'
    table('A rig from another take: real clips, Draft', header, rows)
    anew, own, stranger = np.mean(sums, axis=0)
    assert own < stranger and own < 1.15 * anew
