"""Meshes as meshes: triangles, Laplacians, closest points, registration. Nothing of faces."""
