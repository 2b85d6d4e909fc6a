"""Albedo, light and overlays."""
