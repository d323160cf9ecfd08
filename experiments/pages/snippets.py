"""Code that asks for one flag, ready to paste: curl, OpenFeature in Python and in JavaScript."""

import json
from dataclasses import dataclass

from experiments.domain.kinds import ValueType
from experiments.models import Flag
from experiments.pages.calls import KEY_PLACEHOLDER

PYTHON_CALLS = {
    ValueType.BOOLEAN: "get_boolean_value",
    ValueType.STRING: "get_string_value",
    ValueType.INTEGER: "get_integer_value",
    ValueType.NUMBER: "get_float_value",
    ValueType.OBJECT: "get_object_value",
}
SCRIPT_CALLS = {
    ValueType.BOOLEAN: "getBooleanValue",
    ValueType.STRING: "getStringValue",
    ValueType.INTEGER: "getNumberValue",
    ValueType.NUMBER: "getNumberValue",
    ValueType.OBJECT: "getObjectValue",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """One language's code."""

    slug: str
    title: str
    code: str


def snippets(base_url: str, flag: Flag) -> list[Snippet]:
    """Return the flag's code for each language."""
    return [
        Snippet(slug="curl", title="curl", code=_curl(base_url, flag)),
        Snippet(slug="python", title="OpenFeature, Python", code=_python(base_url, flag)),
        Snippet(slug="javascript", title="OpenFeature, JavaScript on a server", code=_javascript(base_url, flag)),
    ]


def _curl(base_url: str, flag: Flag) -> str:
    return (
        f"curl {base_url}/ofrep/v1/evaluate/flags/{flag.key} \\\n"
        f"  -H 'Authorization: Bearer {KEY_PLACEHOLDER}' \\\n"
        "  -H 'Content-Type: application/json' \\\n"
        """  -d '{"context": {"targetingKey": "user-1", "country": "DE"}}'"""
    )


def _python(base_url: str, flag: Flag) -> str:
    call = PYTHON_CALLS[ValueType(flag.value_type)]
    return (
        "# pip install openfeature-sdk openfeature-provider-ofrep\n"
        "from openfeature import api\n"
        "from openfeature.contrib.provider.ofrep import OFREPProvider\n"
        "from openfeature.evaluation_context import EvaluationContext\n\n"
        "api.set_provider(OFREPProvider(\n"
        f"    {json.dumps(base_url)},\n"
        f'    headers_factory=lambda: {{"Authorization": "Bearer {KEY_PLACEHOLDER}"}},\n'
        "))\n"
        'who = EvaluationContext("user-1", {"country": "DE"})\n'
        f"value = api.get_client().{call}({json.dumps(flag.key)}, {flag.default_value!r}, who)"
    )


def _javascript(base_url: str, flag: Flag) -> str:
    call = SCRIPT_CALLS[ValueType(flag.value_type)]
    return (
        "// npm install @openfeature/server-sdk @openfeature/ofrep-provider\n"
        'import { OpenFeature } from "@openfeature/server-sdk";\n'
        'import { OFREPProvider } from "@openfeature/ofrep-provider";\n\n'
        "await OpenFeature.setProviderAndWait(new OFREPProvider({\n"
        f"  baseUrl: {json.dumps(base_url)},\n"
        f'  headers: [["Authorization", "Bearer {KEY_PLACEHOLDER}"]],\n'
        "}));\n"
        'const who = { targetingKey: "user-1", country: "DE" };\n'
        f"const value = await OpenFeature.getClient().{call}("
        f"{json.dumps(flag.key)}, {json.dumps(flag.default_value)}, who);"
    )
