"""A name means one thing: no two classes and no two files of `src` have the same."""

import ast
from collections import Counter

from support import ROOT

FILES = [path for path in sorted((ROOT / "src").rglob("*.py")) if path.name != "__init__.py"]

# Names that are used twice today, to be removed from here as one of each is renamed.
FILES_USED_TWICE = {
    "errors": "each of the two packages has its own",
}


def twice(names):
    return {name for name, count in Counter(names).items() if count > 1}


def test_no_two_classes_have_one_name():
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in FILES]
    names = [node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    assert len(names) > 100
    assert twice(names) == set()


def test_no_two_files_have_one_name():
    assert twice(path.stem for path in FILES) == FILES_USED_TWICE.keys()
