"""Documents nobody has seen before: those of a sample, with strange things put anywhere into them."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any, Final

STRANGE: Final = [
    *("null", "true", "[]", "{}", '""', '" "', "0", "-0.0", "1e400", "-Infinity", "NaN", "1e-400", "9007199254740993"),
    *("9223372036854775808", "1234567890123456789012345678901234567890", "0.1234567890123456789", '"NaN"', "2.0"),
    *('"🌻👩‍👧"', '"\\u0000"', '"a\\u0000b"', '"\\ud800"', '"\\udc00x"', '"Zoe\\u0308"', '"\\u202e"', "[[[]]]"),
    *('"0000-01-01T00:00:00Z"', '"9999-12-31T23:59:59.999999Z"', '"10000-01-01"', '"2024-02-30"', "-62167219200000"),
    *('"0001-01-01T00:00:00Z"', "253402300800000", "4e17", '"1682935200000.5"', '"2023-05-01 10:00"', '"soon"'),
    *(r'"{\"a\": [1, {\"b\": null}]}"', r'"[\"\\u0000\"]"', r'"{\"k\": 1, \"k\": 2}"', '{"k": 1, "k": 2}', '"[1e400]"'),
    *('["a", null, 1, {"b": [true]}, "\\ud800"]', '{"": {"a/b": "~"}, "🌻": [1.5]}', '"nobody-has-this-id"'),
    "[" * 40 + "]" * 40,
    '{"x":' * 60 + "1" + "}" * 60,
]
KEYS: Final = ["odd/~key", "", "🌻", "a.b", "__proto__", "id", "_id", "userId", "status", "k" * 600, "\x7f", " name"]
_MARK: Final = "\x1fstrange\x1f"
LONG: Final = json.dumps("🌻x" * 200_000)
"""A text of about 1 MB."""


def spoil(folder: Path, seed: int) -> None:
    """Put strange things into most lines of an export of JSON lines, and repeat some lines in another form."""
    rng = random.Random(seed)
    paths = sorted(folder.glob("*.jsonl"))
    with_long_text = rng.choice(paths)
    for path in paths:
        lines = path.read_text("utf-8", "surrogateescape").splitlines()
        told = [_strange(line, rng) if rng.random() < 0.7 else line for line in lines]
        told += [_strange(line, rng) for line in rng.sample(told, min(2, len(told)))]
        if path == with_long_text:
            whole = next(line for line in lines if _strange(line, random.Random(0)) != line)
            told.append(_strange(whole, rng, LONG).replace('id": "', 'id": "long-', 1))
        path.write_text("\n".join(told) + "\n", "utf-8", "surrogateescape")


def _strange(line: str, rng: random.Random, value: str = "") -> str:
    try:
        document = json.loads(line)
    except ValueError:
        return line
    if not isinstance(document, dict):
        return line
    texts = []
    for number in range(1 if value else rng.randint(1, 3)):
        holder = _somewhere(document, rng)
        _put(holder, f"{_MARK}{number}", rng)
        texts.append(value or rng.choice(STRANGE))
    line = json.dumps(document)
    for number, text in enumerate(texts):
        line = line.replace(json.dumps(f"{_MARK}{number}"), text)
    return line


def _somewhere(value: Any, rng: random.Random) -> Any:
    """Return an object or list at any depth, most often the document itself."""
    below = [child for child in _children(value) if isinstance(child, (dict, list))]
    return _somewhere(rng.choice(below), rng) if below and rng.random() < 0.4 else value


def _children(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else list(value)


def _put(holder: Any, mark: str, rng: random.Random) -> None:
    """Put a mark in the place of a value, or beside all of them; a key of the record itself seldom."""
    if isinstance(holder, list):
        holder.insert(rng.randint(0, len(holder)), mark)
    elif holder and rng.random() < 0.7:
        name = rng.choice(list(holder))
        if name in ("id", "_id") and rng.random() < 0.9:
            name = rng.choice(KEYS)
        holder[name] = mark
    else:
        holder[rng.choice(KEYS)] = mark
