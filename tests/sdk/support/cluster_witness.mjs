// Writers and listeners of all namespaces over everything that a test does to a cluster, and what they say of it: nothing
// that was acknowledged is lost, nobody who listens has a gap or a repeat, and writes go on soon.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Listener, Writer, median } from './cluster.mjs';
import { program } from './server.mjs';

// `what.break_()` does it, and returns how it is undone, if it is. `what.silenceMax`: of a namespace's writers, in
// milliseconds.
export async function witness(t, cluster, spaces, what) {
  const { name, times, break_, silenceMax = 10_000 } = what;
  const writers = spaces.map((space) => new Writer(cluster, space));
  const listeners = spaces.map((space) => new Listener(cluster, space));
  const silences = [];
  try {
    await Promise.all(writers.map((writer) => writer.until(5, 'the first writes')));
    for (let i = 0; i < times; ++i) {
      writers.forEach((writer) => writer.takeSilence());
      const counts = writers.map(({ acknowledged }) => acknowledged.length);
      const undo = await break_(i);
      await Promise.all(writers.map((writer, w) => writer.until(counts[w] + 10, `writes of ${spaces[w]} after ${name} ${i + 1}`)));
      silences.push(Math.max(...writers.map((writer) => writer.takeSilence())));
      await undo?.();
    }
    await Promise.all(writers.map((writer) => writer.stop()));
    for (const [w, listener] of listeners.entries()) await listener.until(writers[w].acknowledged.at(-1));
    await Promise.all(listeners.map((listener) => listener.stop()));
    for (const [w, space] of spaces.entries()) {
      const { text } = await cluster.ask(null, 'GET', `/log.json?ns=${space}`, undefined, { retries: 80, isNew: true });
      const there = JSON.parse(text) ?? {};
      const lost = writers[w].acknowledged.filter((key) => !(key in there));
      assert.deepEqual(lost, [], `acknowledged writes of ${space} are lost`);
      assert.deepEqual(listeners[w].wrong, [], `a listener of ${space}`);
      const heard = new Set(listeners[w].heard);
      const missed = writers[w].acknowledged.filter((key) => !heard.has(key));
      assert.deepEqual(missed, [], `a listener of ${space} has a gap`);
    }
  } catch (error) {
    t.diagnostic(await cluster.story());
    throw error;
  } finally {
    await Promise.all([...writers, ...listeners].map((one) => one.stop()));
  }
  const acknowledged = writers.reduce((sum, writer) => sum + writer.acknowledged.length, 0);
  const comebacks = listeners.reduce((sum, listener) => sum + listener.comebacks, 0);
  t.diagnostic(`${name}: ${times} times, ${acknowledged} writes acknowledged, 0 lost; longest silence of a namespace: median ${median(silences)} ms, worst ${Math.max(...silences)} ms; ${comebacks} streams came back`);
  assert.ok(Math.max(...silences) < silenceMax, `${Math.max(...silences)} ms`);
  // Each run begins with an empty log.
  await Promise.all(spaces.map((space) => cluster.ask(null, 'DELETE', `/log.json?ns=${space}`, undefined, { retries: 20 })));
  return writers;
}

// All nodes leave, and what each has on its disk is the same.
export async function copiesAreOne(t, cluster, spaces) {
  await cluster.whole();
  const run = promisify(execFile);
  for (const number of [1, 2, 3]) await cluster.tool('leave', `n${number}`);
  for (const space of spaces) {
    const copies = [];
    for (const number of [1, 2, 3]) {
      const { stdout } = await run(program, ['dump', '--data', cluster.data(`n${number}`), '--ns', space, '--format', 'json', '--out', '-'], { maxBuffer: 1 << 28 });
      copies.push(stdout);
    }
    assert.equal(copies[1], copies[0], space);
    assert.equal(copies[2], copies[0], space);
  }
  for (const number of [1, 2, 3]) {
    const { stdout } = await run(program, ['fsck', '--data', cluster.data(`n${number}`)]);
    t.diagnostic(stdout.trim().split('\n').at(-1));
  }
}
