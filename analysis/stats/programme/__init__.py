"""Across experiments: does what moves a proxy (clicks, an offline score) move the business metric, and by how much?

Each experiment gives a vector of estimated effects and its sampling covariance. The estimated effects of one
experiment share noise (a user who clicks more also buys more), so a regression of one metric's estimated effects on
another's finds the users' correlation, not the effects'. The estimators here take the noise out.
"""
