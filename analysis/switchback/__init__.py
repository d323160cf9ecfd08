"""Switchbacks: which region had which variant when, what happened then, and what that says."""
