"""Numbers and ranges of addresses as Terraform computes them, from what ``infra/terraform`` says.

Only what the module network is written in: arithmetic, ``cidrsubnet``, ``pow``, ``split``, ``tonumber``.  HCL writes
these as Python does.
"""

import ast
import ipaddress
import operator
from collections.abc import Callable, Mapping
from typing import Any

_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def subnet(prefix: str, more_bits: float, number: float) -> str:
    """Terraform's ``cidrsubnet``: the range of this number among those that are smaller by so many bits.

    Raises:
        ValueError: there is no such range.
    """
    network = ipaddress.IPv4Network(prefix)
    bits = network.prefixlen + int(more_bits)
    if bits != network.prefixlen + more_bits or int(number) != number or not 0 <= number < 2**more_bits or bits > 32:
        message = f"no range {number} of {prefix} with {more_bits} bits more"
        raise ValueError(message)
    return str(ipaddress.IPv4Network((int(network.network_address) + int(number) * 2 ** (32 - bits), bits)))


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "cidrsubnet": subnet,
    "pow": pow,
    "split": lambda separator, text: text.split(separator),
    "tonumber": float,
}


def computed(text: str, names: Mapping[str, Any]) -> Any:
    """What an expression comes to, with these values for names as ``var.range``."""
    return _of(ast.parse(text, mode="eval").body, names)


def _of(node: ast.expr, names: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant():
            return node.value
        case ast.Attribute() | ast.Name():
            return names[ast.unparse(node)]
        case ast.BinOp():
            return _OPERATORS[type(node.op)](_of(node.left, names), _of(node.right, names))
        case ast.Subscript():
            return _of(node.value, names)[_of(node.slice, names)]
        case ast.Call(func=ast.Name(id=name)):
            return _FUNCTIONS[name](*(_of(each, names) for each in node.args))
    message = f"not known here: {ast.unparse(node)}"
    raise ValueError(message)
