// ShareDB's database, kept in a Hearth server.
//
//   PATH/COLLECTION/snapshots/ID     {"v": version, "doc": text}      text: JSON of {type, data, m}
//   PATH/COLLECTION/ops/ID/vNNNNNNNNNN  text                          the op that led from version N to N + 1
//
// Data are kept as JSON text: the tree keeps no null, no empty list and no empty object, and ShareDB's documents have them
// all. An op's text begins with 22 characters that name its commit, and goes on with the op's JSON.
//
// A commit is one PATCH that writes the op and the snapshot after it, if the snapshot before it is still the one that
// was read (its ETag, or none). So of two commits to one version one is written and the other refused (412).
//
//   commit ─▶ PATCH, if-match ─┬─ 200 ─▶ true
//                              ├─ 412 ─▶ false; after a try whose outcome is unknown: whose op stands there?
//                              └─ no answer, 5xx ─▶ whose op stands there? ─┬─ this commit's ─▶ true
//                                                                           ├─ another's ─────▶ false
//                                                                           └─ none ─▶ the same PATCH again
//
// The PATCH may be sent again, for it is written once at most: the first one that is written changes the ETag.
'use strict';

const { randomBytes } = require('node:crypto');
const { setImmediate } = require('node:timers');
const DB = require('sharedb').DB;
const Snapshot = require('sharedb/lib/snapshot');
const { Client, HearthError, wait } = require('./client');
const { keyOf, nameOf, keyOfVersion, versionOf, kVersionMax } = require('./keys');

const kCommitNameLength = 22;
const kOpsPage = 250; // ops, of one request
const kSnapshotsPage = 200;
const kAtOnce = 16; // requests of one call that asks for many documents

// Runs `task` for each, some at a time.
async function forEach(items, task) {
  const left = items[Symbol.iterator]();
  const worker = async () => {
    for (let next = left.next(); !next.done; next = left.next()) await task(next.value);
  };
  await Promise.all(Array.from({ length: kAtOnce }, worker));
}

// ShareDB calls back; what a callback throws is not ours.
function settle(promise, callback) {
  if (typeof callback !== 'function') throw new Error('Callback required');
  promise.then(
    (value) => setImmediate(callback, null, value),
    (error) => setImmediate(callback, error),
  );
}

const wantsMeta = (fields, options) => Boolean((fields && fields.$submit) || (options && options.metadata));

class HearthDB extends DB {
  constructor(options = {}) {
    super(options);
    const { url, path = 'sharedb', namespace, token, secret, timeout = 10_000, connections = 32, retries = 5, scanMax = 10_000 } = options;
    if (!url) throw new TypeError('sharedb-hearth: url is missing');
    this.client = new Client({ url, namespace, token: token ?? secret, timeout, connections, retries });
    this.path = String(path).split('/').filter(Boolean);
    this.scanMax = scanMax;
    this.tags = new WeakMap(); // Snapshot → the ETag that its row had
  }

  close(callback) {
    settle(this.client.close(), callback ?? (() => {}));
  }

