"""Every real video tracked: frames, error, jitter beside the detector's; overlays in out/videos."""

import numpy as np
import pytest
from clips import stillest, track_clip

pytestmark = pytest.mark.bench


def trembling(points: np.ndarray, rows: slice) -> float:
    """RMS second difference of T×L×2 pixels over some frames, as a part of the face's RMS radius.

    What is left when slow motion is taken out.
    """
    p = points[rows]
    size = np.sqrt(((p - p.mean(1, keepdims=True)) ** 2).sum(2).mean())
    return float(np.sqrt((np.diff(p, 2, axis=0) ** 2).sum(2).mean() / 6) / size)


def test_all_videos(root, shared_data, table):
    import cv2

    from facewright.engine.annotate.landmarks import model_landmarks
    from facewright.engine.face_model import load_model
    from facewright.engine.texture.overlay import overlay

    model = load_model(str(shared_data / 'ict-facekit.tar.xz')).tracked
    landmarks, rows, worst = model_landmarks(model), [], []
    out = root / 'out' / 'videos'
    out.mkdir(parents=True, exist_ok=True)
    for path in sorted((shared_data / 'videos').glob('*.m*')):
        if path.suffix == '.csv':
            continue
        footage, seen, found = track_clip(model, landmarks, path)
        still = stillest(seen.points, seen.present)
        ours, theirs = (
            (trembling(p, still) for p in (found.projected[0], seen.points))
            if still
            else (np.nan, np.nan)
        )
        error = 100 * np.nanmean(found.errors[0])
        worst.append((error, ours / theirs))
        rows.append(
            (
                path.stem,
                f'{seen.present.sum()} of {len(seen.present)}',
                f'{error:.2f} %',
                f'{found.cameras[0].focal / max(footage.views[0].size):.2f}',
                f'{100 * ours:.3f} %',
                f'{100 * theirs:.3f} %',
            )
        )
        cv2.imwrite(
            str(out / f'{path.stem}.png'),
            overlay(model, model.shape(found.identity), found, footage.views)[..., ::-1],
        )
    table(
        'Every video, draft, ICT',
        (
            'video',
            'frames with a face',
            'error, of the outer-eye distance',
            'focal length / longer side',
            'trembling of the result when still',
            'of the detector',
        ),
        rows,
    )
    assert max(e for e, _ in worst) <= 3, worst
    assert np.nanmax([r for _, r in worst]) <= 1, worst
