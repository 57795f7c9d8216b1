"""Reading `workbench.toml`: found upwards, secrets put in, every mistake told at once with the way out."""

from __future__ import annotations

import difflib
import tomllib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError

from planning.config import secrets
from planning.config.models import Settings, table_names
from planning.errors import ConfigError, did_you_mean

FILE_NAME = "workbench.toml"

# Keys whose values may hold ${NAME}; a password may stand nowhere else.
SECRET_KEYS = ("sources.<table>.database", "delivery.smtp_user", "delivery.smtp_password", "delivery.urls")

_WANTED = {
    "string_type": "a text in quotes",
    "int_type": "a whole number without quotes",
    "float_type": "a number without quotes",
    "bool_type": "true or false",
    "list_type": "a list in [ ]",
    "dict_type": "a section",
    "model_type": "a section",
    "date_type": "a date as 2026-12-31",
}


def find(start: str | Path | None = None) -> Path:
    """Returns the nearest workbench.toml in `start` (the working folder) or above; ConfigError when there is none."""
    folder = Path(start or Path.cwd()).resolve()
    for place in (folder, *folder.parents):
        if (place / FILE_NAME).is_file():
            return place / FILE_NAME
    raise ConfigError(f"{folder}: there is no {FILE_NAME} here or above. Make a workspace with: planning init DIR")


def load(path: str | Path | None = None, *, environment: Mapping[str, str] | None = None) -> Settings:
    """Returns the settings of `path` (a file, or the folder it lies in), or of the nearest workbench.toml.

    `environment` takes the place of the process's variables in tests. Raises ConfigError with one line a mistake.
    """
    path = _file(path)
    try:
        raw = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path.name}: is not TOML: {error}. Texts stand in quotes, keys as name = value.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path.name}: is not UTF-8. Save it as UTF-8.") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}). Give read permission.") from None
    lines: list[str] = []
    filled = _fill(raw, (), environment, lines)
    settings = _validated(filled, lines)
    if lines:
        raise ConfigError("\n".join(f"{path.name}: {line}" for line in lines))
    settings._root = path.parent
    settings._path = path
    return settings


def _file(path: str | Path | None) -> Path:
    if path is None:
        return find()
    path = Path(path).resolve()
    if path.is_dir():
        if (path / FILE_NAME).is_file():
            return path / FILE_NAME
        raise ConfigError(f"{path}: is a folder without {FILE_NAME}. Make a workspace with: planning init {path}")
    if not path.is_file():
        raise ConfigError(f"{path}: there is no such file. Make a workspace with: planning init DIR")
    return path


def _fill(value: Any, place: tuple[str, ...], environment: Mapping[str, str] | None, lines: list[str]) -> Any:
    """Puts secrets in where they may stand; a `${NAME}` elsewhere, an unset one or a typed password is a mistake."""
    if isinstance(value, dict):
        return {key: _fill(item, (*place, key), environment, lines) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, place, environment, lines) for item in value]
    if not isinstance(value, str):
        return value
    if not _is_secret(place):
        if secrets.NAME.search(value):
            allowed = ", ".join(SECRET_KEYS)
            lines.append(f"{_dotted(place)}: ${{NAME}} may stand only in {allowed}. Write the value itself.")
        return value
    if _typed_password(place, value):
        lines.append(
            f"{_dotted(place)}: holds a password in plain text. Write it as ${{NAME}} and set NAME in the environment."
        )
        secrets.remember(value)
    try:
        return SecretStr(secrets.resolve(value, environment))
    except secrets.MissingVariable as missing:
        lines.append(
            f"{_dotted(place)}: the environment has no variable {missing}. "
            f"Set it before the command: export {missing}=..."
        )
        return SecretStr(value)


def _is_secret(place: tuple[str, ...]) -> bool:
    if place[0] == "delivery":
        return place[1:] in {("smtp_user",), ("smtp_password",), ("urls",)}
    return place[0] == "sources" and len(place) == 3 and place[2] == "database"