  commit(collection, id, op, snapshot, options, callback) {
    settle(this.#commit(collection, id, op, snapshot), callback);
  }

  getSnapshot(collection, id, fields, options, callback) {
    settle(this.#snapshot(collection, id, wantsMeta(fields, options)), callback);
  }

  getSnapshotBulk(collection, ids, fields, options, callback) {
    const read = async () => {
      const found = Object.create(null);
      await forEach(new Set(ids), async (id) => {
        found[id] = await this.#snapshot(collection, id, wantsMeta(fields, options));
      });
      return found;
    };
    settle(read(), callback);
  }

  getOps(collection, id, from, to, options, callback) {
    settle(this.#ops(collection, id, from, to, options), callback);
  }

  getOpsBulk(collection, fromMap, toMap, options, callback) {
    const read = async () => {
      const found = Object.create(null);
      await forEach(Object.keys(fromMap), async (id) => {
        found[id] = await this.#ops(collection, id, fromMap[id], toMap && toMap[id], options);
      });
      return found;
    };
    settle(read(), callback);
  }

  // From the newest one back: who asks has lost the answer to a recent op.
  getCommittedOpVersion(collection, id, snapshot, op, options, callback) {
    const find = async () => {
      for (let to = snapshot.v; to > 0; to -= kOpsPage) {
        const from = Math.max(0, to - kOpsPage);
        const ops = await this.#ops(collection, id, from, to, options);
        for (let i = ops.length; i--; ) {
          if (ops[i].src === op.src && ops[i].seq === op.seq) return from + i;
        }
      }
      return undefined;
    };
    settle(find(), callback);
  }

  // All documents of a collection whose top-level members have the values of `query.filter`, in the order of `query.sort`
  // ([[member, 1 | -1]…]). Each query reads the whole collection, of `scanMax` documents at most.
  query(collection, query, fields, options, callback) {
    const { filter, sort } = query ?? {};
    const run = async () => {
      const found = [];
      for await (const snapshot of this.#all(collection, wantsMeta(fields, options))) {
        if (matches(snapshot, filter)) found.push(snapshot);
      }
      if (sort) found.sort(orderBy(sort));
      return found;
    };
    settle(run(), callback);
  }

  queryPollDoc(collection, id, query, options, callback) {
    const ask = async () => matches(await this.#snapshot(collection, id, false), query && query.filter);
    settle(ask(), callback);
  }

  // With an order, one document's change can move others.
  canPollDoc(collection, query) {
    return !(query && query.sort);
  }

  #snapshotAt(collection, id) {
    return [...this.path, keyOf(collection), 'snapshots', keyOf(id)];
  }

  async #commit(collection, id, op, snapshot) {
    const version = snapshot.v - 1;
    const opAt = `ops/${keyOf(id)}/${keyOfVersion(version)}`;
    const snapshotAt = `snapshots/${keyOf(id)}`;
    const name = randomBytes(16).toString('base64url');
    // A deleted document keeps its version, and nothing else.
    const doc = snapshot.type ? { type: snapshot.type, data: snapshot.data, m: snapshot.m ?? undefined } : {};
    const body = { [opAt]: name + JSON.stringify(op), [snapshotAt]: { v: snapshot.v, doc: JSON.stringify(doc) } };
    const tag = this.tags.get(snapshot) ?? (await this.#tagOf(collection, id, version));
    if (tag === undefined) return false;

    let isUnsure = false;
    for (let tries = 0; ; ++tries) {
      try {
        const answer = await this.client.ask('PATCH', [...this.path, keyOf(collection)], {
          parameters: { ifMatchAt: snapshotAt, print: 'silent' },
          headers: { 'if-match': tag },
          body,
        });
        if (answer.status !== 412) return true;
        return isUnsure && (await this.#nameAt(collection, id, version)) === name;
      } catch (error) {
        if (!error.unknown) throw error;
        isUnsure = true;
        const found = await this.#nameAt(collection, id, version);
        if (found !== undefined) return found === name;
        if (tries >= this.client.retries || this.client.closed) throw error;
        await wait(Math.min(100 * 2 ** tries, 2_000));
      }
    }
  }

  // The tag of the snapshot that stands there, if it has that version.
  async #tagOf(collection, id, version) {
    const { body, etag } = await this.client.read(this.#snapshotAt(collection, id), { headers: { 'x-firebase-etag': 'true' } });
    return (body?.v ?? 0) === version ? etag : undefined;
  }

  // Which commit has written the op of that version; undefined: there is none.
  async #nameAt(collection, id, version) {
    const { body } = await this.client.read([...this.path, keyOf(collection), 'ops', keyOf(id), keyOfVersion(version)]);
    return typeof body === 'string' ? body.slice(0, kCommitNameLength) : undefined;
  }

  async #snapshot(collection, id, withMeta) {
    const { body, etag } = await this.client.read(this.#snapshotAt(collection, id), { headers: { 'x-firebase-etag': 'true' } });
    const snapshot = snapshotOf(id, body, withMeta);
    this.tags.set(snapshot, etag);
    return snapshot;
  }

  async #ops(collection, id, from, to, options) {
    const withMeta = Boolean(options && options.metadata);
    const first = Math.max(0, from ?? 0);
    if (to != null && to <= first) return [];
    const last = to == null ? kVersionMax : to - 1;
    const at = [...this.path, keyOf(collection), 'ops', keyOf(id)];
    const ops = [];
    for (let next = first; next <= last; ) {
      const count = Math.min(kOpsPage, last - next + 1);
      const { body } = await this.client.read(at, {
        parameters: { orderBy: '"$key"', startAt: `"${keyOfVersion(next)}"`, endAt: `"${keyOfVersion(next + count - 1)}"` },
      });
      const page = Object.entries(body ?? {});
      for (const [key, text] of page) {
        if (versionOf(key) !== next) throw new HearthError(`Missing ops: ${collection}/${id} has no op of version ${next}`);
        const op = JSON.parse(text.slice(kCommitNameLength));
        if (!withMeta) delete op.m;
        ops.push(op);
        ++next;
      }
      if (page.length < count) break;
    }
    if (to != null && ops.length < to - first) throw new HearthError(`Missing ops: ${collection}/${id} has none of version ${first + ops.length}`);
    return ops;
  }

  // The documents of a collection that are not deleted, a page at a time.
  async *#all(collection, withMeta) {
    const at = [...this.path, keyOf(collection), 'snapshots'];
    let seen = 0;
    for (let after; ; ) {
      const parameters = { orderBy: '"$key"', limitToFirst: kSnapshotsPage };
      if (after !== undefined) parameters.startAfter = JSON.stringify(after);
      const { body } = await this.client.read(at, { parameters });
      const keys = Object.keys(body ?? {});
      for (const key of keys) {
        if (++seen > this.scanMax) throw new HearthError(`a query reads at most ${this.scanMax} documents (scanMax), and ${collection} has more`);
        const snapshot = snapshotOf(nameOf(key), body[key], withMeta);
        if (snapshot.type) yield snapshot;
      }
      if (keys.length < kSnapshotsPage) return;
      after = keys.at(-1);
    }
  }
}

function snapshotOf(id, row, withMeta) {
  if (row == null) return new Snapshot(id, 0, null, undefined, null);
  const { type = null, data, m = null } = JSON.parse(row.doc);
  return new Snapshot(id, row.v, type, data, withMeta ? m : null);
}

function matches(snapshot, filter) {
  if (!snapshot.type) return false;
  return Object.entries(filter ?? {}).every(([name, value]) => snapshot.data?.[name] === value);
}

function orderBy(sort) {
  return (a, b) => {
    for (const [name, direction] of sort) {
      const [x, y] = [a.data?.[name], b.data?.[name]];
      if (x !== y) return (x < y ? -1 : 1) * direction;
    }
    return 0;
  };
}

module.exports = HearthDB;
module.exports.HearthDB = HearthDB;
module.exports.HearthError = HearthError;
