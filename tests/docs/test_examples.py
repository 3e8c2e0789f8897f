"""Each folder of examples/ is a program that was built in the tree, and a project of its own: a copy of it outside the
tree is built against this build, installed into a folder of its own, once with the static library and once with the
shared one. All three do the same."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SOURCE = Path(os.environ["DESCRAMBLE_SOURCE_DIR"])
BUILD = Path(os.environ["DESCRAMBLE_COMMAND"]).parent


def run(*command):
    finished = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if finished.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\nended with {finished.returncode}:\n"
                 f"{finished.stdout}{finished.stderr}")
    return finished.stdout


def cached(name):
    text = (BUILD / "CMakeCache.txt").read_text(encoding="utf-8")
    found = re.search(rf"^{name}:\w+=(.*)$", text, re.MULTILINE)
    return found.group(1) if found else ""


def build(kind, folder, installed):
    """All examples, in one project that only names them. The second kind of library only links them again."""
    run("cmake", "-S", folder, "-B", folder / "build", "-G", cached("CMAKE_GENERATOR"),
        f"-DBUILD_SHARED_LIBS={'ON' if kind == 'shared' else 'OFF'}",
        f"-DCMAKE_BUILD_TYPE={cached('CMAKE_BUILD_TYPE')}",
        f"-DCMAKE_CXX_COMPILER={cached('CMAKE_CXX_COMPILER')}",
        "-DCMAKE_CXX_FLAGS_RELEASE=-O0",  # compiles in half the time; the library is what works
        f"-DCMAKE_CXX_FLAGS={cached('CMAKE_CXX_FLAGS')} -Wall -Wextra -Werror",
        f"-DCMAKE_PREFIX_PATH={installed}", f"-DTorch_DIR={cached('Torch_DIR')}")
    run("cmake", "--build", folder / "build", "--parallel", os.cpu_count())


def copy(examples, folder):
    for example in examples:
        shutil.copytree(example, folder / example.name)
    (folder / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.25)\nproject(examples LANGUAGES C CXX)\n"
        + "".join(f"add_subdirectory({example.name})\n" for example in examples), encoding="utf-8")


def links_shared(program):
    return "libdescramble.so" in run("readelf", "-d", program)


def check_embed(program, folder):
    result = folder / "descrambled.pt"
    output = run(program, SOURCE / "models" / "glyph_mlp.pt", result)
    before, after = map(float, re.search(r"smoothness (\S+) -> (\S+)", output).groups())
    assert after < before / 100, output
    changed = float(re.search(r"function changed by (\S+)", output).group(1))
    assert changed <= 1e-5, output
    assert "fc1" in run(BUILD / "descramble", "taps", result)


def run_own_objective(program, folder, model, tap, data):
    source = folder / "data.json"
    source.write_text(json.dumps(data), encoding="utf-8")
    result = folder / "own.pt"
    output = run(program, model, tap, source, result)
    before, after = map(float, re.search(r"loss (\S+) -> (\S+)", output).groups())
    assert after < before, output
    changed = float(re.search(r"function changed by (\S+)", output).group(1))
    assert changed <= 1e-5, output
    assert f"into {tap}" in output, output
    assert tap in run(BUILD / "descramble", "taps", result)
    print(f"own_objective at {tap} of {Path(model).name}: {before:.4g} -> {after:.4g}, "
          f"function changed by {changed:.1e}")


def check_own_objective(program, folder):
    """A user's lambda: on the shipped classifier, and, with one kind of library, on SqueezeNet and an MNIST MLP where
    their data are."""
    run_own_objective(program, folder, SOURCE / "models" / "glyph_mlp.pt", "fc1", {"kind": "glyphs", "count": 300})
    if links_shared(program):
        return
    data = os.environ.get("DESCRAMBLE_DATA")
    if not data:
        print("not run: own_objective on SqueezeNet and MNIST (DESCRAMBLE_DATA is not set)")
        return
    data = Path(data)
    run_own_objective(program, folder, data / "models" / "squeezenet1_1.pt", "features.3.expand1x1", {
        "kind": "images", "path": str(data / "imagenet200"), "labels": str(data / "imagenet200" / "labels.csv"),
        "crop": 224, "limit": 4, "batch_size": 4, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]})
    trained = folder / "mnist_mlp"
    run(BUILD / "descramble", "train", SOURCE / "configs" / "mnist_mlp_train.json", "--set", "/train/epochs=1",
        "--set", "/data/train/limit=6000", "--quiet", "--out", trained)
    run_own_objective(program, folder, trained / "model.pt", "fc1", {
        "kind": "idx", "images": str(data / "mnist" / "t10k-images-idx3-ubyte.gz"), "limit": 500,
        "mean": [0.1307], "std": [0.3081]})


def run_analyse(program, folder):
    """The shipped classifier on drawn digits, which a capture of its input brings into memory."""
    config = {"name": "digits", "model": {"kind": "torchscript", "path": str(SOURCE / "models" / "glyph_mlp.pt")},
              "data": {"kind": "glyphs", "count": 400},
              "steps": [{"kind": "capture", "taps": "input", "limit": 400}]}
    (folder / "digits.json").write_text(json.dumps(config), encoding="utf-8")
    captured = folder / "digits"
    run(BUILD / "descramble", "run", folder / "digits.json", "--out", captured, "--force", "--quiet")
    data = folder / "data.safetensors"
    rename_tensors(captured / "tensors.safetensors", data,
                   {"steps.0.input.values": "images", "steps.0.labels": "labels"})
    result = folder / "analysed.pt"
    output = run(program, SOURCE / "models" / "glyph_mlp.pt", data, result)
    areas = dict(re.findall(r"^(\w+, descending): area (\S+)$", output, re.MULTILINE))
    assert float(areas["pca, descending"]) < float(areas["neurons, descending"]), output
    for figure in ("roughness", r"sum of \|J\|"):
        before, after = map(float, re.search(rf"{figure} (\S+) -> (\S+)", output).groups())
        assert after < before, output
    assert float(re.search(r"function changed by (\S+)", output).group(1)) <= 1e-4, output
    assert "fc1" in run(BUILD / "descramble", "taps", result)
    return output


def rename_tensors(source, target, names):
    """A safetensors file with some tensors of another, under other names."""
    raw = source.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:8 + size])
    body, entries = b"", {}
    for old, new in names.items():
        begin, end = header[old]["data_offsets"]
        part = raw[8 + size + begin:8 + size + end]
        entries[new] = {**header[old], "data_offsets": [len(body), len(body) + len(part)]}
        body += part
    text = json.dumps(entries).encode()
    target.write_bytes(len(text).to_bytes(8, "little") + text + body)


def check_analyse(program, folder):
    """Fewer than 60 lines without JSON; the same figures from the installed package as in the tree."""
    text = (SOURCE / "examples" / "analyse" / "main.cpp").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 60 and "json" not in text.replace("safetensors", ""), len(text.splitlines())
    return run_analyse(program, folder)


def check_nn_module(program, folder):
    """A torch::nn module: principal components explain more than neurons, and the result says that the whole network ran."""
    output = run(program, "3")
    areas = dict(re.findall(r"^(\w+, descending): area (\S+)$", output, re.MULTILINE))
    assert float(areas["pca, descending"]) < float(areas["neurons, descending"]), output
    assert re.search(r"^how: .+$", output, re.MULTILINE), output
    assert float(re.search(r"sum of \|J\| (\S+)", output).group(1)) > 0, output


def check_concepts(program, folder):
    """Data, moments, rotations and errors: what docs/ shows of them runs and is right."""
    output = run(program, SOURCE / "models" / "glyph_mlp.pt")
    assert "rows 400," in output, output
    component, unit = map(float, re.search(r"explains (\S+), first unit (\S+)", output).groups())
    assert abs(component - unit) < 1e-5, output
    assert float(re.search(r"value changed by (\S+),", output).group(1)) < 1e-5, output
    assert "what: unknown tap 'fc9'" in output and "'fc1'" in output, output


def check_training_loop(program, folder):
    """The probes see the beginning and every tenth step; the training goes as well without them."""
    lines = folder / "probes.jsonl"
    lines.unlink(missing_ok=True)
    output = run(program, SOURCE / "models" / "glyph_mlp.pt", "fc1", lines, "1")
    records = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    assert [(r["step"], r["measure"]) for r in records] == [
        (step, measure) for step in (0, 10, 20) for measure in ("spectrum", "smoothness", "jacobian_l1")], records
    assert re.search(r"^probes: 3 measurements in \S+ s, \S+ % of the \S+ s of the training$", output, re.MULTILINE), output
    assert float(re.search(r"held-out accuracy (\S+)", output).group(1)) > 0.9, output
    refused = subprocess.run([program, SOURCE / "models" / "glyph_mlp.pt", "fc1", lines], capture_output=True, text=True)
    assert refused.returncode == 1 and "the file exists" in refused.stderr, refused.stderr
    assert len(lines.read_text(encoding="utf-8").splitlines()) == len(records)


def check_sparse_training(program, folder):
    """The rotation makes the Jacobian sparse, by more than its size; docs/embedding.md has the run on MNIST."""
    output = run(program, folder / "curves.svg", "1", "2", "0.01")
    for figure in (r"sum of \|J\|", r"the same at equal \|\|J\|\|"):
        before, after = map(float, re.search(rf"{figure} (\S+) -> (\S+)", output).groups())
        assert after < 0.7 * before, output
    assert (folder / "curves.svg").exists() or "gnuplot" in output, output


def check_live_service(program, folder):
    """Each sample that was served was seen."""
    served, seen = map(int, re.search(r"served (\d+), seen (\d+)", run(
        program, SOURCE / "models" / "glyph_mlp.pt", "act1", "1")).groups())
    assert served == seen > 100, (served, seen)


CHECKS = {"analyse": check_analyse, "concepts": check_concepts, "embed": check_embed, "live_service": check_live_service,
          "nn_module": check_nn_module, "own_objective": check_own_objective, "sparse_training": check_sparse_training,
          "training_loop": check_training_loop}


def main():
    examples = sorted(path.parent for path in (SOURCE / "examples").glob("*/CMakeLists.txt"))
    assert {example.name for example in examples} == set(CHECKS), examples
    with tempfile.TemporaryDirectory() as temporary:
        temporary = Path(temporary)
        run("cmake", "--install", BUILD, "--prefix", temporary / "installed")
        copies = temporary / "examples"
        copy(examples, copies)
        in_tree = {}
        for kind in ("tree", "static", "shared"):
            if kind != "tree":
                start = time.monotonic()
                build(kind, copies, temporary / "installed")
                print(f"copies: built with the {kind} library, {time.monotonic() - start:.1f} s")
            for example in examples:
                program = (Path(os.environ["DESCRAMBLE_EXAMPLES"]) / f"example_{example.name}" if kind == "tree" else
                           copies / "build" / example.name / example.name)
                assert links_shared(program) == (kind == "shared"), program
                if kind == "static" and example != examples[0]:
                    continue  # the programs of the tree have run with this library
                start = time.monotonic()
                (temporary / kind).mkdir(exist_ok=True)
                found = CHECKS[example.name](program, temporary / kind)  # what must be the same everywhere
                assert found == in_tree.setdefault(example.name, found), (kind, found, in_tree)
                print(f"{example.name}: run with the {kind} library, {time.monotonic() - start:.1f} s")


main()
