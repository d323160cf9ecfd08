"""Drawings of results: interval marks as SVG, figures for Plotly."""
