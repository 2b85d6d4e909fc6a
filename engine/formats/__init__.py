"""What goes out and comes back: rig, performance, result, Live Link (docs/formats.md)."""
