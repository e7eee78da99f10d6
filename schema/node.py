import strawberry


@strawberry.interface(description="Anything that has an id of its own.")
class Node:
    id: strawberry.ID = strawberry.field(
        description="Opaque and stable; unique across all types; later ones sort after earlier."
    )
