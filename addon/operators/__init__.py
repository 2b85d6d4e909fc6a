"""Operators: thin adapters over addon.api, one file a panel."""
