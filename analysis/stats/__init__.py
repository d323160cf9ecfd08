"""Statistics from moments: pure, deterministic, and unaware of where the moments came from.

Everywhere: treatment minus control; lift is treatment / control - 1; what cannot be computed is ``NotComputable``
with a reason, never NaN, 0 or p = 1.
"""
