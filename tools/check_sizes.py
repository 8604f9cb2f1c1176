#!/usr/bin/env python3
"""Size gates: headers and sources in lines, functions in lines.

Prints a warning beyond a soft gate; exits 1 beyond a hard one. Exceptions stand in tools/allowlist/sizes.txt.
"""

import re

import source_text as st

GATES = {".h": (200, 400), ".cc": (400, 800)}
FUNCTION_LINES = 80
# A function starts on a line that opens a brace after an argument list and ends with a brace at the same indentation:
# the formatter guarantees it.
OPENS = re.compile(r"^( {0,4})(?![ }#])(?!(?:namespace|class|struct|enum|union|extern|if|for|while|switch|do|else|case)\b)"
                   r".*\{$")


def functions(lines):
    """Yields (first line, length) of each function, innermost class members included."""
    at = 0
    while at < len(lines):
        match = OPENS.match(lines[at])
        if match and not re.search(r"=\s*\{$|\b(?:class|struct|enum|union|namespace)\b[^()]*\{$", lines[at]):
            end = at + 1
            # A constructor's list of initialisers stands four columns to the right of its brace.
            indent = match.group(1)[4:] if lines[at].lstrip().startswith(": ") else match.group(1)
            closing = re.compile(rf"^{indent}\}}")
            while end < len(lines) and not closing.match(lines[end]):
                end += 1
            if end < len(lines) and "(" in "".join(lines[max(0, at - 4):at + 1]) and not re.search(r"^\s*\}[;,]", lines[end]):
                yield at + 1, end - at + 1
                at = end
        at += 1


def main():
    found, warnings = {}, []
    for path in st.files("src", "include", "test"):
        text = st.read(path)
        lines = st.code_only(text).splitlines()
        suffix = path[path.rindex("."):]
        soft, hard = GATES[suffix]
        if len(lines) > hard:
            found.setdefault(path, []).append((1, f"{len(lines)} lines; the gate is {hard}"))
        elif len(lines) > soft:
            warnings.append(f"{path}: {len(lines)} lines; the soft gate is {soft}")
        if path.startswith("test/"):
            continue
        for line, length in functions(lines):
            if length > FUNCTION_LINES:
                found.setdefault(path, []).append((line, f"a function of {length} lines; the gate is {FUNCTION_LINES}"))
    if warnings:
        print(f"check_sizes: {len(warnings)} files beyond a soft gate, the largest:")
        for warning in sorted(warnings, key=lambda w: -int(w.split(": ")[1].split()[0]))[:5]:
            print(f"  {warning}")
    st.finish("check_sizes", st.AllowList("sizes").judge(found))


if __name__ == "__main__":
    main()
