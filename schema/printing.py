from graphql import lexicographic_sort_schema, print_schema
from strawberry import Schema


def printed(schema: Schema) -> str:
    """The public contract as text, sorted, so that a difference is a change and not an order."""
    return print_schema(lexicographic_sort_schema(schema._schema)) + "\n"  # noqa: SLF001 - no public way to the built schema
