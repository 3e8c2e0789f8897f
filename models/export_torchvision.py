#!/usr/bin/env python3
"""Exports an image classifier of torchvision to a TorchScript file that descramble reads.

    export_torchvision.py alexnet                             scripted, ImageNet weights, alexnet.pt
    export_torchvision.py resnet18 --trace --out runs/r18.pt
    export_torchvision.py vit_b_16 --weights none             random weights from seed 0
    export_torchvision.py squeezenet1_1 --weights FILE.pth    weights that torch.save wrote
    export_torchvision.py --list                              the names of all models

It needs torchvision (`pip install torch torchvision`), whose version must match PyTorch's.
"""

import argparse
import contextlib
import difflib
import math
import pathlib
import sys
import tempfile
import warnings
from typing import Optional


def fail(message):
    """Ends with one line on stderr: exit code 1."""
    sys.exit("error: " + " ".join(str(message).split()))


def first_line(problem):
    return (str(problem).strip() or type(problem).__name__).splitlines()[0]


try:
    import torch
    import torchvision
    from torch import Tensor
except ImportError as problem:
    fail(f"{problem}; `pip install torch torchvision` installs what is needed")
except (OSError, RuntimeError) as problem:  # built for another PyTorch
    fail(f"torchvision cannot be imported; it must match PyTorch's version: {first_line(problem)}")


def load_weights(model, name, path):
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # an unpickler fed with other bytes raises anything
        state = None
    if not isinstance(state, dict):
        fail(f"{path} is no file of weights: expected what torch.save(model.state_dict()) writes")
    expected = model.state_dict()
    for key, tensor in expected.items():
        if key not in state:
            if key.endswith("num_batches_tracked"):  # files of before PyTorch 0.4.1 lack it
                continue
            fail(f"{path} does not fit {name}: it lacks {key}")
        shape = list(getattr(state[key], "shape", []))
        if shape != list(tensor.shape):
            fail(f"{path} does not fit {name}: {key} expected {list(tensor.shape)}, found {shape}")
    for key in state:
        if key not in expected:
            fail(f"{path} does not fit {name}: it has {key}, which {name} has not")
    model.load_state_dict(state, strict=False)


def build(name, weights):
    """The model in eval mode, and the preprocessing that its weights were trained with."""
    known = torchvision.models.list_models(module=torchvision.models)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3)
        fail(f"torchvision has no classifier `{name}`"
             + (f"; near: {', '.join(near)}" if near else "; --list prints the names"))
    published = torchvision.models.get_model_weights(name)
    torch.manual_seed(0)
    if weights in [entry.name for entry in published] + ["DEFAULT"]:
        chosen = published[weights]
        try:
            model = torchvision.models.get_model(name, weights=chosen)
        except (OSError, RuntimeError) as problem:  # no network, or a damaged download
            fail(f"cannot get the weights {chosen} from {chosen.url}: {first_line(problem)}; "
                 "give --weights FILE.pth or --weights none")
        return model.eval(), chosen.transforms()
    model = torchvision.models.get_model(name, weights=None)
    if weights == "none":
        for layer in model.modules():  # ViT's head starts at zero, and so would its outputs
            if isinstance(layer, torch.nn.Linear) and not layer.weight.any():
                torch.nn.init.normal_(layer.weight, std=0.02)
    else:
        if not pathlib.Path(weights).is_file():
            fail(f"--weights {weights}: expected none, a file, or one of DEFAULT, "
                 + ", ".join(entry.name for entry in published))
        load_weights(model, name, weights)
    return model.eval(), published.DEFAULT.transforms()


def plain_attention(query: Tensor, key: Tensor, value: Tensor, mask: Optional[Tensor] = None,
                    dropout: float = 0.0, causal: bool = False) -> Tensor:
    assert dropout == 0.0 and not causal
    scores = torch.matmul(query, key.transpose(-2, -1)) / math.sqrt(query.size(-1))
    if mask is not None:
        scores = scores + mask
    return torch.matmul(torch.softmax(scores, dim=-1), value)


@contextlib.contextmanager
def attention_in_plain_operators():
    """LibTorch before 2.0 lacks the fused operator, and its shortcut for inference, which a trace
    without gradients records, has no derivative."""
    fused = torch.nn.functional.scaled_dot_product_attention
    shortcut = torch.backends.mha.get_fastpath_enabled()
    torch.nn.functional.scaled_dot_product_attention = plain_attention
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.nn.functional.scaled_dot_product_attention = fused
        torch.backends.mha.set_fastpath_enabled(shortcut)


def export(model, trace, shape):
    """The TorchScript module, its outputs for two batch sizes held against the model's."""
    try:
        with attention_in_plain_operators():
            module = torch.jit.trace(model, torch.randn(2, *shape)) if trace \
                else torch.jit.script(model)
    except Exception as problem:  # whatever a model holds that TorchScript does not know
        fail(f"the model cannot be {'traced' if trace else 'scripted'}: {first_line(problem)}; "
             f"try {'--script' if trace else '--trace'}")
    for batch in (1, 3):
        images = torch.randn(batch, *shape)
        with torch.no_grad():
            expected, received = model(images), module(images)
        if isinstance(received, tuple):  # scripted, the Inceptions return auxiliary logits as well
            received = received[0]
        largest = expected.abs().max().item()
        difference = (expected - received).abs().max().item()
        if difference > 1e-4 * largest:
            fail(f"the TorchScript module differs from the model at batch size {batch}: by "
                 f"{difference:.1e} where outputs reach {largest:.1e}")
    return module


def save(module, path):
    """Writes a whole file or none; the archive holds its file's name, so that stays the same."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        draft = pathlib.Path(folder) / path.name
        module.save(str(draft))
        draft.replace(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", metavar="MODEL", help="alexnet, resnet18, vit_b_16 ...")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--script", action="store_true", help="compile the source (default)")
    how.add_argument("--trace", action="store_true", help="record one run")
    parser.add_argument("--weights", default="DEFAULT", metavar="DEFAULT|none|FILE.pth",
                        help="published weights, random ones, or a state dict (default: DEFAULT)")
    parser.add_argument("--out", type=pathlib.Path, metavar="FILE", help="default: MODEL.pt")
    parser.add_argument("--list", action="store_true", help="print the names of all models")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(torchvision.models.list_models(module=torchvision.models)))
        return
    if arguments.model is None:
        parser.error("expected the name of a model")

    warnings.simplefilter("ignore")  # about TorchScript itself, and constants in a trace
    model, preprocessing = build(arguments.model, arguments.weights)
    side = preprocessing.crop_size[0]
    module = export(model, arguments.trace, (3, side, side))
    path = arguments.out or pathlib.Path(f"{arguments.model}.pt")
    try:
        save(module, path)
    except (OSError, RuntimeError) as problem:
        fail(f"cannot write {path}: {first_line(problem)}")

    how = "traced" if arguments.trace else "scripted"
    print(f"{path}: {arguments.model}, {how}, weights {arguments.weights}, "
          f"{path.stat().st_size / 2**20:.1f} MiB")
    print(f"input: N,3,{side},{side} float32, from [0, 1] RGB: shorter side to "
          f"{preprocessing.resize_size[0]} ({preprocessing.interpolation.value}), central crop")
    print(f"normalisation: mean {list(preprocessing.mean)}, std {list(preprocessing.std)}")


if __name__ == "__main__":
    main()
