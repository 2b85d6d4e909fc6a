"""Silhouettes blended by where they pass between pixels' centres: gradients for a mesh's outline.

After nvdiffrast (Laine et al. 2020, section 3.5): where two neighbouring pixels see different
triangles, the nearer one's surface ends between their centres. The point x where its silhouette
crosses the line between them says how the two colours mix: at ½ not at all, nearer to one centre
that pixel takes ½ − distance of the other's colour; horizontal pairs blend across edges steeper
than 45°, vertical pairs across the others. Differences: the silhouette is found by walking from
triangle to triangle along that line, so that one too thin to be seen at any pixel is found too; and
it is computed from the plane through eye and edge, so that corners behind the camera do no harm.
"""

from __future__ import annotations

import torch
import warp as wp

from .launch import OPTIONS, check, fixed_point, launch
from .rasterise import NEAR, Fragments, camera_of, checked
from .topology import Topology

wp.set_module_options(OPTIONS)

STEPS = wp.constant(32)  # triangles walked over between two pixels' centres
UNBLENDED = wp.constant(1.0)  # shares are within ±½
NO_EDGE, CONNECTED = wp.constant(-1), wp.constant(-2)


def antialias(
    colour: torch.Tensor,
    points: torch.Tensor,
    triangles: torch.Tensor,
    fragments: Fragments,
    focal: float | torch.Tensor,
    centre: tuple[float, float] | torch.Tensor,
    near: float = NEAR,
) -> torch.Tensor:
    """Blend silhouettes: B×H×W×C, differentiable in colour, points, focal and centre.

    colour: B×H×W×C float32
    points, triangles, focal, centre, near: what `rasterise_batch` made the fragments of

    Raises FacewrightError where shapes don't fit.
    """
    mesh = checked(points, triangles)
    check(
        colour.ndim == 4
        and colour.shape[:3] == fragments.triangle.shape
        and colour.dtype == torch.float32
        and len(points) == len(colour)
        and len(mesh.triangles) == fragments.box.shape[1],
        f'Colours must be {"×".join(map(str, fragments.triangle.shape))}×C float32, '
        f'and they are {tuple(colour.shape)} of {colour.dtype}.',
    )
    return _Antialiased.apply(
        colour,
        points,
        camera_of(focal, centre, len(points), points.device),
        fragments,
        mesh,
        float(near),
    )


@wp.func
def _side(p: wp.vec3d, camera: wp.vec3d, line: wp.float64, along: int):
    """Tell which side p lies on of the plane through the eye and a line of the picture.

    along 0: the row y = line; 1: the column x = line.
    """
    across = 1 - along
    return camera[0] * p[across] + (camera[1 + across] - line) * p[2]


@wp.func
def _crossing(
    a: wp.vec3d, b: wp.vec3d, camera: wp.vec3d, near: wp.float64, line: wp.float64, along: int
):
    """Return (where along the line the edge ab crosses it in px, 1), or (0, 0) where it does not.

    Nor does what is nearer than the near plane.
    """
    sa = _side(a, camera, line, along)
    sb = _side(b, camera, line, along)
    zero = wp.float64(0.0)
    if (sa <= zero) == (sb <= zero):
        return wp.vec2d(zero, zero)
    at = a + (b - a) * (sa / (sa - sb))
    if at[2] < near:
        return wp.vec2d(zero, zero)
    return wp.vec2d(camera[0] * at[along] / at[2] + camera[1 + along], wp.float64(1.0))


