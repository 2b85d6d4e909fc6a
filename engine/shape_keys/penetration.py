"""How deep points of some parts of a head are in others, pose after pose, in Warp kernels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import warp as wp

from ..core.device import HOST

wp.config.log_level = wp.LOG_ERROR

FULL_CONTACT = 0.0003  # cm: depths that a vertex shares in, from which its contact counts in full


@dataclass(frozen=True)
class Contact:
    """Sample points that must stay in front of a wall.

    Where they do not, they go `share` of the way and the wall yields `yields` of it.
    """

    corners: np.ndarray  # N×3 vertex indices
    weights: np.ndarray  # N×3, rows sum to 1
    wall: np.ndarray  # T×3 triangles
    solid: np.ndarray  # T bool: what is nearest to another part of the wall is not in contact
    share: float
    yields: float
    body: int = -1  # the rigid body the points belong to, −1: each vertex moves by itself
    # cm: how far in front, in the neutral and in other poses
    margin: tuple[float, float] = (0.0, 0.0)
    outwards: np.ndarray | None = None  # N×3: the way out of the mouth, for a body


@wp.kernel
def _push_apart(  # noqa: PLR0913  a kernel has no objects to group its arrays in
    mesh: wp.uint64,
    points: wp.array(dtype=wp.vec3),
    corners: wp.array(dtype=wp.vec3i),
    weights: wp.array(dtype=wp.vec3),
    wall: wp.array(dtype=wp.vec3i),
    solid: wp.array(dtype=wp.int32),
    reach: float,
    margin: float,
    share: float,
    yields: float,
    body: int,
    push: wp.array(dtype=wp.vec3),
    mass: wp.array(dtype=float),
):
    """Push points out of a wall, and the wall off them, along the way to its nearest point."""
    i = wp.tid()
    c = corners[i]
    w = weights[i]
    p = points[c[0]] * w[0] + points[c[1]] * w[1] + points[c[2]] * w[2]
    query = wp.mesh_query_point_sign_normal(mesh, p, reach)
    if not query.result:
        return
    f = query.face
    if solid[f] == 0:
        return
    d = p - wp.mesh_eval_position(mesh, f, query.u, query.v)
    length = wp.length(d)
    gap = query.sign * length
    if gap >= margin:
        return
    away = wp.mesh_eval_face_normal(mesh, f)
    if length > 1.0e-5:
        away = d * (query.sign / length)
    depth = margin - gap
    step = away * depth
    if share > 0.0:
        if body >= 0:
            wp.atomic_add(push, body, step * (share * depth))
            wp.atomic_add(mass, body, depth)
        else:
            for k in range(3):
                wp.atomic_add(push, c[k], step * (share * depth * w[k]))
                wp.atomic_add(mass, c[k], depth * w[k])
    if yields > 0.0:
        b = wp.vec3(query.u, query.v, 1.0 - query.u - query.v)
        n = wall[f]
        for k in range(3):
            part = wp.max(b[k], 0.0)
            wp.atomic_add(push, n[k], step * (-yields * depth * part))
            wp.atomic_add(mass, n[k], depth * part)


@wp.func
def _touches(triangle: wp.vec3i, corner: int, weight: float):
    """Tell whether a corner that counts is one of a triangle's."""
    return weight > 0.0 and (
        triangle[0] == corner or triangle[1] == corner or triangle[2] == corner
    )


@wp.kernel
def _push_back(  # noqa: PLR0913  as above
    mesh: wp.uint64,
    points: wp.array(dtype=wp.vec3),
    corners: wp.array(dtype=wp.vec3i),
    weights: wp.array(dtype=wp.vec3),
    outwards: wp.array(dtype=wp.vec3),
    wall: wp.array(dtype=wp.vec3i),
    solid: wp.array(dtype=wp.int32),
    reach: float,
    margin: float,
    share: float,
    yields: float,
    body: int,
    push: wp.array(dtype=wp.vec3),
    mass: wp.array(dtype=float),
):
    """Push a tooth's points that are in the flesh back, and the flesh off them.

    A point is in it where, going back into the mouth, one comes out of the lip's inner side.
    Triangles that the point itself is a corner of do not count: it is a matter of rounding whether
    they are met.
    """
    i = wp.tid()
    c = corners[i]
    w = weights[i]
    out = outwards[i]
    p = points[c[0]] * w[0] + points[c[1]] * w[1] + points[c[2]] * w[2] + out * margin
    # Warp: a number that changes in a loop must be declared, or it is taken for a constant.
    depth = float(0.0)  # noqa: UP018
    f = int(-1)  # noqa: UP018, RUF046
    u = float(0.0)  # noqa: UP018
    v = float(0.0)  # noqa: UP018
    for _turn in range(6):
        if f < 0 and depth < reach:
            query = wp.mesh_query_ray(mesh, p - out * depth, -out, reach - depth)
            if query.result:
                depth = depth + query.t
                own = (
                    _touches(wall[query.face], c[0], w[0])
                    or _touches(wall[query.face], c[1], w[1])
                    or _touches(wall[query.face], c[2], w[2])
                )
                if not own and wp.dot(wp.mesh_eval_face_normal(mesh, query.face), out) < 0.0:
                    f = query.face
                    u = query.u
                    v = query.v
                else:
                    depth = depth + 1.0e-3
            else:
                depth = reach
    if f < 0:
        return
    if solid[f] == 0:
        return
    step = out * depth
    if body >= 0:
        wp.atomic_add(push, body, step * (-share * depth))
        wp.atomic_add(mass, body, depth)
    else:
        for k in range(3):
            wp.atomic_add(push, c[k], step * (-share * depth * w[k]))
            wp.atomic_add(mass, c[k], depth * w[k])
    b = wp.vec3(u, v, 1.0 - u - v)
    n = wall[f]
    for k in range(3):
        part = wp.max(b[k], 0.0)
        wp.atomic_add(push, n[k], step * (yields * depth * part))
        wp.atomic_add(mass, n[k], depth * part)


