"""The engine: everything that does not know Blender.

Importing this package imports nothing heavy.
"""
