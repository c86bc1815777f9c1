"""`mqctl profile`: list, show, add, remove, choose and check profiles."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from mqctl.aws import ask_secrets_manager
from mqctl.cli.context import AppContext
from mqctl.cli.expand import Flags, with_groups
from mqctl.cli.help import Command, command_app
from mqctl.cli.tables import emit_table
from mqctl.errors import ConfigError, ExitCode, UsageError
from mqctl.profiles.resolve import DEFAULT_ORIGIN, Firmness, Settings, show
from mqctl.profiles.schema import SETTINGS, Setting
from mqctl.profiles.store import Found, Place, Store
from mqctl.target import parse_url

app = command_app(
    help="List, show, add, remove, choose and check profiles: named brokers with their settings.",
    no_args_is_help=True,
)

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object per line.")]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="A profile's name, or the path of its file.")]


@app.command("list", cls=Command)
def list_profiles(ctx: typer.Context, *, as_json: JsonOption = False) -> None:
    """Print every profile in the order of search; `*` marks the one in use, `-` one that an earlier one hides."""
    context, store = _world(ctx)
    chosen = store.choice(context.profile)
    try:
        active = store.find(chosen.profile, firmness=chosen.firmness)
    except ConfigError as error:
        context.complain(error)
        active = None
    seen: set[str] = set()
    rows = []
    for found in _with_active(store, active):
        mark = "*" if found == active else "-" if found.name in seen else ""
        seen.add(found.name)
        rows.append((mark, found, *_summary(store, found)))
    if as_json:
        for mark, found, url, about in rows:
            _emit_json(
                context,
                name=found.name,
                url=url,
                file=str(found.path),
                place=found.place.value,
                active=mark == "*",
                shadowed=mark == "-",
                description=about,
            )
    else:
        emit_table(context, ("", "NAME", "URL", "FILE"), [(m, f.name, url, str(f.path)) for m, f, url, _ in rows])


@app.command("show", cls=Command)
@with_groups
def show_profile(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(help="A profile's name or file; the one in use if absent.")] = None,
    *,
    origin: Annotated[bool, typer.Option("--origin", help="Say where each value comes from, defaults too.")] = False,
    as_json: JsonOption = False,
    flags: Flags,
) -> None:
    """Print what a command with these options would use: the profile, its parents, what variables change. No secrets.

    Examples:
      mqctl profile show work --origin
      mqctl profile show --url stomp://localhost --user alice
    """
    from mqctl.cli.target import settings_for

    context, _ = _world(ctx)
    settings = settings_for(context, Flags({**flags, **({} if name is None else {"profile": name})}))
    rows = _shown(settings)
    if as_json:
        _emit_json(context, **{key: {"value": text, "origin": come_from} for key, text, come_from in rows})
    elif origin:
        emit_table(context, ("KEY", "VALUE", "FROM"), [(key, text or "-", come_from) for key, text, come_from in rows])
    else:
        emit_table(context, ("KEY", "VALUE"), [(key, text) for key, text, _ in rows if text is not None])


@app.command("add", cls=Command)
def add_profile(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Its name.")],
    *,
    url: Annotated[str | None, typer.Option(help="The broker's address, or a comma list of them.")] = None,
    amazonmq: Annotated[
        str | None,
        typer.Option(
            metavar="BROKER", help="Ask Amazon MQ for the address: a broker's id, name, ARN or any of its URLs."
        ),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            metavar="stomp|mqtt|stomp-ws|mqtt-ws",
            help="With --amazonmq, which endpoints to take [default: stomp]; with a bare wss:// URL, what is spoken.",
        ),
    ] = None,
    region: Annotated[
        str | None, typer.Option(help="With --amazonmq: the region, if the environment has none.")
    ] = None,
    aws_profile: Annotated[str | None, typer.Option(help="With --amazonmq: the section of ~/.aws/config.")] = None,
    user: Annotated[str | None, typer.Option(help="The name to log in with.")] = None,
    password_ref: Annotated[
        str | None,
        typer.Option(help="Where the password is: env:NAME, file:PATH, command:…, aws-secret:NAME#KEY, prompt."),
    ] = None,
    dialect: Annotated[str | None, typer.Option(help="classic, artemis, rabbitmq, mosquitto, hub or auto.")] = None,
    vhost: Annotated[str | None, typer.Option(help="The virtual host (RabbitMQ).")] = None,
    ca: Annotated[str | None, typer.Option(help="PEM file of the authorities to trust.")] = None,
    extends: Annotated[str | None, typer.Option(help="The profile that says the rest.")] = None,
    description: Annotated[str | None, typer.Option(help="One line about it.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the profile if it exists.")] = False,
    update: Annotated[
        bool, typer.Option("--update", help="Change a profile that exists: what is not said here stays as it is.")
    ] = False,
) -> None:
    """Write a profile into your configuration, print its file, and tell what is still wrong with it.

    Examples:
      mqctl profile add work --url stomp+ssl://broker.example --user alice
      mqctl profile add shop --amazonmq orders --password-ref aws-secret:shop
      mqctl profile add shop --amazonmq orders --update
    """
    from mqctl.cli.profile_check import warn_about
    from mqctl.profiles import edit

    context, store = _world(ctx)
    url = url or context.url
    if force and update:
        raise UsageError("--force replaces the profile, --update changes it", hint="leave one of them away")
    _check_source(url, amazonmq, extends or update, of_aws=(region, aws_profile))
    login = user
    if update:
        login = user or store.settings(edit.own(store, name), firmness=Firmness.FLAG, warn=context.report).get("user")
    else:
        edit.check_name(store, name, force=force)
    said = {
        "description": description,
        "extends": extends,
        "url": url,
        "protocol": None if amazonmq else protocol,
        "dialect": dialect,
        "auth.user": user,
        "auth.password": password_ref,
        "tls.ca": ca and str(context.cwd / ca),
        "options.vhost": vhost,
    }
    if amazonmq:
        from mqctl.cli.amazonmq import keys_of_broker

        way = protocol or "stomp"
        keys = keys_of_broker(context, amazonmq, way=way, region=region, aws_profile=aws_profile, user=login)
        said = keys | {key: value for key, value in said.items() if value is not None}
    path = edit.update(store, name, said) if update else edit.add(store, name, said, force=force)
    context.emit(str(path))
    warn_about(context, store, Found(name, path, Place.USER))
    found = store.find(name)
    if found.path != path:
        context.report(f"{found.path} has the same name and comes first in {context.cwd}")


@app.command("remove", cls=Command)
def remove_profile(ctx: typer.Context, name: Annotated[str, typer.Argument(help="Its name.")]) -> None:
    """Delete a profile of your own. What comes with mqctl, and what lies elsewhere, stays."""
    from mqctl.profiles import edit

    context, store = _world(ctx)
    chosen = store.choice()
    context.say(f"removed {edit.remove(store, name)}")
    if (now := store.choice()) != chosen:
        context.say(f"using {now.profile} from now on")


@app.command("use", cls=Command)
def use_profile(ctx: typer.Context, name: NameArgument) -> None:
    """Choose the profile for when neither --profile nor MQCTL_PROFILE names one. `local` is where you began."""
    from mqctl.cli.profile_check import warn_about
    from mqctl.profiles import edit

    context, store = _world(ctx)
    found = store.find(name)
    store.chain(found)
    context.say(f"using {edit.use(store, found)} from now on")
    warn_about(context, store, found)
    if "MQCTL_PROFILE" in context.environ:
        context.report(f"MQCTL_PROFILE is set and comes before it: {context.environ['MQCTL_PROFILE']}")


@app.command("check", cls=Command)
def check_profiles(
    ctx: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME|PATH]…", help="All profiles if absent.")] = None,
    *,
    connect: Annotated[bool, typer.Option("--connect", help="Connect too, and print what answers.")] = False,
) -> None:
    """Check profiles, and with --connect whether their brokers let us in; the first failure gives the exit code."""
    from mqctl.cli.profile_check import check_one

    context, store = _world(ctx)
    profiles = [store.find(name) for name in names] if names else list(store.all())
    firmness = Firmness.FLAG if names else Firmness.DEFAULT
    codes = []
    for found in profiles:
        state, code = check_one(context, store, found, firmness=firmness, connect=connect)
        context.emit(f"{found.name}: {state}")
        codes.append(code)
    raise typer.Exit(next(filter(None, codes), ExitCode.OK))


def _world(ctx: typer.Context) -> tuple[AppContext, Store]:
    context = ctx.find_object(AppContext)
    assert context is not None
    return context, Store(context.environ, context.cwd, ask_aws=ask_secrets_manager)


def _check_source(
    url: str | None, amazonmq: str | None, otherwise: str | bool | None, *, of_aws: Sequence[str | None]
) -> None:
    """Where the address of a profile comes from: one place, or otherwise."""
    if not (url or amazonmq or otherwise):
        raise UsageError("a profile needs a broker", hint="--url URL, or --extends PROFILE, or --amazonmq BROKER")
    if url and amazonmq:
        raise UsageError("--url and --amazonmq both say where the broker is", hint="leave one of them away")
    if any(of_aws) and not amazonmq:
        raise UsageError("--region and --aws-profile belong to --amazonmq", hint="--amazonmq BROKER")
    if url:
        from mqctl.adapters.registry import check_scheme
        from mqctl.profiles.amazonmq import check_url

        address = parse_url(url)
        check_url(address)
        check_scheme(address.scheme)


def _with_active(store: Store, active: Found | None) -> Iterator[Found]:
    """All profiles that the search sees, after the one in use where that is a file elsewhere."""
    if active is not None and active.place is Place.PATH:
        yield active
    yield from store.all()


def _summary(store: Store, found: Found) -> tuple[str, str]:
    """A profile's URL and description, or what is wrong with it."""
    try:
        settings = store.settings(found, firmness=Firmness.FLAG, warn=print)
    except ConfigError as error:
        return f"wrong: {error}", ""
    return show(settings.get("url")), settings.profile.description or ""


def _shown(settings: Settings) -> Iterator[tuple[str, str | None, str]]:
    """Key, value and origin of everything that counts; None where a setting has no value."""
    yield "profile", settings.profile.name, settings.profile.path
    if settings.unavailable:
        yield "unavailable", settings.unavailable, settings.profile.path
    values = [(setting.key, settings.values[setting.name]) for setting in SETTINGS if _matters(setting, settings)]
    for key, value in (*values, *settings.presets()):
        yield key, None if value.value is None else show(value.value), value.origin


def _matters(setting: Setting, settings: Settings) -> bool:
    """Whether anybody set it, or its default means something to this broker."""
    idle = "mqtt.will." if settings.speaks("mqtt") else "mqtt."
    return settings.values[setting.name].origin != DEFAULT_ORIGIN or not setting.key.startswith(idle)


def _emit_json(context: AppContext, **members: object) -> None:
    context.emit(json.dumps(members, ensure_ascii=False))