@dataclass(frozen=True)
class _DeviceContact:
    """A contact's arrays where the kernels run."""

    mesh: wp.Mesh
    corners: wp.array
    weights: wp.array
    wall: wp.array
    solid: wp.array
    outwards: wp.array | None
    # The slot of the rigid body that the points belong to, −1 for none.
    body: int


class PenetrationQuery:
    """The contacts ready to be asked pose after pose.

    rows: the vertices it must know. Slots 0…len(rows) are these, then the bodies.
    It runs on the processor whatever the choice of device: the kernels add floats atomically, in an
    order that CUDA would leave open.
    """

    def __init__(self, contacts: list[Contact], bodies: int, vertices: np.ndarray):
        self.contacts = contacts
        self.rows = np.unique(
            np.concatenate([np.concatenate([c.corners.ravel(), c.wall.ravel()]) for c in contacts])
        )
        slots = len(self.rows) + bodies
        self.points = _on_host(vertices[self.rows], np.float32, wp.vec3)
        self.push = wp.zeros(slots, dtype=wp.vec3, device=HOST)
        self.mass = wp.zeros(slots, dtype=float, device=HOST)
        # Contacts with the same wall share its mesh.
        meshes: dict[bytes, wp.Mesh] = {}
        self.held = [self._hold(contact, meshes) for contact in contacts]

    def _hold(self, contact: Contact, meshes: dict[bytes, wp.Mesh]) -> _DeviceContact:
        """Put a contact's arrays where the kernels run."""
        wall = _on_host(np.searchsorted(self.rows, contact.wall), np.int32, wp.vec3i)
        key = contact.wall.tobytes()
        if key not in meshes:
            triangles = wp.array(wall.numpy().ravel(), dtype=wp.int32, device=HOST)
            meshes[key] = wp.Mesh(self.points, triangles)
        out = contact.outwards
        return _DeviceContact(
            mesh=meshes[key],
            corners=_on_host(np.searchsorted(self.rows, contact.corners), np.int32, wp.vec3i),
            weights=_on_host(contact.weights, np.float32, wp.vec3),
            wall=wall,
            solid=_on_host(contact.solid, np.int32, wp.int32),
            outwards=None if out is None else _on_host(out, np.float32, wp.vec3),
            body=len(self.rows) + contact.body if contact.body >= 0 else -1,
        )

    def moved_by(self, offsets: np.ndarray) -> np.ndarray:
        """Tell which contacts a shape moves: E×contacts bool, from E×R×3 offsets of `rows`.

        Moved are the points or the wall.
        """
        moved = np.abs(offsets).max(2) > 0.01
        return np.stack(
            [
                moved[:, np.searchsorted(self.rows, np.union1d(c.corners, c.wall))].any(1)
                for c in self.contacts
            ],
            1,
        )

    def __call__(
        self, points: np.ndarray, reach: float, asked: np.ndarray, moving: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Ask one pose.

        points: R×3 (cm), where `rows` are. reach: cm, how deep is looked. asked: contacts bool.
        moving: it is another pose than the neutral.
        Returns ((R + bodies)×3: the way each vertex and body should go; R + bodies: how much it is
        in contact, from 0, without, to 1). Both grow from 0 with the contact, so that a head that
        is the same but for rounding gets the same shapes.
        """
        self.points.numpy()[:] = points
        wanted = [pair for pair, ask in zip(zip(self.contacts, self.held), asked) if ask]
        for mesh in {id(held.mesh): held.mesh for _, held in wanted}.values():
            mesh.refit()
        self.push.zero_()
        self.mass.zero_()
        for contact, held in wanted:
            first = [held.mesh.id, self.points, held.corners, held.weights]
            wall = [held.wall, held.solid]
            last = [contact.share, contact.yields, held.body, self.push, self.mass]
            margin = contact.margin[moving]
            if held.outwards is None:
                kernel, inputs = _push_apart, [*first, *wall, reach, margin, *last]
            else:
                kernel = _push_back
                inputs = [*first, held.outwards, *wall, 2.0 * reach, margin, *last]
            wp.launch(kernel, dim=len(held.corners), device=HOST, inputs=inputs)
        mass = self.mass.numpy()
        return self.push.numpy() / np.maximum(mass, FULL_CONTACT)[:, None], np.minimum(
            mass / FULL_CONTACT, 1
        )


def _on_host(values: np.ndarray, kind: type, dtype: type) -> wp.array:
    """Return a Warp array of NumPy values, converted to `kind`, for the processor."""
    return wp.array(np.ascontiguousarray(values, kind), dtype=dtype, device=HOST)
