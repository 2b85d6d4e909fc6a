"""Method 1: a person's own head by inverse rendering of face video (papers/1)."""
