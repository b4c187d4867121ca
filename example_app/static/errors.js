/** What went wrong, in words for a person. */

import { AuthError } from "/auth/client/index.js";

const UNPROVEN = "Not done: it needs your password. You are still logged in.";
const AWAY = "The server cannot be reached. You are still logged in.";

/** `answer` if it is a success; rejects with its own words otherwise. */
export async function checked(answer) {
  if (answer.ok) {
    return answer;
  }
  const problem = await answer.json().catch(() => null);
  throw new Error(problem?.action === "step_up" ? UNPROVEN : problem?.detail ?? `The server answered ${answer.status}.`);
}

/** The words of an error: of the client, of `fetch`, or of `checked`. */
export function wordsOf(error) {
  if (error instanceof TypeError || isNoAnswer(error)) {
    return AWAY;
  }
  if (error.action === "step_up") {
    return UNPROVEN;
  }
  return error.temporary ? `${error.message} You are still logged in.` : error.message;
}

/** Whether an error of the client says that there was no answer, or none that can be understood. */
export function isNoAnswer(error) {
  return error instanceof AuthError && !error.code;
}
