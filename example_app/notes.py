"""Notes: the routes of the app itself. Whose they are is decided by the middleware, before these are called."""

from typing import Annotated

from fastapi import APIRouter, HTTPException
from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from jwt_refresh_middleware.errors import TokenRevoked
from jwt_refresh_middleware.fastapi import CurrentUser

from .database import Database, NoSuchUser, Note
from .problems import documented

# The blanks at both ends count, so that the schema says the same, and go then.
NoteText = Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=r"\S"), AfterValidator(str.strip)]


class NewNote(BaseModel):
    """What a note is made from."""

    text: Annotated[NoteText, Field(description="1 to 2000 characters, not only blanks")]


def routes(database: Database) -> APIRouter:
    """``GET`` and ``POST /api/notes``, ``DELETE /api/notes/{id}``: each user sees their own notes only."""
    router = APIRouter(prefix="/api/notes")

    @router.get("")
    async def notes(user: CurrentUser) -> list[Note]:
        return await database.notes(user.identity)

    @router.post("", status_code=201, responses=documented(400, 422))
    async def add(user: CurrentUser, note: NewNote) -> Note:
        try:
            return await database.add_note(user.identity, note.text)
        except NoSuchUser:
            raise TokenRevoked from None

    @router.delete("/{note_id}", status_code=204, responses=documented(404, 422))
    async def delete(user: CurrentUser, note_id: int) -> None:
        if not await database.delete_note(user.identity, note_id):
            raise HTTPException(404, "There is no such note.")

    return router
