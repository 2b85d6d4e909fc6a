"""Makes measured.npz: the mean face, its quads, its mirror and its main ways of varying.

Measured over photographs and clips of many people:

    python -m facewright.engine.lab.measure_builtin OUT.npz NEUTRAL_PHOTO_OR_CLIP... [--mean-of N]

Each file is one person with a neutral face; of a clip, the frame with the most closed mouth and the
most open eyes is taken. The mean is taken over the first N files (even light, frontal photographs),
the modes over all. The committed table was made with the twelve neutral London photographs (CC BY
4.0) and the GRID speakers (CC BY 4.0); it holds only averages and modes over all of them. Needs
networkx.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..core.files import write_npz

FACE_POINTS = 468
MODES = 10
# Units of the distance between the outer eye corners → cm: width and height from that distance
# (9.15 cm) and from eyes to chin (11.6 cm); depth, which the detector gives on a scale of its own,
# and the tilt of the face from profile proportions of real heads (nose tip 4.6 cm before the outer
# eye corners, tragus 5 cm behind them, chin level with the nasion).
SCALE = np.array([9.154, 9.349, 8.722])
TILT = -0.2651  # cm of depth per unit of height
ORIGIN = np.array([0.0, 0.374, 9.902])
# Two triangles that are closed by edges only, not faces of the mesh.
NOT_FACES = {(49, 64, 129), (279, 294, 358)}


def aligned(points: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Move points N×3 by the similarity (no reflection) that brings them closest to target.

    Umeyama 1991, without weights.
    """
    a, b = points - points.mean(0), target - target.mean(0)
    u, s, vt = np.linalg.svd(a.T @ b)
    sign = np.array([1, 1, np.sign(np.linalg.det(u @ vt))])
    return (s * sign).sum() / (a**2).sum() * a @ (u * sign) @ vt + target.mean(0)


def unit(shape: np.ndarray) -> np.ndarray:
    """Centre a shape, its outer eye corners at distance 1."""
    return (shape - shape.mean(0)) / np.linalg.norm(shape[33] - shape[263])


def mean_shape(shapes: np.ndarray, rounds: int = 6) -> np.ndarray:
    """Return the generalised Procrustes mean of S×N×3 shapes, as `unit` has it.

    In the first one's orientation.
    """
    mean = unit(shapes[0])
    for _ in range(rounds):
        mean = unit(np.mean([aligned(s, mean) for s in shapes], 0))
    return mean


def mirror_of(mean: np.ndarray) -> np.ndarray:
    """Return N: the landmark across the midline, by matching the mean with its reflection."""
    reflected = mean * [-1, 1, 1]
    for _ in range(5):
        distance = ((reflected[:, None] - mean[None]) ** 2).sum(-1)
        match = linear_sum_assignment(distance)[1]
        reflected = aligned(mean * [-1, 1, 1], mean[match])
    if (match[match] != np.arange(len(match))).any():
        raise ValueError('the landmarks have no mirror order')
    return match


