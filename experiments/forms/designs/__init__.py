"""Forms of the kinds that have a design of their own, one module a kind on one base."""
