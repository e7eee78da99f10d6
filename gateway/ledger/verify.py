async def verify():
    return []
