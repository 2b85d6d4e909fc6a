"""Part masks of pictures: segmented here, or the user's own."""
