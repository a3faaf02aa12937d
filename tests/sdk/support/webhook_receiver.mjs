// Receivers of webhooks. Receiver: in this process, and as well-behaved as a test wants it to be. As a program of its own
// (`node webhook_receiver.mjs PORT FILE SECRET`) it verifies each message and writes its body to the file, a line each, before
// it answers: so it may be killed at any time, and what it has answered is in the file.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createSecure } from 'node:https';
import { fileURLToPath } from 'node:url';
import { Webhook } from 'standardwebhooks';
import { Story } from './apps.mjs';
import { soon } from './soon.mjs';

async function bodyOf(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

export class Receiver {
  messages = new Story(); // {id, headers, text, body}
  answer = () => 200; // of a message: a status, or [status, headers, body], or 'silence'
  #server;
  #sockets = new Set();

  static async start(after, tls) {
    const receiver = new Receiver();
    const handle = async (request, response) => {
      const text = await bodyOf(request).catch(() => undefined);
      if (text === undefined) return;
      const message = { id: request.headers['webhook-id'], headers: request.headers, text, body: JSON.parse(text), url: request.url };
      const answer = receiver.answer(message, receiver.messages.items.length);
      receiver.messages.add(message);
      if (answer === 'silence') return;
      const [status, headers, body] = [answer].flat();
      response.writeHead(status, headers ?? {}).end(body ?? '');
    };
    receiver.#server = tls ? createSecure({ cert: readFileSync(tls.certificate), key: readFileSync(tls.key) }, handle) : createServer(handle);
    receiver.#server.on('connection', (socket) => {
      receiver.#sockets.add(socket);
      socket.on('close', () => receiver.#sockets.delete(socket)).on('error', () => {});
    });
    after(() => receiver.end());
    receiver.#server.listen(0, '127.0.0.1');
    await once(receiver.#server, 'listening');
    receiver.url = tls ? `https://localhost:${receiver.port}/hook` : `http://127.0.0.1:${receiver.port}/hook`;
    return receiver;
  }

  get port() {
    return this.#server.address()?.port ?? this.lastPort;
  }
  // What came as changes, each value of each place.
  get values() {
    return this.messages.items.filter((one) => one.body.type === 'change').flatMap((one) => one.body.data.changes.map((place) => place.value));
  }
  // Nobody answers, until it is back.
  async gone() {
    this.lastPort = this.port;
    this.end();
    await once(this.#server, 'close').catch(() => {});
  }
  async back() {
    this.#server.listen(this.lastPort, '127.0.0.1');
    await once(this.#server, 'listening');
  }
  end() {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

// The same as a process.
export class ReceiverProcess {
  #child;
  constructor(file) {
    this.file = file;
    this.port = 0;
    writeFileSync(file, '');
  }
  async start(secret) {
    this.secret = secret ?? this.secret;
    this.#child = spawn(process.execPath, [fileURLToPath(import.meta.url), `${this.port}`, this.file, this.secret ?? ''], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = await soon(once(this.#child.stdout.setEncoding('utf8'), 'data'), 'the receiver');
    this.port = Number(line);
  }
  async kill() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await soon(exit, 'the receiver to end');
  }
  // The lines that are whole: a kill may leave a part of the last one, whose message was not answered.
  get lines() {
    const text = readFileSync(this.file, 'utf8');
    return text.split('\n').slice(0, -1).flatMap((line) => {
      try {
        return [JSON.parse(line)];
      } catch {
        return [];
      }
    });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [port, file, secret] = process.argv.slice(2);
  const server = createServer(async (request, response) => {
    try {
      const text = await bodyOf(request);
      if (secret) new Webhook(secret).verify(text, request.headers);
      appendFileSync(file, `\n${JSON.stringify({ id: request.headers['webhook-id'], ...JSON.parse(text) })}\n`);
      response.writeHead(204).end();
    } catch (error) {
      console.error(error);
      response.writeHead(400).end(`${error}`);
    }
  });
  server.listen(Number(port), '127.0.0.1', () => console.log(server.address().port));
}
