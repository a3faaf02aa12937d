// A process with many apps of the Firebase SDK that all listen to one large value: node herd.mjs PORT NAMESPACE PATH COUNT.
// It tells its parent {round, mark, digests, heard} whenever all of them have heard a value with another `mark`: how many
// different values they have then, and how many values each has heard at most.
import { createHash } from 'node:crypto';
import { onValue, ref } from '@firebase/database';
import { open } from './apps.mjs';

const [port, namespace, path, count] = process.argv.slice(2);
const apps = Array.from({ length: Number(count) }, () => ({ mark: undefined, digest: '', heard: 0 }));
let told;

for (const app of apps) {
  onValue(ref(open(Number(port), namespace), path), (snapshot) => {
    const value = snapshot.val();
    app.mark = value?.mark;
    app.digest = createHash('sha1').update(JSON.stringify(value)).digest('hex');
    ++app.heard;
    if (app.mark === told || apps.some(({ mark }) => mark !== app.mark)) return;
    told = app.mark;
    process.send({ mark: told, digests: [...new Set(apps.map(({ digest }) => digest))], heard: Math.max(...apps.map(({ heard }) => heard)) });
  });
}
process.on('disconnect', () => process.exit());
