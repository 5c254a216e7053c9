"""Proposals: how two specs that are not related correspond, and the statements that say so.

Runs of equal blocks are assigned to each other by what they compute, their shapes, their place in
the U or chain, their neighbours and their names (`matching`). What corresponds becomes statements
of growth (`statements`), which are checked as the compiler checks any child (`proposal`).
"""
