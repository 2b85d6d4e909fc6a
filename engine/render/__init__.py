"""Pictures of meshes: the camera, the rasteriser (NVIDIA Warp), shading for previews."""
