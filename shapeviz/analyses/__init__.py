"""Analyses: one column a file. Each says its title, whether weights or runs multiply it, and a node's own share."""
