"""Whether what models predict still spreads as it did in the launch week, variant by variant and day by day."""
