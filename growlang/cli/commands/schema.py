"""`schema`: the JSON Schema of the YAML syntax."""

from growlang.cli.printing import print_json


def schema() -> None:
    """Print the JSON Schema of the YAML syntax."""
    from growlang.yaml.schema import schema as json_schema

    print_json(json_schema())
