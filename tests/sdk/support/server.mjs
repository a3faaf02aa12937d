// The real `hearth serve` on a folder of its own: started, killed and started again on the same port.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { patience, soon } from './soon.mjs';

export { patience, soon };

export const program =
  process.env.HEARTH_BIN ?? fileURLToPath(new URL('../../../build/release/bin/hearth', import.meta.url));

export class Server {
  #folder = mkdtempSync(join(tmpdir(), 'hearth-sdk-'));
  #flags;
  #environment;
  #process;
  #errors = '';
  port = 0;
  isSecure = false;

  constructor(flags, environment = {}) {
    this.#flags = flags;
    this.#environment = environment;
  }

  // A server for one test file: `after` is the file's, to have it gone in the end.
  static async start(after, flags = ['--dev'], environment = {}) {
    const server = new Server(flags, environment);
    after(() => server.end());
    await server.start();
    return server;
  }

  get url() {
    return this.isSecure ? `https://localhost:${this.port}` : `http://127.0.0.1:${this.port}`;
  }
  get pid() {
    return this.#process.pid;
  }
  get data() {
    return join(this.#folder, 'data');
  }
  get errors() {
    return this.#errors;
  }
  get secret() {
    return readFileSync(join(this.#folder, 'data', 'admin-secret'), 'utf8').trim();
  }

  // Again on the same port, if there was one.
  async start() {
    if (!existsSync(program)) throw new Error(`no server at ${program}: build it, or set HEARTH_BIN`);
    const flags = ['serve', ...this.#flags, ...JSON.parse(process.env.HEARTH_TEST_FLAGS ?? '[]'), '--data', join(this.#folder, 'data'), '--port', `${this.port}`];
    this.#process = spawn(program, [...flags, '--log-level', 'warn'], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...this.#environment },
    });
    this.#process.stderr.setEncoding('utf8').on('data', (text) => (this.#errors += text));
    let output = '';
    const ready = new Promise((resolve, reject) => {
      this.#process.stdout.setEncoding('utf8').on('data', (text) => {
        output += text;
        const match = /^hearth listening on (https?):\/\/[^:\n]+:(\d+)\n/.exec(output);
        if (!match) return;
        this.isSecure = match[1] === 'https';
        resolve(Number(match[2]));
      });
      this.#process.once('exit', (code) => reject(new Error(`the server ended with ${code}: ${this.#errors}`)));
    });
    this.port = await soon(ready, 'the line that says where the server listens');
  }

  // As a power button would: nothing of the process has a chance to tidy up.
  async kill() {
    await this.#signal('SIGKILL');
  }

  // As an operator would. The exit code.
  async stop() {
    return this.#signal('SIGTERM');
  }

  // It reads its certificate again, soon.
  reload() {
    this.#process.kill('SIGHUP');
  }

  // It does nothing until resume(), as when its machine is suspended.
  pause() {
    this.#process.kill('SIGSTOP');
  }
  resume() {
    this.#process.kill('SIGCONT');
  }

  async end() {
    if (this.#process && this.#process.exitCode === null && this.#process.signalCode === null) await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #signal(name) {
    const exit = once(this.#process, 'exit');
    this.#process.kill(name);
    const [code] = await soon(exit, `the server to end by ${name}`);
    return code;
  }
}
