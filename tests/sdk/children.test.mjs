// Child events with the key before, as the writer and as another app hear them, and priorities.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  get,
  orderByPriority,
  orderByChild,
  query,
  ref,
  remove,
  set,
  setPriority,
  setWithPriority,
  update,
} from '@firebase/database';
import { caughtUp, closeApps, events, newNamespace, open } from './support/apps.mjs';
import { Server } from './support/server.mjs';

const server = await Server.start(after);
after(closeApps);

// Plays `steps` ([what, write, events expected]) on `room`, heard by the app that writes and by another one.
async function play(start, steps, order = (room) => room) {
  const namespace = newNamespace();
  const ada = open(server.port, namespace);
  const bob = open(server.port, namespace);
  await set(ref(ada, 'room'), start);
  const stories = [ada, bob].map((app) => events(order(ref(app, 'room'))));
  for (const [what, write, expected] of steps) {
    await write(ref(ada, 'room'), (path) => ref(ada, `room/${path}`));
    await caughtUp(ada, ada, bob);
    for (const [i, story] of stories.entries()) {
      assert.deepEqual(story.items, expected, `${what}, heard by the ${i ? 'other app' : 'writer'}`);
      story.items = [];
    }
  }
}

// db/model/data-model.md §7.3, first table.
test('children: every event has the key before, removed first, then added, moved, changed, value', () =>
  play({ a: 1, b: 2, c: 3 }, [
    ['listen', () => {}, ['added a 1 [null]', 'added b 2 [a]', 'added c 3 [b]', 'value {"a":1,"b":2,"c":3}']],
    [
      'a grows a child',
      (room, at) => set(at('a/x'), 1),
      ['changed a {"x":1} [null]', 'value {"a":{"x":1},"b":2,"c":3}'],
    ],
    ['the same again', (room, at) => set(at('b'), 2), []],
    [
      'many at once',
      (room) => update(room, { b: null, d: 4, a: 9 }),
      ['removed b 2', 'added d 4 [c]', 'changed a 9 [null]', 'value {"a":9,"c":3,"d":4}'],
    ],
    [
      'a priority moves behind those without',
      (room, at) => setPriority(at('c'), 1),
      [
        'moved c [d]',
        'changed c {".value":3,".priority":1} [d]',
        'value {"a":9,"d":4,"c":{".value":3,".priority":1}}',
      ],
    ],
    [
      'a plain set clears it',
      (room, at) => set(at('c'), 5),
      ['moved c [a]', 'changed c 5 [a]', 'value {"a":9,"c":5,"d":4}'],
    ],
    [
      'all replaced',
      (room) => set(room, { d: 4, z: 1 }),
      ['removed a 9', 'removed c 5', 'added z 1 [d]', 'value {"d":4,"z":1}'],
    ],
    ['a leaf instead', (room) => set(room, 7), ['removed d 4', 'removed z 1', 'value 7']],
    ['nothing below a leaf', (room, at) => set(at('k/l'), null), []],
    ['a child below a leaf', (room, at) => set(at('k/l'), 1), ['added k {"l":1} [null]', 'value {"k":{"l":1}}']],
    ['its only leaf goes', (room, at) => remove(at('k/l')), ['removed k {"l":1}', 'value null']],
    ['nothing there', (room) => remove(room), []],
  ]));

