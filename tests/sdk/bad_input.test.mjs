// What no SDK would send, by REST and by WebSocket: the exact refusal, the connection alive where it can be, the tree
// as it was.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { newNamespace } from './support/apps.mjs';
import { opcode } from './support/frames.mjs';
import { rest } from './support/rest.mjs';
import { Server } from './support/server.mjs';
import { Socket } from './support/socket.mjs';

const server = await Server.start(after);

const tree = '{"old":{"a":1,"b":"x"}}';
const notJson = "Invalid data; couldn't parse JSON object, array, or value.";
const notObject = "Invalid data; couldn't parse JSON object. Are you sending a JSON object with valid key names?";
const badKey = (place) =>
  `Invalid data; couldn't parse key beginning at ${place}. Key value can't be empty or contain $ # [ ] / or .`;
const badPath = 'Invalid path: Invalid token in path';
const tooLong = 'Invalid path: Path specified exceeds the maximum length that can be written (768 bytes).';
const tooDeep = 'Invalid path: Path specified exceeds the maximum depth that can be written (32).';
const anyInvalidData = /^Invalid data; /;

const bytes = (...parts) => Buffer.concat(parts.map((part) => Buffer.from(part)));
const nested = (depth, leaf) => '{"k":'.repeat(depth) + leaf + '}'.repeat(depth);
const long = 'x'.repeat(769);
const loneSurrogates = '{"\\ud800k":"a\\udc00\\ud83d\\ude00"}';

async function fresh() {
  const namespace = newNamespace();
  const put = await rest(server, namespace, 'PUT', '/.json', { body: tree });
  assert.equal(put.status, 200);
  return namespace;
}

async function checkUnchanged(namespace, what) {
  const got = await rest(server, namespace, 'GET', '/.json');
  assert.equal(got.text, tree, `${what}: the tree is as it was`);
}

function checkText(text, expected, what) {
  if (expected instanceof RegExp) {
    assert.match(text, expected, what);
  } else {
    assert.equal(text, expected, what);
  }
}

