"""What looks like a secret is removed, and what does not is left as it is."""

import pytest

from pipeline.runtime.redaction import redact, redact_assignments, redact_code

TOKENS = [
    "AKIAIOSFODNN7EXAMPLE",
    "ghp_0123456789abcdefghijklmnopqrstuvwxyz",
    "github_pat_11ABCDEFG0123456789abcdef",
    "glpat-0123456789abcdefghij",
    "xoxb-123456789012-abcdefghij",
    "sk-proj-0123456789abcdefghij",
    "hf_0123456789abcdefghijklmnop",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-_def",
]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://ann:hunter2@host:5000/x", "http://***@host:5000/x"),
        ("https://hunter2@example.org/a.git", "https://***@example.org/a.git"),
        ("postgresql+psycopg2://ann:hunter2@db/x", "postgresql+psycopg2://ann:***@db/x"),
        ("mysql://ann:hunt@er/2@db/x, or not", "mysql://ann:***@db/x, or not"),
        ("redis://:hunter2@db", "redis://:***@db"),
        ("mysql://db/x?user=ann&password=hunter2&a=1", "mysql://db/x?user=ann&password=***&a=1"),
        ("Authorization: Basic aHVudGVyMg==", "Authorization: Basic ***"),
        ("'Bearer hunter2hunter2'", "'Bearer ***'"),
        *((f"a {token}, b", "a ***, b") for token in TOKENS),
    ],
)
def test_a_secret_is_removed_by_its_form(text: str, shown: str) -> None:
    assert redact(text) == shown
    assert redact(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "sqlite:////home/ann/a@b/runs.db",
        "http://127.0.0.1:5000/path/@ann",
        "http://[::1]:5000/a@b",
        "models:/price@champion",
        "postgresql://ann@db:5432/runs",
        "data/raw/x.csv, row 3: column password: 'abc' is not a number",
        "scikit-learn, task-management-and-planning-2026, sk-learn-like-estimators",
        "a@example.org, b@example.org",
        "data/raw/hf_measurements_station_12.csv, data/raw/sk-2026-measurements-in-long-form.csv",
    ],
)
def test_what_is_no_secret_is_left_as_it_is(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("+DB_PASSWORD=hunter2", "+DB_PASSWORD=***"),
        ('export AWS_SECRET_ACCESS_KEY="hunter/2"', "export AWS_SECRET_ACCESS_KEY=***"),
        ("STRIPE_KEY=hunter2", "STRIPE_KEY=***"),
        ("aws_access_key_id = hunter2", "aws_access_key_id = ***"),
        ("password: hunter2  # a note", "password: ***  # a note"),
        ('{"api_key": "hunter2", "units": 3}', '{"api_key": ***, "units": 3}'),
        ("host=db password=hunter2 dbname=x", "host=db password=*** dbname=x"),
        ("+# api_key: hunter2 (ask Ann)", "+# api_key: *** (ask Ann)"),
        ('password: str | None = "hunter"', "password: str | None = ***"),
    ],
)
def test_a_secret_is_removed_by_its_name_where_settings_are(text: str, shown: str) -> None:
    assert redact_assignments(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "    token: str",
        "def connect(token: str, password: str | None = None) -> None:",
        "token = tokenizer.next()",
        "connect(password=self.password)",
        'secret = os.environ["SECRET"]',
        "password=${PASSWORD}",
        "max_tokens=512",
        "leave_out: [token, password]",
        "kinds: {token: category}",
        "bypass=1",
        "# token: required by the server since version 2",
        "token: int = 3",
        "settings as KEY=VALUE, KEY=null and KEY=true",
    ],
)
def test_code_that_only_names_a_secret_is_left_as_it_is(text: str) -> None:
    assert redact_assignments(text) == text


def test_code_without_its_secrets_is_still_code() -> None:
    code = """password = 'hunter2'  # PASSWORD=hunter2
connect(api_key="hunter2", url="https://ann:hunter2@db")
secret = hunter2
"""
    shown = redact_code(code)
    compile(shown, "code", "exec")
    assert shown.count("hunter2") == 1
    assert redact_code(shown) == shown


def test_a_private_key_is_removed_and_its_lines_are_kept_apart() -> None:
    key = "+-----BEGIN RSA PRIVATE KEY-----\n+aHVu\n+dGVy\n+-----END RSA PRIVATE KEY-----"
    assert redact(f"+a\n{key}\n+b") == "+a\n+***\n+***\n+***\n+***\n+b"
    assert redact("-----BEGIN PRIVATE KEY-----\naHVu") == "***\n***"
