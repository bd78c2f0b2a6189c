"""Writes tests/fuzz/corpus/: small files, whole ones to start from and such as are made to break a reader.

    .deps/python/bin/python tests/fuzz/make_corpus.py
"""
import base64
import hashlib
import io
import json
import shutil
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import h5py
import numpy as np
from PIL import Image

HERE = Path(__file__).resolve().parent
CORPUS = HERE / "corpus"
shutil.rmtree(CORPUS, ignore_errors=True)


def put(target, name, content):
    (CORPUS / target).mkdir(parents=True, exist_ok=True)
    (CORPUS / target / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def picture(kind, **options):
    out = io.BytesIO()
    Image.fromarray(np.arange(8 * 6 * 3, dtype=np.uint8).reshape(6, 8, 3)).save(out, kind, **options)
    return out.getvalue()


def png_chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width, height, data):
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", data) + png_chunk(b"IEND", b"")


jpeg = picture("JPEG", quality=50)
put("image", "whole.jpg", jpeg)
put("image", "progressive.jpg", picture("JPEG", quality=50, progressive=True))
put("image", "whole.png", picture("PNG"))
put("image", "cut.jpg", jpeg[:len(jpeg) * 2 // 3])
size = jpeg.index(b"\xff\xc0") + 5  # behind marker, length and precision
put("image", "65535x65535.jpg", jpeg[:size] + b"\xff\xff\xff\xff" + jpeg[size + 4:])
put("image", "0x0.jpg", jpeg[:size] + bytes(4) + jpeg[size + 4:])
put("image", "2e9x2e9.png", png(2_000_000_000, 2_000_000_000, zlib.compress(b"")))
put("image", "bomb.png", png(8, 6, zlib.compress(bytes(3_000_000), 9)))
put("image", "short-data.png", png(80, 60, zlib.compress(bytes(100))))


def wav(rate=8000, channels=1, bits=16, data=bytes(range(200)), claimed=None, kind=1):
    """A WAV file; `claimed` bytes of data in its header."""
    header = struct.pack("<HHIIHH", kind, channels, rate, rate * channels * bits // 8 % 2**32, channels * bits // 8 % 2**16, bits)
    chunks = b"fmt " + struct.pack("<I", 16) + header + b"data" + struct.pack("<I", len(data) if claimed is None else claimed) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


put("sound", "whole.wav", wav())
put("sound", "stereo-float.wav", wav(channels=2, bits=32, kind=3, data=struct.pack("<40f", *(n / 40 for n in range(40)))))
put("sound", "nan.wav", wav(bits=32, kind=3, data=struct.pack("<4f", 0, float("nan"), float("inf"), 1)))
put("sound", "cut.wav", wav()[:120])
put("sound", "4-gigabytes.wav", wav(claimed=2**32 - 1))
put("sound", "65535-channels.wav", wav(channels=65535))
put("sound", "0-channels.wav", wav(channels=0))
put("sound", "0-hertz.wav", wav(rate=0))
put("sound", "empty.wav", wav(data=b""))
put("sound", "adpcm.wav", wav(bits=4, kind=2))
put("sound", "whole.au", b".snd" + struct.pack(">IIIII", 24, 100, 3, 8000, 1) + bytes(range(100)))
put("sound", "lying.au", b".snd" + struct.pack(">IIIII", 2**31, 2**32 - 1, 3, 8000, 2**31) + bytes(range(100)))


def tar(entries, mode="w"):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, content in entries:
            info = tarfile.TarInfo(name)
            if isinstance(content, tarfile.TarInfo):
                info = content
                content = b""
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def link(name, to, kind):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, to
    return info


put("archive", "whole.tar.gz", tar([("a/one.txt", b"1"), ("b/two.txt", b"22")], "w:gz"))
put("archive", "out.tar", tar([("../../etc/evil", b"1")]))
put("archive", "out-inside.tar", tar([("a/../../evil", b"1")]))
put("archive", "absolute.tar", tar([("/etc/evil", b"1")]))
put("archive", "links.tar", tar([("link", link("link", "/etc/passwd", tarfile.SYMTYPE)), ("hard", link("hard", "../x", tarfile.LNKTYPE))]))
put("archive", "twice.tar", tar([("a", b"1"), ("a", b"2")]))
huge = bytearray(tar([("a", b"1")])[:512])
huge[124:136] = b"\x80" + (1 << 62).to_bytes(11, "big")  # a size in base 256
huge[148:156] = b"        "
huge[148:156] = b"%06o\0 " % sum(huge)
put("archive", "claims-4-EiB.tar", bytes(huge))
nested = tar([("innermost", b"1")], "w:gz")
for level in range(40):
    nested = tar([(f"{level}.tar.gz", nested)], "w:gz")
put("archive", "nested-40.tar.gz", nested)
put("archive", "bomb.tar.gz", tar([("zeros", bytes(30_000_000))], "w:gz"))
for name, entry in (("whole.zip", "a/one.txt"), ("out.zip", "../evil"), ("backslash.zip", "..\\evil")):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(entry, "1" * 100)
    put("archive", name, out.getvalue())
    put("archive", "cut-" + name, out.getvalue()[:-10])


def mat_element(kind, data):
    return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)


def mat(dims, values, flags=6, name=b"labels"):
    array = (mat_element(6, struct.pack("<II", flags, 0)) + mat_element(5, struct.pack(f"<{len(dims)}i", *dims)) +
             mat_element(1, name) + mat_element(9, struct.pack(f"<{len(values)}d", *values)))
    return b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + mat_element(14, array)


put("mat", "whole.mat", mat((1, 3), (1, 2, 3)))
put("mat", "claims-many.mat", mat((1, 2**31 - 1), (1, 2, 3)))
put("mat", "claims-none.mat", mat((0, 2**31 - 1), ()))
put("mat", "negative.mat", mat((-1, 3), (1, 2, 3)))
put("mat", "dimensions-overflow.mat", mat((2**30, 2**30, 2**30), (1, )))
put("mat", "no-dimensions.mat", mat((), (1, )))
put("mat", "struct-overflow.mat", mat((2**30, 2**30, 16), (1, ), flags=2, name=b"synsets"))
put("mat", "cell.mat", mat((1, 3), (1, 2, 3), flags=1))
# Found by libFuzzer: a struct array for which matio keeps no fields.
put("mat", "struct-without-fields.mat", zlib.decompress(base64.b64decode(
    "eNrzdQzxcXRSMNUzUPB1DNFNy8xJVQjISSxJyy/KtVIoyC/OrNBRcC5KTSxJTVHIz7NSCClNVfDLL1MwMlEwNLMytrAyMVEwMjAyYyADMHr68g"
    "OpB0BcMedxckLCi4S0hATmSzIOZ44wMK4JsAvoahTsutm4Y4fReoutSyQ0zh86wC66nSHJf/6DDQrpyszOiyv8xdsK7BUY2Z/+pI5hcxiv5jsc"
    "kOfJ+Lfgzn/5Nye/75+4ULV1KefCnf/S3Y3Zj5w/pxPocXq9hML/4gCx/8eWHXum8mM+81kZAXtbe3VV3c0WzHdlb/w52PKMn3GHvd0NZ0k+hk"
    "g51TMAfjl3qw==")))
# Likewise: more dimensions than memory, for which matio makes room when it reads the header.
many = mat((2**30, 2**30, 16), (1, ), flags=2, name=b"synsets")
put("mat", "claims-dimensions.mat", many[:156] + struct.pack("<I", 0xbe00000c) + many[160:])
long = mat((1, 3), (1, 2, 3))
put("mat", "claims-name.mat", long[:172] + struct.pack("<I", 0xc3000006) + long[176:])
put("mat", "cut.mat", mat((1, 3), (1, 2, 3))[:-9])
put("mat", "compressed-bomb.mat", b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + mat_element(15, zlib.compress(bytes(2_000_000), 9)))

put("cifar", "ten.bin", bytes(3073))
put("cifar", "label.bin", b"\xff" + bytes(3072))
put("cifar", "cut.bin", bytes(3000))
put("cifar", "empty.bin", b"")


def safetensors(header, data=b"", length=None):
    text = header.encode() if isinstance(header, str) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def tensor(shape, begin, end, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


put("safetensors", "whole.safetensors", safetensors({"__metadata__": {"a": "b"}, "x": tensor([2, 1], 0, 8)}, bytes(8)))
put("safetensors", "length-2e63.safetensors", safetensors({}, length=2**63))
put("safetensors", "length-99MB.safetensors", safetensors({}, length=99_000_000))
put("safetensors", "overlap.safetensors", safetensors({"x": tensor([2], 0, 8), "y": tensor([2], 4, 12)}, bytes(12)))
put("safetensors", "overflow.safetensors", safetensors({"x": tensor([2**32, 2**32], 0, 8)}, bytes(8)))
put("safetensors", "outside.safetensors", safetensors({"x": tensor([2], 2**62, 2**62 + 8)}, bytes(8)))
put("safetensors", "negative.safetensors", safetensors({"x": tensor([-2], 8, 0)}, bytes(8)))
put("safetensors", "deep.safetensors", safetensors('{"x":' + "[" * 5000 + "]" * 5000 + "}"))
put("safetensors", "short.safetensors", b"\x01\x00")

manifest = {"name": "birds", "kind": "image-folder", "classes": 2, "splits": [{"name": "train", "path": "train"}, {"name": "test", "path": "test"}]}
put("manifest", "whole.json", json.dumps(manifest))
put("manifest", "table.json", json.dumps({"name": "birds", "kind": "table", "tables": [{"files": ["{shard}/{key}.cls"], "format": "text", "columns": ["class"]}],
                                          "splits": [{"name": "train"}]}))
put("manifest", "deep.json", '{"splits":' + "[" * 5000)
put("manifest", "deep-objects.json", '{"splits":' * 5000)
put("manifest", "twice.json", '{"name":"a","name":"b"}')
put("manifest", "numbers.json", '{"name":"a","classes":1e999,"split_seed":-99999999999999999999}')
put("manifest", "no-utf8.json", b'{"name":"\xff\xfe\x80"}')
put("manifest", "pattern.json", json.dumps(manifest | {"kind": "table", "picture": "{" * 200 + "}"}))
put("manifest", "empty.json", "")

suite = json.loads((HERE.parent / "app/tiny.json").read_text())
axes = [{"name": f"a{n}", "operations": ["hue"]} for n in range(40)]
put("suite", "whole.json", json.dumps(suite))
put("suite", "40-axes.json", json.dumps(suite | {"axes": axes}))
put("suite", "long-corner.json", json.dumps(suite | {"encoders": [{"name": "x", "corners": ["1" * 1000]}]}))
put("suite", "grid.json", json.dumps(suite | {"downstream": {"grid_per_axis": 2**62}}))
put("suite", "types.json", json.dumps(suite | {"tasks": {"name": []}, "arms": 3, "encoder_seeds": [-1, 1.5, None]}))
put("suite", "defaults.json", json.dumps(suite | {"encoder_defaults": {"pretraining": {"model": [[]]}}, "task_defaults": 7}))
put("suite", "names.json", json.dumps(suite | {"encoders": [{"name": "../../x"}, {"name": ""}, {"name": "../../x"}]}))
put("suite", "deep.json", '{"axes":' + "[" * 5000)



def checkpoint(log, monitor="[]"):
    """One whose hash is right, whatever it says."""
    metadata = {"log_texts": log, "monitor_texts": monitor}
    hashed = "".join(f"{key}\t{text}\n" for key, text in sorted(metadata.items())) + "log/x\tF32\t[2]\n"
    metadata["content_hash"] = hashlib.sha256(hashed.encode() + bytes(8)).hexdigest()
    return safetensors({"__metadata__": metadata, "log/x": tensor([2], 0, 8)}, bytes(8))


column = {"name": "x", "units": "", "long_name": ""}
put("checkpoint", "no-columns.safetensors", checkpoint("[]"))
put("checkpoint", "wrong-hash.safetensors", checkpoint("[]").replace(b"[2]", b"[2] ", 1))
put("checkpoint", "no-metadata.safetensors", safetensors({"x": tensor([2], 0, 8)}, bytes(8)))
put("checkpoint", "no-json.safetensors", checkpoint("[{"))
put("checkpoint", "no-list.safetensors", checkpoint("{}"))
put("checkpoint", "no-name.safetensors", checkpoint('[{"units":""}]'))
put("checkpoint", "number-for-name.safetensors", checkpoint('[{"name":1}]'))
put("checkpoint", "float-column.safetensors", checkpoint(json.dumps([column])))
put("checkpoint", "column-twice.safetensors", checkpoint(json.dumps([column | {"texts": ["a"]}] * 2)))
put("checkpoint", "columns-unlike.safetensors", checkpoint(json.dumps([column | {"texts": ["a"]}, column | {"name": "y", "texts": []}])))
put("checkpoint", "empty.safetensors", b"")

put("table", "whole.csv", 'file,class\na.jpg,"cat, big"\nb.jpg,dog\n')
put("table", "open-quote.csv", 'file,class\na.jpg,"cat\n')
put("table", "longer-row.csv", "file,class\na,b,c\n")
put("table", "twice.csv", "file,file\na,b\n")
put("table", "zero.csv", b"file,class\n\0\xff,\0\n")
put("table", "columns.csv", "," * 20_000 + "\n")

put("segment", "empty.h5", b"")
put("segment", "no-checksum.h5", b"\x89HDF\r\n\x1a\n" + bytes(200))
# A whole one, as a run writes it: HDF5 with its SHA-256 behind it.
out = io.BytesIO()
with h5py.File(out, "w") as file:
    file.attrs["schema"] = 1
    file.create_group("jobs")
content = out.getvalue()
put("segment", "foreign.h5", content + hashlib.sha256(content).hexdigest().encode())
print(sum(path.stat().st_size for path in CORPUS.rglob("*.*")) // 1024, "KiB")
