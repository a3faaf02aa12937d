// A real nginx before the server, with the configuration that tools/manual/tls.md shows: the text itself, with ports and files of
// the test in place of its own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { issue } from './certificates.mjs';
import { soon } from './server.mjs';

const chapter = readFileSync(new URL('../../../tools/manual/tls.md', import.meta.url), 'utf8');

async function freePort() {
  const holder = createServer().listen(0, '127.0.0.1');
  await once(holder, 'listening');
  const { port } = holder.address();
  holder.close();
  await once(holder, 'close');
  return port;
}

function replaced(text, from, to) {
  if (!text.includes(from)) throw new Error(`the nginx configuration of tools/manual/tls.md has no "${from}"`);
  return text.replaceAll(from, to);
}

export class Nginx {
  #folder = mkdtempSync(join(tmpdir(), 'hearth-nginx-'));
  #process;
  port = 0;
  isSecure = true;

  // For one test file, before `server`.
  static async start(after, server) {
    const nginx = new Nginx();
    after(() => nginx.end());
    nginx.port = await freePort();
    nginx.#configure(server);
    await nginx.start();
    return nginx;
  }

  #configure(server) {
    let text = /```nginx\n([^]*?)```/.exec(chapter)?.[1];
    if (!text) throw new Error('tools/manual/tls.md has no nginx configuration');
    const { certificate, key } = issue('nginx');
    text = replaced(text, '127.0.0.1:9000', `127.0.0.1:${server.port}`);
    text = replaced(text, 'listen 443 ssl;', `listen 127.0.0.1:${this.port} ssl;`);
    text = replaced(text, '  listen [::]:443 ssl;\n', '');
    text = replaced(text, 'db.example.com;', 'localhost;');
    text = replaced(text, '/etc/letsencrypt/live/db.example.com/fullchain.pem', certificate);
    text = replaced(text, '/etc/letsencrypt/live/db.example.com/privkey.pem', key);
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
    const around = [
      'daemon off;',
      `pid ${this.#folder}/pid;`,
      `error_log ${this.#folder}/errors;`,
      'events {}',
      'http {',
      'access_log off;',
      ...temporary.map((name) => `${name}_temp_path ${this.#folder}/${name};`),
      text,
      '}\n',
    ];
    // As root its workers would be another user's, who may not look into our folders.
    if (process.getuid() === 0) around.unshift('user root;');
    writeFileSync(join(this.#folder, 'conf'), around.join('\n'));
  }

  get errors() {
    return readFileSync(join(this.#folder, 'errors'), 'utf8');
  }

  // Again on the same port, if it was stopped.
  async start() {
    const words = ['-p', this.#folder, '-c', join(this.#folder, 'conf'), '-e', join(this.#folder, 'errors')];
    const path = `${process.env.PATH}:/usr/sbin`; // where Debian has it
    this.#process = spawn('nginx', words, { stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, PATH: path } });
    const ended = once(this.#process, 'exit').then(([code]) => {
      throw new Error(`nginx ended with ${code}: ${this.errors}`);
    });
    ended.catch(() => {}); // later it may
    await soon(Promise.race([this.#listening(), ended]), 'nginx to listen');
  }

  async #listening() {
    for (;;) {
      const socket = connect(this.port, '127.0.0.1');
      const answer = await new Promise((resolve) => {
        socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      });
      socket.destroy();
      if (answer) return;
      await new Promise((done) => setTimeout(done, 5));
    }
  }

  async stop() {
    const exit = once(this.#process, 'exit');
    this.#process.kill('SIGTERM');
    await soon(exit, 'nginx to end');
  }

  async end() {
    if (this.#process?.exitCode === null && this.#process.signalCode === null) await this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
