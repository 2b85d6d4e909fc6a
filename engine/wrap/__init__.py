"""A face model laid onto a scan."""
