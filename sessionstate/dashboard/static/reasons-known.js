/** The reasons why sessions end, in the order in which they are stacked. */

const FAMILIES = {
  "said goodbye": {
    completed: "its last owner left, or it was asked to end",
    deleted: "somebody asked for its end by id",
    parent: "the session that it is a child of ended",
    shutdown: "the supervisor was left",
  },
  "ended by a limit": {
    idle: "nobody used it for its idle timeout",
    unused: "it was opened, and never entered",
    expired: "it reached its maximal age",
    stalled: "it was held, without activity",
  },
  "room was needed": {
    evicted: "another session needed its place",
    shed: "memory ran short",
  },
  "went wrong": {
    cancelled: "the task of its last owner was cancelled",
    failed: "its last owner left with an exception",
    resource_failed: "a task or context that it owns crashed",
  },
};

/** By name: what it means, and to which family it belongs. */
export const REASONS = new Map(
  Object.entries(FAMILIES).flatMap(([family, reasons]) =>
    Object.entries(reasons).map(([name, meaning]) => [name, { family, meaning }]),
  ),
);

/** A reason as words. */
export const reasonWords = (name) => name.replaceAll("_", " ");

/** The class that colours a reason. */
export const reasonClass = (name) => (REASONS.has(name) ? `reason-${name}` : "reason-other");

/** The names that occur in *counts*, in the order of the stack. */
export function occurring(counts) {
  const names = Object.keys(counts).filter((name) => counts[name] > 0);
  const order = [...REASONS.keys()];
  const place = (name) => (REASONS.has(name) ? order.indexOf(name) : order.length);
  return names.sort((one, other) => place(one) - place(other));
}

/** The sentence that tells why a session is still there, from the reason it will end for. */
export function meaningOf(name) {
  return REASONS.get(name)?.meaning ?? "";
}
