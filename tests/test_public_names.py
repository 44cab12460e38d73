"""The public names: complete, lazily loaded, and cheap to import."""

import subprocess
import sys

import pytest

import theory


@pytest.mark.parametrize("name", theory.__all__)
def test_public_name_resolves(name):
    assert getattr(theory, name) is not None
    assert name in dir(theory)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = theory.nonsense


def test_import_loads_nothing_heavy():
    code = "import sys, theory; print(sorted({'scipy', 'numpy', 'matplotlib'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
