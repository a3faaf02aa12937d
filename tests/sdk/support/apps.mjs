// Apps of the published Firebase SDK, and what their listeners heard.
import { deleteApp, initializeApp } from '@firebase/app';
import * as fb from '@firebase/database';
import { soon } from './server.mjs';

// Other files run these as a page or over TLS (scenarios.mjs, browser.mjs).
const usualOrigin = globalThis.serverOrigin ?? globalThis.process?.env.HEARTH_TEST_ORIGIN ?? 'http://127.0.0.1';

let count = 0;
const apps = [];

// A namespace that no other test of this file has, nor, in a browser, of this run.
export const newNamespace = () => `${globalThis.namespacePrefix ?? 'space'}-${++count}`;

// A database handle of a new app. `port`: of the server or of a proxy before it. `token`: what a signed-in user has.
// `origin`: "https://localhost" for a port that speaks TLS.
export function open(port, namespace, { token, origin = usualOrigin } = {}) {
  const app = initializeApp({ databaseURL: `${origin}:${port}?ns=${namespace}` }, `app-${++count}`);
  apps.push(app);
  const database = fb.getDatabase(app);
  if (token) fb.connectDatabaseEmulator(database, '127.0.0.1', port, { mockUserToken: token });
  return database;
}

// Ends the app that `open` gave.
export async function closeApp(database) {
  fb.goOffline(database);
  apps.splice(apps.indexOf(database.app), 1);
  await deleteApp(database.app);
}

// For an `after` hook of each file: sockets of the SDK would keep the process.
export async function closeApps() {
  for (const app of [...apps]) await closeApp(fb.getDatabase(app));
}

// A list that grows, and can be waited for.
export class Story {
  items = [];
  #waiting = [];

  add(item) {
    this.items.push(item);
    for (const check of this.#waiting) check();
  }

  // The items, as soon as `holds(items)`.
  async until(holds, what, limit) {
    let check;
    const done = new Promise((resolve, reject) => {
      check = () => {
        try {
          if (holds(this.items)) resolve(this.items);
        } catch (error) {
          reject(error);
        }
      };
      this.#waiting.push(check);
      check();
    });
    try {
      return await soon(done, what, limit);
    } catch (error) {
      error.message += `; so far: ${JSON.stringify(this.items)?.slice(0, 2000)}`;
      throw error;
    } finally {
      this.#waiting.splice(this.#waiting.indexOf(check), 1);
    }
  }

  // The last item, as soon as it is `value` (by JSON).
  async last(value) {
    const text = JSON.stringify(value);
    await this.until((items) => items.length > 0 && JSON.stringify(items.at(-1)) === text, `the value ${text}`);
  }
}

// The values that `query` has, from now on.
export function values(query) {
  const story = new Story();
  fb.onValue(
    query,
    (snapshot) => story.add(snapshot.val()),
    (error) => story.add(`cancelled: ${error.message}`),
  );
  return story;
}

// All five events of `query`: `added b 2 [a]`, `value {"b":2}`. Priorities show as in an export.
export function events(query) {
  const story = new Story();
  const show = (snapshot) => JSON.stringify(snapshot.exportVal());
  fb.onChildRemoved(query, (child) => story.add(`removed ${child.key} ${show(child)}`));
  fb.onChildAdded(query, (child, previous) => story.add(`added ${child.key} ${show(child)} [${previous}]`));
  fb.onChildMoved(query, (child, previous) => story.add(`moved ${child.key} [${previous}]`));
  fb.onChildChanged(query, (child, previous) => story.add(`changed ${child.key} ${show(child)} [${previous}]`));
  fb.onValue(query, (snapshot) => story.add(`value ${show(snapshot)}`));
  return story;
}

let marks = 0;

// From here on `reader` has heard all that was written before. A connection hears one story, so one mark at its end is
// enough.
export async function caughtUp(writer, ...readers) {
  const mark = ++marks;
  const heard = readers.map((reader) =>
    values(fb.ref(reader, 'marks')).until((items) => items.includes(mark), `mark ${mark}`),
  );
  await soon(fb.set(fb.ref(writer, 'marks'), mark), 'the answer to a mark');
  await Promise.all(heard);
}
