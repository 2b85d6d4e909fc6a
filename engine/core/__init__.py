"""What every room stands on: errors, files, caches, progress. Standard library and numpy alone."""
