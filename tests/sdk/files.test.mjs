// Files as people have them, by the three readers that take one: a PUT, `hearth import`, `hearth restore`. They take the same
// and make the same of it, and what is exported comes back by each of them.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { newNamespace } from './support/apps.mjs';
import { rest } from './support/rest.mjs';
import { Server, program } from './support/server.mjs';

const server = await Server.start(after);
const folder = mkdtempSync(join(tmpdir(), 'hearth-files-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const bom = '\ufeff';
const nested = (levels, inner) => '{"k":'.repeat(levels) + inner + '}'.repeat(levels);

// name: [file, what is exported then, or nothing: it is refused].
const files = {
  'an object': ['{"a":1}', '{"a":1}'],
  'null': ['null', 'null'],
  'a number alone': [' 5\n', '5'],
  'a text alone': ['"x"', '"x"'],
  'false alone': ['false', 'false'],
  'nothing in it': ['{"a":{},"b":[],"c":null,"d":{"e":[null,{}]}}', 'null'],
  'a list with holes': ['["a",null,"c"]', '{"0":"a","2":"c"}'],
  'lists in lists': ['[[1,[2]],{"a":[3]}]', '{"0":{"0":1,"1":{"0":2}},"1":{"a":{"0":3}}}'],
  'numeric keys': ['{"10":1,"9":2,"-1":3,"01":4,"a":5}', '{"-1":3,"01":4,"9":2,"10":1,"a":5}'],
  'a mark before it': [`${bom}{"a":1}`, '{"a":1}'],
  'a mark and blanks': [`${bom}\r\n\t {"a":1}\r\n`, '{"a":1}'],
  'two marks': [`${bom}${bom}{"a":1}`],
  'a mark alone': [bom],
  'UTF-16': [Buffer.from('{"a":1}', 'utf16le')],
  'UTF-16 with its mark': [Buffer.from(`${bom}{"a":1}`, 'utf16le')],
  'UTF-16, the other way round': [Buffer.from(`${bom}{"a":1}`, 'utf16le').swap16()],
  'latin-1': [Buffer.from('{"a":"é"}', 'latin1')],
  'UTF-8 that is cut': [Buffer.from('{"a":"é"}').subarray(0, 7)],
  'a raw half of a pair': [Buffer.from([0x22, 0xed, 0xa0, 0xbd, 0x22])],
  'UTF-8 that is too long': [Buffer.from([0x22, 0xc0, 0xaf, 0x22])],
  'an escaped pair': [String.raw`"\ud83d\ude00"`, '"😀"'],
  'the first half of a pair': [String.raw`{"a":{"t":"cut \ud83d"},"b":1}`, '{"a":{"t":"cut \ufffd"},"b":1}'],
  'the second half of a pair': [String.raw`"\ude00 cut"`, '"\ufffd cut"'],
  'halves in the wrong order': [String.raw`"\ude00\ud83d"`, '"\ufffd\ufffd"'],
  'a half before a pair': [String.raw`"\ud83d\ud83d\ude00"`, '"\ufffd😀"'],
  'a half in a key': [String.raw`{"\ud83d":1}`, '{"\ufffd":1}'],
  'a backslash before what looks like a half': [String.raw`"\\ud83d"`, String.raw`"\\ud83d"`],
  'an escape that is none': [String.raw`"\ud8"`],
  'another escape that is none': [String.raw`"\x41"`],
  'all escapes': [String.raw`"\"\\\/\b\f\n\r\t\u0000\u001f\u007f\u2028"`, '"\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\u007f\u2028"'],
  'a raw line break in a text': ['"a\nb"'],
  'a zero byte in a text': ['"a\0b"'],
  'a zero byte behind it': ['{"a":1}\0'],
  'single quotes': ["{'a':1}"],
  'a key without quotes': ['{a:1}'],
  'a comment': ['// mine\n{"a":1}'],
  'a trailing comma': ['{"a":1,}'],
  'cut short': ['{"a":1'],
  'more behind it': ['{"a":1} {"b":2}'],
  'nothing': [''],
  'blanks alone': [' \n'],
  'a page': ['<html></html>'],
  'large integers': ['[9223372036854775807,-9223372036854775808]', '{"0":9223372036854775807,"1":-9223372036854775808}'],
  'integers past 64 bits': ['[9223372036854775808,18446744073709551616,123456789012345678901234567890]', '{"0":9.223372036854776e+18,"1":1.8446744073709552e+19,"2":1.2345678901234568e+29}'],
  'doubles': ['[0.1,1.0,-0.0,1e3,5e-324,1e-400,1.7976931348623157e308]', '{"0":0.1,"1":1,"2":0,"3":1000,"4":5e-324,"5":0,"6":1.7976931348623157e+308}'],
  'a double past all': ['1e400'],
  'not a number': ['NaN'],
  'a leading zero': ['01'],
  'a number with a plus': ['+1'],
  'a number without its end': ['1.'],
  'priorities': ['{"a":{".value":1,".priority":"p"},"b":{".priority":2,"c":3},".priority":1.5}', '{".priority":1.5,"a":{".value":1,".priority":"p"},"b":{".priority":2,"c":3}}'],
  'priorities of nothing': ['{"a":{".priority":1},"b":{".value":null,".priority":2},"c":{".priority":null,"d":1}}', '{"c":{"d":1}}'],
  'a priority that is none': ['{"a":{".value":1,".priority":true}}'],
  'a priority that is a list': ['{"a":{"b":1,".priority":[1]}}'],
  'a value that is an object': ['{"a":{".value":{"b":1}}}'],
  'a value beside children': ['{"a":{".value":1,"b":2}}'],
  'a key with a dot': ['{"a.b":1}'],
  'a key with a slash': ['{"a/b":1}'],
  'an empty key': ['{"":1}'],
  'a key with a control character': [String.raw`{"a\u0001":1}`],
  'an escaped key': [String.raw`{"\u0061\u00e9":1}`, '{"aé":1}'],
  'an escaped .value': [String.raw`{"a":{"\u002evalue":1}}`, '{"a":1}'],
  'keys of other objects': ['{"__proto__":1,"constructor":2,"length":3}', '{"__proto__":1,"constructor":2,"length":3}'],
  'a key of 768 bytes': [`{"${'k'.repeat(768)}":1}`, `{"${'k'.repeat(768)}":1}`],
  'a key of 769 bytes': [`{"${'k'.repeat(769)}":1}`],
  '32 levels': [nested(32, '1'), nested(32, '1')],
  '33 levels': [nested(33, '1')],
  '33 levels of nothing': [nested(33, '{}'), 'null'],
};
// What a restore refuses, saying why, and a write takes: of two values for one place it would not choose, and times and sums
// are those of a write.
const refusedByRestore = {
  'a key that stands twice': ['{"a":1,"a":2}', '{"a":2}'],
  'a server value': ['{"a":{".sv":{"increment":5}}}', '{"a":5}'],
};

const exported = async (namespace) => (await rest(server, namespace, 'GET', '/.json', { query: 'format=export' })).text;

// By each reader: what is exported then, or null: it was refused.
const readers = {
  PUT: async (namespace, bytes) => (await rest(server, namespace, 'PUT', '/.json', { body: bytes })).status === 200,
  import: async (namespace) => hearth('import', join(folder, 'file'), '/', '--ns', namespace),
  restore: async (namespace) => hearth('restore', '--ns', namespace, join(folder, 'file')),
};
function hearth(...words) {
  const { status, stderr } = spawnSync(program, [...words, '--url', server.url, '--token', 'owner'], { encoding: 'utf8' });
  assert.ok(status === 0 || (status === 1 && stderr.startsWith('hearth')), `${words.join(' ')}: ${status} ${stderr}`);
  return status === 0;
}
async function read(reader, bytes) {
  const namespace = newNamespace();
  writeFileSync(join(folder, 'file'), bytes);
  return (await readers[reader](namespace, bytes)) ? exported(namespace) : null;
}

for (const reader of Object.keys(readers)) {
  test(`${Object.keys(files).length} odd files by ${reader}, and back`, async () => {
    const wrong = [];
    for (const [name, [file, expected = null]] of Object.entries(files)) {
      const got = await read(reader, file);
      if (got !== expected) wrong.push({ name, got, expected });
      if (got !== null && (await read(reader, got)) !== got) wrong.push({ name, got, again: await read(reader, got) });
    }
    assert.deepEqual(wrong, []);
  });
}

test('what a restore refuses and a write takes', async () => {
  for (const [name, [file, expected]] of Object.entries(refusedByRestore)) {
    assert.equal(await read('PUT', file), expected, name);
    assert.equal(await read('import', file), expected, name);
    assert.equal(await read('restore', file), null, name);
  }
});

test('a PUT names UTF-16', async () => {
  const { text } = await rest(server, newNamespace(), 'PUT', '/.json', { body: Buffer.from('{"a":1}', 'utf16le') });
  assert.equal(JSON.parse(text).error, "Invalid data; couldn't parse JSON object, array, or value. It is UTF-16; JSON is UTF-8.");
});
