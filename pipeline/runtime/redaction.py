"""Passwords, tokens and keys, removed from text that is printed or recorded."""

import re

HIDDEN = "***"
# A string that is a secret by its form. What precedes the secret is the group `kept`.
_BY_FORM = [
    # Of a web address, a user name alone may be a token.
    r"(?P<kept>https?://)[^\s/\"']{1,500}(?=@)",
    r"(?P<kept>://[^\s/@:\"'\[]{0,100}:)(?!\d{1,5}/)[^\s\"']{1,500}(?=@)",
    r"(?P<kept>[?&](?:password|passwd|pwd|(?:access_)?token|api_key|sig|secret)=)[^&\s\"'#]+",
    r"(?P<kept>\bauthorization[\"']?\s*[:=]\s*[\"']?(?:(?:basic|bearer|token)\s+|(?!basic|bearer|token)))[^\s\"']{4,}",
    r"(?P<kept>\bbearer\s+)[\w.~+/=-]{8,}",
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    r"\b(?:gh[pousr]_|hf_|npm_|[sr]k_(?:live|test)_|sk-(?:proj-|ant-)?)(?=[a-z]*\d)[a-z\d]{20,}",
    r"\b(?:github_pat_\w{20,}|glpat-[\w-]{20,}|xox[a-z]-[\w-]{10,}|pypi-Ag[\w-]{16,})",
    r"\bAIza[\w-]{35}",
    r"\bdapi[0-9a-f]{32}",
    r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]+",
]
_FORM = [re.compile(pattern, re.IGNORECASE) for pattern in _BY_FORM]
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL
)
_NAME = (
    r"(?:password|passwd|passphrase|pwd|(?<![a-z])pass|secret|token|credentials?"
    r"|(?:api|access|secret|private|account|encryption|auth)[_-]?key|(?-i:(?<![A-Z])KEY))(?:_?(?:id|base|\d+))?[\"']?"
)
# A value that has the name of a secret: quoted, also after a type, or a word after `=`, or the last
# word after `:` or one with a digit. KEY=VALUE is how settings are written in general.
_ASSIGNED = re.compile(
    rf"(?P<kept>{_NAME}(?:\s*[:=]\s*(?=[\"'])|:\s*[\w .|\[\]]{{1,40}}=\s*(?=[\"'])|="
    rf"|\s+=\s+(?=\S{{1,200}}\s*(?:[#;].*)?$)"
    rf"|:\s+(?=[^\s{{}}\[\],]{{6,}}\s*(?:#.*)?$|[^\s{{}}\[\],\d]*\d)(?=[^\s{{}}\[\],]{{6,}})))"
    r"(?!(?:None|True|False|null|values?)\b)"
    r"(?:\"[^\"\n]+\"|'[^'\n]+'|[^\s\"'()\[\]{},;&$<]+(?=[\s,;&\"'}]|$))",
    re.IGNORECASE | re.MULTILINE,
)


def redact(text: str) -> str:
    """text with *** for each part that is a secret by its form: the password of a URL, a
    provider's token, a private key.

    Examples
    --------
    >>> redact("postgresql://ann:s3cret@db.example.org/runs cannot be reached")
    'postgresql://ann:***@db.example.org/runs cannot be reached'
    """
    text = _PRIVATE_KEY.sub(_hide_lines, text)
    for pattern in _FORM:
        text = pattern.sub(_hide, text)
    return text


def redact_assignments(text: str) -> str:
    """The same, with *** also for each value whose name is that of a secret, as in a file of
    settings. For code and settings only: in a sentence, a column may be called `password`.

    Examples
    --------
    >>> redact_assignments("DB_PASSWORD=s3cret")
    'DB_PASSWORD=***'
    """
    return _ASSIGNED.sub(_hide, redact(text))


def redact_code(text: str) -> str:
    """The same for Python code, which stays code: of the values that have the name of a secret,
    only those in quotes or in a comment.

    Examples
    --------
    >>> redact_code("password = 's3cret'; token = read()")
    "password = '***'; token = read()"
    """

    def hide(found: re.Match[str]) -> str:
        value = found[0].removeprefix(found["kept"])
        if value[0] in "\"'":
            return found["kept"] + value[0] + HIDDEN + value[0]
        line = found.string[found.string.rfind("\n", 0, found.start()) + 1 : found.start()]
        return _hide(found) if "#" in line else found[0]

    return _ASSIGNED.sub(hide, redact(text))


def _hide(found: re.Match[str]) -> str:
    return found.groupdict().get("kept", "") + HIDDEN


def _hide_lines(found: re.Match[str]) -> str:
    """As many lines as before, each with the mark that it has in a diff."""
    _, *others = found[0].split("\n")
    marks = [line[:1] if line[:1] in "+- " else "" for line in others]
    return "\n".join([HIDDEN, *(mark + HIDDEN for mark in marks)])
