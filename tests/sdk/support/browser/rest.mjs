// REST requests by fetch.
import { NotHere } from './test.mjs';

export async function rest(server, namespace, method, path, { query = '', headers = {}, body } = {}) {
  const response = await fetch(`${server.url}${path}?ns=${namespace}${query && `&${query}`}`, { method, headers, body });
  return { status: response.status, headers: Object.fromEntries(response.headers), text: await response.text() };
}

export async function stream() {
  throw new NotHere('streams with headers');
}
