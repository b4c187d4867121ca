/** The list of notes. */

import { auth } from "./client.js";
import { ago, byId, element, onPress } from "./dom.js";
import { checked } from "./errors.js";
import { act } from "./flow.js";

/** Show the notes, and let the form add one. Errors go to `onError`. */
export async function startNotes(onError) {
  byId("note-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = event.target.querySelector("button");
    if (button.ariaDisabled === "true") {
      return; // a second Enter, before the first was answered
    }
    button.ariaDisabled = "true";
    try {
      await act("Write a note", () => addNote(byId("note-text").value, onError));
      byId("note-text").value = "";
    } catch (error) {
      onError(error);
    } finally {
      button.ariaDisabled = "false";
    }
  });
  const answer = await checked(await auth.fetchWithAuth("/api/notes"));
  byId("notes").replaceChildren(...(await answer.json()).map((note) => line(note, onError)));
  count();
}

async function addNote(text, onError) {
  const headers = { "Content-Type": "application/json" };
  const body = JSON.stringify({ text });
  const answer = await checked(await auth.fetchWithAuth("/api/notes", { method: "POST", headers, body }));
  byId("notes").prepend(line(await answer.json(), onError));
  byId("notes").scrollTop = 0;
  count();
}

function line(note, onError) {
  const remove = element("button", { className: "quiet", text: "Delete" });
  remove.type = "button";
  remove.setAttribute("aria-label", `Delete the note: ${note.text.slice(0, 80)}`);
  const made = element("li", { className: "entry" },
    element("div", { className: "body" }, element("span", { className: "text", text: note.text }), ago(note.created_at)), remove);
  onPress(remove, () => act("Delete a note", async () => {
    const answer = await auth.fetchWithAuth(`/api/notes/${note.id}`, { method: "DELETE" });
    if (answer.status !== 404) { // deleted on another device: gone is gone
      await checked(answer);
    }
    const next = made.nextElementSibling ?? made.previousElementSibling;
    made.remove();
    (next?.querySelector("button") ?? byId("note-text")).focus({ preventScroll: true });
    count();
  }), onError);
  return made;
}

function count() {
  const { childElementCount } = byId("notes");
  byId("notes-count").textContent = childElementCount || "";
  byId("notes").hidden = childElementCount === 0;
  byId("notes-empty").hidden = childElementCount > 0;
}
