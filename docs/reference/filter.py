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
    begin = rf"namespace descramble {{  /** @addtogroup {group} */ /** @{{ */"
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


def linked(match, folder):
    picture, text, target = match.groups()
    if re.match(r"[a-z]+:", target):
        return match.group(0)
    name, _, anchor = target.partition("#")
    path = posixpath.normpath(posixpath.join(folder, name)) if name else linked.page
    if picture:
        return f'![ ]({posixpath.basename(path)} "{text}")'
    page = page_of(path)
    if page is None:
        return text if "`" in text else f"``{text}``"
    return f"[{text}](@ref {page}{'_' + anchor if anchor else ''})"


def prepared_prose(text, folder):
    """A stretch of a page without code blocks."""
    spans = []

    def kept(match):
        code = match.group(1)
        name = code.removeprefix("descramble::")
        spans.append(f"[``{code}``](@ref descramble::{name})" if name in types() else f"``{code}``")
        return f"\x00{len(spans) - 1}\x00"

    text = re.sub(r"`([^`\n]+(?:\n[^`\n]+)?)`", kept, text)
    text = re.sub(r"(!?)\[([^\]]+)\]\(([^)\s]+)\)", lambda match: linked(match, folder), text)
    text = re.sub(rf"(?<![\w:/.%])({'|'.join(sorted(types()))})\b", r"%\1", text)
    return re.sub("\x00(\\d+)\x00", lambda match: spans[int(match.group(1))], text)


def prepared_page(text, path):
    page = page_of(path)
    linked.page = path
    folder = posixpath.dirname(path)
    result, prose = [], []

    def flush():
        result.append(prepared_prose("".join(prose), folder))
        prose.clear()

    fenced = blank = indented = False
    for line in text.splitlines(keepends=True):
        fence = line.startswith("```")
        indented = not fenced and line.startswith("    ") and (blank or indented)
        heading = not fenced and re.fullmatch(r"(#+) (.+)\n", line)
        if fenced or fence or indented:
            flush()
            result.append(line)
        elif heading:
            flush()
            level, title = heading.groups()
            anchor = page if level == "#" else anchor_of(page, title)
            result.append(f"{level} {prepared_prose(title, folder)} {{#{anchor}}}\n")
            if level == "#" and folder == "docs":
                lists = [f"@ref {name}" for name, (_, pages, _) in groups().items() if f"@ref {page}" in pages.split(", ")]
                result.append(f"\nClasses and functions: {', '.join(lists)}.\n" if lists else "")
        elif line == "<!-- concepts -->\n":
            flush()
            result.append("| Classes and functions | | Pages |\n|---|---|---|\n")
            result += [f"| @ref {name} | {what} | {pages} |\n" for name, (what, pages, _) in groups().items()]
        else:
            prose.append(line)
        fenced ^= fence
        blank = not line.strip()
    flush()
    return "".join(result)


def main():
    path = Path(sys.argv[1]).resolve().relative_to(ROOT).as_posix()
    text = read(ROOT / path)
    if path.endswith(".h"):
        text = prepared_header(text, group_of(path.removeprefix("include/descramble/")))
    else:
        text = prepared_page(text, path)
    sys.stdout.reconfigure(encoding="utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
