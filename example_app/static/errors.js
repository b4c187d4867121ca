/** What an answer that is no success says to a person. */

/** `answer` if it is a success; rejects with its own words otherwise. */
export async function checked(answer) {
  if (answer.ok) {
    return answer;
  }
  const problem = await answer.json().catch(() => null);
  throw new Error(problem?.detail ?? `The server answered ${answer.status}.`);
}
