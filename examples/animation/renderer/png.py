"""Just enough PNG: write a picture, join pictures into one that moves (APNG), read ours back. zlib and struct."""

import struct
import zlib
from collections.abc import Iterator, Sequence

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def still(width: int, height: int, pixels: bytes) -> bytes:
    """A PNG of eight-bit red, green, blue pixels."""
    rows = b"".join(b"\0" + pixels[row * width * 3 : (row + 1) * width * 3] for row in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(rows, 9)) + _chunk(b"IEND", b"")


def moving(pictures: Sequence[bytes], frame_ms: int) -> bytes:
    """One APNG that shows PNGs of the same size for ever, each for `frame_ms` milliseconds."""
    header = dict(chunks(pictures[0]))[b"IHDR"]
    width, height = struct.unpack(">II", header[:8])
    out = [SIGNATURE, _chunk(b"IHDR", header), _chunk(b"acTL", struct.pack(">II", len(pictures), 0))]
    sequence = 0
    for number, picture in enumerate(pictures):
        control = struct.pack(">IIIIIHHBB", sequence, width, height, 0, 0, frame_ms, 1000, 0, 0)
        out.append(_chunk(b"fcTL", control))
        sequence += 1
        for kind, data in chunks(picture):
            if kind == b"IDAT" and number == 0:
                out.append(_chunk(b"IDAT", data))
            elif kind == b"IDAT":
                out.append(_chunk(b"fdAT", struct.pack(">I", sequence) + data))
                sequence += 1
    return b"".join([*out, _chunk(b"IEND", b"")])


def frames(picture: bytes) -> list[bytes]:
    """The pixels of every frame of a PNG or APNG made by this module.

    Raises:
        ValueError: it is another kind of PNG, or damaged.
    """
    found: list[bytearray] = []
    width = height = 0
    for kind, data in chunks(picture):
        if kind == b"IHDR":
            width, height, *kind_of_pixels = struct.unpack(">IIBBBBB", data)
            if kind_of_pixels != [8, 2, 0, 0, 0]:
                raise ValueError("not eight-bit red, green, blue")
        elif kind == b"fcTL" or (kind == b"IDAT" and not found):
            found.append(bytearray())
        if kind in (b"IDAT", b"fdAT"):
            found[-1] += data if kind == b"IDAT" else data[4:]
    return [_unfiltered(zlib.decompress(data), width, height) for data in found]


def chunks(picture: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and data of each chunk.

    Raises:
        ValueError: not a PNG, or a checksum is wrong.
    """
    if not picture.startswith(SIGNATURE):
        raise ValueError("not a PNG")
    at = len(SIGNATURE)
    while at < len(picture):
        (size,) = struct.unpack_from(">I", picture, at)
        kind, data = picture[at + 4 : at + 8], picture[at + 8 : at + 8 + size]
        (checksum,) = struct.unpack_from(">I", picture, at + 8 + size)
        if checksum != zlib.crc32(kind + data):
            raise ValueError(f"chunk {kind!r} is damaged")
        yield kind, data
        at += 12 + size


def _unfiltered(rows: bytes, width: int, height: int) -> bytes:
    length = width * 3 + 1
    if len(rows) != length * height or any(rows[row * length] for row in range(height)):
        raise ValueError("rows are missing, or filtered")
    return b"".join(rows[row * length + 1 : (row + 1) * length] for row in range(height))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
