"""Prepares a file for Doxygen: prints a header, or a page of the documentation, as Doxygen takes it.

A header's declarations join the group of their concept, which groups.dox names. In a page, headings
get the anchors that they have elsewhere, links between pages become references, types in code spans
become links, and links to files that are no pages become their text.
"""

import functools
import posixpath
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GROUPS = ROOT / "docs" / "reference" / "groups.dox"
INCLUDE = ROOT / "include" / "descramble"

# Pages that are called otherwise among the others than on their own.
TITLES = {"README.md": "The README", "models/README.md": "The shipped models"}


def read(path):
    return path.read_text(encoding="utf-8")


@functools.cache
def groups():
    """Group → (what it is, its pages, its headers)."""
    found = {}
    for name, text in re.findall(r"@defgroup (\w+) .*\n((?:///.*\n)+)", read(GROUPS)):
        summary, headers = text.replace("/// ", "").split("///\nHeaders: ")
        what, _, pages = summary.replace("\n", " ").strip(". ").partition(": ")
        found[name] = what, pages, headers.strip().split(", ")
    return found


def group_of(header):
    """The group whose headers name this one, or its folder."""
    named = {entry: name for name, (_, _, headers) in groups().items() for entry in headers}
    for entry in (header, header.split("/")[0]):
        if entry in named:
            return named[entry]
    sys.exit(f"docs/reference/groups.dox: no group has the header {header}")


def prepared_header(text, group):
    """The text with everything inside its namespace in the group; lines keep their numbers."""
    begin = f"namespace descramble {{  /** @addtogroup {group} */ /** @{{ */"
    text, count = re.subn(r"^namespace (?:\[\[.*\]\] )?descramble \{$", begin, text, flags=re.MULTILINE)
    return re.sub(r"^\}(?=.*\s*\Z)", "/** @} */ }", text, flags=re.MULTILINE) if count else text


@functools.cache
def types():
    """Names of the public types."""
    names = set()
    for header in INCLUDE.rglob("*.h"):
        names |= set(re.findall(r"^(?:class|struct|enum class|using) (\w+)(?: final)?(?= :| \{| =)",
                                read(header), re.MULTILINE))
    return names


def page_of(path):
    """The reference of a page, for a path relative to the project's folder; None: it is no page."""
    if path == "README.md":
        return "page_readme"
    if path == "models/README.md":
        return "page_model_files"
    if match := re.fullmatch(r"docs/(?:reference/)?(\w+)\.md", path):
        return "page_" + match.group(1)
    return None


def anchor_of(page, heading):
    """The anchor of a heading, made as everywhere: lower case, hyphens, no punctuation."""
    return page + "_" + re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def title_of(path, page, anchor):
    """The title of a page, or of the section that has the anchor."""
    titles = [title.replace("`", "") for title in re.findall(r"^#+ (.+)$", read(ROOT / path), re.MULTILINE)]
    sections = [title for title in titles[1:] if anchor and anchor_of(page, title) == f"{page}_{anchor}"]
    return sections[0] if sections else TITLES.get(path, titles[0])


class Page:
    def __init__(self, path):
        self.path = path
        self.name = page_of(path)
        self.codes = []

    def keep(self, match):
        """Takes a code span out of the text, so that nothing else changes it."""
        self.codes.append(match.group(1))
        return f"\x00{len(self.codes) - 1}\x00"

    def code(self, match):
        """A code span; a link if it is the name of a type."""
        code = self.codes[int(match.group(1))]
        name = code.removeprefix("descramble::")
        return f"[{code}](@ref descramble::{name})" if name in types() else f"``{code}``"

    def link(self, match):
        picture, text, target = match.groups()
        if re.match(r"[a-z]+:", target):
            return match.group(0)
        name, _, anchor = target.partition("#")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(self.path), name)) if name else self.path
        if picture:
            return f'![ ]({posixpath.basename(path)} "{text}")'
        text = re.sub("\x00(\\d+)\x00", lambda code: self.codes[int(code.group(1))], text)
        page = page_of(path)
        if page is None:
            return f"``{text}``"
        if text.endswith(".md"):  # the file's name, which means nothing here
            text = title_of(path, page, anchor)
        return f"[{text}](@ref {page}{'_' + anchor if anchor else ''})"

    def prose(self, text):
        """A stretch without headings and code blocks."""
        text = re.sub(r"`([^`\n]+(?:\n[^`\n]+)?)`", self.keep, text)
        text = re.sub(r"(!?)\[([^\]]+)\]\(([^)\s]+)\)", self.link, text)
        # Doxygen would link every word that is also a type: "Model" at the beginning of a sentence.
        text = re.sub(rf"(?<![\w:/.%])({'|'.join(sorted(types()))})\b", r"%\1", text)
        return re.sub("\x00(\\d+)\x00", self.code, text)

    def heading(self, level, title):
        title = title.replace("`", "")
        if level != "#":
            return f"{level} {title} {{#{anchor_of(self.name, title)}}}\n"
        lists = [f"@ref {group}" for group, (_, pages, _) in groups().items()
                 if f"@ref {self.name}" in pages.split(", ") and self.path not in TITLES]
        return (f"# {TITLES.get(self.path, title)} {{#{self.name}}}\n\n"
                + (f"Classes and functions: {', '.join(lists)}.\n\n" if lists else "") + "[TOC]\n")

    def prepared(self, text):
        result, prose = [], []

        def add(piece=""):
            result.append(self.prose("".join(prose)))
            prose.clear()
            result.append(piece)

        fenced = blank = indented = False
        for line in text.splitlines(keepends=True):
            fence = line.startswith("```")
            indented = not fenced and line.startswith("    ") and (blank or indented)
            heading = None if fenced else re.fullmatch(r"(#+) (.+)\n", line)
            if fenced or fence or indented:
                add(line)
            elif heading:
                add(self.heading(*heading.groups()))
            elif line == "<!-- concepts -->\n":
                add(table_of_concepts())
            else:
                prose.append(line)
            fenced ^= fence
            blank = not line.strip()
        add()
        return "".join(result)


def table_of_concepts():
    rows = [f"| @ref {name} | {what} | {pages} |\n" for name, (what, pages, _) in groups().items()]
    return "| Classes and functions | | Pages |\n|---|---|---|\n" + "".join(rows)


def main():
    path = Path(sys.argv[1]).resolve().relative_to(ROOT).as_posix()
    text = read(ROOT / path)
    if path.endswith(".h"):
        text = prepared_header(text, group_of(path.removeprefix("include/descramble/")))
    else:
        text = Page(path).prepared(text)
    sys.stdout.reconfigure(encoding="utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
