"""Runs commands of the OpenStack clients, each in a child of one warm process.

Reads a JSON object per line: {"program": "openstack" or "karbor", "args": [...],
"env": {...}, "dir": "..."}, and answers with one: {"code": N, "out": "...",
"err": "..."}. A child starts with all modules loaded and nothing else, so a
command sees what it would see in a process of its own. With {"program":
"commands"} the answer's "out" holds the names of all commands of the plug-in for
openstack, one per line.
"""

import gc
import importlib
import importlib.metadata
import json
import logging
import os
import sys
import tempfile
import traceback

sys.argv[0] = "/usr/bin/openstack"  # the first shell takes its name from here

import keystoneauth1.loading  # noqa: F401
import openstackclient.shell
import karborclient.shell
import karborclient.v1.client  # noqa: F401
import karborclient.v1.shell  # noqa: F401

GROUP = "openstack.data_protection.v1"


def commands():
    points = importlib.metadata.entry_points(group=GROUP)
    return "".join(sorted(p.name.replace("_", " ") + "\n" for p in set(points)))


def warm():
    """Loads what a command would load, and fills the caches of entry points."""
    for point in importlib.metadata.entry_points(group=GROUP):
        importlib.import_module(point.value.partition(":")[0])
    sys.stdout, out = open(os.devnull, "w"), sys.stdout
    try:
        openstackclient.shell.OpenStackShell().run(["complete"])
    finally:
        sys.stdout.close()
        sys.stdout = out


def run(request):
    """Is the whole life of a child; gives its exit code."""
    logging.getLogger().handlers.clear()  # those of warm
    program, args = request["program"], request["args"]
    sys.argv = ["/usr/bin/" + program] + args
    if program == "openstack":
        return openstackclient.shell.main(args)
    return karborclient.shell.main(args)


def child(request, out, err):
    code = 1
    try:
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        sys.stdin = open(os.devnull)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)
        os.environ.clear()
        os.environ.update(request["env"])
        os.chdir(request["dir"])
        code = run(request) or 0
    except SystemExit as e:
        code = e.code
        if code is None or isinstance(code, str):
            print(code or "", file=sys.stderr)
            code = 1 if code else 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def answer(request):
    if request["program"] == "commands":
        return {"code": 0, "out": commands(), "err": ""}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        pid = os.fork()
        if pid == 0:
            child(request, out, err)
        _, status = os.waitpid(pid, 0)
        texts = []
        for f in (out, err):
            f.seek(0)
            texts.append(f.read().decode("utf-8", "replace"))
    return {"code": os.waitstatus_to_exitcode(status), "out": texts[0], "err": texts[1]}


def main():
    warm()
    gc.freeze()  # so that children share the memory of what is loaded
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


main()
