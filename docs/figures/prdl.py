"""Paper 4's figures 8 and 9 on our heads: a face fitted to part masks alone, with PRDL, with
silhouettes and with other losses between points.

    python docs/figures/prdl.py OUT_DIR [--capture FOLDER --model PATH] [--frames N]
                                [--start box|parts] [--only LOSS...]

(default OUT_DIR: docs/pictures)

Writes prdl_rivals.jpg: extreme expressions of the built-in head, the truth and what each loss finds
from its masks, true outlines over it. With a capture folder (capture.json, parts.npz) its true
masks are fitted instead, N frames of each view, numbers only. No landmarks, no pictures, no other
evidence: every loss gets the same masks, the same start (the neutral in the pose that the middles
of its parts give; --start box: facing the camera), the same points, the same steps of Adam and the
same prior. How much each weighs against the prior was chosen for each on the built-in head (--sweep
shows that choice's neighbours).
"""

import argparse
import importlib.util
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
spec = importlib.util.spec_from_file_location('_facewright_worker', ROOT / 'engine' / 'worker.py')
worker = importlib.util.module_from_spec(spec)
spec.loader.exec_module(worker)
worker.register_package(ROOT)

import cv2
import numpy as np
import torch

from facewright.engine.annotate.parts import model_parts
from facewright.engine.evidence.part_points import COLUMNS, ROWS, even, opening, part_points, seen
from facewright.engine.evidence.prdl import mask_side, prdl
from facewright.engine.face_model import load_model
from facewright.engine.face_model.model import FaceModel
from facewright.engine.face_model.paint import visible_faces
from facewright.engine.face_model.part_labels import (
    LEFT_EYE,
    PARTS,
    RIGHT_EYE,
    SKIN,
)
from facewright.engine.footage.capture import read_capture
from facewright.engine.footage.images import write_image
from facewright.engine.geometry.normals import vertex_normals
from facewright.engine.geometry.polygons import triangulate
from facewright.engine.lab.part_rivals import (
    chamfer,
    density_aware_chamfer,
    icp_from_target,
    icp_to_target,
    iou_loss,
    rendered_parts,
    soft_silhouette,
)
from facewright.engine.render.preview import contact_sheet, head_to_camera
from facewright.engine.render.rasterise import rasterise
from facewright.engine.texture.part_iou import WITHOUT_SKIN, part_iou, part_labels_picture

SIZE = (224, 224)
MOST, MOST_SKIN = 300, 2000  # points of a part
STRIDE = 4  # every fourth anchor each way: a sixteenth of the paper's
STEPS, LOOK_EVERY = 140, 10  # Adam's steps; after how many the seen points are found again
RATES = {'identity': 0.1, 'weights': 0.05, 'turn': 0.02, 'shift': 0.12}
WEIGHT_PRIOR = 8.0  # of weights' squares beside identity's
COLOURS = np.array(
    [
        (30, 30, 34),
        (176, 150, 134),
        (112, 168, 112),
        (70, 90, 220),
        (220, 80, 70),
        (80, 210, 220),
        (230, 220, 90),
        (200, 90, 190),
        (255, 150, 70),
    ],
    np.uint8,
)
EXPRESSIONS = [
    (
        {
            'jawOpen': 0.9,
            'mouthStretch_L': 0.5,
            'mouthStretch_R': 0.5,
            'browInnerUp_L': 0.9,
            'browInnerUp_R': 0.9,
            'browOuterUp_L': 0.8,
            'browOuterUp_R': 0.8,
            'eyeWide_L': 1,
            'eyeWide_R': 1,
        },
        (6, -4, 3),
    ),
    (
        {
            'mouthSmile_L': 1,
            'mouthSmile_R': 0.8,
            'jawOpen': 0.35,
            'eyeBlink_R': 0.8,
            'cheekSquint_L': 0.8,
            'cheekSquint_R': 0.8,
            'browDown_R': 0.7,
        },
        (-16, 3, -5),
    ),
    (
        {
            'mouthPucker': 0.9,
            'mouthFunnel': 0.4,
            'browDown_L': 1,
            'browDown_R': 1,
            'eyeSquint_L': 0.8,
            'eyeSquint_R': 0.8,
            'noseSneer_L': 0.8,
            'noseSneer_R': 0.8,
        },
        (12, 5, 6),
    ),
    (
        {
            'mouthLeft': 0.9,
            'jawLeft': 0.8,
            'jawOpen': 0.45,
            'mouthUpperUp_L': 0.7,
            'browOuterUp_L': 1,
            'browDown_R': 0.9,
            'eyeWide_L': 0.7,
        },
        (-5, -3, -8),
    ),
]


