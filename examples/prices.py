"""Run a pricing rule that somebody else wrote, without trusting it.

The rule (``prices.c``) sees two functions and its own memory, and nothing else of this program.
"""

import struct
from pathlib import Path

import runwell

PRICES = {1: 19.90, 2: 250.0, 7: 3.25}
ORDER = [(1, 12), (2, 4), (7, 3)]


def main() -> None:
    """Ask the plugin what the order costs."""
    notes: list[str] = []

    def note(address: int, size: int) -> None:
        notes.append(instance.exports.memory.read(address, size).decode())

    module = runwell.Module(Path(__file__).with_name("prices.wasm"))
    instance = runwell.Instance(module, {"shop": {"price": PRICES.__getitem__, "note": note}})

    lines = b"".join(struct.pack("<ii", article, quantity) for article, quantity in ORDER)
    instance.exports.memory.write(instance.exports.order(), lines)
    print(f"total: {instance.exports.total(len(ORDER)):.2f}")
    for text in notes:
        print(f"the rule says: {text}")

    # A wrong article number makes the host's own function raise: its error comes back unchanged.
    instance.exports.memory.write(instance.exports.order(), struct.pack("<ii", 99, 1))
    try:
        instance.exports.total(1)
    except KeyError as error:
        print(f"no such article: {error}")


if __name__ == "__main__":
    main()
