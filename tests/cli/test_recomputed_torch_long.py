"""One number of each kind of step, computed again by PyTorch and NumPy from the weights and the inputs alone:
the MNIST classifier and SqueezeNet, written out here once more. Needs DESCRAMBLE_DATA; takes minutes."""

import csv
import gzip
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
import torch
import torch.nn.functional as F

SOURCE = Path(os.environ["DESCRAMBLE_SOURCE_DIR"])
COMMAND = os.environ["DESCRAMBLE_COMMAND"]
DATA = os.environ.get("DESCRAMBLE_DATA")

if not DATA:
    print("not run: DESCRAMBLE_DATA is not set")
    sys.exit(77)

torch.set_grad_enabled(False)


def run(folder, config):
    """A run's result, its tensors and its curves."""
    file = folder / f"{config['name']}.json"
    file.write_text(json.dumps(config), encoding="utf-8")
    out = folder / config["name"]
    subprocess.run([COMMAND, "run", file, "--out", out, "--quiet"], check=True)
    result = json.loads((out / "result.json").read_text(encoding="utf-8"))
    curves = []
    if (out / "curves.csv").exists():
        with open(out / "curves.csv", encoding="utf-8") as lines:
            curves = list(csv.DictReader(lines))
    return result["steps"], tensors_of(out / "tensors.safetensors"), curves


def tensors_of(file):
    """The safetensors format in a few lines, so that nothing but its description is shared."""
    kinds = {"F64": "<f8", "F32": "<f4", "I64": "<i8", "U8": "|u1"}
    raw = file.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:8 + size])
    result = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        values = numpy.frombuffer(raw[8 + size + begin:8 + size + end], dtype=kinds[entry["dtype"]])
        result[name] = torch.from_numpy(values.reshape(entry["shape"]).copy())
    return result


def idx(name):
    with gzip.open(Path(DATA) / "mnist" / name) as stream:
        raw = stream.read()
    sizes = [int.from_bytes(raw[4 + 4 * i:8 + 4 * i], "big") for i in range(raw[3])]
    values = numpy.frombuffer(raw[4 + 4 * raw[3]:], dtype=numpy.uint8).reshape(sizes)
    return torch.from_numpy(values.copy())


def near(found, expected, relative, what):
    found, expected = float(found), float(expected)
    assert abs(found - expected) <= relative * max(abs(expected), 1e-12), f"{what}: {found}, here {expected}"
    print(f"{what}: {found:.10g}, here {expected:.10g}")


def rows_of(values, channels=False):
    values = values.double()
    return values.movedim(1, -1).flatten(0, -2) if channels else values


def roughness(rows, rotation):
    """Mean over rows of |D P (h - mean)|^2, D the spectral second derivative along the units."""
    turned = (rows - rows.mean(0)) @ rotation.double().T
    d = turned.shape[1]
    frequency = numpy.minimum(numpy.arange(d), d - numpy.arange(d))
    derived = numpy.fft.ifft(numpy.fft.fft(turned.numpy(), axis=1) * -(frequency ** 2), axis=1)
    return (numpy.abs(derived) ** 2).sum(1).mean()


def least_roughness(rows):
    """Largest variance with smallest eigenvalue of the stencil (von Neumann's trace inequality)."""
    d = rows.shape[1]
    stencil = numpy.sort(numpy.minimum(numpy.arange(d), d - numpy.arange(d)).astype(float) ** 4)
    variances = numpy.sort(numpy.linalg.eigvalsh(numpy.cov(rows.numpy().T, bias=True)))[::-1]
    return (stencil * variances).sum()


def check_statistics(step, rows, what):
    near(step["taps"][0]["total_variance"], rows.var(0, unbiased=False).sum(), 1e-9, f"{what} total variance")
    near(step["taps"][0]["mean_norm"], rows.mean(0).norm(), 1e-9, f"{what} norm of the mean")


def check_smoothness(step, rows, rotation, what):
    near(step["objective"]["before"], roughness(rows, torch.eye(rows.shape[1])), 1e-8, f"{what} roughness before")
    near(step["objective"]["after"], roughness(rows, rotation), 1e-8, f"{what} roughness after")
    near(step["objective"]["optimum"], least_roughness(rows), 1e-8, f"{what} least roughness")


def ablated(rows, statistics, count):
    """Rows without their `count` principal components of the largest variance."""
    mean = statistics.mean(0)
    _, vectors = torch.linalg.eigh(torch.cov(statistics.T, correction=0))
    gone = vectors.flip(1)[:, :count]
    return rows - (rows - mean) @ gone @ gone.T


def check_curve(curves, tap, count, accuracy, what):
    point = next(row for row in curves if row["tap"] == tap and row["basis"] == "pca" and
                 row["order"] == "descending" and int(row["ablated"]) == count)
    near(point["top1"], accuracy, 1e-12, f"{what} top-1 without {count} principal components")


