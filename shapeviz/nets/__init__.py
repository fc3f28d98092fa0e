"""Nets: modules of PyTorch for the configurations that shapeviz has and transformers has not, plain and whole."""
