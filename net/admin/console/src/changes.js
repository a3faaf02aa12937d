// The change feed, as a stream: every commit of the namespace, with who made it. For admins, and where history is kept.
import { admin, namespace, stream } from './api.js';
import { parseJson } from './path.js';

// The id of the last commit, to go on from. Throws why there is no feed.
export const lastId = async (signal) =>
  (await admin('GET', '/.changes', { query: { ns: namespace.value, since: 'now' }, signal })).value.next;

// Calls told({ id, time, by, changes }) for each commit from now on, or from `since`; failed(error) when there is no
// feed.
export async function watchChanges(told, failed, signal, since) {
  try {
    const from = since ?? (await lastId(signal));
    await stream(
      '/.changes',
      { ns: namespace.value, since: from },
      {
        told: (name, text) => name === 'change' && told(parseJson(text)),
        failed,
        signal,
      },
    );
  } catch (error) {
    if (error.name !== 'AbortError') failed(error);
  }
}
