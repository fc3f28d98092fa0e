"""Blocks: one mechanism a file, written as its paper writes it."""
