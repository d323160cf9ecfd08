"""Builds the engine's compiled module where a C compiler is at hand; everything works without it, only slower."""

from setuptools import Extension, setup

ENGINE = "assignment/engine/"

setup(
    ext_modules=[
        Extension(
            "assignment.engine._native",
            sources=[f"{ENGINE}_native.c"],
            depends=[f"{ENGINE}{name}" for name in ("_hash.h", "_steps.h", "_many.h")],
            optional=True,
        )
    ]
)
