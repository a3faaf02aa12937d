// Clients of the published Yjs packages, over npm's `ws`, each with a document of its own.
import { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider';
import WebSocket from 'ws';
import * as Y from 'yjs';
import { Story } from './apps.mjs';
import { soon } from './server.mjs';

// $Y_WEBSOCKET: a package of version 2 instead, which comes back whatever it was closed with (tests/README.md says how).
const { WebsocketProvider } = await import(process.env.Y_WEBSOCKET ?? 'y-websocket');

const ends = [];
process.setMaxListeners(100); // each provider has one

// For an `after` hook of each file.
export async function closeYjs() {
  for (const end of ends.splice(0)) end();
}

// {doc, provider, statuses, closed}: `closed` are {code, reason} that ended it for good, or would have from version 3.1 on.
export function yWebsocket(server, namespace, room, { token, params, connect = true, doc = new Y.Doc() } = {}) {
  const provider = new WebsocketProvider(`${server.url.replace('http', 'ws')}/ns/${namespace}/yjs`, room, doc, {
    WebSocketPolyfill: WebSocket,
    disableBc: true,
    connect,
    params: { ...(token && { token }), ...params },
  });
  const statuses = new Story();
  const closed = new Story();
  provider.on('status', ({ status }) => statuses.add(status));
  if (!process.env.Y_WEBSOCKET) provider.on('closed', (event) => closed.add(event));
  else provider.on('connection-close', (event) => { if (event?.code >= 4400 && event.code < 4500) closed.add(event); });
  ends.push(() => {
    provider.destroy();
    doc.destroy();
  });
  return { doc, provider, statuses, closed };
}

export const synced = ({ provider }) => until(() => provider.synced || provider.isSynced, 'the document to be synced');

export function hocuspocus(server, namespace, name, { token = '', socket, doc = new Y.Doc(), sessionAwareness } = {}) {
  const own = socket ?? hocuspocusSocket(server, namespace);
  const failures = new Story();
  const closes = new Story();
  const provider = new HocuspocusProvider({
    websocketProvider: own,
    name,
    document: doc,
    token,
    ...(sessionAwareness && { sessionAwareness }),
    onAuthenticationFailed: ({ reason }) => failures.add(reason),
    onClose: ({ event }) => closes.add(event),
  });
  provider.attach();
  ends.push(() => {
    provider.destroy();
    if (!socket) own.destroy();
    doc.destroy();
  });
  return { doc, provider, failures, closes, socket: own };
}

export function hocuspocusSocket(server, namespace) {
  const socket = new HocuspocusProviderWebsocket({ url: `${server.url.replace('http', 'ws')}/ns/${namespace}/yjs`, WebSocketPolyfill: WebSocket });
  return socket;
}

// As soon as `holds()`.
export async function until(holds, what, limit) {
  let stop = false;
  const look = (async () => {
    while (!stop && !holds()) await new Promise((resolve) => setTimeout(resolve, 5));
  })();
  try {
    await soon(look, what, limit);
  } finally {
    stop = true;
  }
}
