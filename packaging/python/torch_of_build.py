"""The dependencies of the wheel: the torch that it is built with, and no other.

A provider of dynamic metadata for scikit-build-core. LibTorch has no stable C++ interface, so a command that was
linked with one version does not run with another. The part of a version behind `+` (cpu, cu130) does not matter.
"""

from importlib.metadata import PackageNotFoundError, version


def dynamic_metadata(field, settings=None):
    if field != "dependencies" or settings:
        raise RuntimeError(f"this provider knows the dependencies alone, without settings; found {field}, {settings}")
    try:
        built_with = version("torch")
    except PackageNotFoundError:
        raise RuntimeError("the environment that builds descramble has no torch: expected one beside "
                           "scikit-build-core, which pip installs unless --no-build-isolation is given") from None
    return [f"torch=={built_with.partition('+')[0]}"]