@dataclass(frozen=True, eq=False)
class Target:
    """One frame: labels H×W at SIZE, the camera there (focal, centre), a name."""

    name: str
    labels: np.ndarray
    focal: float
    centre: tuple[float, float]


class Head:
    """A face model's linear bases at the points and vertices that the losses look at."""

    def __init__(self, model: FaceModel):
        self.model, self.parts, self.points = model, model_parts(model), part_points(model)
        self.triangles = triangulate(model.faces[visible_faces(model)])
        eyes = [opening(model, slit, edges=True) for slit in ('eye_L', 'eye_R')]
        ahead = np.isin(
            self.triangles, np.unique(self.triangles[(self.parts[self.triangles] > 0).any(1)])
        ).all(1) | (self.parts[self.triangles] > 0).any(1)
        self.used = np.unique(self.triangles[self._before(ahead)])
        place = np.full(model.vertex_count, -1)
        place[self.used] = np.arange(len(self.used))
        self.drawn = torch.as_tensor(place[self.triangles[self._before(ahead)]].astype(np.int32))
        self.one_hot = (
            torch.nn.functional.one_hot(
                torch.as_tensor(self.parts[self.used].astype(np.int64)), len(PARTS)
            )
            .float()[:, 1:]
            .contiguous()
        )

        def tensor(a):
            return torch.as_tensor(np.ascontiguousarray(a, np.float32))

        offsets = np.concatenate([model.identities, model.expressions])

        def basis(of):
            return (
                tensor(of(model.neutral[None])[0]),
                tensor(of(offsets)).reshape(len(offsets), -1),
            )

        def at_points(a):
            return self.points.of(a)

        def sheet(a):
            return np.concatenate(
                [a[:, self.used]] + [np.stack([e @ v for v in a]) for e in eyes], 1
            )

        self.at_points, self.at_vertices, self.at_sheets = (
            basis(at_points),
            basis(lambda a: a[:, self.used]),
            basis(sheet),
        )
        # triangles of about the others' size: SoftRas swells with many small ones
        grid = np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS)[::7, ::4]
        quads = np.stack([grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1]], -1).reshape(
            -1, 4
        )
        cells = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
        drawn, own = self.drawn.numpy(), self.parts[self.used]
        votes = np.stack([(own[drawn] == k).sum(1) for k in range(len(PARTS))], 1)
        self.part_triangles = {k: drawn[votes[:, k] >= 2] for k in range(1, len(PARTS))}
        for k, eye in ((LEFT_EYE, 0), (RIGHT_EYE, 1)):
            self.part_triangles[k] = cells + len(self.used) + eye * ROWS * COLUMNS

    def look(self, vertices: np.ndarray, target: Target) -> dict[int, torch.Tensor]:
        """Part → its points that are seen and lie evenly in the picture."""
        depth = rasterise(vertices, self.triangles, target.focal, target.centre, SIZE)[2]
        visible = seen(
            self.points,
            vertices,
            vertex_normals(vertices, self.triangles),
            depth,
            target.focal,
            target.centre,
        )
        at = self.points.matrix @ vertices
        pixels, out = at[:, :2] / at[:, 2:] * target.focal + target.centre, {}
        for k in range(1, len(PARTS)):
            own = np.flatnonzero(visible & (self.points.part == k))
            out[k] = torch.as_tensor(own[even(pixels[own], MOST_SKIN if k == SKIN else MOST)])
        self.kept = None
        return out

    def near(self, rows: dict[int, torch.Tensor]):
        """The bases at those points, kept until the next look."""
        if self.kept is None:
            index = torch.cat(list(rows.values()))
            mean, offsets = self.at_points
            self.kept = (
                mean[index],
                offsets.reshape(len(offsets), -1, 3)[:, index]
                .reshape(len(offsets), -1)
                .contiguous(),
            )
        return self.kept

    def _before(self, ahead: np.ndarray) -> np.ndarray:
        """Triangles worth drawing.

        The parts and what can hide them or show between them (mouth, teeth), not the back of the
        head.
        """
        inner = np.zeros(self.model.vertex_count, bool)
        for name in (
            'mouth_socket',
            'eye_socket_L',
            'eye_socket_R',
            'gums_tongue',
            'teeth',
            'face',
        ):
            inner[self.model.regions[name]] = True
        return ahead | inner[self.triangles].all(1)


