"""Pictures of meshes: the camera, the rasteriser and its gradients (NVIDIA Warp), shading for previews and for fitting."""
