// A process that is there to be stopped while it is told something all the time: it listens to `news`, queues a write for its end
// and says so. Arguments: port and namespace.
import { initializeApp } from '@firebase/app';
import { getDatabase, increment, onDisconnect, onValue, ref } from '@firebase/database';

const [port, namespace, origin = process.env.HEARTH_TEST_ORIGIN ?? 'http://127.0.0.1'] = process.argv.slice(2);
const database = getDatabase(initializeApp({ databaseURL: `${origin}:${port}?ns=${namespace}` }));
onValue(ref(database, 'news'), () => {});
await onDisconnect(ref(database, 'guests')).set(increment(1));
process.send('queued');