test('REST: bad bodies and paths are refused with their words, and change nothing', async () => {
  const namespace = await fresh();
  const table = [
    ['no JSON', 'PUT', '/x.json', '{"a":', notJson],
    ['words', 'PUT', '/x.json', 'hello', notJson],
    ['two documents', 'PUT', '/x.json', '1 2', notJson],
    ['a trailing comma', 'PUT', '/x.json', '[1,]', notJson],
    ['NaN', 'PUT', '/x.json', 'NaN', notJson],
    ['an infinite number', 'PUT', '/x.json', '1e400', /^Invalid data; /],
    ['a leading zero', 'PUT', '/x.json', '01', notJson],
    ['a control character in a string', 'PUT', '/x.json', '"a\nb"', notJson],
    ['bad UTF-8 in a string', 'PUT', '/x.json', bytes('"', [0xff, 0xfe], '"'), notJson],
    ['half a character', 'PUT', '/x.json', bytes('"', [0xf0, 0x9f, 0x98], '"'), notJson],
    ['an encoded surrogate', 'PUT', '/x.json', bytes('"', [0xed, 0xa0, 0x80], '"'), notJson],
    ['nothing', 'PUT', '/x.json', '', 'Error: No data supplied.'],
    ['nothing to push', 'POST', '/x.json', '', 'Error: No data supplied.'],
    ['nothing to update', 'PATCH', '/x.json', '', 'Error: No data supplied.'],
    ['a dot in a key', 'PUT', '/x.json', '{"a.b":1}', badKey('1:2')],
    ['an empty key', 'PUT', '/x.json', '{"":1}', badKey('1:2')],
    ['a slash in a key', 'PUT', '/x.json', '{"a/b":1}', badKey('1:2')],
    ['a dollar in the second line', 'PUT', '/x.json', '{"a":1,\n  "$b":2}', badKey('2:3')],
    ['a bracket deep inside', 'PUT', '/x.json', '{"a":{"b":[{"c[":1}]}}', badKey('1:13')],
    ['a hash', 'POST', '/x.json', '{"#":1}', badKey('1:2')],
    ['a control character in a key', 'PUT', '/x.json', '{"\\u0001":1}', badKey('1:2')],
    ['delete in a key', 'PUT', '/x.json', '{"\\u007f":1}', badKey('1:2')],
    ['an unknown dot name', 'PUT', '/x.json', '{".foo":1}', badKey('1:2')],
    ['33 keys deep, by the body', 'PUT', '/.json', nested(33, '1'), anyOf(tooDeep, /maximum depth .*\(32\)/)],
    ['33 keys deep, by both', 'PUT', '/x.json', nested(32, '1'), anyOf(tooDeep, /maximum depth .*\(32\)/)],
    ['100,000 deep', 'PUT', '/x.json', nested(100_000, '1'), /maximum depth|parse JSON/],
    ['100,000 lists deep', 'PUT', '/x.json', '['.repeat(100_000) + ']'.repeat(100_000), /maximum depth|parse JSON/],
    ['a key of 769 bytes', 'PUT', '/.json', `{"${long}":1}`, anyOf(tooLong, /768 bytes/)],
    ['a path of 769 bytes', 'PUT', `/${long}.json`, '1', tooLong],
    ['a path of 33 keys', 'PUT', `${'/k'.repeat(33)}.json`, '1', tooDeep],
    ['a path with a dot', 'PUT', '/a.b.json', '1', badPath],
    ['a path with an encoded slash', 'PUT', '/a%2Fb.json', '1', badPath],
    ['a path with a dollar', 'PUT', '/a$b.json', '1', badPath],
    ['a path with a bracket', 'PUT', '/a%5Bb.json', '1', badPath],
    ['a path with a control character', 'PUT', '/a%01.json', '1', badPath],
    ['a path of bad UTF-8', 'PUT', '/a%FF.json', '1', badPath],
    ['a path with a broken escape', 'PUT', '/a%zz.json', '1', /./],
    ['a string of 10 MiB + 1', 'PUT', '/x.json', `"${'x'.repeat((10 << 20) + 1)}"`, anyInvalidData],
    ['.value beside children', 'PUT', '/x.json', '{".value":1,"a":2}', anyInvalidData],
    ['.value of an object', 'PUT', '/x.json', '{".value":{"a":1}}', anyInvalidData],
    ['a priority of true', 'PUT', '/x.json', '{".value":1,".priority":true}', anyInvalidData],
    ['a priority of an object', 'PUT', '/x.json', '{"a":1,".priority":{"b":1}}', anyInvalidData],
    ['an unknown .sv', 'PUT', '/x.json', '{".sv":"moment"}', anyInvalidData],
    ['an .sv of a number', 'PUT', '/x.json', '{".sv":1}', anyInvalidData],
    ['an increment of text', 'PUT', '/x.json', '{".sv":{"increment":"1"}}', anyInvalidData],
    ['two increments', 'PUT', '/x.json', '{".sv":{"increment":1,"decrement":1}}', anyInvalidData],
    ['an .sv beside children', 'PUT', '/x.json', '{".sv":"timestamp","a":1}', anyInvalidData],
    ['an update by a list', 'PATCH', '/x.json', '[1]', notObject],
    ['an update by a number', 'PATCH', '/x.json', '1', notObject],
    ['a path above another', 'PATCH', '/old.json', '{"a":1,"a/b":2}', /^Invalid data; .*\/a/],
    ['the same path twice', 'PATCH', '/old.json', '{"a":1,"/a/":2}', /^Invalid data; .*\/a/],
    ['a node and its priority', 'PATCH', '/old.json', '{"a":1,"a/.priority":2}', /^Invalid data; .*\/a/],
    ['a bad path in an update', 'PATCH', '/old.json', '{"a/$b":2}', /Invalid/],
    ['.sv in the path of an update', 'PATCH', '/old.json', '{"a/.sv":"timestamp"}', /Invalid/],
    ['a good path beside a bad one', 'PATCH', '/old.json', '{"a":5,"b/.value":6}', /Invalid/],
    ['a conditional update', 'PATCH', '/old.json', '{"a":5}', /./, { 'if-match': 'null_etag' }],
    ['any tag', 'PUT', '/old.json', '5', /./, { 'if-match': '*' }],
  ];
  for (const [what, method, path, body, expected, headers = {}] of table) {
    const answer = await rest(server, namespace, method, path, { body, headers });
    assert.equal(answer.status, 400, `${what}: ${answer.text}`);
    assert.equal(answer.headers['content-type'], 'application/json; charset=utf-8', what);
    assert.equal(answer.headers['access-control-allow-origin'], '*', what);
    const { error } = JSON.parse(answer.text);
    assert.equal(answer.text, `{\n  "error" : ${JSON.stringify(error)}\n}\n`, what);
    checkText(error, expected, what);
    await checkUnchanged(namespace, what);
  }
});

