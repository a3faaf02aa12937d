// REST requests as they are written, and streams.
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { Story } from './apps.mjs';
import { soon } from './server.mjs';

// `server`: its port; `isSecure`: speaks TLS, as localhost.
function send(server, namespace, method, path, { query = '', headers = {}, body }, onResponse) {
  const target = `${path}?ns=${namespace}${query && `&${query}`}`;
  const bytes = body === undefined ? undefined : Buffer.from(body);
  const length = bytes === undefined ? {} : { 'Content-Length': bytes.length };
  const ask = server.isSecure ? httpsRequest : httpRequest;
  const options = { host: server.isSecure ? 'localhost' : '127.0.0.1', port: server.port, method, path: target, agent: false };
  return new Promise((resolve, reject) => {
    const asked = ask({ ...options, headers: { ...length, ...headers } }, (response) => {
      resolve(onResponse(response, asked));
    });
    // An early refusal may come while the body is still being sent: then the answer counts, not the broken pipe.
    asked.on('error', reject);
    asked.end(bytes);
  });
}

// `path` is percent-encoded and ends in .json; `body` is a string or bytes; `patience`: milliseconds. {status, headers, text}.
export function rest(server, namespace, method, path, options = {}) {
  const answer = send(server, namespace, method, path, options, async (response) => {
    const chunks = [];
    for await (const chunk of response) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString('utf8');
    return { status: response.statusCode, headers: response.headers, text };
  });
  return soon(answer, `the answer to ${method} ${path}`, options.patience);
}

// A server-sent event stream: events as {event, data, id, raw}, `data` parsed of `raw`.
export async function stream(server, namespace, path, options = {}) {
  const events = new Story();
  const headers = { Accept: 'text/event-stream', ...options.headers };
  const open = send(server, namespace, 'GET', path, { ...options, headers }, (response, asked) => {
    let text = '';
    const done = new Promise((resolve) => response.once('close', resolve));
    response.setEncoding('utf8').on('error', () => {});
    response.on('data', (chunk) => {
      text += chunk;
      for (let end; (end = text.indexOf('\n\n')) >= 0; text = text.slice(end + 2)) {
        const event = {};
        for (const line of text.slice(0, end).split('\n')) {
          const colon = line.indexOf(': ');
          event[line.slice(0, colon)] = line.slice(colon + 2);
        }
        Object.defineProperty(event, 'raw', { value: event.data }); // not looked at where events are compared
        if (['put', 'patch', 'keep-alive'].includes(event.event)) event.data = JSON.parse(event.data); // else it is plain text
        events.add(event);
      }
    });
    return { status: response.statusCode, headers: response.headers, events, done, close: () => asked.destroy() };
  });
  return soon(open, `the stream of ${path}`);
}
