"""From a picture to its face landmarks."""