// One text, or a pattern where the specification leaves the words to us.
function anyOf(text, pattern) {
  return new RegExp(`${text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}|${pattern.source}`);
}

test('REST: other methods, other targets', async () => {
  const namespace = await fresh();
  const plain = 'append .json to your request URI to use the REST API.';
  for (const [method, path, status, text] of [
    ['PUT', '/x', 405, plain],
    ['POST', '/', 405, plain],
    ['PROPFIND', '/x.json', 405, undefined],
  ]) {
    const answer = await rest(server, namespace, method, path, { body: '1' });
    assert.equal(answer.status, status, `${method} ${path}`);
    if (text) assert.equal(answer.text.trimEnd(), text);
  }
  await checkUnchanged(namespace, 'all');
});

test('REST: what looks bad and is accepted', async () => {
  const namespace = newNamespace();
  const table = [
    ['duplicate keys: the last wins', '{"a":{"x":1},"a":2}', '{"a":2}'],
    ['a number of 30 digits is a double', '123456789012345678901234567890', '1.2345678901234568e+29'],
    ['a negative one too', '[-123456789012345678901234567890]', '[-1.2345678901234568e+29]'],
    ['lone surrogates are replaced', loneSurrogates, '{"\ufffdk":"a\ufffd\u{1f600}"}'],
    ['a byte of zero in a string', '"a\\u0000b"', '"a\\u0000b"'],
    ['32 keys deep', nested(31, '1'), nested(31, '1')],
    ['a string of 10 MiB', `"${'x'.repeat(10 << 20)}"`, `"${'x'.repeat(10 << 20)}"`],
    ['blanks around', ' \r\n\t{ "a" : [ 1 , 2 ] } ', '{"a":[1,2]}'],
  ];
  for (const [what, body, expected] of table) {
    const put = await rest(server, namespace, 'PUT', '/x.json', { body });
    assert.equal(put.status, 200, `${what}: ${put.text.slice(0, 200)}`);
    const got = await rest(server, namespace, 'GET', '/x.json');
    assert.ok(got.text === expected, `${what}: ${got.text.slice(0, 200)}`);
  }
});

