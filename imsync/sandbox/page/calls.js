// The sandbox as this page talks to it.

/** What is to be shown just now. Throws when the sandbox does not answer. */
export async function look() {
  const answer = await fetch("/_sandbox/incidents", { cache: "no-store" });
  if (!answer.ok) throw new Error(`it answered ${answer.status}`);
  return answer.json();
}

/** Do one REST operation as this user; throws with PagerDuty's reason when it is refused. */
export async function act(who, method, path, body) {
  let answer;
  try {
    answer = await fetch(`/_sandbox/as/${encodeURIComponent(who)}${path}`, {
      method,
      headers: body ? { "Content-Type": "application/json" } : {},
      body: body && JSON.stringify(body),
    });
  } catch {
    throw new Error("The sandbox does not answer.");
  }
  const found = answer.status === 204 || answer.status === 202 ? null : await answer.json();
  if (answer.ok) return found;
  const error = found?.error ?? {};
  const reasons = (error.errors ?? []).join(" ");
  throw new Error(`${error.message ?? "Refused"}${reasons ? `: ${reasons}` : ""} (${answer.status}, code ${error.code})`);
}

/** The body of an edit. */
export function edit(changes) {
  return { incident: { type: "incident_reference", ...changes } };
}

export function reference(type, id) {
  return { id, type: `${type}_reference` };
}
