// A certificate authority for one test file, which this process trusts. Node reads whom to trust when it starts, so the
// process runs the file again in a child that has been told; imported first, nothing of the file happens before.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

function openssl(...words) {
  execFileSync('openssl', words, { stdio: ['ignore', 'ignore', 'pipe'] });
}

// A folder with an authority: ca.crt, ca.key.
function makeAuthority(folder) {
  const [crt, pem] = ['ca.crt', 'ca.key'].map((name) => join(folder, name));
  const self = ['-addext', 'basicConstraints=critical,CA:TRUE'];
  openssl('req', '-x509', ...key, '-keyout', pem, '-out', crt, '-subj', '/CN=an authority of tests', '-days', '2', ...self);
}

// A certificate for localhost by the authority of that folder: {certificate, key}, files. The same `name`: in place of
// the former.
export function issue(name = 'server', folder = authority) {
  const pair = { certificate: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) };
  const by = ['-CA', join(folder, 'ca.crt'), '-CAkey', join(folder, 'ca.key')];
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  openssl('req', '-x509', ...key, '-keyout', pair.key, '-out', pair.certificate, ...by, ...names, '-days', '2');
  return pair;
}

// One that nobody here trusts, as `issue` takes it. `after` is the test's, to have it gone in the end.
export function strangeAuthority(after) {
  const folder = mkdtempSync(join(tmpdir(), 'hearth-strange-ca-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  makeAuthority(folder);
  return folder;
}

const mark = 'HEARTH_TEST_AUTHORITY';
if (process.env[mark] === undefined) {
  const folder = mkdtempSync(join(tmpdir(), 'hearth-ca-'));
  let code = 1;
  try {
    makeAuthority(folder);
    const env = { ...process.env, [mark]: folder, NODE_EXTRA_CA_CERTS: join(folder, 'ca.crt') };
    const child = spawn(process.execPath, [...process.execArgv, process.argv[1]], { stdio: 'inherit', env });
    for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => child.kill(signal));
    [code] = await once(child, 'exit');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  process.exit(code ?? 1);
}

export const authority = process.env[mark];