@wp.func
def _silhouette(  # noqa: PLR0913 - Warp functions take no structures of arrays here
    points: wp.array2d(dtype=wp.vec3d),
    b: int,
    triangles: wp.array(dtype=wp.vec3i),
    across: wp.array(dtype=wp.vec3i),
    camera: wp.vec3d,
    near: wp.float64,
    line: wp.float64,
    along: int,
    start: wp.float64,
    step: wp.float64,
    first: int,
    last: int,
):
    """Walk from the pixel centre at `start`, inside triangle `first`, one pixel along the line.

    Returns the corner opposite the first edge where the surface ends or turns back, NO_EDGE where
    it goes on beyond the next centre, CONNECTED where it is the triangle seen there.
    """
    t = first
    entered = int(-1)  # noqa: UP018, RUF046 - a literal would be a constant to Warp
    one = wp.float64(1.0)
    for _ in range(STEPS):
        corners = triangles[t]
        leave = int(-1)  # noqa: UP018, RUF046 - likewise
        furthest = wp.float64(-1.0e30)
        for k in range(3):
            if k != entered:
                crossing = _crossing(
                    points[b, corners[(k + 1) % 3]],
                    points[b, corners[(k + 2) % 3]],
                    camera,
                    near,
                    line,
                    along,
                )
                if crossing[1] == one and step * (crossing[0] - start) > furthest:
                    furthest = step * (crossing[0] - start)
                    leave = k
        if leave < 0 or furthest > one or furthest < -one:
            return NO_EDGE
        next = across[t][leave]
        if next < 0:
            return 3 * t + leave
        normal = wp.cross(points[b, corners[(leave + 1) % 3]], points[b, corners[(leave + 2) % 3]])
        other = points[b, triangles[next // 3][next % 3]]
        if wp.dot(normal, points[b, corners[leave]]) * wp.dot(normal, other) > wp.float64(0.0):
            return 3 * t + leave
        t = next // 3
        entered = next % 3
        if t == last:
            return CONNECTED
    return NO_EDGE


@wp.func
def _edge_between(  # noqa: PLR0913 - Warp functions take no structures of arrays here
    points: wp.array2d(dtype=wp.vec3d),
    b: int,
    triangles: wp.array(dtype=wp.vec3i),
    across: wp.array(dtype=wp.vec3i),
    camera: wp.vec3d,
    near: wp.float64,
    x: int,
    y: int,
    along: int,
    here: int,
    there: int,
    here_nearer: bool,
):
    """Find the corner opposite the silhouette between pixel (x, y) and the next one, or negative.

    The next: to the right (along 0) or below (along 1). The nearer surface's silhouette; or the
    other's, where the nearer one goes on behind it.
    """
    half = wp.float64(0.5)
    one = wp.float64(1.0)
    start = wp.float64(x) + half
    line = wp.float64(y) + half
    if along == 1:
        start = wp.float64(y) + half
        line = wp.float64(x) + half
    edge = int(NO_EDGE)
    for turn in range(2):
        if edge == NO_EDGE:
            if here_nearer == (turn == 0):
                if here >= 0:
                    edge = _silhouette(
                        points,
                        b,
                        triangles,
                        across,
                        camera,
                        near,
                        line,
                        along,
                        start,
                        one,
                        here,
                        there,
                    )
            elif there >= 0:
                edge = _silhouette(
                    points,
                    b,
                    triangles,
                    across,
                    camera,
                    near,
                    line,
                    along,
                    start + one,
                    -one,
                    there,
                    here,
                )
    return edge


@wp.func
def _adjacent(across: wp.array(dtype=wp.vec3i), t: int, other: int):
    if t < 0:
        return False
    codes = across[t]
    for k in range(3):  # noqa: SIM110 - Warp has no any()
        if codes[k] >= 0 and codes[k] // 3 == other:
            return True
    return False


@wp.kernel
def _find(  # noqa: PLR0913 - a kernel takes its arrays one by one
    part: wp.vec3i,
    points: wp.array2d(dtype=wp.vec3d),
    triangles: wp.array(dtype=wp.vec3i),
    across: wp.array(dtype=wp.vec3i),
    camera: wp.array(dtype=wp.vec3d),
    near: wp.float64,
    width: int,
    height: int,
    triangle: wp.array2d(dtype=wp.int32),
    depth: wp.array2d(dtype=float),
    share: wp.array2d(dtype=wp.vec2),
):
    """Find each pixel's shares with the pixels to its right and below.

    share: ½ − distance of the crossing from this pixel's centre: what this pixel takes of that one
    where positive, what that one takes of this where negative, UNBLENDED where none passes.
    """
    b, k = wp.tid()
    i = part[1] + k
    out = wp.vec2(UNBLENDED, UNBLENDED)
    x = i % width
    y = i // width
    here = triangle[b, i]
    for along in range(2):
        j = i + 1
        inside = x + 1 < width
        if along == 1:
            j = i + width
            inside = y + 1 < height
        if inside:
            there = triangle[b, j]
            if here != there and not _adjacent(across, here, there):
                edge = _edge_between(
                    points,
                    b,
                    triangles,
                    across,
                    camera[b],
                    near,
                    x,
                    y,
                    along,
                    here,
                    there,
                    depth[b, i] <= depth[b, j],
                )
                if edge >= 0:
                    corners = triangles[edge // 3]
                    normal = wp.cross(
                        points[b, corners[(edge + 1) % 3]], points[b, corners[(edge + 2) % 3]]
                    )
                    out[along] = _share(normal, camera[b], x, y, along)
    share[b, i] = out


@wp.func
def _share(normal: wp.vec3d, camera: wp.vec3d, x: int, y: int, along: int):
    """Return a pixel's share; normal: of the plane through eye and edge."""
    steep = wp.abs(normal[along]) - wp.abs(normal[1 - along])
    if steep < wp.float64(0.0) or (along == 1 and steep == wp.float64(0.0)):
        return UNBLENDED
    line = wp.float64(y)
    start = wp.float64(x)
    if along == 1:
        line = wp.float64(x)
        start = wp.float64(y)
    half = wp.float64(0.5)
    at = (
        camera[1 + along]
        - (normal[1 - along] * (line + half - camera[2 - along]) + normal[2] * camera[0])
        / normal[along]
    )
    return float(wp.clamp(start + wp.float64(1.0) - at, -half, half))


@wp.kernel
def _blend(
    part: wp.vec3i,
    pairs: wp.array(dtype=wp.vec3i),
    share: wp.array2d(dtype=wp.vec2),
    colour: wp.array3d(dtype=float),
    width: int,
    height: int,
    backward: bool,
    out: wp.array3d(dtype=float),
):
    """Blend pairs: a thread a pixel of one; a pixel of several is written more than once, the same.

    Forward: out[i] = colour[i] + Σ take (colour[j] − colour[i]). Backward, where colour is the
    gradient of out: out[i] = colour[i] + Σ give colour[j] − take colour[i].
    """
    second, k = wp.tid()
    pair = pairs[part[1] + k]
    b = pair[0]
    i = pair[1]
    if second == 1:
        i = i + 1
        if pair[2] == 1:
            i = i + width - 1
    for c in range(colour.shape[2]):
        own = colour[b, i, c]
        total = own
        for n in range(4):
            j, take, give = _neighbour(share, b, i, n, width, height)
            if backward:
                total += give * colour[b, j, c] - take * own
            else:
                total += take * (colour[b, j, c] - own)
        out[b, i, c] = total


@wp.func
def _neighbour(share: wp.array2d(dtype=wp.vec2), b: int, i: int, k: int, width: int, height: int):
    """Return a neighbour (right, below, left, above), what i takes of it, what it takes of i."""
    j = i
    s = float(UNBLENDED)
    x = i % width
    y = i // width
    if k == 0 and x + 1 < width:
        j = i + 1
        s = share[b, i][0]
    if k == 1 and y + 1 < height:
        j = i + width
        s = share[b, i][1]
    if k == 2 and x > 0:
        j = i - 1
        s = share[b, j][0]
    if k == 3 and y > 0:
        j = i - width
        s = share[b, j][1]
    if s == UNBLENDED:
        return j, 0.0, 0.0
    if k > 1:
        s = -s
    return j, wp.max(s, 0.0), wp.max(-s, 0.0)


@wp.kernel
def _edge_backward(  # noqa: PLR0913 - a kernel takes its arrays one by one
    part: wp.vec3i,
    points: wp.array2d(dtype=wp.vec3d),
    triangles: wp.array(dtype=wp.vec3i),
    across: wp.array(dtype=wp.vec3i),
    camera: wp.array(dtype=wp.vec3d),
    near: wp.float64,
    width: int,
    triangle: wp.array2d(dtype=wp.int32),
    depth: wp.array2d(dtype=float),
    pairs: wp.array(dtype=wp.vec3i),
    share: wp.array2d(dtype=wp.vec2),
    colour: wp.array3d(dtype=float),
    gradient: wp.array3d(dtype=float),
    vertex: wp.array2d(dtype=wp.int64),
    vertex_gradient: wp.array2d(dtype=wp.vec3d),
    camera_gradient: wp.array(dtype=wp.vec3d),
):
    """Find the vertices of a pair's edge, their gradients and the camera's: a thread a pair.

    A pair: picture, pixel, direction. The crossing is at d = ray through it with N·d = 0,
    N = a × b: ∂x = −(f/N_along) d·∂N.
    """
    _, offset = wp.tid()
    k = part[1] + offset
    b = pairs[k][0]
    i = pairs[k][1]
    along = pairs[k][2]
    j = i + 1
    if along == 1:
        j = i + width
    receiver = i
    if share[b, i][along] < 0.0:
        receiver = j
    g = wp.float64(0.0)  # ∂L/∂x: minus that of the share
    for c in range(colour.shape[2]):
        g -= wp.float64(gradient[b, receiver, c]) * (
            wp.float64(colour[b, j, c]) - wp.float64(colour[b, i, c])
        )
    x = i % width
    y = i // width
    edge = _edge_between(
        points,
        b,
        triangles,
        across,
        camera[b],
        near,
        x,
        y,
        along,
        triangle[b, i],
        triangle[b, j],
        depth[b, i] <= depth[b, j],
    )
    if edge < 0:
        return
    v = triangles[edge // 3][(edge + 1) % 3]
    w = triangles[edge // 3][(edge + 2) % 3]
    p = points[b, v]
    q = points[b, w]
    cam = camera[b]
    n = wp.cross(p, q)
    line = wp.float64(y)
    if along == 1:
        line = wp.float64(x)
    d = wp.vec3d()
    d[1 - along] = line + wp.float64(0.5) - cam[2 - along]
    d[2] = cam[0]
    d[along] = -(n[1 - along] * d[1 - along] + n[2] * d[2]) / n[along]
    to_normal = d * (-g / n[along])
    vertex[k, 0] = wp.int64(b) * wp.int64(points.shape[1]) + wp.int64(v)
    vertex[k, 1] = wp.int64(b) * wp.int64(points.shape[1]) + wp.int64(w)
    vertex_gradient[k, 0] = wp.cross(q, to_normal)
    vertex_gradient[k, 1] = wp.cross(to_normal, p)
    to_camera = wp.vec3d()
    to_camera[0] = -g * n[2] / n[along]
    to_camera[1 + along] = g
    to_camera[2 - along] = g * n[1 - along] / n[along]
    camera_gradient[k] = to_camera


def _summed(values: torch.Tensor, index: torch.Tensor, count: int) -> torch.Tensor:
    """Add rows of values (N×C float64) at index (N): count×C, the same bits in any order."""
    scale = fixed_point(values.abs().amax(), len(values))
    out = torch.zeros(count, values.shape[1], dtype=torch.int64, device=values.device)
    return out.index_add_(0, index, (values * scale).round().long()) / scale


class _Antialiased(torch.autograd.Function):
    @staticmethod
    def forward(ctx, colour, points, camera, fragments: Fragments, mesh: Topology, near):
        wide, camera, flat = (
            points.detach().double().contiguous(),
            camera.detach(),
            colour.detach().flatten(1, 2).contiguous(),
        )
        count, height, width = fragments.triangle.shape
        triangle, depth = fragments.triangle.flatten(1), fragments.depth.detach().flatten(1)
        share = torch.empty(count, height * width, 2, dtype=torch.float32, device=colour.device)
        launch(
            _find,
            triangle.shape,
            wide,
            mesh.triangles,
            mesh.across,
            camera,
            near,
            width,
            height,
            triangle,
            depth,
            share,
        )
        pairs = (share != UNBLENDED).nonzero().int().contiguous()
        out = flat.clone()
        if len(pairs):
            launch(_blend, (2, len(pairs)), pairs, share, flat, width, height, False, out)
        ctx.save_for_backward(flat, wide, camera, triangle, depth, share, pairs)
        ctx.mesh, ctx.near, ctx.shape = mesh, near, colour.shape
        return out.view(colour.shape)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient):
        colour, points, camera, triangle, depth, share, pairs = ctx.saved_tensors
        _, height, width, _ = ctx.shape
        gradient = gradient.flatten(1, 2).contiguous()
        to_colour, to_points, to_camera = (
            gradient.clone(),
            torch.zeros(points.shape, device=points.device),
            torch.zeros_like(camera),
        )
        if len(pairs):
            launch(_blend, (2, len(pairs)), pairs, share, gradient, width, height, True, to_colour)
        if len(pairs) and (ctx.needs_input_grad[1] or ctx.needs_input_grad[2]):
            vertex = torch.zeros(len(pairs), 2, dtype=torch.int64, device=points.device)
            to_vertex = torch.zeros(len(pairs), 2, 3, dtype=torch.float64, device=points.device)
            to_cameras = torch.zeros(len(pairs), 3, dtype=torch.float64, device=points.device)
            launch(
                _edge_backward,
                (1, len(pairs)),
                points,
                ctx.mesh.triangles,
                ctx.mesh.across,
                camera,
                ctx.near,
                width,
                triangle,
                depth,
                pairs,
                share,
                colour,
                gradient,
                vertex,
                to_vertex,
                to_cameras,
            )
            to_points = (
                _summed(to_vertex.view(-1, 3), vertex.view(-1), points.shape[0] * points.shape[1])
                .view(points.shape)
                .float()
            )
            to_camera = _summed(to_cameras, pairs[:, 0], len(points))
        return to_colour.view(ctx.shape), to_points, to_camera, None, None, None
