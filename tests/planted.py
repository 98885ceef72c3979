"""Secrets where a user may have them, and the files that a project has written them to."""

import base64
import os
import re
import sqlite3
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from tests.clone import Clone

# In every secret. It is not in this file, which is in the clone too.
MARK = "terceSdetn4lp"[::-1]
PLANTED = {
    "params.yaml": f"\n# api_key: {MARK}1\n# token: {MARK}2 (ask Ann)\n",
    "pipeline/stages/track_all.py": f'TOKEN: str = "{MARK}3"  # password: {MARK}4\n',
    "pipeline/serve.py": f'\npassword = "{MARK}5"\nconnect = "postgresql://ann:{MARK}6@db/x"\n',
    "conf/model/linear.yaml": f"\n# password: {MARK}7\n",
    ".env": f"PASSWORD={MARK}8\n",
    "notes.txt": f"the password is {MARK}9\n",
}
ENVIRONMENT = {
    "AWS_SECRET_ACCESS_KEY": f"{MARK}/10+", "DEPLOY_TOKEN": f"{MARK}11", "ACME": f"{MARK}12",
}  # fmt: skip
URL = f"http://ann:{MARK}%2F13@127.0.0.1:9"


class PlantedClone(Clone):
    """A clone with secrets, which keeps what its commands print."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.git("remote", "add", "origin", f"https://ann:{MARK}14@example.org/a.git")
        for name, text in PLANTED.items():
            with (root / name).open("a", encoding="utf-8") as file:
                file.write(text)

    def environment(self) -> dict[str, str]:
        return super().environment() | ENVIRONMENT

    def run(
        self, *command: str, check: bool = True, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        done = super().run(*command, check=check, environment=environment)
        if command[0] != "git":
            with (self.root / "printed.txt").open("a", encoding="utf-8") as file:
                file.write(done.stdout + done.stderr)
        return done

    def leaks(self) -> list[str]:
        """The files that have a secret, but for those of the user."""
        plain = re.escape(MARK).encode()
        # In base64, a text has three forms, apart from its ends.
        coded = [base64.b64encode(b"x" * n + MARK.encode())[4:-4] for n in range(3)]
        secret = re.compile(b"|".join([plain, *map(re.escape, coded)]), re.IGNORECASE)
        return [
            name
            for path in sorted(self.root.rglob("*"))
            if path.is_file() and (name := path.relative_to(self.root).as_posix()) not in PLANTED
            and not name.startswith(".git/") and any(map(secret.search, _contents(path)))
        ]  # fmt: skip


def _contents(path: Path) -> Iterator[bytes]:
    """The bytes of a file, and what is packed in it."""
    content = path.read_bytes()
    yield os.fsencode(path) + content
    if content.startswith(b"SQLite format 3"):
        with closing(sqlite3.connect(path)) as database:
            yield "\n".join(database.iterdump()).encode()
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield from map(archive.read, archive.namelist())
