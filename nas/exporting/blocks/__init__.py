"""Modules in plain PyTorch that stand, in exported files, for those of other packages; each is taken over as it is written here.

Their parameters have the names of those that they stand for, so that weights fit both.
"""
