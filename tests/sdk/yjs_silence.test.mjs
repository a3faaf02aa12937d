// Clients of Yjs that hear nothing for 30 s believe the server to be gone. Where nobody says anything, the server does.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { HocuspocusProvider } from '@hocuspocus/provider';
import WebSocket from 'ws';
import { Story } from './support/apps.mjs';
import { Server } from './support/server.mjs';
import { closeYjs, synced, until, yWebsocket } from './support/yjs.mjs';

const server = await Server.start(after);
after(closeYjs);

test('a document in which nobody says anything: its clients stay connected', async () => {
  const quiet = yWebsocket(server, 'silence', 'quiet', { connect: false });
  quiet.provider.awareness.setLocalState(null); // what is renewed each 15 s would be heard back
  quiet.provider.connect();
  const statuses = new Story();
  const other = new HocuspocusProvider({
    url: `${server.url.replace('http', 'ws')}/ns/silence/yjs`,
    WebSocketPolyfill: WebSocket,
    name: 'quiet as well',
    awareness: null,
    onStatus: ({ status }) => statuses.add(status),
  });
  after(() => other.destroy());
  await Promise.all([synced(quiet), until(() => other.isSynced, 'Hocuspocus to be synced')]);
  await new Promise((resolve) => setTimeout(resolve, 36_000)); // they look each 3 s
  assert.ok(!quiet.statuses.items.includes('disconnected'), `y-websocket: ${quiet.statuses.items}`);
  assert.ok(!statuses.items.includes('disconnected'), `Hocuspocus: ${statuses.items}`);
});
