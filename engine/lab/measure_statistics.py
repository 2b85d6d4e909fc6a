"""Makes expression_statistics.npz: how expressions occur together in a recording.

usage: python -m facewright.engine.lab.measure_statistics RECORDING.csv [--leave-out FIRST LAST]

From a Live Link Face recording: mean 53, covariance 53×53. The committed figures come from an
iPhone range-of-motion recording of 4,030 frames (MIT). Frames 1800–2684 were left out: the motion
of the development capture, on which the tracker is scored, was taken from 1950–2534. Both mirror
images are counted.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from ..core.files import write_npz
from ..evidence.expression_statistics import STATISTICS
from ..face_model.expressions import ARKIT_NAMES, ICT_NAMES, arkit_to_ict


def mirrored(name: str) -> str:
    """The name of the mirror image of an ICT expression."""
    if name.endswith(('_L', '_R')):
        return name[:-1] + {'L': 'R', 'R': 'L'}[name[-1]]
    return {
        'jawLeft': 'jawRight',
        'jawRight': 'jawLeft',
        'mouthLeft': 'mouthRight',
        'mouthRight': 'mouthLeft',
    }.get(name, name)


def measure(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """T×53 ICT weights → mean 53 and covariance 53×53 of the frames and their mirror images."""
    both = np.concatenate([weights, weights[:, [ICT_NAMES.index(mirrored(n)) for n in ICT_NAMES]]])
    return both.mean(0), np.cov(both.T)


def main() -> None:
    """Measure the recording of the command line and write the table."""
    from ..formats.live_link_reader import read_live_link

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('recording', type=Path)
    parser.add_argument('--leave-out', type=int, nargs=2, default=(0, 0))
    arguments = parser.parse_args()
    recording = read_live_link(arguments.recording)
    weights = arkit_to_ict(recording.weights, recording.names if recording.names else ARKIT_NAMES)
    keep = np.ones(len(weights), bool)
    keep[slice(*arguments.leave_out)] = False
    mean, covariance = measure(weights[keep].astype(np.float64))
    write_npz(
        STATISTICS,
        names=np.array(ICT_NAMES),
        mean=mean.astype(np.float32),
        covariance=covariance.astype(np.float32),
    )


if __name__ == '__main__':
    main()
