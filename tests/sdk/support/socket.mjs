// A client of the wire protocol that can say what no SDK would.
import { createConnection } from 'node:net';
import { connect } from 'node:tls';
import { Story } from './apps.mjs';
import { frame, FrameReader, MessageReader, opcode } from './frames.mjs';
import { soon } from './server.mjs';

const piece = 16_384;

export class Socket {
  #socket;
  #number = 0;
  heard = new Story(); // every message of the server, in order
  texts = []; // the same, as they came
  pings = 0; // of the server; answered
  closed; // when the server has ended the connection: the close code, if it gave one

  // After the hello.
  static async open(port, namespace, { last = '', agent = '' } = {}) {
    const socket = new Socket();
    const target = `/.ws?v=5&ns=${namespace}${last && `&ls=${last}`}`;
    socket.#connect(port, target, agent && `User-Agent: ${agent}\r\n`);
    await socket.heard.until((items) => items.length > 0, 'the hello');
    return socket;
  }

  get session() {
    return this.heard.items[0].d.d.s;
  }

  #connect(port, target, fields) {
    const frames = new FrameReader({ afterHead: true });
    const messages = new MessageReader();
    let code;
    const isSecure = process.env.HEARTH_TEST_ORIGIN?.startsWith('https:');
    this.#socket = isSecure ? connect({ host: 'localhost', port }) : createConnection({ host: '127.0.0.1', port });
    this.#socket.setNoDelay(true);
    this.closed = new Promise((resolve) => this.#socket.once('close', () => resolve(code)));
    this.#socket.on('error', () => {}); // a reset is a close
    this.#socket.on('data', (bytes) => {
      for (const { code: kind, payload } of frames.read(bytes)) {
        if (kind === opcode.close) code = payload.length >= 2 ? payload.readUInt16BE(0) : 1005;
        if (kind === opcode.ping) {
          ++this.pings;
          this.#socket.write(frame(payload, { code: opcode.pong }));
        }
        if (kind !== opcode.text) continue;
        const message = messages.read(payload.toString('utf8'));
        if (message === undefined) continue;
        this.texts.push(message);
        this.heard.add(JSON.parse(message));
      }
    });
    this.#socket.write(
      `GET ${target} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n' +
        `${fields}\r\n`,
    );
  }

  sendFrame(payload, options) {
    this.#socket.write(frame(payload, options));
  }

  // So that the server may read many at once.
  sendFrames(payloads) {
    this.#socket.write(Buffer.concat(payloads.map((payload) => frame(payload))));
  }

  // One message, in pieces if it must be.
  sendText(text) {
    if (text.length <= piece) return this.sendFrame(text);
    const count = Math.ceil(text.length / piece);
    this.sendFrame(`${count}`);
    for (let i = 0; i < count; ++i) this.sendFrame(text.slice(i * piece, (i + 1) * piece));
  }

  // The request's text, with `body` as JSON text, so that it may be what JSON.stringify never writes.
  requestText(action, bodyText) {
    return `{"t":"d","d":{"r":${++this.#number},"a":${JSON.stringify(action)},"b":${bodyText}}}`;
  }

  // The answer to the request that was made last: {s, d}.
  async answer(number = this.#number) {
    const items = await this.heard.until(
      (heard) => heard.some((message) => message.d?.r === number),
      `the answer to request ${number}`,
    );
    return items.find((message) => message.d?.r === number).d.b;
  }

  async requestRaw(action, bodyText) {
    this.sendText(this.requestText(action, bodyText));
    return this.answer();
  }

  async request(action, body) {
    return this.requestRaw(action, JSON.stringify(body));
  }

  // Whether the connection still answers.
  async isAlive() {
    const before = this.heard.items.length;
    this.sendText('{"t":"c","d":{"t":"p","d":{}}}');
    const pong = this.heard.until(
      (items) => items.slice(before).some((message) => message.t === 'c' && message.d.t === 'o'),
      'a pong',
    );
    return Promise.race([pong.then(() => true), this.closed.then(() => false)]);
  }

  // Data pushes and answers, shortened: `d path value`, `3 ok`.
  story() {
    return this.heard.items.filter(({ t }) => t === 'd').map(({ d }) => {
      if (d.r !== undefined) return `${d.r} ${d.b.s}`;
      return `${d.a} ${d.b.p} ${JSON.stringify(d.b.d)}`;
    });
  }

  async close() {
    this.#socket.destroy();
    await soon(this.closed, 'the socket to close');
  }
}