class State:
    """What is fitted.

    Identity, weights, a turn (axis × angle after `base`) and a shift in camera axes.
    """

    def __init__(self, head: Head, base: np.ndarray, shift: np.ndarray):
        self.base, self.model = torch.as_tensor(base, dtype=torch.float32), head.model
        self.values = {
            'identity': torch.zeros(len(head.model.identities)),
            'weights': torch.full((len(head.model.names),), 0.02),
            'turn': torch.zeros(3),
            'shift': torch.as_tensor(shift, dtype=torch.float32),
        }
        self.optimiser = torch.optim.Adam(
            [{'params': [v.requires_grad_()], 'lr': RATES[k]} for k, v in self.values.items()],
            betas=(0.9, 0.99),
        )

    def place(self, basis) -> torch.Tensor:
        """N×3 in camera axes."""
        mean, offsets = basis
        v = self.values
        head = mean + (torch.cat([v['identity'], v['weights']]) @ offsets).reshape(-1, 3)
        x, y, z = v['turn']
        o = torch.zeros(())
        turn = torch.linalg.matrix_exp(torch.stack([o, -z, y, z, o, -x, -y, x, o]).reshape(3, 3))
        return head @ (turn @ self.base).T + v['shift']

    def vertices(self) -> np.ndarray:
        with torch.no_grad():
            v = self.values
            head = torch.as_tensor(self.model.shape(v['identity'].numpy(), v['weights'].numpy()))
            return (
                self.place(
                    (head, torch.zeros(len(v['identity']) + len(v['weights']), head.numel()))
                )
                .double()
                .numpy()
            )

    def prior(self) -> torch.Tensor:
        return (self.values['identity'] ** 2).sum() + WEIGHT_PRIOR * (
            self.values['weights'] ** 2
        ).sum()


def start_pose(head: Head, target: Target, start: str) -> tuple[np.ndarray, np.ndarray]:
    """Rotation and shift (cm) of the neutral. 'box': facing the camera, its skin as high as the
    mask of the face, on its middle; 'parts': then turned and moved so that the middles of its parts
    come onto those of the masks (without skin, whose mask may be cut anywhere)."""
    at = head.points.matrix @ head.model.neutral.astype(np.float64)
    face = np.argwhere(target.labels > 0)[:, ::-1]
    front, skin = np.diag([1.0, -1.0, -1.0]), at[head.points.part == SKIN] * (1, -1, -1)
    far = np.ptp(skin[:, 1]) * target.focal / np.ptp(face[:, 1])
    middle = (face.min(0) + face.max(0) + 1) / 2
    shift = (
        np.append((middle - target.centre) / target.focal * far, far)
        - (skin.min(0) + skin.max(0)) / 2
    )
    if start == 'box':
        return front, shift
    labels = [
        k for k in WITHOUT_SKIN if (target.labels == k).sum() > 5 and (head.points.part == k).any()
    ]
    model = np.stack([at[head.points.part == k].mean(0) for k in labels])
    pixels = np.stack([np.argwhere(target.labels == k)[:, ::-1].mean(0) + 0.5 for k in labels])
    k = np.array(
        [[target.focal, 0, target.centre[0]], [0, target.focal, target.centre[1]], [0, 0, 1]]
    )
    _, turn, shift = cv2.solvePnP(
        model,
        pixels,
        k,
        None,
        cv2.Rodrigues(front)[0],
        shift.reshape(3, 1).copy(),
        useExtrinsicGuess=True,
        flags=cv2.SOLVEPNP_ITERATIVE,
    )
    return cv2.Rodrigues(turn)[0], shift.ravel()


