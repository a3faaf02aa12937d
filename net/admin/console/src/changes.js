// The change feed, as a stream: every commit of the namespace, with who made it. For admins, and where history is kept.
import { namespace, Refused, request, stream } from './api.js';

// The id of the last commit: the first event of any stream has it. The place is one at which nothing is.
async function lastId(signal) {
  const ending = new AbortController();
  signal.addEventListener('abort', () => ending.abort());
  try {
    const answer = await request('GET', '/hearth-console-nothing.json', {
      query: { ns: namespace.value, eventIds: 'true', shallow: 'true' },
      headers: { Accept: 'text/event-stream' },
      signal: ending.signal,
      own: true,
    });
    if (!answer.ok) return undefined;
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return undefined;
      text += value;
      const found = /^id: *(\S+)$/m.exec(text);
      if (found) return found[1];
    }
  } finally {
    ending.abort();
  }
}

// Calls told({ id, time, by, changes }) for each commit from now on, or from `since`; failed(error) when there is no
// feed.
export async function watchChanges(told, failed, signal, since) {
  try {
    const from = since ?? (await lastId(signal));
    if (from === undefined) return failed(new Refused(0, 'This server does not say which commit was the last.'));
    await stream(
      '/.changes',
      { ns: namespace.value, since: from },
      {
        told: (name, text) => name === 'change' && told(JSON.parse(text)),
        failed,
        signal,
      },
    );
  } catch (error) {
    if (error.name !== 'AbortError') failed(error);
  }
  return undefined;
}
