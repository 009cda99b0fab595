/**
 * What the reader chose, kept in the hash of the address: "#step=12&lr=0.5".
 *
 * A link with such a hash brings back the page as it was. A hash without "=", as of
 * "#run", is the name of a place in the page, and no state.
 */

const state = () =>
  new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");

/** Return what is kept under a name, null if nothing is. */
export const recall = (name) => state().get(name);

/** Keep values by their names; null removes one. */
export function remember(values) {
  const kept = state();
  for (const [name, value] of Object.entries(values)) {
    if (value === null || value === "") kept.delete(name);
    else kept.set(name, value);
  }
  history.replaceState(null, "", `#${kept}`);
}

/** Call a function now, and whenever a link changes the state. */
export function whenLinked(restore) {
  restore();
  addEventListener("hashchange", () => location.hash.includes("=") && restore());
}
