// A third of the conformance cases of security rules through the SDK; all of them run in-process and over REST
// (tests/rules, tests/net). The cases: tests/data/rules-cases.json.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { get, ref, set, update } from '@firebase/database';
import { closeApps, open } from './support/apps.mjs';
import { rest } from './support/rest.mjs';
import { Server } from './support/server.mjs';

const server = await Server.start(after, ['--dev', '--sync', 'os']);
after(closeApps);

const { cases } = JSON.parse(readFileSync(new URL('../data/rules-cases.json', import.meta.url)));
// Without a clock of their own. The SDK refuses some paths and values by itself: those cases are REST's.
const sdkCan = ({ op, now }) => now === undefined && !op.query && !/[.#$[\]]/.test(op.path);
const chosen = cases.filter(sdkCan).filter((_, index) => index % 2 === 0 || index % 5 === 1);
const headers = { Authorization: 'Bearer owner' };

const said = async (promise) => {
  try {
    await promise;
    return 'allow';
  } catch (error) {
    assert.match(`${error.code} ${error.message}`, /permission.denied/i, error.message);
    return 'deny';
  }
};

test(`${chosen.length} of ${cases.length} cases have the service's verdict through the SDK`, async () => {
  assert.ok(chosen.length * 3 >= cases.length + 82);
  let number = 0;
  for (const { name, rules, data, auth, op, expect } of chosen) {
    const namespace = `case-${++number}`;
    const admin = { headers, body: JSON.stringify(rules) };
    assert.equal((await rest(server, namespace, 'PUT', '/.settings/rules.json', admin)).status, 200, name);
    assert.equal((await rest(server, namespace, 'PUT', '/.json', { headers, body: JSON.stringify(data) })).status, 200, name);
    const token = auth && { ...auth.token, sub: auth.uid, user_id: auth.uid };
    const app = open(server.port, namespace, token ? { token } : {});
    const at = ref(app, op.path);
    const verdict = await said(op.type === 'read' ? get(at) : op.type === 'write' ? set(at, op.value) : update(at, op.values));
    assert.equal(verdict, expect, name);
    if (number % 20 === 0) await closeApps();
  }
});