class Evidence:
    """A frame's masks in the forms the losses want."""

    def __init__(self, target: Target):
        self.target = target
        self.sides = {k: mask_side(target.labels == k) for k in range(1, len(PARTS))}
        self.masks = {
            k: torch.as_tensor((target.labels == k).astype(np.float32)) for k in self.sides
        }


def of_points(loss):
    """A loss of one part's points against its mask → one of the whole frame."""

    def whole(
        head: Head, state: State, evidence: Evidence, rows: dict[int, torch.Tensor]
    ) -> torch.Tensor:
        at = state.place(head.near(rows))
        pixels = (
            at[:, :2] / at[:, 2:] * evidence.target.focal + torch.tensor(evidence.target.centre)
        ).split([len(r) for r in rows.values()])
        return sum(
            loss(p, evidence.sides[k])
            for k, p in zip(rows, pixels)
            if len(evidence.sides[k].points)
        )

    return whole


def rendered(
    head: Head, state: State, evidence: Evidence, rows: dict[int, torch.Tensor]
) -> torch.Tensor:
    t = evidence.target
    picture = rendered_parts(
        state.place(head.at_vertices), head.drawn, head.one_hot, t.focal, t.centre, SIZE
    )
    return sum(iou_loss(picture[..., k - 1], mask) for k, mask in evidence.masks.items())


def softly(kind: str):
    def whole(
        head: Head, state: State, evidence: Evidence, rows: dict[int, torch.Tensor]
    ) -> torch.Tensor:
        t = evidence.target
        at = state.place(head.at_sheets)
        pixels = at[:, :2] / at[:, 2:] * t.focal + torch.tensor(t.centre)
        total = 0
        for k, mask in evidence.masks.items():
            if mask.any():
                own = head.part_triangles[k]
                a, b, c = (pixels.detach().numpy()[own[:, j]] for j in range(3))
                turned = (
                    (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0] < 0
                    if k not in (LEFT_EYE, RIGHT_EYE)
                    else np.ones(len(own), bool)
                )
                total = total + iou_loss(soft_silhouette(pixels, own[turned], SIZE, kind), mask)
        return total

    return whole


# name: (loss of a frame, its weight against the prior)
LOSSES = {
    'PRDL': (of_points(lambda p, side: prdl(p, side, STRIDE)), 10.0),
    'silhouette, our renderer': (rendered, 1000.0),
    'silhouette, SoftRas': (softly('softras'), 100.0),
    'silhouette, DIB-R': (softly('dibr'), 100.0),
    'chamfer': (of_points(lambda p, side: chamfer(p, side.points)), 10.0),
    'density-aware chamfer': (
        of_points(lambda p, side: density_aware_chamfer(p, side.points)),
        100000.0,
    ),
    'ICP, target to prediction': (
        of_points(lambda p, side: icp_from_target(p, side.points)),
        1000.0,
    ),
    'ICP, prediction to target': (of_points(lambda p, side: icp_to_target(p, side.points)), 10.0),
}
SWEEP = (0.1, 1.0, 10.0)
SHORT = {
    'silhouette, our renderer': 'our renderer',
    'silhouette, SoftRas': 'SoftRas',
    'silhouette, DIB-R': 'DIB-R',
    'density-aware chamfer': 'dense chamfer',
    'ICP, target to prediction': 'ICP to fit',
    'ICP, prediction to target': 'ICP from fit',
}


