/** Elements. Text goes in as text: nothing here, or anywhere else, parses HTML. */

export const byId = (id) => document.getElementById(id);

/** An element with a class, text or children. */
export function element(tag, { className = "", text, title } = {}, ...children) {
  const made = document.createElement(tag);
  made.className = className;
  if (text !== undefined) {
    made.textContent = text;
  }
  if (title) {
    made.title = title;
  }
  made.append(...children);
  return made;
}

/** A new text for an element, if it is one. */
export function setText(id, text) {
  if (byId(id).textContent !== text) {
    byId(id).textContent = text;
  }
}

/**
 * A button that does nothing more while its action runs. It is not `disabled` meanwhile: it would lose the focus of
 * whoever uses the keyboard. Errors go to `onError`.
 */
export function onPress(button, action, onError) {
  button.addEventListener("click", async () => {
    if (button.ariaDisabled === "true") {
      return;
    }
    button.ariaDisabled = "true";
    try {
      await action();
    } catch (error) {
      onError(error);
    } finally {
      button.ariaDisabled = "false";
    }
  });
  return button;
}

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

/** A <time> that says how long ago it was. */
export function ago(iso) {
  const seconds = Math.min(0, (new Date(iso) - Date.now()) / 1000);
  const [unit, size] = [["day", 86400], ["hour", 3600], ["minute", 60]].find(([, s]) => -seconds >= s) ?? ["second", 1];
  const made = element("time", {
    text: -seconds < 10 ? "just now" : relative.format(Math.round(seconds / size), unit),
    title: new Date(iso).toLocaleString(),
  });
  made.dateTime = iso;
  return made;
}
