// db/documents, in C++, as a process to ask (tests/db/documents/yjs_pipe.cc says what).
import { spawn } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = process.env.HEARTH_BIN ? dirname(process.env.HEARTH_BIN) : fileURLToPath(new URL('../../../build/release/bin', import.meta.url));

function varBuf(bytes) {
  const length = [];
  let rest = bytes.length;
  for (; rest > 127; rest = Math.floor(rest / 128)) length.push((rest & 127) | 128);
  length.push(rest);
  return [Buffer.from(length), bytes];
}

export class YjsPipe {
  constructor(after) {
    this.process = spawn(`${folder}/yjs_pipe`, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.waiting = [];
    this.chunks = Buffer.alloc(0);
    this.process.stdout.on('data', (chunk) => this.#read(chunk));
    this.process.on('exit', (code, signal) => this.waiting.splice(0).forEach(({ reject }) => reject(new Error(`yjs_pipe ended: ${code ?? signal}`))));
    after(() => this.process.stdin.end());
  }

  #read(chunk) {
    this.chunks = Buffer.concat([this.chunks, chunk]);
    while (this.chunks.length >= 4) {
      const end = 4 + this.chunks.readUInt32LE(0);
      if (this.chunks.length < end) return;
      const [ok, bytes] = [this.chunks[4], new Uint8Array(this.chunks.subarray(5, end))];
      this.chunks = this.chunks.subarray(end);
      const { resolve, reject } = this.waiting.shift();
      if (ok) resolve(bytes); else reject(new Error(Buffer.from(bytes).toString()));
    }
  }

  // Resolves to what it answers; rejects with its error.
  ask(command, ...words) {
    const body = Buffer.concat([Buffer.from(command), ...words.flatMap((word) => varBuf(word))]);
    const header = Buffer.alloc(4);
    header.writeUInt32LE(body.length);
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      this.process.stdin.write(Buffer.concat([header, body]));
    });
  }

  async asks(command, ...words) { // of a question: whether
    return Buffer.from(await this.ask(command, ...words)).toString() === '1';
  }
}
