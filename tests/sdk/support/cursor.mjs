// A process that is there to be killed: it writes a cursor over the SDK, and says so. Arguments: port, namespace and path.
import { initializeApp } from '@firebase/app';
import { getDatabase, ref, set } from '@firebase/database';

const [port, namespace, path, origin = process.env.HEARTH_TEST_ORIGIN ?? 'http://127.0.0.1'] = process.argv.slice(2);
const database = getDatabase(initializeApp({ databaseURL: `${origin}:${port}?ns=${namespace}` }));
await set(ref(database, path), { x: 1, y: 2 });
process.send('written');
setInterval(() => {}, 1000);
