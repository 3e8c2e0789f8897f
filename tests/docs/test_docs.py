"""The schema, the shipped configs, the documentation and the program say the same.

Independent of LibTorch."""

import copy
import functools
import json
import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

import jsonschema

SOURCE = Path(os.environ["DESCRAMBLE_SOURCE_DIR"])
COMMAND = os.environ["DESCRAMBLE_COMMAND"]
CONFIGS = sorted(path for path in (SOURCE / "configs").glob("*.json") if path.name != "schema.json")
PAGES = [SOURCE / "README.md", SOURCE / "models" / "README.md", *sorted((SOURCE / "docs").rglob("*.md"))]

# Folders of one machine. Put together here, so that this file passes its own test.
MACHINE_PATHS = [f"/{folder}/" for folder in ("home", "root", "work", "opt")]


@functools.cache
def helped(*arguments):
    """What `--help` prints, asked for once: LibTorch takes most of a second to start."""
    return descramble(*arguments, "--help").stdout.decode()


def commands(*of):
    """The commands that the help lists, those of commands too: ("run",), ("study", "make")."""
    found = []
    for name in re.findall(r"^  (\w+) {2,}\S", helped(*of).split("Subcommands:")[1], re.MULTILINE):
        inner = commands(*of, name) if "Subcommands:" in helped(*of, name) else []
        found += inner or [(*of, name)]
    return found


def descramble(*arguments):
    return subprocess.run([COMMAND, *map(str, arguments)], capture_output=True)


def read(path):
    return path.read_text(encoding="utf-8")


def code_blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", read(page), re.MULTILINE | re.DOTALL)


def without(document, key):
    return {name: value for name, value in document.items() if name != key}


