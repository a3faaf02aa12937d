// Requests to the server that the page came from: what any client of the REST API may ask. The credential goes in a
// header and never into a URL, so streams are read by fetch: an EventSource cannot send one.
import { signal } from '@preact/signals';
import { parseJson, toJson, urlOf } from './path.js';

// A request that was refused, in the server's words.
export class Refused extends Error {
  constructor(status, text, body, etag) {
    super(text);
    this.status = status;
    this.body = body;
    this.etag = etag;
  }
}

export const credential = signal(null); // a token, the admin secret, or `owner`; null: nobody
export const namespace = signal('');
export const viewAs = signal(null); // null: as who signed in; { auth: null | {uid, …} }: as the rules would see that
export const isReachable = signal(true);

function target(path, query) {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== false) parameters.append(name, value);
  }
  const text = parameters.toString();
  return path + (text === '' ? '' : `?${text}`);
}

export async function request(method, path, { query = {}, body, headers = {}, signal, own = false, duplex } = {}) {
  const all = { ...headers };
  if (credential.value !== null) all.Authorization = `Bearer ${credential.value}`;
  const asked = { ...query };
  if (viewAs.value !== null && !own) asked.auth_variable_override = toJson(viewAs.value.auth);
  let answer;
  try {
    answer = await fetch(target(path, asked), {
      method,
      body,
      headers: all,
      signal,
      duplex,
      cache: 'no-store',
      credentials: 'omit',
      redirect: 'error',
    });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    isReachable.value = false;
    throw new Refused(0, 'The server cannot be reached.');
  }
  isReachable.value = true;
  return answer;
}

async function refuse(answer) {
  const text = await answer.text();
  let body;
  let words = text;
  try {
    body = parseJson(text);
    words = typeof body?.error === 'string' ? body.error : typeof body?.message === 'string' ? body.message : text;
  } catch {
    // not JSON: the text is what there is to say
  }
  throw new Refused(
    answer.status,
    words.trim() || `The server answered ${answer.status}.`,
    body,
    answer.headers.get('ETag'),
  );
}

export async function json(method, path, options = {}) {
  const answer = await request(method, path, options);
  if (answer.status === 304) return { status: 304 };
  if (!answer.ok) return refuse(answer);
  const text = await answer.text();
  return { status: answer.status, value: text === '' ? undefined : parseJson(text), etag: answer.headers.get('ETag') };
}

// Of administration: never as somebody else.
export const admin = (method, path, options = {}) => json(method, path, { ...options, own: true });

export async function text(method, path, options = {}) {
  const answer = await request(method, path, { ...options, own: true });
  if (!answer.ok) return refuse(answer);
  return answer.text();
}

// Data of the namespace that is shown.
export function data(method, path, { query = {}, value, etag, headers = {}, wantsEtag = false, signal } = {}) {
  const all = { ...headers };
  if (etag !== undefined) all['if-match'] = etag;
  if (wantsEtag) all['X-Firebase-ETag'] = 'true';
  return json(method, `${urlOf(path)}.json`, {
    query: { ns: namespace.value, ...query },
    body: value === undefined ? undefined : toJson(value),
    headers: all,
    signal,
  });
}

// The text of it, as the server writes it: no number is rounded, and nothing is kept twice. A Response.
export async function exportOf(path) {
  const query = { ns: namespace.value, format: 'export', print: 'pretty' };
  const answer = await request('GET', `${urlOf(path)}.json`, { query });
  return answer.ok ? answer : refuse(answer);
}

// What a node's children are, one line each (net/rest: shallow=leaves).
export const peek = (path, query, headers, signal) =>
  data('GET', path, { query: { shallow: 'leaves', ...query }, headers, wantsEtag: true, signal });

// A stream of server-sent events: calls `told(event, data)` until `signal` ends it. Comes back by itself, with the id
// of the last event, after a pause that grows to 10 s. `failed(error)` hears why the server refuses it, and then it is
// over.
export async function stream(path, query, { told, failed, signal, own = true }) {
  let id;
  for (let pause = 500; !signal.aborted; pause = Math.min(pause * 2, 10_000)) {
    try {
      const headers = { Accept: 'text/event-stream' };
      if (id !== undefined) headers['Last-Event-ID'] = id;
      const answer = await request('GET', path, { query, headers, signal, own });
      if (!answer.ok) {
        try {
          await refuse(answer);
        } catch (error) {
          return failed(error);
        }
      }
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let buffer = '';
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        pause = 500;
        buffer += value;
        for (let end = buffer.indexOf('\n\n'); end >= 0; end = buffer.indexOf('\n\n')) {
          const event = { name: 'message', data: '' };
          for (const line of buffer.slice(0, end).split('\n')) {
            if (line.startsWith('event:')) event.name = line.slice(6).trim();
            if (line.startsWith('data:')) event.data += line.slice(5).trimStart();
            if (line.startsWith('id:')) id = line.slice(3).trim();
          }
          buffer = buffer.slice(end + 2);
          told(event.name, event.data);
        }
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Refused) && error.name !== 'TypeError' && error.name !== 'AbortError') throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}
