"""Pictures of meshes: camera, differentiable rasteriser (NVIDIA Warp), shading."""
