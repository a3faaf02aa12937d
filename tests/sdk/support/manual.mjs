// Blocks of the manual's chapters, as they stand there, as programs: in a folder that has the packages of these tests. Only
// the port is another.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { soon } from './soon.mjs';

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));

// The first block of the language behind `mark` in a chapter, wherever that text breaks its lines.
export function block(chapter, mark, language) {
  const text = readFileSync(at(`../../tools/manual/${chapter}.md`), 'utf8');
  const words = mark.split(' ').map((word) => word.replace(/[^\w]/g, '\\$&'));
  const begin = text.search(new RegExp(words.join('\\s+')));
  if (begin < 0) throw new Error(`the chapter ${chapter} has no “${mark}”`);
  const [, body] = new RegExp(`^ *\`\`\`${language}\\n([^]*?)^ *\`\`\``, 'm').exec(text.slice(begin));
  return body;
}

export class Desk {
  #folder = mkdtempSync(join(tmpdir(), 'hearth-manual-'));
  #port;
  #after;

  constructor(after, port) {
    this.#after = after;
    this.#port = port;
    symlinkSync(at('node_modules'), join(this.#folder, 'node_modules'));
    after(() => rmSync(this.#folder, { recursive: true, force: true }));
  }

  write(name, text) {
    mkdirSync(join(this.#folder, name, '..'), { recursive: true });
    writeFileSync(join(this.#folder, name), text.replaceAll('127.0.0.1:9000', `127.0.0.1:${this.#port}`));
    return join(this.#folder, name);
  }

  // Runs a module. What it prints is waited for by `until`.
  run(name, text, environment = {}) {
    return this.#start(process.execPath, [this.write(name, text)], environment);
  }

  // Runs commands of a shell, to their end. What they print.
  async shell(text) {
    const shell = this.#start('sh', ['-e', this.write('commands.sh', text)]);
    await soon(shell.ended, 'the commands to end');
    return shell.output;
  }

  #start(command, words, environment = {}) {
    const child = spawn(command, words, { cwd: this.#folder, env: { ...process.env, ...environment } });
    this.#after(() => child.kill());
    const running = { output: '' };
    let told = () => {};
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        running.output += text;
        told();
      });
    }
    running.ended = new Promise((resolve) => child.once('close', resolve));
    running.until = async (wanted) => {
      const seen = new Promise((resolve) => {
        told = () => wanted.test(running.output) && resolve();
        told();
      });
      await soon(seen, `${wanted} in:\n${running.output}`).catch((error) => {
        throw new Error(`${wanted} is not in:\n${running.output}`, { cause: error });
      });
    };
    running.stop = () => child.kill();
    return running;
  }
}