def fit(
    head: Head, target: Target, name: str | None, start: str, factor: float = 1.0
) -> np.ndarray:
    """V×3 in camera axes: the head fitted with one loss alone (None: the start)."""
    state = State(head, *start_pose(head, target, start))
    if name is None:
        return state.vertices()
    loss, weight = LOSSES[name]
    evidence = Evidence(target)
    rates = [g['lr'] for g in state.optimiser.param_groups]
    for step in range(STEPS):
        if step % LOOK_EVERY == 0:
            rows = head.look(state.vertices(), target)
        for group, rate in zip(state.optimiser.param_groups, rates):
            group['lr'] = rate * (0.05 + 0.95 * 0.5 * (1 + np.cos(np.pi * step / STEPS)))
        state.optimiser.zero_grad()
        (weight * factor * loss(head, state, evidence, rows) + state.prior()).backward()
        state.optimiser.step()
        with torch.no_grad():
            state.values['weights'].clamp_(0, 1)
    return state.vertices()


def builtin_targets(model: FaceModel) -> list[Target]:
    """The built-in head as somebody else, giving extreme expressions in front of a known camera."""
    out, rng = [], np.random.default_rng(4)
    for n, (expression, angles) in enumerate(EXPRESSIONS):
        weights = np.zeros(len(model.names), np.float32)
        for name, value in expression.items():
            weights[model.names.index(name)] = value
        head = model.shape(rng.normal(size=len(model.identities)) * 0.8, weights).astype(np.float64)
        camera = head_to_camera(head, *angles, 55.0)
        labels = part_labels_picture(model, model_parts(model), camera, 560.0, (112.0, 116.0), SIZE)
        out.append(Target(f'expression {n + 1}', labels, 560.0, (112.0, 116.0)))
    return out


def capture_targets(folder: Path, frames: int) -> list[Target]:
    """Frames of a capture's true masks, cut to a square round the face, each with its camera."""
    out, truth = [], np.load(folder / 'parts.npz', allow_pickle=False)
    for view in read_capture(folder / 'capture.json'):
        for frame in np.linspace(0, len(truth[view.name]) - 1, frames + 2).astype(int)[1:-1]:
            labels = truth[view.name][frame]
            rows, columns = np.nonzero(labels)
            side = 1.15 * max(np.ptp(rows), np.ptp(columns))
            corner = (
                np.array([columns.min() + columns.max() + 1, rows.min() + rows.max() + 1]) / 2
                - side / 2
            )
            scale = SIZE[0] / side
            ij = [np.floor((np.arange(SIZE[0]) + 0.5) / scale + c).astype(int) for c in corner]
            inside = (
                (ij[1] >= 0)[:, None]
                & (ij[1] < labels.shape[0])[:, None]
                & (ij[0] >= 0)
                & (ij[0] < labels.shape[1])
            )
            cut = np.where(
                inside,
                labels[
                    np.clip(ij[1], 0, labels.shape[0] - 1)[:, None],
                    np.clip(ij[0], 0, labels.shape[1] - 1),
                ],
                0,
            )
            out.append(
                Target(
                    f'{view.name} {frame}',
                    cut,
                    view.camera.focal * scale,
                    tuple((np.array(view.camera.centre) - corner) * scale),
                )
            )
    return out


def score(head: Head, target: Target, vertices: np.ndarray) -> np.ndarray:
    return part_iou(
        part_labels_picture(head.model, head.parts, vertices, target.focal, target.centre, SIZE),
        target.labels,
    )


def seven(iou: np.ndarray) -> float:
    return float(np.nanmean(iou[[k - 1 for k in WITHOUT_SKIN]]))


def draw(head: Head, target: Target, vertices: np.ndarray | None) -> np.ndarray:
    """Parts of a fit in colour, the true ones' outlines over them in white.

    Without a fit the true parts.
    """
    labels = (
        target.labels
        if vertices is None
        else part_labels_picture(
            head.model, head.parts, vertices, target.focal, target.centre, SIZE
        )
    )
    picture = np.ascontiguousarray(COLOURS[labels])
    if vertices is not None:
        for k in range(1, len(PARTS)):
            lines, _ = cv2.findContours(
                (target.labels == k).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE
            )
            cv2.drawContours(picture, lines, -1, (255, 255, 255), 1)
    return picture


