#!/bin/sh
# Server-sent events: clients that come back after a broken connection ask for different places. The standard says that an id counts
# once its event has ended with an empty line, and that it counts also when the event has no data.
#
# A server sends whole events with ids 1 and 2; then an event of an id alone, 3; ends; then event 4, and of event 5 all but the empty
# line; ends. Each client is left to come back by itself, and tells by Last-Event-ID what it has seen.
#
# Seen with npm packages, Node 20:                                   after 3    after 4 and a half of 5
#   eventsource 4.1.1, eventsource-client 1.2.0                      2          4     what has an id and no data is forgotten
#   eventsource 2.0.2, @microsoft/fetch-event-source 2.0.1           3          5     event 5 was never told, and is never asked for
#
# Who sends events that are resumed by id puts the id behind the data, as the last line: then nothing but the cut of one byte loses an
# event for the second kind. And nobody moves a client on by an id without data. Exit 0: seen again; 1: it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --no-audit --no-fund --silent eventsource@4.1.1 eventsource-2@npm:eventsource@2.0.2 eventsource-client@1.2.0 @microsoft/fetch-event-source@2.0.1
cat > try.mjs <<'JS'
import { createServer } from 'node:http';
import { EventSource as EventSource4 } from 'eventsource';
import { createEventSource } from 'eventsource-client';
import EventSource2 from 'eventsource-2';

// A page's globals, as fetch-event-source wants them.
globalThis.window = globalThis;
globalThis.document = { hidden: false, addEventListener() {}, removeEventListener() {} };
const { fetchEventSource } = (await import('@microsoft/fetch-event-source')).default;

const parts = ['retry: 50\n\nid: 1\ndata: one\n\nid: 2\ndata: two\n\nid: 3\n\n', 'id: 4\ndata: four\n\nid: 5\ndata: five\n'];
async function placesOf(connect) {
  const asked = [];
  let isDone;
  const done = new Promise((resolve) => (isDone = resolve));
  const server = createServer((request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    const part = parts[asked.length];
    asked.push(request.headers['last-event-id']);
    if (part === undefined) return isDone();
    response.write(part);
    setTimeout(() => response.end(), 100);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  connect(`http://127.0.0.1:${server.address().port}/`);
  await done;
  server.closeAllConnections();
  server.close();
  return asked.slice(1).join(' ');
}

const quiet = (source) => (source.onerror = () => {});
const found = {
  'eventsource 4.1.1': await placesOf((url) => quiet(new EventSource4(url))),
  'eventsource-client 1.2.0': await placesOf((url) => createEventSource({ url, onMessage() {} })),
  'eventsource 2.0.2': await placesOf((url) => quiet(new EventSource2(url))),
  'fetch-event-source 2.0.1': await placesOf((url) =>
    fetchEventSource(url, {
      onclose() {
        throw new Error('come back');
      },
      onerror: () => 50,
    }),
  ),
};
for (const [name, places] of Object.entries(found)) console.log(`${name}: comes back behind ${places}`);
process.exit(Object.values(found).join() === '2 4,2 4,3 5,3 5' ? 0 : 1);
JS
timeout 60 node try.mjs
