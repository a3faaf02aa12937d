// A process that is there to be killed: it queues writes for its end, says so, and stays.
// Arguments: port, namespace, and where the port is, if it is not this machine's plain one.
import { initializeApp } from '@firebase/app';
import { getDatabase, increment, onDisconnect, ref, serverTimestamp, set } from '@firebase/database';

const [port, namespace, origin = process.env.HEARTH_TEST_ORIGIN ?? 'http://127.0.0.1'] = process.argv.slice(2);
const database = getDatabase(initializeApp({ databaseURL: `${origin}:${port}?ns=${namespace}` }));
await set(ref(database, 'ada'), { online: true });
await onDisconnect(ref(database, 'ada')).update({ online: false, seen: serverTimestamp() });
await onDisconnect(ref(database, 'ends')).set(increment(1));
process.send('queued');
