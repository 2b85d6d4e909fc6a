"""Small meshes in front of a camera."""

import numpy as np
import torch
import trimesh


def ball(radius=2.0, depth=20.0, subdivisions=3, dtype=torch.float32):
    """Points 1×V×3 in camera space and triangles T×3 of a sphere in front of the camera."""
    mesh = trimesh.creation.icosphere(subdivisions=subdivisions)
    return torch.tensor(
        np.asarray(mesh.vertices)[None] * radius + (0, 0, depth), dtype=dtype
    ), torch.tensor(np.asarray(mesh.faces))


def flat(pixels, triangles, focal, centre, depth):
    """Points 1×V×3 at one depth that project to the given pixels, and the triangles."""
    pixels = torch.as_tensor(pixels, dtype=torch.float32)
    xy = (pixels - torch.tensor(centre)) * depth / focal
    return torch.cat([xy, torch.full((len(xy), 1), float(depth))], 1)[None], torch.tensor(triangles)


def square(x0, y0, x1, y1, focal=50.0, centre=(32.0, 32.0), depth=10.0):
    return flat(
        [[x0, y0], [x1, y0], [x1, y1], [x0, y1]], [[0, 1, 2], [0, 2, 3]], focal, centre, depth
    )
