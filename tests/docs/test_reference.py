"""The reference is complete: Doxygen has no warning, everything public is documented, links lead somewhere.

Independent of LibTorch."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

SOURCE = Path(os.environ["DESCRAMBLE_SOURCE_DIR"])

# What is written in a page and must not be read in it.
MARKUP = {"a code span": r"``", "a link": r"\]\(", "an anchor": r"\{#", "a command": r"(?<!\w)[@\\](ref|throws|source|par)\b"}


def text_of(page):
    """What a person reads in a page, without its code."""
    body = re.sub(r"<(script|style|pre|code)\b.*?</\1>|<div class=\"(line|fragment)\">.*?</div>", "", page, flags=re.DOTALL)
    return re.sub(r"<[^>]*>", "", body)


class Reference(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        out = Path(cls.folder.name)
        settings = "@INCLUDE = docs/reference/Doxyfile\nGENERATE_XML = YES\nXML_PROGRAMLISTING = NO\n"
        cls.made = subprocess.run(["doxygen", "-"], input=settings, capture_output=True, text=True, cwd=SOURCE,
                                  env={**os.environ, "DESCRAMBLE_REFERENCE_DIR": str(out),
                                       "DESCRAMBLE_PYTHON3": sys.executable})
        cls.pages = {path.name: path.read_text(encoding="utf-8") for path in (out / "html").glob("*.html")}
        cls.files = {path.relative_to(out / "html").as_posix() for path in (out / "html").rglob("*")}
        cls.documents = [ElementTree.parse(path).getroot() for path in sorted((out / "xml").glob("*.xml"))]

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_has_no_warnings(self):
        if self.made.stderr or self.made.returncode:
            self.fail(f"doxygen ended with {self.made.returncode}:\n{self.made.stderr}")

    def test_everything_public_is_documented(self):
        """Stricter than Doxygen: a value of an enumeration has its sentence, too, and what throws says more than that."""
        compounds = [one for document in self.documents for one in document.iter("compounddef")]
        hidden = {inner.text + "::" for one in compounds for inner in one.findall("innerclass")
                  if inner.get("prot") == "private"}
        entities = {}
        for one in compounds:
            if one.get("kind") in ("class", "struct"):
                entities[one.findtext("compoundname")] = one
            for member in one.iter("memberdef"):
                if member.get("kind") == "define":
                    continue
                name = member.findtext("qualifiedname") + member.findtext("argsstring", "")
                # A destructor, and what is deleted or defaulted, does what its name says.
                if member.get("prot") != "private" and not re.search(r"~|= ?delete|= ?default", name):
                    entities[name] = member
                    entities |= {f"{name}::{value.findtext('name')}": value for value in member.findall("enumvalue")}
        without = {name for name, entity in entities.items()
                   if not "".join(entity.find("briefdescription").itertext()).strip()
                   and entity.find("reimplements") is None and entity.get("kind") != "friend"
                   and not name.startswith(tuple(hidden))}
        self.assertEqual(without, set())
        print(f"{len(entities)} entities of {len(list((SOURCE / 'include').rglob('*.h')))} headers, "
              f"{len(self.pages)} pages")

    def test_every_concept_lists_its_members_and_leads_to_its_page(self):
        groups = {name: page for name, page in self.pages.items() if name.startswith("group__")}
        self.assertGreater(len(groups), 10)
        for name, page in groups.items():
            self.assertIn("memItemRight", page, f"{name} lists nothing")
            if name != "group__ref__core.html":
                self.assertRegex(page, r'href="page_\w+\.html', f"{name} leads to no page")

    def test_sources_are_marked(self):
        """`@source` makes a heading; "Source:" becomes a link to the class of that name."""
        for header in (SOURCE / "include").rglob("*.h"):
            self.assertNotIn("Source:", header.read_text(encoding="utf-8"), f"{header.name}: write @source")

    def test_links_lead_somewhere(self):
        anchors = {name: set(re.findall(r'\b(?:id|name)="([^"]+)"', page)) for name, page in self.pages.items()}
        links = 0
        for name, page in self.pages.items():
            for target in re.findall(r'\b(?:href|src|data)="([^"]+)"', page):
                if re.match(r"(https?|javascript):", target):
                    continue
                file, _, anchor = target.partition("#")
                file = file or name
                self.assertIn(file, self.files, f"{name} links to {target}")
                if anchor and file in anchors:
                    self.assertIn(anchor, anchors[file], f"{name} links to {target}")
                links += 1
        self.assertGreater(links, 1000)

    def test_loads_nothing_from_elsewhere(self):
        for name, page in self.pages.items():
            self.assertNotRegex(page, r'\b(src|data)="(https?:)?//', name)

    def test_shows_no_markup(self):
        for name, page in self.pages.items():
            for what, pattern in MARKUP.items():
                self.assertNotRegex(text_of(page), pattern, f"{name} shows {what}")

    def test_names_no_folder_of_this_machine(self):
        for name, page in self.pages.items():
            for folder in (str(SOURCE), self.folder.name):
                self.assertNotIn(folder, page, name)


if __name__ == "__main__":
    if shutil.which("doxygen") is None:
        print("not run: doxygen is not installed (Debian: doxygen)")
        sys.exit(77)
    unittest.main(verbosity=2)
