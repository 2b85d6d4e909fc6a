"""What the detector and the part masks say of a face model, measured once and cached with it."""