def symmetric_mean(shapes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (mean N×3 in calibrated cm, exactly symmetric about x = 0; mirror N)."""
    mirror = mirror_of(mean_shape(shapes))
    mean = mean_shape(np.concatenate([shapes, (shapes * [-1, 1, 1])[:, mirror]]))
    mean = (mean + aligned((mean * [-1, 1, 1])[mirror], mean)) / 2
    across = np.linalg.svd(mean - mean[mirror])[2][0]
    across *= np.sign(across[0])
    front = np.cross(across, [0, 1, 0])
    front /= np.linalg.norm(front)
    mean = unit(mean) @ np.stack([across, np.cross(front, across), front]).T
    return (mean + (mean * [-1, 1, 1])[mirror]) / 2, mirror


def calibrated(shape: np.ndarray) -> np.ndarray:
    """Bring a symmetric shape with unit eye distance into head space, cm."""
    out = shape * SCALE + ORIGIN
    out[:, 2] += TILT * shape[:, 1]
    return out


def variation(shapes: np.ndarray, mean: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """Return MODES×468×3 cm: principal directions of the symmetrised shapes.

    Each one standard deviation long.
    """
    rows = []
    for s in shapes:
        s = aligned(s, mean)
        s = aligned((s + (s * [-1, 1, 1])[mirror]) / 2, mean)
        rows.append((calibrated(s) - calibrated(mean))[:FACE_POINTS].ravel())
    rows = np.array(rows) - np.mean(rows, 0)
    _, size, direction = np.linalg.svd(rows, full_matrices=False)
    modes = direction[:MODES] * size[:MODES, None] / np.sqrt(len(rows) - 1)
    modes = modes.reshape(-1, FACE_POINTS, 3)
    modes = (modes + (modes * [-1, 1, 1])[:, mirror[:FACE_POINTS]]) / 2
    lead = modes.reshape(len(modes), -1)[
        np.arange(len(modes)), np.abs(modes).reshape(len(modes), -1).argmax(1)
    ]
    return modes * np.sign(lead)[:, None, None]


def quads_of(edges: set[tuple[int, int]], mean: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """Return Q×4: the detector's triangle mesh as quads.

    On the left half the pairing of neighbours with the best angles, mirrored to the right.
    """
    import networkx

    graph = networkx.Graph(list(edges))
    triangles = {
        t
        for a, b in graph.edges
        for c in set(graph[a]) & set(graph[b])
        for t in [tuple(sorted((a, b, c)))]
    } - NOT_FACES
    half = [t for t in sorted(triangles) if mean[list(t), 0].mean() > 1e-9]
    beside: dict[tuple, list] = {}
    for t in half:
        for e in itertools.combinations(t, 2):
            beside.setdefault(e, []).append(t)
    pairs, quad_of = networkx.Graph(), {}
    for (a, b), both in beside.items():
        if len(both) == 2:
            c, d = (next(v for v in t if v not in (a, b)) for t in both)
            quad = (a, c, b, d)
            p = mean[list(quad)]
            u, v = np.roll(p, 1, 0) - p, np.roll(p, -1, 0) - p
            skew = np.abs(
                np.degrees(
                    np.arccos(
                        (u * v).sum(1) / np.linalg.norm(u, axis=1) / np.linalg.norm(v, axis=1)
                    )
                )
                - 90
            )
            pairs.add_edge(*both, weight=1000 - skew.max() - 0.3 * skew.sum())
            quad_of[frozenset(both)] = quad
    chosen = sorted(quad_of[frozenset(p)] for p in networkx.max_weight_matching(pairs))
    if 2 * len(chosen) != len(half):
        raise ValueError('the mesh could not be paired into quads')
    left = oriented(chosen, mean)
    right = [tuple(int(mirror[v]) for v in q[::-1]) for q in left]
    return np.array(left + right)


def oriented(quads: list[tuple], mean: np.ndarray) -> list[tuple]:
    """All quads counter-clockwise seen from outside, spreading from the one that faces the front
    most."""
    beside: dict[frozenset, list[int]] = {}
    for k, q in enumerate(quads):
        for j in range(4):
            beside.setdefault(frozenset((q[j], q[(j + 1) % 4])), []).append(k)
    facing = [np.cross(mean[q[2]] - mean[q[0]], mean[q[3]] - mean[q[1]])[2] for q in quads]
    start = int(np.argmax(np.abs(facing)))
    out: dict[int, tuple] = {start: quads[start] if facing[start] > 0 else quads[start][::-1]}
    queue = [start]
    while queue:
        q = out[queue.pop()]
        for j in range(4):
            edge = (q[j], q[(j + 1) % 4])
            for k in beside[frozenset(edge)]:
                if k not in out:
                    r = quads[k]
                    same = any((r[m], r[(m + 1) % 4]) == edge for m in range(4))
                    out[k] = r[::-1] if same else r
                    queue.append(k)
    return [out[k] for k in range(len(quads))]


def neutral_landmarks(path: Path) -> np.ndarray:
    """478×3 of one person's neutral face, x right, y up, z towards the camera, from a photograph
    or the best of a clip's frames."""
    from ..footage import images, video
    from ..footage.detector import detect_image

    if path.suffix.lower() in ('.jpg', '.jpeg', '.png'):
        pictures = [images.read(path)]
    else:
        pictures = video.read(path, np.arange(0, 60, 5))
    found = [faces[0].landmarks for p in pictures if (faces := detect_image(p))]
    if not found:
        raise ValueError(f'no face in {path}')

    def calm(p: np.ndarray) -> float:
        """Say how calm a face is: eyes wide, mouth shut."""
        size = np.linalg.norm(p[33] - p[263])
        return (
            np.linalg.norm(p[13] - p[14])
            - 0.5 * np.linalg.norm(p[159] - p[145])
            - 0.5 * np.linalg.norm(p[386] - p[374])
        ) / size

    return min(found, key=calm) * [1, -1, -1]


def main() -> None:
    """Measure the files of the command line and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('out', type=Path)
    parser.add_argument('files', type=Path, nargs='+')
    parser.add_argument('--mean-of', type=int, default=None)
    args = parser.parse_args()
    from ..footage.detector.landmark_sets import tesselation_edges

    edges = tesselation_edges()
    shapes = np.array([neutral_landmarks(p) for p in args.files])
    mean, mirror = symmetric_mean(shapes[: args.mean_of])
    modes = variation(shapes, mean, mirror)
    write_npz(
        args.out,
        mean=calibrated(mean).astype(np.float32),
        mirror=mirror.astype(np.int16),
        quads=quads_of(edges, mean, mirror).astype(np.int16),
        modes=modes.astype(np.float16),
    )


if __name__ == '__main__':
    main()