class Schema(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.text = descramble("kinds", "--schema").stdout
        schema = json.loads(cls.text)
        jsonschema.Draft202012Validator.check_schema(schema)
        cls.validator = jsonschema.Draft202012Validator(schema)

    def test_is_shipped(self):
        self.assertEqual((SOURCE / "configs" / "schema.json").read_bytes(), self.text,
                         "configs/schema.json is not what `descramble kinds --schema` prints")

    def verdicts(self, document):
        """Whether the schema takes the document, and whether the program does."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "config.json"
            file.write_text(json.dumps(document), encoding="utf-8")
            checked = descramble("check", file)
        self.assertIn(checked.returncode, (0, 2), checked.stderr)
        return self.validator.is_valid(document), checked.returncode == 0

    def test_takes_shipped_configs(self):
        self.assertTrue(CONFIGS)
        for config in CONFIGS:
            with self.subTest(config=config.name):
                self.validator.validate(json.loads(read(config)))
                checked = descramble("check", config)
                self.assertEqual(checked.returncode, 0, checked.stderr)
                self.validator.validate(json.loads(checked.stdout))

    def test_refuses_what_the_program_refuses(self):
        first = json.loads(read(SOURCE / "configs" / "first.json"))
        training = json.loads(read(SOURCE / "configs" / "glyph_mlp_train.json"))

        def changed(document, *path, to):
            result = copy.deepcopy(document)
            place = result
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = to
            return result

        smoothness = first["steps"][1]["objective"]
        wrong = {
            "unknown key": changed(first, "sead", to=1),
            "unknown key in a kind": changed(first, "steps", 1, "objective", "centre", to=True),
            "3.7 for an integer": changed(first, "threads", to=3.7),
            "true for an integer": changed(first, "threads", to=True),
            "3.7 for an unsigned integer": changed(first, "seed", to=3.7),
            "negative seed": changed(first, "seed", to=-1),
            "1 for a boolean": changed(first, "steps", 1, "objective", "center", to=1),
            "a number for a string": changed(first, "name", to=3),
            "empty name": changed(first, "name", to=""),
            "out of limits": changed(first, "data", "test", "count", to=0),
            "missing kind": changed(first, "model", to={"path": "model.pt"}),
            "wrong kind": changed(first, "steps", 1, "objective", to={**smoothness, "kind": "smothness"}),
            "kind of another family": changed(first, "model", to={"kind": "smoothness"}),
            "missing field of a kind": changed(first, "model", to={"kind": "torchscript"}),
            "unknown choice": changed(first, "steps", 1, "objective", "stencil", to="fourier"),
            "null without a default": changed(first, "model", to=None),
            "missing steps": without(first, "steps"),
            "empty steps": changed(first, "steps", to=[]),
            "steps and train": {**first, "train": training["train"]},
            "missing name": without(first, "name"),
            "train without test": changed(first, "data", to={"train": first["data"]["train"]}),
            "next version": changed(first, "schema_version", to=2),
            "missing epochs": changed(training, "train", to={"loss": "cross_entropy"}),
            "layer of no kind": changed(training, "model", "layers", 1, to={"name": "fc1", "out": 64}),
            "text in a schedule": changed(training, "train", "schedule", to=["6"]),
            "a list": [first],
        }
        for what, document in wrong.items():
            with self.subTest(what):
                self.assertEqual(self.verdicts(document), (False, False))

    def test_takes_what_the_program_takes(self):
        first = json.loads(read(SOURCE / "configs" / "first.json"))
        right = {
            "null for a default of null": {**first, "dtype": None},
            "largest seed": {**first, "seed": 2**64 - 1},
            "one source": {**first, "data": {"kind": "glyphs"}},
            "without $schema": without(first, "$schema"),
        }
        for what, document in right.items():
            with self.subTest(what):
                self.assertEqual(self.verdicts(document), (True, True))

    def test_is_documented(self):
        page = read(SOURCE / "docs" / "config.md")
        named = set(re.findall(r"`([^`\n]+)`", page))
        schema = self.validator.schema
        fields = set(schema["then"]["properties"]) | set(schema["else"]["properties"])
        fields |= set(schema["then"]["properties"]["train"]["properties"])
        choices = set()
        kinds = set()
        for family in schema["$defs"].values():
            for kind in family["anyOf"]:
                kinds.add(kind["title"])
                fields |= set(kind["properties"])
                for field in kind["properties"].values():
                    for option in [field, *field.get("anyOf", [])]:
                        choices |= {choice for choice in option.get("enum", []) if isinstance(choice, str)}
        quoted = {name.strip('"') for name in named}
        self.assertEqual((fields | kinds | choices) - quoted, set(), "not in docs/config.md")


class Pages(unittest.TestCase):
    def test_commands_exist(self):
        known = commands()
        self.assertIn(("run",), known)
        met = set()
        for page in PAGES:
            for line in "".join(code_blocks(page, "sh")).splitlines():
                words = line.split()
                for word in words:
                    if re.fullmatch(r"(configs|scripts|examples)/\S+|models/\S+\.py", word):
                        self.assertTrue((SOURCE / word).exists(), f"{page.name}: {line}")
                if not words or words[0] != "descramble":
                    continue
                command = next((one for one in known if words[1:1 + len(one)] == list(one)), None)
                self.assertTrue(command, f"{page.name}: {line}")
                met.add(command[0])
                text = helped(*command)
                for option in re.findall(r" (--[a-z]+)", line):
                    self.assertIn(option, text, f"{page.name}: {line}")
        self.assertLessEqual({"run", "train", "verify", "taps", "check"}, met)

    def test_table_of_commands_is_complete(self):
        page = read(SOURCE / "README.md")
        for command in commands():
            row = re.search(rf"^\| `descramble {' '.join(command)}\b([^|]*)`", page, re.MULTILINE)
            self.assertTrue(row, f"README.md has no row for `descramble {command}`")
            options = set(re.findall(r"--\w+", helped(*command))) - {"--help"}
            self.assertEqual(set(re.findall(r"--\w+", row.group(1))), options, command)

    def test_configs_in_blocks_are_the_shipped_ones(self):
        for block in code_blocks(SOURCE / "README.md", "json"):
            document = json.loads(block)
            self.assertEqual(document, json.loads(read(SOURCE / "configs" / f"{document['name']}.json")))

    def test_links_lead_somewhere(self):
        links = 0
        for page in PAGES:
            text = re.sub(r"^```.*?^```$", "", read(page), flags=re.MULTILINE | re.DOTALL)
            for target in re.findall(r"\]\(([^)\s]+)\)", text):
                if re.match(r"[a-z]+:", target):
                    continue
                name, _, anchor = target.partition("#")
                file = page.parent / name if name else page
                self.assertTrue(file.exists(), f"{page.name} links to {target}")
                if anchor:
                    headings = re.findall(r"^#+ (.+)$", read(file), re.MULTILINE)
                    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
                    self.assertIn(anchor, anchors, f"{page.name} links to {target}")
                links += 1
        self.assertGreater(links, 5)

    def test_snippets_are_the_compiled_ones(self):
        regions, on_pages = set(), set()
        for page in (SOURCE / "README.md", *(SOURCE / "docs").glob("*.md")):
            on_pages |= set(code_blocks(page, "cpp"))
        for source in (SOURCE / "examples").glob("*/main.cpp"):
            found = re.findall(r"^( *)// \[snippet[ \w]*\]\n(.*?)^\1// \[/snippet\]$", read(source), re.MULTILINE | re.DOTALL)
            self.assertTrue(found, f"{source} has no marked region")
            for indent, region in found:
                region = re.sub(f"^{indent}", "", region, flags=re.MULTILINE)
                self.assertIn(region, on_pages, f"no page holds a marked region of {source}")
                regions.add(region)
        for block in code_blocks(SOURCE / "docs" / "embedding.md", "cpp"):
            self.assertIn(block, regions, "docs/embedding.md has code that no example compiles")

    def test_objective_of_ones_own_is_the_tested_one(self):
        script = read(SOURCE / "tests" / "build" / "test_new_objective_long.sh")
        kind = re.search(r"^const ObjectiveKind& objective_kind_mean_absolute.*?^}$", script,
                         re.MULTILINE | re.DOTALL).group(0)
        self.assertIn(kind + "\n", code_blocks(SOURCE / "docs" / "objectives.md", "cpp"))

    def test_no_paths_of_one_machine(self):
        listed = subprocess.run(["git", "-c", f"safe.directory={SOURCE}", "-C", SOURCE, "ls-files", "-z"], capture_output=True)
        if listed.returncode != 0:
            self.skipTest("not a git checkout")
        for name in filter(None, listed.stdout.decode().split("\0")):
            file = SOURCE / name
            content = file.read_bytes() if file.is_file() else b"\0"
            if b"\0" in content:
                continue
            for path in MACHINE_PATHS:
                self.assertNotIn(path.encode(), content, f"{name} names a folder of one machine")


if __name__ == "__main__":
    unittest.main(verbosity=2)
