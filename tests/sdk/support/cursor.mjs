// A process that is there to be killed: it writes a cursor over the SDK, and says so. Arguments: port, namespace, path, and
// `poll` for long polling.
import { initializeApp } from '@firebase/app';
import { forceLongPolling, getDatabase, ref, set } from '@firebase/database';

const [port, namespace, path, transport, origin = process.env.HEARTH_TEST_ORIGIN ?? 'http://127.0.0.1'] = process.argv.slice(2);
if (transport === 'poll') forceLongPolling();
const database = getDatabase(initializeApp({ databaseURL: `${origin}:${port}?ns=${namespace}` }));
await set(ref(database, path), { x: 1, y: 2 });
process.send('written');
setInterval(() => {}, 1000);
