/** What is asked of the server, at addresses beside the page, wherever it is mounted. */

const TOO_LONG = 20_000;

/** The server answered something else than what was asked for. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Get the JSON at *path*; null if there is nothing. */
export async function get(path, parameters = {}) {
  const query = new URLSearchParams(parameters).toString();
  const answer = await fetch(query ? `${path}?${query}` : path, {
    headers: { Accept: "application/json" },
    signal: AbortSignal.timeout(TOO_LONG),
  });
  if (answer.status === 404) return null;
  return read(answer);
}

/** Post *body* as JSON, with the token that shows that this page sent it. */
export async function post(path, body) {
  const token = document.querySelector("meta[name=csrf-token]").content;
  const answer = await fetch(path, {
    method: "POST",
    headers: {
      Accept: "application/json",
      "Content-Type": "application/json",
      "X-CSRF-Token": token,
    },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(TOO_LONG),
  });
  return read(answer);
}

async function read(answer) {
  await checked(answer);
  if (!isJson(answer)) throw new Refused(answer.status, "the answer is not from this dashboard");
  return answer.json();
}

/** Raise what an answer says is wrong; who is signed out is led to the door. */
export async function checked(answer) {
  if (answer.ok) return;
  if (answer.status === 401 && document.body.dataset.signOut === "true") location.assign("login");
  const said = isJson(answer) ? (await answer.json()).error : null;
  throw new Refused(answer.status, said ?? `the server answered ${answer.status}`);
}

const isJson = (answer) => (answer.headers.get("content-type") ?? "").includes("json");

/** Why a request failed, as the end of a sentence. */
export function why(error) {
  if (error instanceof Refused) return error.message;
  if (error?.name === "TimeoutError") return "the server does not answer";
  return "the server cannot be reached";
}