def _typed_password(place: tuple[str, ...], value: str) -> bool:
    """Tells whether a password was typed: the key is one, or the address holds `user:password@`."""
    without = secrets.NAME.sub("", value)
    if place[-1] == "smtp_password":
        return bool(without)
    login = without.split("://", 1)[-1].rpartition("@")[0]
    return "://" in without and bool(login.partition(":")[2])


def _validated(raw: dict[str, Any], lines: list[str]) -> Settings:
    names = table_names()
    for name in raw.get("sources", {}) if isinstance(raw.get("sources"), dict) else ():
        if name not in names:
            lines.append(f"sources.{name}: is not a table.{did_you_mean(name, names)} Tables: {', '.join(names)}.")
    try:
        settings = Settings.model_validate(raw)
    except ValidationError as error:
        lines.extend(_explain(item) for item in error.errors(include_url=False))
        return Settings()
    for name, schedule in settings.schedules.items():
        if settings.flows and schedule.flow not in settings.flows:
            near = did_you_mean(schedule.flow, settings.flows)
            flows = ", ".join(settings.flows)
            lines.append(f"schedules.{name}.flow: there is no flow '{schedule.flow}'.{near} Flows: {flows}.")
    return settings


def _explain(item: Mapping[str, Any]) -> str:
    """Returns one line for one of pydantic's errors: the key's path, what is wrong, the way out."""
    place = tuple(str(part) for part in item["loc"] if part not in {"str", "int", "float", "[key]"})
    kind, context = item["type"], item.get("ctx", {})
    if kind == "extra_forbidden":
        known = _keys_at(place[:-1])
        return f"{_dotted(place)}: unknown key.{_near(place[-1], known)} Keys here: {', '.join(known)}."
    if kind == "missing":
        return f"{_dotted(place)}: is missing. Write {place[-1]} = ... in [{_dotted(place[:-1])}]."
    if kind == "literal_error":
        return f"{_dotted(place)}: {_found(item)} is not one of {context['expected']}.{_near_literal(item)}"
    if kind == "value_error":
        return f"{_dotted(place)}: {context['error']}."
    wanted = _WANTED.get(kind)
    if wanted:
        return f"{_dotted(place)}: {_found(item)} is not {wanted}. Write {wanted}."
    return f"{_dotted(place)}: {_found(item)}: {item['msg'][0].lower()}{item['msg'][1:]}."


def _found(item: Mapping[str, Any]) -> str:
    value = item.get("input")
    return "the value" if isinstance(value, SecretStr | dict | list) else repr(value)


def _near(word: str, known: list[str]) -> str:
    """The nearest key: by spelling, else the key of which the word is a part (`name` for `company_name`)."""
    near = did_you_mean(word, known)
    if not near:
        part = next((key for key in known if key in word or word in key), None)
        near = f" Did you mean '{part}'?" if part else ""
    return near


def _near_literal(item: Mapping[str, Any]) -> str:
    choices = [choice.strip().strip("'") for choice in item["ctx"]["expected"].replace(" or ", ", ").split(",")]
    found = difflib.get_close_matches(str(item.get("input")), choices, n=1)
    return f" Did you mean '{found[0]}'?" if found else " Write one of them."


def _keys_at(place: tuple[str, ...]) -> list[str]:
    """Returns the keys the section at `place` may hold."""
    model: Any = Settings
    for part in place:
        if isinstance(model, type) and issubclass(model, BaseModel) and part in model.model_fields:
            model = _inner(model.model_fields[part].annotation)
        elif isinstance(model, tuple):  # a mapping name → model: `part` is the name
            model = model[1]
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


def _inner(annotation: Any) -> Any:
    if typing.get_origin(annotation) is dict:
        return typing.get_args(annotation)
    if typing.get_origin(annotation) in {typing.Union, types.UnionType}:
        return next((part for part in typing.get_args(annotation) if part is not type(None)), None)
    return annotation


def _dotted(place: tuple[str, ...]) -> str:
    return ".".join(place) or "the file"
