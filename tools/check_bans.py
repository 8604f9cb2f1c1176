#!/usr/bin/env python3
"""Looks for what the style bans. Exits 1 and prints file:line for each violation.

What cannot go at once stands in tools/allowlist/RULE.txt, which may only shrink. A lambda that captures everything is
accepted where it evidently does not outlive its scope: called by name only, passed to a standard algorithm or a visitor,
called on the spot, or marked `// stays local: why`.
"""

import re

import source_text as st

REQUEST_PATH = ("src/http/", "src/stream/", "src/proxy/", "src/router/", "src/upstream/", "src/wasm/", "src/net/",
                "src/filters/")
CODE = ("src/", "include/")

# rule -> (what it says, expression over code without comments and literals, prefixes of paths, excepted prefixes)
CODE_RULES = {
    "exceptions": ("exceptions stay inside src/config", r"\bthrow\b|\btry\s*\{|\bcatch\s*\(", CODE, ("src/config/",)),
    "shared_ptr": ("shared_ptr is for immutable snapshots (shared_ptr<const T>), and for the isolate that its VMs share",
                   r"\b(?:shared_ptr|make_shared)\s*<(?!\s*const\b|\s*(?:V8)?Isolate\b)|\benable_shared_from_this\b", CODE, ()),
    "std_function": ("no std::function on the request path", r"\bstd::(?:move_only_)?function\b", REQUEST_PATH, ()),
    "delete": ("ownership is unique_ptr's; no delete by hand", r"(?<!=)(?<!operator)\s\bdelete\b\s*(?:\[\s*\])?\s*[\w(*:]",
               CODE, ()),
    "class_names": ("no Manager, Util, Helper or Impl classes",
                    r"\b(?:class|struct)\s+\w+(?:Manager|Utils?|Helpers?|Impl)\b(?!\s*;)", CODE, ()),
    "sleep": ("no sleeping: wait for an event with a deadline",
              r"\b(?:sleep_for|sleep_until|usleep|nanosleep|sleep)\s*\(", ("src/", "include/", "test/"), ()),
    "thread_detach": ("a thread has an owner that joins it", r"\.detach\(\)\s*;\s*//\s*thread|std::thread\([^;]*\)\.detach\(",
                      CODE, ()),
}

# rule -> (what it says, expression over the whole text, excepted prefixes)
TEXT_RULES = {
    "machine_paths": ("a path of somebody's machine", r"(?<![\w.$}])/(?:work|root|home/\w+)/[\w.]", ("docker/",)),
    "todo_now": ("TODO(now) is not for main", r"TODO\(now\)", ()),
    "words": ("the text speaks of the project alone",
              r"(?i)\b(?:sub-?agents?|chat ?bots?|language models?|co-authored-by|issue #?\d+|[123] of 3)\b", ()),
}

CAPTURES_ALL = re.compile(r"\[\s*[&=]\s*(?:,[^\]]*)?\](?=\s*(?:\(|\{|mutable|<))")
STAYS_LOCAL = re.compile(r"//\s*stays local")
# What may be given a lambda that captures everything: it is over when the call returns.
SYNCHRONOUS = re.compile(
    r"^std::(?!thread|jthread|async|function|bind|make_|packaged)\S*$|"
    r"(?:^|[.>:_])(?:\w*for_each|\w*_each|each|\w*visit\w*|walk|\w+_if|\w+_of|sort|transform|remove|call_once)$")


def enclosing_callee(code, offset):
    """The name of the function in whose argument list the offset stands, or ''."""
    depth = 0
    for at in range(offset - 1, max(0, offset - 2000), -1):
        char = code[at]
        if char in ")}]":
            depth += 1
        elif char in "({[":
            if depth == 0:
                name = re.search(r"([\w:.>\-]+)(?:<[^<>]*>)?\s*$", code[max(0, at - 120):at]) if char == "(" else None
                return name.group(1) if name else ""
            depth -= 1
        elif char == ";" and depth == 0:
            return ""
    return ""


def called_by_name_only(code, offset):
    """`auto name = [&]...` whose name is afterwards only called, or handed to a synchronous function."""
    start = code.rfind("\n", 0, offset) + 1
    named = re.search(r"auto\s*&{0,2}\s+(\w+)\s*=\s*$", code[max(0, start - 100):offset])
    if not named:
        return False
    name, scope = named.group(1), code[offset:offset + 8000]
    # The scope ends where an unmatched brace closes it.
    depth = 0
    for at, char in enumerate(scope):
        depth += (char == "{") - (char == "}")
        if depth < 0:
            scope = scope[:at]
            break
    for use in re.finditer(rf"(?<![\w.>]){name}\b(?!\s*\()", scope):
        if not SYNCHRONOUS.search(enclosing_callee(code, offset + use.start())):
            return False
    return True


def lambda_hits(path, text, code):
    lines = text.splitlines()
    for match in CAPTURES_ALL.finditer(code):
        line = st.line_of(code, match.start())
        before = code[:match.start()].rstrip()
        # A subscript, an attribute or an array declaration looks alike.
        if before[-1:].isalnum() or before[-1:] in ")]_":
            if not before.endswith("return"):
                continue
        if any(STAYS_LOCAL.search(each) for each in lines[max(0, line - 2):line]):
            continue
        if called_by_name_only(code, match.start()) or SYNCHRONOUS.search(enclosing_callee(code, match.start())):
            continue
        yield line, "[&] and [=] are for lambdas that stay local: list the captures"


def main():
    found = {rule: {} for rule in (*CODE_RULES, *TEXT_RULES, "lambda_captures")}
    for path in st.files("src", "include", "test"):
        text = st.read(path)
        code = st.code_only(text)
        for rule, (says, expression, prefixes, excepted) in CODE_RULES.items():
            if path.startswith(prefixes) and not path.startswith(excepted or "\0"):
                for match in re.finditer(expression, code):
                    start = match.start() + len(match.group(0)) - len(match.group(0).lstrip())
                    found[rule].setdefault(path, []).append((st.line_of(code, start), says))
        if path.startswith(CODE):
            hits = list(lambda_hits(path, text, code))
            if hits:
                found["lambda_captures"][path] = hits
    for path in st.files(".", suffixes=()):
        if path.startswith(("tools/check_bans.py", ".git/")) or path.endswith((".wasm", ".png", ".lock", "LICENSE")):
            continue
        text = st.read(path)
        if "\0" in text:
            continue
        for rule, (says, expression, excepted) in TEXT_RULES.items():
            if not path.startswith(excepted or "\0"):
                for match in re.finditer(expression, text):
                    found[rule].setdefault(path, []).append((st.line_of(text, match.start()), f"{says}: {match.group(0)}"))
    messages = []
    for rule, hits in found.items():
        messages += st.AllowList(rule).judge(hits)
    st.finish("check_bans", messages)


if __name__ == "__main__":
    main()
