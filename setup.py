"""List the package's parts: this folder is the package `facewright` itself.

pyproject.toml cannot say that.
"""

from setuptools import find_packages, setup

PARTS = find_packages(
    '.', include=['engine', 'engine.*', 'addon', 'addon.*'], exclude=['engine.lab', 'engine.lab.*']
) or ['engine']

setup(
    packages=['facewright', *(f'facewright.{part}' for part in PARTS)],
    package_data={
        'facewright': ['blender_manifest.toml', 'pyproject.toml'],
        '': ['*.npz', '*.csv', '*.json', '*.txt'],
    },
)
