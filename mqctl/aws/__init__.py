"""Amazon Web Services through botocore, which is imported when they are asked and not before.

The one place that knows botocore; it is there with `pip install 'mqctl[aws]'`.
"""

from __future__ import annotations

from mqctl.target import Secret


def ask_secrets_manager(reference: str, what: str) -> Secret:
    """The secret that `aws-secret:REFERENCE` leads to; see `mqctl.aws.secrets.fetch`."""
    from mqctl.aws.secrets import fetch  # noqa: PLC0415 - brings json and the table of errors with it

    return fetch(reference, what)
