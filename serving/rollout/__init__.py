"""A new version brought to all traffic step by step, checked at each, and taken back where it fails.

Where a rollout stands is read from the far side before every action: nothing is remembered here that it has to know.
So whoever is interrupted, between any two calls, lets the next call find out and go on.
"""