test('WebSocket: bad requests are answered by their number, and the connection goes on', async () => {
  const namespace = await fresh();
  const socket = await Socket.open(server.port, namespace);
  const put = (path, data) => ['p', `{"p":${JSON.stringify(path)},"d":${data}}`];
  const merge = (path, data) => ['m', `{"p":${JSON.stringify(path)},"d":${data}}`];
  const table = [
    ['a dot in a key', put('/x', '{"a.b":1}'), 'failure', /Key value can't be empty or contain/],
    ['an empty key', put('/x', '{"":1}'), 'failure', /Key value can't be empty or contain/],
    ['a slash in a key', put('/x', '{"a/b":1}'), 'failure', /Key value can't be empty or contain/],
    ['a control character in a key', put('/x', '{"\\u0001":1}'), 'failure', /Key value can't be empty or contain/],
    ['33 keys deep, by the value', put('/x', nested(32, '1')), 'failure', /maximum depth .*\(32\)/],
    ['33 keys deep, by the path', put('/k'.repeat(33), '1'), 'failure', tooDeep],
    ['a key of 769 bytes', put('/', `{"${long}":1}`), 'failure', /768 bytes/],
    ['a path of 769 bytes', put(`/${long}`, '1'), 'failure', tooLong],
    ['a path with a dot', put('/a.b', '1'), 'failure', badPath],
    ['a path with a dollar', put('/a$', '1'), 'failure', badPath],
    ['.info', put('/.info/connected', 'true'), 'failure', "Can't modify data under /.info/"],
    ['a string of 10 MiB + 1', put('/x', `"${'x'.repeat((10 << 20) + 1)}"`), 'failure', anyInvalidData],
    ['.value beside children', put('/x', '{".value":1,"a":2}'), 'failure', anyInvalidData],
    ['an unknown .sv', put('/x', '{".sv":"moment"}'), 'failure', anyInvalidData],
    ['an increment of text', put('/x', '{".sv":{"increment":"1"}}'), 'failure', anyInvalidData],
    ['an .sv beside children', put('/x', '{".sv":"timestamp","a":1}'), 'failure', anyInvalidData],
    ['a priority of true', put('/x', '{".value":1,".priority":true}'), 'failure', anyInvalidData],
    ['a priority that is an object', put('/old/.priority', '{"a":1}'), 'failure', anyInvalidData],
    ['an infinite number', put('/x', '1e400'), 'failure', anyInvalidData],
    ['overlapping paths', merge('/old', '{"a":1,"a/b":2}'), 'failure', /^Invalid data; .*\/a/],
    ['a node and its priority', merge('/old', '{"a":1,"a/.priority":2}'), 'failure', /^Invalid data; .*\/a/],
    ['a merge of a list', merge('/old', '[1]'), 'failure', /./],
    ['a merge of a number', merge('/old', '1'), 'failure', /./],
    ['.sv in a merge path', merge('/old', '{"a/.sv":1}'), 'failure', /Invalid/],
    ['onDisconnect of a bad key', ['o', '{"p":"/x","d":{"$":1}}'], 'failure', /Key value can't be empty or contain/],
    ['onDisconnect of overlapping paths', ['om', '{"p":"/x","d":{"a":1,"a/b":2}}'], 'failure', /^Invalid data; /],
    ['an unknown action', ['zzz', '{}'], 'failure', /Unknown action: zzz/],
    ['an action that is no text', ['', '{}'], 'failure', /./],
    ['no path', ['p', '{"d":1}'], 'failure', /./],
    ['a path that is no text', ['p', '{"p":1,"d":1}'], 'failure', /./],
    ['no data', ['p', '{"p":"/x"}'], 'failure', /./],
    ['no body', ['p', 'null'], 'failure', /./],
    ['a list as a body', ['q', '[]'], 'failure', /./],
    ['a hash that is no text', ['q', '{"p":"/x","h":1}'], 'failure', /./],
    ['a stale hash', ['p', '{"p":"/old","d":1,"h":"AAAA"}'], 'datastale', 'Transaction hash does not match'],
    ['no credential', ['auth', '{}'], 'invalid_token', /./],
    ['a filtered listen without a tag', ['q', '{"p":"/old","q":{"l":1,"vf":"l"},"h":""}'], 'failure', /tag/],
    ['a get of no query', ['g', '{"p":"/old","q":{"l":-1}}'], 'failure', /positive integer/],
  ];
  for (const [what, [action, body], status, expected] of table) {
    const answer = await socket.requestRaw(action, body);
    assert.equal(answer.s, status, `${what}: ${JSON.stringify(answer)}`);
    assert.equal(typeof answer.d, 'string', what);
    checkText(answer.d, expected, what);
    await checkUnchanged(namespace, what);
  }
  assert.equal(await socket.isAlive(), true);
  await socket.close();
});

test('WebSocket: what looks bad and is accepted', async () => {
  const namespace = newNamespace();
  const socket = await Socket.open(server.port, namespace);
  const table = [
    ['{"p":"x//y/","d":1}', '{"y":1}'],
    ['{"p":"/x","d":{"a":{"x":1},"a":2}}', '{"a":2}'],
    ['{"p":"/x","d":123456789012345678901234567890}', '1.2345678901234568e+29'],
    [`{"p":"/x","d":${loneSurrogates}}`, '{"\ufffdk":"a\ufffd\u{1f600}"}'],
    ['{"p":"/x","d":[1,null,3],"unknown":{"a.b":true}}', '[1,null,3]'],
    [`{"p":"/x","d":${nested(31, '1')}}`, nested(31, '1')],
  ];
  for (const [body, expected] of table) {
    assert.deepEqual(await socket.requestRaw('p', body), { s: 'ok', d: '' }, body);
    assert.equal((await rest(server, namespace, 'GET', '/x.json')).text, expected, body);
  }
  await socket.close();
});

test('WebSocket: text that makes no sense costs nobody the connection', async () => {
  const namespace = await fresh();
  const socket = await Socket.open(server.port, namespace);
  const texts = ['{', 'hello', '[]', '"x"', 'null', '{}', '{"t":"d"}', '{"t":"x","d":{}}', '{"t":"d","d":[]}'];
  texts.push('{"t":"d","d":{"a":"p","b":{"p":"/x","d":1}}}'); // no number
  texts.push('{"t":"d","d":{"r":"1","a":"p","b":{"p":"/x","d":1}}}', '{"t":"c","d":{"t":"nothing"}}', '{"t":"c"}');
  for (const text of texts) {
    socket.sendText(text);
    assert.equal(await socket.isAlive(), true, text);
  }
  // Broken after its number: answered.
  socket.sendText(socket.requestText('p', '{"p":"/x","d":nonsense}'));
  assert.equal((await socket.answer()).s, 'failure');
  // Keepalives, and a header for one piece.
  socket.sendFrame('0');
  socket.sendFrame('1');
  socket.sendFrame(socket.requestText('g', '{"p":"/old/a","q":{}}'));
  assert.deepEqual(await socket.answer(), { s: 'ok', d: 1 });
  // A message in fragments of WebSocket's own.
  const text = socket.requestText('g', '{"p":"/old/b","q":{}}');
  socket.sendFrame(text.slice(0, 10), { final: false });
  socket.sendFrame('', { code: opcode.ping });
  socket.sendFrame(text.slice(10), { code: opcode.continuation });
  assert.deepEqual(await socket.answer(), { s: 'ok', d: 'x' });
  assert.equal(socket.heard.items.some((message) => message.d?.error !== undefined), false);
  await checkUnchanged(namespace, 'all');
  await socket.close();
});

test('WebSocket: a message of more than 16 MiB is refused by its number, in one frame or in many', async () => {
  const namespace = await fresh();
  const socket = await Socket.open(server.port, namespace);
  const parts = Array.from({ length: 17 }, (_, i) => `"k${i}":"${'x'.repeat(1 << 20)}"`);
  socket.sendText(socket.requestText('p', `{"p":"/x","d":{${parts.join(',')}}}`));
  assert.equal((await socket.answer()).s, 'too_big');
  assert.equal(await socket.isAlive(), true);
  await checkUnchanged(namespace, 'a large message');
  await socket.close();
});

test('WebSocket: frames that break the protocol end that connection, and only that', async () => {
  const namespace = await fresh();
  const table = [
    ['bad UTF-8', (socket) => socket.sendFrame(bytes('{"t":"', [0xff], '"}')), 1007],
    ['a frame without a mask', (socket) => socket.sendFrame('{}', { masked: false }), 1002],
    ['an opcode that is none', (socket) => socket.sendFrame('{}', { code: 3 }), 1002],
    ['a ping in fragments', (socket) => socket.sendFrame('', { code: opcode.ping, final: false }), 1002],
    ['a continuation of nothing', (socket) => socket.sendFrame('{}', { code: opcode.continuation }), 1002],
    ['a close', (socket) => socket.sendFrame(bytes([0x03, 0xe8]), { code: opcode.close }), 1000],
  ];
  const witness = await Socket.open(server.port, namespace);
  for (const [what, act, code] of table) {
    const socket = await Socket.open(server.port, namespace);
    act(socket);
    const closed = await Promise.race([
      socket.closed,
      new Promise((resolve) => setTimeout(() => resolve('still open'), 10_000).unref()),
    ]);
    assert.equal(closed, code, what);
    assert.equal(await witness.isAlive(), true, what);
  }
  await witness.close();
  await checkUnchanged(namespace, 'all');
});