def mnist(folder):
    subprocess.run([COMMAND, "train", SOURCE / "configs" / "mnist_mlp_train.json", "--out", folder / "mlp",
                    "--quiet"], check=True)
    file = folder / "mlp" / "model.pt"
    weights = torch.jit.load(file).state_dict()

    def layer(name, value):
        return F.linear(value, weights[name + ".weight"], weights[name + ".bias"])

    def behind_fc1(value):
        return layer("fc3", F.relu(layer("fc2", F.relu(value))))

    def samples(split, count):
        images = idx(f"{split}-images-idx3-ubyte.gz")[:count].float().div(255)
        labels = idx(f"{split}-labels-idx1-ubyte.gz")[:count].long()
        return (images.flatten(1) - 0.1307) / 0.3081, labels

    train, test = samples("train", 3000), samples("t10k", 1000)

    def source(split, count):
        return {"kind": "idx", "images": f"mnist/{split}-images-idx3-ubyte.gz",
                "labels": f"mnist/{split}-labels-idx1-ubyte.gz", "mean": [0.1307], "std": [0.3081], "limit": count}

    def config(name, steps):
        return {"name": name, "model": {"kind": "torchscript", "path": str(file)},
                "data": {"train": source("train", 3000), "test": source("t10k", 1000)}, "steps": steps}

    smoothness = {"kind": "smoothness"}
    chain = {"kind": "jacobian_l1", "taps": ["act1", "act2"], "learn": ["act1"], "samples": 128}
    steps, tensors, curves = run(folder, config("mnist", [
        {"kind": "evaluate"},
        {"kind": "statistics", "taps": "fc1"},
        {"kind": "capture", "taps": "fc1", "limit": 3000},
        {"kind": "descramble", "tap": "fc1", "objective": smoothness},
        {"kind": "compare_solvers", "tap": "fc1", "objective": smoothness, "solvers": [{"kind": "exact"}]},
        {"kind": "completeness", "taps": "fc1", "bases": [{"kind": "pca"}], "grid": {"kind": "linear", "points": 65}},
        {"kind": "jacobian", "from": "act1", "to": "act2", "samples": 64},
        {"kind": "descramble", "objective": chain,
         "solver": {"kind": "riemannian_lbfgs", "max_iterations": 20}}]))

    fc1 = layer("fc1", train[0])
    fc1_test = layer("fc1", test[0])
    outputs = behind_fc1(fc1_test)
    near(steps[0]["top1"], outputs.argmax(1).eq(test[1]).double().mean(), 1e-12, "mnist top-1")
    near(steps[0]["loss"], F.cross_entropy(outputs.double(), test[1]), 1e-5, "mnist loss")
    captured = tensors["steps.2.fc1.values"]
    assert (captured - fc1).abs().max() <= 1e-5 * fc1.abs().max()
    rows = rows_of(captured)  # the last digits of single precision hang on who multiplies
    check_statistics(steps[1], rows, "mnist fc1")
    check_smoothness(steps[3], rows, tensors["steps.3.fc1.rotation"], "mnist fc1")
    near(steps[4]["objective"]["best"], least_roughness(rows), 1e-8, "mnist fc1, best of the solvers")
    count = 4
    accuracy = behind_fc1(ablated(rows_of(fc1_test), rows, count).float()).argmax(1).eq(test[1]).double().mean()
    check_curve(curves, "fc1", count, accuracy, "mnist fc1")

    def jacobians(count):
        """d act2 / d act1 = diag(fc2 > 0) W2."""
        chosen = torch.tensor([i * len(train[0]) // count for i in range(count)])
        mask = layer("fc2", F.relu(fc1[chosen])).gt(0).double()
        return mask.unsqueeze(2) * weights["fc2.weight"].double()

    blocks = jacobians(64)
    near(steps[6]["l1"], blocks.abs().sum((1, 2)).mean(), 1e-6, "mnist sum of |J|")
    near(steps[6]["frobenius"], blocks.square().sum((1, 2)).mean().sqrt(), 1e-6, "mnist norm of J")

    # Half of the samples are held out: those for which i * 64 // 128 steps up are scored, not used.
    held = steps[7]["objective"]["held_out"]["samples"]
    used = steps[7]["objective"]["samples"]
    assert held + used == 128, (held, used)
    all_blocks = jacobians(128)
    kept = torch.tensor([(i + 1) * held // 128 == i * held // 128 for i in range(128)])
    rotation = tensors["steps.7.act1.rotation"].double()
    for name, value in (("before", torch.eye(256, dtype=torch.double)), ("after", rotation)):
        turned = all_blocks[kept] @ value.T
        near(steps[7]["objective"][name], turned.abs().sum((1, 2)).mean(), 1e-6, f"mnist sum of |J P'| {name}")

    run(folder, config("mnist_donor", [{"kind": "capture", "taps": "fc1", "limit": 100}]))
    patched, _, _ = run(folder, config("mnist_patch", [
        {"kind": "patch", "tap": "fc1", "capture": str(folder / "mnist_donor"), "units": list(range(64))}]))
    values = fc1_test[:100].clone()
    values[:, :64] = fc1[:100, :64]
    near(patched[0]["after"]["top1"], behind_fc1(values).argmax(1).eq(test[1][:100]).double().mean(), 1e-12,
         "mnist top-1 with 64 units of others")

    exported = torch.jit.load(folder / "mnist" / "model.pt")
    changed = exported(test[0][:64].reshape(-1, 1, 28, 28))
    assert (changed - outputs[:64]).abs().max() <= 1e-4 * outputs.abs().max()


FIRES = (3, 4, 6, 7, 9, 10, 11, 12)


def squeezenet(folder):
    """SqueezeNet 1.1, as torchvision's source has it."""
    weights = torch.jit.load(Path(DATA) / "models" / "squeezenet1_1.pt").state_dict()

    def convolve(name, value, **more):
        return F.conv2d(value, weights[name + ".weight"], weights[name + ".bias"], **more)

    def expand(name, squeezed):
        value = F.relu(squeezed)
        return torch.cat([F.relu(convolve(name + ".expand1x1", value)),
                          F.relu(convolve(name + ".expand3x3", value, padding=1))], 1)

    def up_to_squeeze_9(images):
        value = F.relu(convolve("features.0", images, stride=2))
        for number in range(2, 9):
            if number in (2, 5, 8):
                value = F.max_pool2d(value, 3, 2, ceil_mode=True)
            else:
                value = expand(f"features.{number}", convolve(f"features.{number}.squeeze", value))
        return convolve("features.9.squeeze", value)

    def behind(squeezed):
        value = expand("features.9", squeezed)
        for number in (10, 11, 12):
            value = expand(f"features.{number}", convolve(f"features.{number}.squeeze", value))
        return F.relu(convolve("classifier.1", value)).mean((2, 3))

    tap, count = "features.9.squeeze", 40
    smoothness = {"kind": "smoothness"}
    steps, tensors, curves = run(folder, {
        "name": "squeezenet",
        "model": {"kind": "torchscript", "path": "models/squeezenet1_1.pt"},
        "data": {"kind": "images", "path": "imagenet200", "labels": "imagenet200/labels.csv", "resize": 256,
                 "crop": 224, "batch_size": 20, "limit": count, "mean": [0.485, 0.456, 0.406],
                 "std": [0.229, 0.224, 0.225]},
        "steps": [
            {"kind": "capture", "taps": ["input", tap], "limit": count},
            {"kind": "evaluate"},
            {"kind": "statistics", "taps": tap},
            {"kind": "descramble", "tap": tap, "objective": smoothness},
            {"kind": "compare_solvers", "tap": tap, "objective": smoothness, "solvers": [{"kind": "exact"}]},
            {"kind": "completeness", "taps": tap, "bases": [{"kind": "pca"}],
             "grid": {"kind": "linear", "points": 9}},
            {"kind": "jacobian", "from": tap, "to": "features.9.expand3x3", "samples": 4, "positions": 3}]})
    images, labels = tensors["steps.0.input.values"], tensors["steps.0.labels"]
    squeezed = up_to_squeeze_9(images)
    assert (tensors[f"steps.0.{tap}.values"] - squeezed).abs().max() <= 1e-4 * squeezed.abs().max()
    outputs = behind(squeezed)
    near(steps[1]["top1"], outputs.argmax(1).eq(labels).double().mean(), 1e-12, "squeezenet top-1")
    near(steps[1]["loss"], F.cross_entropy(outputs.double(), labels), 1e-4, "squeezenet loss")
    rows = rows_of(tensors[f"steps.0.{tap}.values"], channels=True)
    check_statistics(steps[2], rows, "squeezenet squeeze")
    check_smoothness(steps[3], rows, tensors[f"steps.3.{tap}.rotation"], "squeezenet squeeze")
    near(steps[4]["objective"]["best"], least_roughness(rows), 1e-8, "squeezenet squeeze, best of the solvers")
    size = squeezed.shape[1]
    less = ablated(rows, rows, 6).reshape(count, *squeezed.shape[2:], size).movedim(-1, 1).float()
    check_curve(curves, tap, 6, behind(less).argmax(1).eq(labels).double().mean(), "squeezenet squeeze")

    # d expand3x3[:, p] / d squeeze[:, p'] = W[:, :, p' - p + 1] where the squeezed value is positive.
    step = steps[6]
    chosen = torch.tensor([i * count // 4 for i in range(4)])
    kernel = weights["features.9.expand3x3.weight"].double()
    total = 0.0
    height, width = squeezed.shape[2:]
    for place in step["sampled_positions"]:
        y, x = divmod(place, width)
        for dy in range(3):
            for dx in range(3):
                if 0 <= y + dy - 1 < height and 0 <= x + dx - 1 < width:
                    mask = squeezed[chosen, :, y + dy - 1, x + dx - 1].gt(0).double()
                    total += (kernel[:, :, dy, dx].abs().sum(0) * mask).sum().item()
    near(step["l1"], total / (4 * len(step["sampled_positions"])), 1e-6, "squeezenet sum of |J|")

    exported = torch.jit.load(folder / "squeezenet" / "model.pt")
    assert (exported(images[:8]) - outputs[:8]).abs().max() <= 1e-4 * outputs.abs().max()


with tempfile.TemporaryDirectory() as place:
    mnist(Path(place))
    squeezenet(Path(place))
