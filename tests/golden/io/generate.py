"""Small pictures of every kind that invaria::io decodes, with the RGB that Pillow's convert("RGB") gives for each: NAME and NAME.rgb.

Run: python tests/golden/io/generate.py (needs numpy and Pillow). Where Pillow has no 16-bit RGB, the file is written by hand and the expected
bytes are round(v / 257).
"""

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).parent
HEIGHT, WIDTH = 13, 19

rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
RGB = np.stack([rows * 19, columns * 13, (rows * columns) % 256], -1).astype(np.uint8)
ALPHA = (columns * 14 % 256).astype(np.uint8)


def save(name, image, **options):
    image.save(HERE / name, **options)
    (HERE / f"{name}.rgb").write_bytes(np.asarray(Image.open(HERE / name).convert("RGB")).tobytes())


def png16(name, values):
    """A 16-bit RGB PNG, written chunk by chunk."""
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, 2, 0, 0, 0)
    body = b"".join(b"\0" + row.tobytes() for row in values.astype(">u2"))
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND", b"")
    (HERE / name).write_bytes(data)


def main():
    rgb, grey = Image.fromarray(RGB), Image.fromarray(RGB[..., 0])
    save("rgb-420.jpg", rgb, quality=85, subsampling=2)
    save("rgb-444.jpg", rgb, quality=95, subsampling=0)
    save("rgb-422.jpg", rgb, quality=90, subsampling=1)
    save("progressive.jpg", rgb, quality=85, progressive=True)
    save("grey.jpg", grey, quality=85)
    save("cmyk.jpg", Image.fromarray(np.dstack([255 - RGB, ALPHA]), "CMYK"), quality=90)
    save("rgb.png", rgb)
    save("grey.png", grey)
    save("bilevel.png", Image.fromarray(RGB[..., 0] > 100))
    save("palette.png", rgb.quantize(16))
    save("palette-transparent.png", rgb.quantize(16), transparency=3)
    save("rgba.png", Image.fromarray(np.dstack([RGB, ALPHA])))
    save("grey-alpha.png", Image.fromarray(np.dstack([RGB[..., 1], ALPHA]), "LA"))

    deep = (RGB.astype(np.uint16) * 251 + 77).astype(np.uint16)
    png16("rgb16.png", deep)
    (HERE / "rgb16.png.rgb").write_bytes(np.round(deep / 257).astype(np.uint8).tobytes())


main()
