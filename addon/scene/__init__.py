"""Arrays to Blender's data and back. Knows bpy and the engine's nouns; no operators, no jobs."""
