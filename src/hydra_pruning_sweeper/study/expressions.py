"""Conditions and formulas over settings, in Python's syntax: `model.width % model.heads == 0`."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator
from typing import Any

from hydra_pruning_sweeper.errors import UsageError

LONGEST = 10_000  # characters of an expression
LARGEST = 1e100  # of the numbers that are computed with

_ARITHMETIC: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.USub: operator.neg,
}
"""Operators for numbers only: on text and lists, Python's would repeat, concatenate and format."""

_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    **_ARITHMETIC,
    ast.Not: operator.not_,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda one, many: one in many,
    ast.NotIn: lambda one, many: one not in many,
}


class Expression:
    """A condition or a formula over settings, which are named by their dotted keys.

    It may contain numbers, strings, lists, comparisons, `and`, `or`, `not`, `in` and arithmetic with numbers. Calls are
    refused, so that a configuration cannot run code; so are powers and repetition, so that it cannot use up memory.

    Raises:
        UsageError: it contains anything else.
    """

    def __init__(self, text: str) -> None:
        if len(text) > LONGEST:
            raise UsageError(f"{text[:40]!r}…: an expression must have at most {LONGEST:,} characters")
        self.text = text
        try:
            self._tree = ast.parse(text.strip(), mode="eval").body
            self.names = frozenset(self._names(self._tree))
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            if isinstance(error, UsageError):
                raise
            raise UsageError(f"not an expression: {text!r}") from None

    def __call__(self, value_of: Callable[[str], Any]) -> Any:
        """The expression's value, with the settings' values from `value_of`.

        Raises:
            UsageError: the values have types or sizes that cannot be combined.
        """
        try:
            return self._value(self._tree, value_of)
        except (TypeError, ZeroDivisionError, OverflowError, RecursionError) as error:
            raise UsageError(f"{self.text!r}: {error}") from None

    def _names(self, node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.Name | ast.Attribute):
            yield _dotted(node, self.text)
            return
        operators = [*getattr(node, "ops", []), *([node.op] if isinstance(node, ast.BinOp | ast.UnaryOp) else [])]
        is_allowed = isinstance(
            node, ast.BoolOp | ast.BinOp | ast.UnaryOp | ast.Compare | ast.Constant | ast.List | ast.Tuple
        )
        if not is_allowed or any(type(one) not in _OPERATORS for one in operators):
            raise UsageError(f"{self.text!r}: may contain names, numbers, comparisons, and, or, not, in and arithmetic")
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                yield from self._names(child)

    def _value(self, node: ast.expr, value_of: Callable[[str], Any]) -> Any:
        def value(inner: ast.expr) -> Any:
            return self._value(inner, value_of)

        match node:
            case ast.Constant():
                return node.value
            case ast.List() | ast.Tuple():
                return [value(one) for one in node.elts]
            case ast.BoolOp():
                return (all if isinstance(node.op, ast.And) else any)(value(one) for one in node.values)
            case ast.UnaryOp():
                return _computed(node.op, value(node.operand))
            case ast.BinOp():
                return _computed(node.op, value(node.left), value(node.right))
            case ast.Compare():
                sides = [value(one) for one in (node.left, *node.comparators)]
                pairs = zip(node.ops, sides, sides[1:], strict=False)
                return all(_OPERATORS[type(op)](left, right) for op, left, right in pairs)
        return value_of(_dotted(node, self.text))


def _computed(operation: ast.AST, *values: Any) -> Any:
    """The result of an operator.

    Raises:
        TypeError: arithmetic with something other than numbers.
        OverflowError: it is too large.
    """
    if type(operation) not in _ARITHMETIC:
        return _OPERATORS[type(operation)](*values)
    for one in values:
        if not isinstance(one, int | float):
            raise TypeError(f"arithmetic is for numbers, but {str(one)[:40]!r} is none")
        if abs(one) > LARGEST:
            raise OverflowError(f"numbers must be at most {LARGEST:g}")
    return _OPERATORS[type(operation)](*values)


def _dotted(node: ast.AST, text: str) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value, text)}.{node.attr}"
    raise UsageError(f"{text!r}: a setting is named by words with dots between")
