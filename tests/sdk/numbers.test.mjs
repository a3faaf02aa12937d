// Numbers on every road out of the server: each text is read by JavaScript as the number that went in, and one of digits
// alone is what Java, Go and Python take for a 64-bit integer: it fits, and it is exact.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { get, ref } from '@firebase/database';
import { closeApps, newNamespace, open } from './support/apps.mjs';
import { rest, stream } from './support/rest.mjs';
import { Server, program } from './support/server.mjs';
import { Socket } from './support/socket.mjs';

const server = await Server.start(after);
after(closeApps);
const folder = mkdtempSync(join(tmpdir(), 'hearth-numbers-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const numbers = [
  '0', '-0', '0.0', '1', '-1', '1.0', '1.5', '-1.5', '0.1', '0.30000000000000004', '1e3', '1E+3', '1e-3', '0.000001', '1e-7', '-1.25e-10',
  '2147483647', '2147483648', '-2147483648', '4294967296', '9007199254740991', '9007199254740992', '9007199254740993', '-9007199254740993',
  '9007199254740993.0', '1234567890123456789', '1152921504606846976', '1152921504606846977', '999999999999999999', '1000000000000000000',
  '9223372036854774784', '9223372036854775806', '9223372036854775807', '-9223372036854775807', '-9223372036854775808',
  '9223372036854775808', '-9223372036854775809', '9223372036854777856', '-9223372036854777856', '9300000000000000000', '1e18', '1e19', '-1e19',
  '18446744073709551615', '18446744073709551616', '36893488147419103232', '1e20', '-1e20', '123456789012345678901', '999999999999999900000',
  '999999999999999999999', '1e21', '-1e21', '1.5e21', '1.2345678901234568e+29', '123456789012345678901234567890', '1e100',
  '1.7976931348623157e308', '5e-324', '2.2250738585072014e-308', '4.35',
];
const key = (i) => `k${String(i).padStart(2, '0')}`;
const fits = (digits) => BigInt.asIntN(64, BigInt(digits)) === BigInt(digits);

// What each number is said as in `text`, by its key.
function said(text, road) {
  const found = new Map([...text.matchAll(/"(k\d\d)"\s?:\s?([^,}\]\s]+)/g)].map(([, name, number]) => [name, number]));
  assert.equal(found.size, numbers.length, `${road}: ${text}`);
  return numbers.map((_, i) => found.get(key(i)));
}

function check(text, road, isDouble = false) {
  said(text, road).forEach((told, i) => {
    const asked = numbers[i];
    const about = `${road}: ${asked} is told as ${told}`;
    assert.equal(JSON.parse(told) + 0, JSON.parse(asked) + 0, about);
    if (!/^-?\d+$/.test(told)) return;
    assert.ok(fits(told), about);
    const isExact = /^-?\d+$/.test(asked) && fits(asked) && !isDouble;
    assert.equal(BigInt(told), isExact ? BigInt(asked) : BigInt(JSON.parse(asked)), about);
  });
}

function hearth(...words) {
  return execFileSync(program, [...words, '--url', server.url, '--token', 'owner'], { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

test(`${numbers.length} numbers are what they were on every road`, async () => {
  assert.ok(numbers.length >= 60);
  const namespace = newNamespace();
  const body = `{${numbers.map((number, i) => `"${key(i)}":${number}`).join(',')}}`;
  const ask = async (method, query = '', options = {}) => (await rest(server, namespace, method, '/n.json', { query, ...options })).text;

  const events = await stream(server, namespace, '/n.json');
  await events.events.until((items) => items.length > 0, 'the first event');
  const socket = await Socket.open(server.port, namespace);
  await socket.request('q', { p: '/n', h: '' });
  check(await ask('PUT', '', { body }), 'the echo of a PUT');
  check(await ask('PATCH', '', { body }), 'the echo of a PATCH');
  check(await ask('GET'), 'REST');
  check(await ask('GET', 'print=pretty'), 'REST, pretty');
  check(await ask('GET', 'format=export'), 'REST, export');
  check(await ask('GET', 'callback=f'), 'REST, JSONP');
  const event = await events.events.until((items) => items.some((item) => item.raw?.includes('"k00"')), 'the event');
  check(event.find((item) => item.raw?.includes('"k00"')).raw, 'a stream of events');
  await socket.heard.until((items) => items.some(({ d }) => d?.a === 'd'), 'the push');
  check(socket.texts.find((text) => text.includes('"k00"')), 'the wire');
  events.close();
  await socket.close();
  check(hearth('get', '/n', '--ns', namespace), 'hearth get');
  check(hearth('export', '/n', '--ns', namespace), 'hearth export');
  hearth('dump', '--ns', namespace, '--format', 'json', '--out', 'dump.json');
  check(readFileSync(join(folder, 'dump.json'), 'utf8'), 'hearth dump');

  // Back, by each door, they are the same.
  const whole = await ask('GET');
  for (const format of ['json', 'native']) {
    hearth('dump', '--ns', namespace, '--format', format, '--out', `again.${format}`);
    hearth('restore', `again.${format}`, '--ns', `${namespace}-${format}`);
    assert.equal((await rest(server, `${namespace}-${format}`, 'GET', '/n.json')).text, whole, format);
  }
  const value = (await get(ref(open(server.port, namespace), 'n'))).val();
  numbers.forEach((number, i) => assert.equal(value[key(i)], JSON.parse(number) + 0));
});

test('priorities, which are doubles, are told so too', async () => {
  const namespace = newNamespace();
  const body = `{${numbers.map((number, i) => `"${key(i)}":{".value":true,".priority":${number}}`).join(',')}}`;
  assert.equal((await rest(server, namespace, 'PUT', '/p.json', { body })).status, 200);
  const { text } = await rest(server, namespace, 'GET', '/p.json', { query: 'format=export' });
  check(text.replaceAll(/\{".value":true,".priority":([^}]+)\}/g, '$1'), 'priorities', true);
});
