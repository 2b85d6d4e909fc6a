"""Crossings over 1,000 random combinations on five identities of each model: raw, and settled."""

import os
import time

import numpy as np
import pytest

pytestmark = pytest.mark.bench
COMBINATIONS, IDENTITIES = 1000, 5


@pytest.mark.parametrize('name', ['ict', 'builtin'])
def test_combinations_on_random_identities(shared_data, table, name):
    from facewright.engine.face_model import load_model
    from facewright.engine.face_model.pieces import pieces
    from facewright.engine.shape_keys.contact import settle_contacts
    from facewright.engine.shape_keys.crossings import KINDS, count_crossings, sample_combinations

    model = load_model('builtin' if name == 'builtin' else str(shared_data / 'ict-facekit.tar.xz'))
    part = pieces(model)
    contact = np.concatenate([v for k, v in part.items() if 'lip' in k or 'lid' in k])
    rest = np.setdiff1d(part['skin'], contact)
    lines, sums = [], np.zeros((2, len(KINDS)))
    for seed in range(IDENTITIES):
        neutral = model.shape(np.random.default_rng(seed).normal(size=len(model.identities)))
        weights = sample_combinations(model.names, COMBINATIONS, 1000 + seed)
        began = time.perf_counter()
        settled, expressions, report = settle_contacts(model, neutral, model.expressions)
        seconds = time.perf_counter() - began
        before, after = (
            count_crossings(model, *rig, weights).sum(0)
            for rig in ((neutral, model.expressions), (settled, expressions))
        )
        sums += before, after
        assert (settled[rest] == neutral[rest]).all() and (
            expressions[:, rest] == model.expressions[:, rest]
        ).all()
        lines.append(
            (
                seed,
                *(f'{b} → {a}' for b, a in zip(before, after)),
                f'{100 * (1 - after.sum() / before.sum()):.1f} %',
                report['moved'],
                report['skin_moved'],
                report['seen_moved'],
                f'{report["furthest"]:.1f}',
                f'{report["furthest_seen"]:.1f}',
                f'{report["typical_seen"]:.2f}',
                f'{seconds:.0f} s',
            )
        )
    fewer = 1 - sums[1].sum() / sums[0].sum()
    lines.append(
        ('all', *(f'{b:.0f} → {a:.0f}' for b, a in sums.T), f'{100 * fewer:.1f} %', *[''] * 7)
    )
    table(
        f'Crossing pairs in {COMBINATIONS} combinations, {name}, {os.cpu_count()} cores',
        (
            'identity',
            *KINDS,
            'fewer',
            'vertices moved',
            'of skin',
            'of seen skin',
            'furthest, mm',
            'furthest seen',
            '95 % of seen moved',
            'settling',
        ),
        lines,
    )
    assert fewer > (0.95 if name == 'ict' else 0.9), fewer
