// What the server records of requests while somebody looks (/.inspect/activity.json): a long poll, again and again. The server
// records nothing once nobody has asked for 30 s, so who leaves, pauses or hides the page has it stop.
import { admin } from './api.js';

const kShown = 500; // entries that the page holds
const kPause = 250; // between two questions: a busy server would answer each at once
const kPauseAfterError = 3_000;

const rest = (time, signal) =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, time);
    signal.addEventListener('abort', () => resolve(clearTimeout(timer)));
  });

// `since`: the number of the first entry that is wanted, or nothing for all that there are. Calls told({ entries, missed, next })
// for each answer, newest entry first, and failed(text) until it goes again; ends with `signal`.
export async function follow(query, since, { told, failed, signal }) {
  let next = since;
  while (!signal.aborted) {
    try {
      const asked = next === undefined ? query : { ...query, since: next, wait: '25s' };
      const { value } = await admin('GET', '/.inspect/activity.json', { query: asked, signal });
      // A server that began anew counts from the beginning.
      next = next !== undefined && value.next < next ? undefined : value.next;
      const entries = value.entries.reverse();
      told({ entries, missed: value.missed ?? 0, next });
      await rest(kPause, signal);
    } catch (error) {
      if (signal.aborted) return;
      failed(error.message);
      await rest(kPauseAfterError, signal);
    }
  }
}

export const added = (known, come) => [...come, ...known].slice(0, kShown);

// Whether somebody finds an entry by that text.
export function matches(entry, text) {
  if (text === '') return true;
  const wanted = text.toLowerCase();
  return [entry.path, entry.user, entry.reason, entry.kind, entry.peer, entry.protocol, entry.rule?.source]
    .filter(Boolean)
    .some((one) => one.toLowerCase().includes(wanted));
}
