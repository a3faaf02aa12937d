// Rule expressions as other readers take them: `tests/data/rule-expressions.json` holds what targaryen 3.1.0 (npm) made of each,
// as `.write` of /a where 's' stood and {x: 1, y: 't'} was to be; JavaScript reads each here and now.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { newNamespace } from './support/apps.mjs';
import { rest } from './support/rest.mjs';
import { Server } from './support/server.mjs';

const server = await Server.start(after);
const table = JSON.parse(readFileSync(new URL('../data/rule-expressions.json', import.meta.url), 'utf8'));
const owner = { Authorization: 'Bearer owner' };

// What JavaScript itself makes of one, with as much of a snapshot as these ask for.
function byJavaScript(expression) {
  const snapshot = (value) => ({
    val: () => value,
    child: (key) => snapshot(value[key]),
    hasChildren: (keys) => {
      if (Array.from(keys).some((key) => typeof key !== 'string')) throw new Error('no list of keys');
      return keys.every((key) => key in value);
    },
  });
  String.prototype.matches = function matches(pattern) { // the one method of a text that these use and JavaScript has not
    return pattern.test(this);
  };
  try {
    const read = new Function('data', 'newData', `return (${expression.replace(/;$/, '')}\n)`);
    return String(read(snapshot('s'), snapshot({ x: 1, y: 't' })));
  } catch {
    return 'refused';
  } finally {
    delete String.prototype.matches;
  }
}

async function byHearth(expression) {
  const namespace = newNamespace();
  const put = (path, body, headers = {}) => rest(server, namespace, 'PUT', path, { body, headers });
  assert.equal((await put('/a.json', '"s"', owner)).status, 200);
  const set = await put('/.settings/rules.json', JSON.stringify({ rules: { a: { '.write': expression } } }), owner);
  if (set.status !== 200) return 'refused';
  const { status } = await put('/a.json', '{"x":1,"y":"t"}');
  assert.ok(status === 200 || status === 401, `${status}`);
  return String(status === 200);
}

// Where the two differ: of these Hearth goes with…
const asTargaryen = ['0x10n == 16', '1_000 == 1000', "newData.hasChildren(['x'],)"]; // numbers and commas that came later
const asJavaScript = ['newData.hasChildren([])', String.raw`'\u{41}' == 'A'`, String.raw`'\u{1f600}' == '\ud83d\ude00'`, String.raw`'\u12' == 'A'`, String.raw`'\x4' == 'A'`];

test(`${table.length} expressions are to Hearth what they are to targaryen and to JavaScript`, async () => {
  assert.ok(table.length >= 100);
  const differing = [];
  const wrong = [];
  for (const [expression, targaryen] of table) {
    const javascript = byJavaScript(expression);
    if (targaryen !== javascript) differing.push(expression);
    const expected = asJavaScript.includes(expression) ? javascript : targaryen;
    const got = await byHearth(expression);
    if (got !== expected) wrong.push({ expression, got, targaryen, javascript });
  }
  assert.deepEqual(wrong, []);
  assert.deepEqual(differing.sort(), [...asTargaryen, ...asJavaScript].sort());
});

test('who uploads an octal number is told what it is', async () => {
  const namespace = newNamespace();
  const body = '{"rules":{".read":"now > 010"}}';
  const answer = await rest(server, namespace, 'PUT', '/.settings/rules.json', { body, headers: owner });
  assert.deepEqual(JSON.parse(answer.text), {
    status: 'ok',
    warnings: ['1:26: 010 is octal, the number 8; without the 0 in front of it, it is decimal.'],
  });
  const plain = await rest(server, namespace, 'PUT', '/.settings/rules.json', { body: body.replace('010', '0x10'), headers: owner });
  assert.equal(plain.text, '{"status":"ok"}');
});

test('a document that is no JSON is a parse error, and one with a mark before it is none', async () => {
  const put = async (body) => rest(server, newNamespace(), 'PUT', '/.settings/rules.json', { body, headers: owner });
  for (const [body, error] of [
    ['nothing like JSON', '1:1: Parse error.\n'],
    ['// mine\n\npath / { read() { true } }\n', '3:1: Parse error.\n'],
    ['service firebase.storage {\n}\n', '1:1: Parse error.\n'],
    [Buffer.from('{"rules":{".read":true}}', 'utf16le'), '1:1: The document is UTF-16; save it as UTF-8.\n'],
    [Buffer.from('\ufeff{"rules":{".read":true}}', 'utf16le'), '1:1: The document is UTF-16; save it as UTF-8.\n'],
    ['\ufeff{"rules":{".read":maybe}}', '1:19: Unexpected \'m\'.\n'],
  ]) {
    const { status, text } = await put(body);
    assert.deepEqual([status, JSON.parse(text).error], [400, error]);
  }
  assert.equal((await put('\ufeff{"rules":{".read":true}}')).status, 200);
});
