"""What the checks share: the files to look at, C++ text without comments and strings, allow-lists."""

import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CPP = (".cc", ".h")

_TOKEN = re.compile(
    r"""//[^\n]*|/\*.*?\*/|R"([^()\\\s]{0,16})\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])*'""",
    re.S,
)


def files(*folders, suffixes=CPP):
    """Paths relative to the root of all files below the folders, without what git ignores."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard", "--", *folders],
            cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        listed = []
        for folder in folders:
            for base, _, names in os.walk(os.path.join(ROOT, folder)):
                listed += [os.path.relpath(os.path.join(base, name), ROOT) for name in names]
    return sorted(p for p in set(listed)
                  if (not suffixes or p.endswith(suffixes)) and os.path.isfile(os.path.join(ROOT, p)))


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8", errors="replace") as file:
        return file.read()


def code_only(text):
    """The text with comments and the insides of literals blanked; line numbers stay."""
    def blank(match):
        token = match.group(0)
        kept = re.sub(r"[^\n]", " ", token)
        return '""' + kept[2:] if token[0] in "\"R" and len(token) > 1 else kept
    return _TOKEN.sub(blank, text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


class AllowList:
    """tools/allowlist/RULE.txt: lines `path count  # why`. It may only shrink: a count above what is found is an
    error too, and so is one that grew since the last commit."""

    def __init__(self, rule):
        self.rule = rule
        self.path = f"tools/allowlist/{rule}.txt"
        self.entries = self._parse(read(self.path)) if os.path.exists(os.path.join(ROOT, self.path)) else {}

    @staticmethod
    def _parse(text):
        entries = {}
        for line in text.splitlines():
            fields = line.split("#")[0].split()
            if len(fields) == 2:
                entries[fields[0]] = int(fields[1])
        return entries

    def _committed(self):
        shown = subprocess.run(["git", "show", f"HEAD:{self.path}"], cwd=ROOT, capture_output=True, text=True)
        return self._parse(shown.stdout) if shown.returncode == 0 else None

    def judge(self, found):
        """`found`: {path: [(line, text)]}. Returns the messages of what is not allowed."""
        messages = []
        for path, hits in sorted(found.items()):
            if len(hits) > self.entries.get(path, 0):
                messages += [f"{path}:{line}: {text}" for line, text in hits]
        for path, count in sorted(self.entries.items()):
            now = len(found.get(path, []))
            if now < count:
                messages.append(f"{self.path}: {path} has {now} of {count} now: lower the number or take out the line")
        committed = self._committed()
        if committed is not None and sum(self.entries.values()) > sum(committed.values()):
            messages.append(f"{self.path}: grew from {sum(committed.values())} to {sum(self.entries.values())}; "
                            "it may only shrink")
        return messages


def finish(name, messages):
    for message in messages:
        print(message)
    print(f"{name}: {'ok' if not messages else f'{len(messages)} violations'}")
    sys.exit(1 if messages else 0)
