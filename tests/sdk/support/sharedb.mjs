// tools/sharedb-hearth as an app has it: the files that are published, beside ShareDB.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const source = fileURLToPath(new URL('../../../tools/sharedb-hearth', import.meta.url));
const require = createRequire(import.meta.url);

// The folder of the package. `after` is the test file's, to have it gone in the end.
export function installed(after) {
  const app = mkdtempSync(join(tmpdir(), 'hearth-sharedb-'));
  after(() => rmSync(app, { recursive: true, force: true }));
  const to = join(app, 'node_modules', 'sharedb-hearth');
  mkdirSync(to, { recursive: true });
  const { files } = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8'));
  for (const file of ['package.json', ...files]) cpSync(join(source, file), join(to, file));
  symlinkSync(dirname(require.resolve('sharedb/package.json')), join(app, 'node_modules', 'sharedb'));
  return to;
}
