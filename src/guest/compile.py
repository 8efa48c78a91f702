# Compiles the sources whose paths come over stdin, NUL between them. Answers over stdout, each part with its length before
# it: the source, where its bytecode belongs, the bytecode; the latter two are empty for what does not compile.
import sys

sys.path[:] = [place for place in sys.path if place]
import os
import warnings
from importlib import _bootstrap_external as external
from importlib.util import cache_from_source, source_hash

warnings.simplefilter("ignore")
answer = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)


def put(part):
    answer.write(len(part).to_bytes(4, "big"))
    answer.write(part)


for path in filter(None, sys.stdin.buffer.read().split(b"\0")):
    name = os.fsdecode(path)
    try:
        with open(path, "rb") as source:
            text = source.read()
        code = external.SourceFileLoader("module", name).source_to_code(text, name)
        # As py_compile does it; unchecked, so that times and a source that cannot be read do not matter.
        made = external._code_to_hash_pyc(code, source_hash(text), False)
        place = os.fsencode(cache_from_source(name))
    except Exception:
        made = place = b""
    for part in (path, place, made):
        put(part)
answer.flush()
