// WebSocket bytes (RFC 6455), as far as tests of the protocol need them.
import { randomBytes } from 'node:crypto';

export const opcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

// One frame. Clients mask, servers do not.
export function frame(payload, { code = opcode.text, final = true, masked = true } = {}) {
  const body = Buffer.from(payload);
  const head = [(final ? 0x80 : 0) | code];
  const maskBit = masked ? 0x80 : 0;
  if (body.length < 126) {
    head.push(maskBit | body.length);
  } else if (body.length < 65_536) {
    head.push(maskBit | 126, body.length >> 8, body.length & 255);
  } else {
    head.push(maskBit | 127, 0, 0, 0, 0, ...[24, 16, 8, 0].map((shift) => (body.length >>> shift) & 255));
  }
  if (!masked) return Buffer.concat([Buffer.from(head), body]);
  const mask = randomBytes(4);
  const hidden = Buffer.from(body);
  for (let i = 0; i < hidden.length; ++i) hidden[i] ^= mask[i & 3];
  return Buffer.concat([Buffer.from(head), mask, hidden]);
}

// Bytes in, frames out: {code, payload}. `afterHead`: the stream starts with an HTTP head, to be skipped.
export class FrameReader {
  #chunks = [];
  #held = 0;
  #wanted = 0; // below this many bytes nothing can be told
  #inHead;

  constructor({ afterHead = false } = {}) {
    this.#inHead = afterHead;
  }

  *read(bytes) {
    this.#chunks.push(bytes);
    this.#held += bytes.length;
    if (this.#held < this.#wanted) return;
    let buffer = Buffer.concat(this.#chunks);
    this.#wanted = 0;
    if (this.#inHead) {
      const end = buffer.indexOf('\r\n\r\n');
      if (end < 0) return this.#keep(buffer);
      this.#inHead = false;
      buffer = buffer.subarray(end + 4);
    }
    while (buffer.length >= 2) {
      const [size, start] = FrameReader.#sizes(buffer);
      if (start < 0 || buffer.length < start + size) {
        this.#wanted = start < 0 ? 0 : start + size;
        break;
      }
      const payload = Buffer.from(buffer.subarray(start, start + size));
      if (buffer[1] & 0x80) {
        const mask = buffer.subarray(start - 4, start);
        for (let i = 0; i < size; ++i) payload[i] ^= mask[i & 3];
      }
      const code = buffer[0] & 15;
      buffer = buffer.subarray(start + size);
      yield { code, payload };
    }
    this.#keep(buffer);
  }

  #keep(buffer) {
    this.#chunks = [buffer];
    this.#held = buffer.length;
  }

  // The payload's size, and where it starts; -1 when that can't be told yet.
  static #sizes(buffer) {
    const masked = (buffer[1] & 0x80) === 0 ? 0 : 4;
    const short = buffer[1] & 127;
    const size = { 126: 2, 127: 8 }[short] ?? 0;
    if (buffer.length < 2 + size) return [0, -1];
    const long = size === 2 ? buffer.readUInt16BE(2) : size === 8 ? Number(buffer.readBigUInt64BE(2)) : short;
    return [long, 2 + size + masked];
  }
}

// Text frames in, messages out: chunks of the Firebase protocol are put together (net/wire/protocol.md §2.1).
export class MessageReader {
  #wanted = 0;
  #pieces = [];

  read(text) {
    if (this.#wanted === 0 && /^\d{1,6}$/.test(text)) {
      this.#wanted = Number(text);
      return undefined;
    }
    this.#pieces.push(text);
    if (this.#pieces.length < this.#wanted) return undefined;
    const message = this.#pieces.join('');
    this.#pieces = [];
    this.#wanted = 0;
    return message;
  }
}