def table(rows: dict[str, list[np.ndarray]]) -> str:
    heads = [name.replace('_', ' ') for name in PARTS[2:]]
    out = [
        '| masks alone, with | ' + ' | '.join(heads) + ' | mean of seven | skin |',
        '|---' * (len(heads) + 3) + '|',
    ]
    for name, scores in rows.items():
        mean = np.nanmean(scores, 0)
        out.append(
            f'| {name} | '
            + ' | '.join(
                f'{100 * v:.1f}' for v in [*mean[1:], np.mean([seven(s) for s in scores]), mean[0]]
            )
            + ' |'
        )
    return '\n'.join(out)


@lru_cache(maxsize=1)
def head_of(model: str) -> Head:
    torch.set_num_threads(1)
    return Head(load_model(model))


def work(model: str, target: Target, name: str | None, start: str, factor: float) -> np.ndarray:
    """In a process of the pool."""
    return fit(head_of(model), target, name, start, factor)


def run(
    pool: ProcessPoolExecutor,
    model: str,
    targets: list[Target],
    names: list[str],
    start: str,
    pictures: list | None = None,
) -> None:
    rows: dict[str, list[np.ndarray]] = {}
    head = head_of(model)
    jobs = {
        (i, name): pool.submit(work, model, target, name, start, 1.0)
        for i, target in enumerate(targets)
        for name in (None, *names)
    }
    for i, target in enumerate(targets):
        if pictures is not None:
            pictures.append((draw(head, target, None), 'the masks'))
        for name in (None, *names):
            vertices, shown = jobs[i, name].result(), name or 'the start'
            iou = score(head, target, vertices)
            rows.setdefault(shown, []).append(iou)
            print(f'{target.name}, {shown}: {100 * seven(iou):.1f}', flush=True)
            if pictures is not None:
                pictures.append(
                    (
                        draw(head, target, vertices),
                        f'{SHORT.get(shown, shown)}: {100 * seven(iou):.0f} %',
                    )
                )
    print(
        f'\n{head.model.name}, {len(targets)} pictures, start: {start}\n\n{table(rows)}\n',
        flush=True,
    )


def sweep(pool: ProcessPoolExecutor, targets: list[Target], names: list[str], start: str) -> None:
    """Part IoU of each loss at several weights against the prior, on the second and fourth
    expression."""
    jobs = {
        (name, f): [pool.submit(work, 'builtin', t, name, start, f) for t in targets[1::2]]
        for name in names
        for f in SWEEP
    }
    for (name, factor), found in jobs.items():
        iou = np.mean(
            [
                seven(score(head_of('builtin'), t, job.result()))
                for t, job in zip(targets[1::2], found)
            ]
        )
        print(f'{name}, {LOSSES[name][1] * factor:g}: {100 * iou:.1f}', flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('out', type=Path, nargs='?', default=ROOT / 'docs' / 'pictures')
    parser.add_argument('--capture', type=Path)
    parser.add_argument('--model', default='builtin')
    parser.add_argument('--frames', type=int, default=3)
    parser.add_argument('--only', nargs='+', choices=list(LOSSES), default=list(LOSSES))
    parser.add_argument('--start', choices=['box', 'parts'], default='parts')
    parser.add_argument('--jobs', type=int, default=2)
    parser.add_argument('--sweep', action='store_true')
    a = parser.parse_args()
    with ProcessPoolExecutor(a.jobs, multiprocessing.get_context('spawn')) as pool:
        if a.capture:
            run(pool, a.model, capture_targets(a.capture, a.frames), a.only, a.start)
            return
        targets = builtin_targets(load_model('builtin'))
        if a.sweep:
            sweep(pool, targets, a.only, a.start)
            return
        pictures: list = []
        run(pool, 'builtin', targets, a.only, a.start, pictures)
    a.out.mkdir(parents=True, exist_ok=True)
    sheet = contact_sheet(
        [p for p, _ in pictures], len(a.only) + 2, [label for _, label in pictures]
    )
    write_image(a.out / 'prdl_rivals.jpg', sheet, 68)


if __name__ == '__main__':
    main()
