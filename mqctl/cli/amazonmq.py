"""`mqctl profile add --amazonmq`: ask Amazon MQ for a broker, tell what it is, and make a profile's keys of it."""

from __future__ import annotations

from mqctl.cli.context import AppContext
from mqctl.cli.options import one_of
from mqctl.errors import UsageError
from mqctl.profiles import amazonmq_profile
from mqctl.profiles.amazonmq_profile import Way


def keys_of_broker(
    context: AppContext, name: str, *, way: str, region: str | None, aws_profile: str | None, user: str | None
) -> dict[str, str | None]:
    """What a profile of the broker says, by dotted key.

    Args:
        context: Where to tell what was found.
        name: An id, an ARN, a name or a URL of the broker.
        way: As typed after `--protocol`.
        region: As typed after `--region`.
        aws_profile: As typed after `--aws-profile`.
        user: Who will log in, if that is known.

    Raises:
        UsageError: `name` and `region` contradict each other.
        MqctlError: As `mqctl.aws.brokers.describe` and `amazonmq_profile.profile_of`.
    """
    from mqctl.aws.brokers import describe

    wanted = one_of(Way, way, "--protocol")
    asked_for = amazonmq_profile.parse_name(name)
    if region and asked_for.region and region != asked_for.region:
        raise UsageError(f"{name.strip()} is in {asked_for.region}, not in {region}", hint="leave --region away")
    broker = describe(asked_for, region=region, aws_profile=aws_profile)
    keys = amazonmq_profile.profile_of(broker, wanted)
    context.say(amazonmq_profile.summary(broker))
    for warning in amazonmq_profile.warnings(broker):
        context.report(warning)
    for note in amazonmq_profile.notes(broker, wanted, user=user):
        context.say(note)
    return keys