// db/model/data-model.md §7.3, second table. An order without limits is a plain listen on the wire.
test('children: in the order of a child, moves are by its value', () =>
  play(
    { a: { s: 1 }, b: { s: 2 }, c: { s: 3 } },
    [
      [
        'listen',
        () => {},
        [
          'added a {"s":1} [null]',
          'added b {"s":2} [a]',
          'added c {"s":3} [b]',
          'value {"a":{"s":1},"b":{"s":2},"c":{"s":3}}',
        ],
      ],
      [
        'a to the end',
        (room, at) => set(at('a/s'), 5),
        ['moved a [c]', 'changed a {"s":5} [c]', 'value {"a":{"s":5},"b":{"s":2},"c":{"s":3}}'],
      ],
      [
        'not by another child',
        (room, at) => set(at('b/n'), 1),
        ['changed b {"n":1,"s":2} [null]', 'value {"a":{"s":5},"b":{"n":1,"s":2},"c":{"s":3}}'],
      ],
      [
        'two at once',
        (room) => update(room, { 'b/s': 6, 'c/s': 0 }),
        [
          'moved c [null]',
          'moved b [a]',
          'changed c {"s":0} [null]',
          'changed b {"n":1,"s":6} [a]',
          'value {"a":{"s":5},"b":{"n":1,"s":6},"c":{"s":0}}',
        ],
      ],
      [
        'its only child goes',
        (room, at) => remove(at('c/s')),
        ['removed c {"s":0}', 'value {"a":{"s":5},"b":{"n":1,"s":6}}'],
      ],
    ],
    (room) => query(room, orderByChild('s')),
  ));

// db/model/data-model.md §7.3, last paragraph.
test('priorities: none, then numbers, then strings; kept below a leaf, cleared by a plain write', async () => {
  const leaf = (value, priority) => ({ '.value': value, '.priority': priority });
  const shown = (value, priority) => JSON.stringify(leaf(value, priority));
  const start = { a: 1, f: 1, d: leaf(1, 2), c: leaf(1, 10), e: leaf(1, 'a'), b: leaf(1, 'z') };
  const [d, c, e, b] = [shown(1, 2), shown(1, 10), shown(1, 'a'), shown(1, 'z')];
  await play(
    start,
    [
      [
        'listen',
        () => {},
        [
          'added a 1 [null]',
          'added f 1 [a]',
          `added d ${d} [f]`,
          `added c ${c} [d]`,
          `added e ${e} [c]`,
          `added b ${b} [e]`,
          `value {"a":1,"f":1,"d":${d},"c":${c},"e":${e},"b":${b}}`,
        ],
      ],
      [
        'an update clears one',
        (room) => update(room, { b: 2 }),
        ['moved b [a]', 'changed b 2 [a]', `value {"a":1,"b":2,"f":1,"d":${d},"c":${c},"e":${e}}`],
      ],
      [
        'a write below keeps one',
        (room, at) => set(at('d/k'), 1),
        [
          'changed d {"k":1,".priority":2} [f]',
          `value {"a":1,"b":2,"f":1,"d":{"k":1,".priority":2},"c":${c},"e":${e}}`,
        ],
      ],
      [
        'a value with its priority, at the same place',
        (room, at) => setWithPriority(at('f'), 1, 0),
        [
          'moved f [b]',
          `changed f ${shown(1, 0)} [b]`,
          `value {"a":1,"b":2,"f":${shown(1, 0)},"d":{"k":1,".priority":2},"c":${c},"e":${e}}`,
        ],
      ],
    ],
    (room) => query(room, orderByPriority()),
  );
});

test('priorities: set, replaced and cleared by themselves, and none where nothing is', async () => {
  const namespace = newNamespace();
  const ada = open(server.port, namespace);
  const bob = open(server.port, namespace);
  const exported = async () => (await get(ref(bob))).exportVal();
  await setWithPriority(ref(ada, 'node'), { x: 1 }, 'p');
  assert.deepEqual(await exported(), { node: { x: 1, '.priority': 'p' } });
  await setPriority(ref(ada, 'node'), 7.5);
  assert.deepEqual(await exported(), { node: { x: 1, '.priority': 7.5 } });
  await setPriority(ref(ada, 'node/x'), 0);
  assert.deepEqual(await exported(), { node: { x: { '.value': 1, '.priority': 0 }, '.priority': 7.5 } });
  await assert.rejects(setPriority(ref(ada, 'absent'), 1), /could not set priority on non-existent node/);
  await setPriority(ref(ada, 'node'), null);
  assert.deepEqual(await exported(), { node: { x: { '.value': 1, '.priority': 0 } } });
  await remove(ref(ada, 'node/x'));
  assert.equal(await exported(), null);
});
