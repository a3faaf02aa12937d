// Makes `built/` of `src/`, the same bytes each time: node build.mjs. With --check nothing is written: it fails where built/
// is not what src/ makes.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const here = fileURLToPath(new URL('.', import.meta.url));
const folder = `${here}built/`;
const kBytesMax = 250_000; // of all files, gzipped

const { outputFiles, metafile } = await build({
  absWorkingDir: here,
  entryPoints: { main: 'src/main.jsx' },
  outdir: 'built',
  bundle: true,
  splitting: true,
  format: 'esm',
  target: 'es2022',
  minify: true,
  charset: 'utf8',
  jsx: 'automatic',
  jsxImportSource: 'preact',
  entryNames: '[name]-[hash]',
  chunkNames: '[name]-[hash]',
  legalComments: 'none',
  write: false,
  metafile: true,
  preserveSymlinks: true, // a node_modules that is a link makes the same bytes
});
const files = new Map(
  outputFiles.map(({ path, contents }) => [path.slice(path.lastIndexOf('/') + 1), Buffer.from(contents)]),
);
const named = (start, end) => [...files.keys()].find((name) => name.startsWith(start) && name.endsWith(end));
// What the main file imports is asked for together with it.
const [, entry] = Object.entries(metafile.outputs).find(([, output]) => output.entryPoint === 'src/main.jsx');
const preloads = entry.imports
  .filter(({ kind }) => kind === 'import-statement')
  .map(({ path }) => `<link rel="modulepreload" href="/.console/${path.slice(path.lastIndexOf('/') + 1)}">\n`)
  .sort();
const index = readFileSync(`${here}index.html`, 'utf8')
  .replace('PRELOADS', preloads.join(''))
  .replace('STYLE', named('main-', '.css'))
  .replace('MAIN', named('main-', '.js'));
files.set('index.html', Buffer.from(index));

const sizes = [...files].map(([name, content]) => [name, gzipSync(content, { level: 9 }).length]);
const all = sizes.reduce((sum, [, bytes]) => sum + bytes, 0);
if (all > kBytesMax) throw new Error(`the console has ${all} bytes gzipped, more than ${kBytesMax}`);

if (process.argv.includes('--check')) {
  const digest = (content) => createHash('sha256').update(content).digest('hex');
  const there = readdirSync(folder).sort();
  const wanted = [...files.keys()].sort();
  const others = there
    .filter((name) => !files.has(name))
    .concat(
      wanted.filter((name) => !there.includes(name) || digest(readFileSync(folder + name)) !== digest(files.get(name))),
    );
  if (others.length > 0) {
    console.error(
      `net/admin/console/built is not what src/ makes: ${others.join(', ')}. Run: cd net/admin/console && npm ci && node build.mjs`,
    );
    process.exit(1);
  }
} else {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  for (const [name, content] of files) writeFileSync(folder + name, content);
}
for (const [name, bytes] of sizes) console.log(`${name} ${bytes}`);
console.log(`${all} bytes gzipped in all`);
