// HTTP to a Hearth server: JSON in and out, connections that are used again, and bounds on time and bytes.
//
// A failure that leaves open whether the server did what was asked has `unknown: true`: the connection broke, the time
// was over, or the server said 5xx. Reads are tried again then. Writes are not, here: see commit() in index.js.
'use strict';

const http = require('node:http');
const https = require('node:https');
// Taken once: a test that moves the clock of its app (sinon) does not move these.
const { setTimeout, clearTimeout } = require('node:timers');

const kAnswerBytesMax = 256 * 1024 * 1024;

class HearthError extends Error {
  constructor(message, { status = 0, unknown = false, cause } = {}) {
    super(`sharedb-hearth: ${message}`, { cause });
    this.name = 'HearthError';
    this.code = 'ERR_HEARTH';
    this.status = status; // of HTTP; 0: there was no answer
    this.unknown = unknown;
  }
}

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

class Client {
  constructor({ url, namespace, token, timeout, connections, retries }) {
    this.url = new URL(url);
    if (!/^https?:$/.test(this.url.protocol)) throw new TypeError('sharedb-hearth: url must be http:// or https://');
    this.base = this.url.pathname.replace(/\/+$/, '');
    this.namespace = namespace ?? this.url.searchParams.get('ns') ?? undefined;
    this.token = token;
    this.timeout = timeout;
    this.retries = retries;
    this.transport = this.url.protocol === 'https:' ? https : http;
    this.agent = new this.transport.Agent({ keepAlive: true, maxSockets: connections });
    this.closed = false;
    this.underWay = new Set();
  }

  // What is under way is finished, as is what follows from it: a commit behind its snapshot. Nothing is tried again, and no
  // connection is kept.
  async close() {
    this.closed = true;
    while (this.underWay.size > 0) await Promise.allSettled(this.underWay);
    this.agent.destroy();
  }

  // `path`: a list of keys. Gives {status, body, etag}; 412 is an answer, other errors are thrown.
  async ask(method, path, { parameters = {}, headers = {}, body } = {}) {
    const query = new URLSearchParams(parameters);
    if (this.namespace !== undefined) query.set('ns', this.namespace);
    const target = `${this.base}/${path.map(encodeURIComponent).join('/')}.json?${query}`;
    const sent = { accept: 'application/json', ...headers };
    const token = typeof this.token === 'function' ? await this.token() : this.token;
    if (token) sent.authorization = `Bearer ${token}`;
    const text = body === undefined ? undefined : JSON.stringify(body);
    if (text !== undefined) {
      sent['content-type'] = 'application/json';
      sent['content-length'] = Buffer.byteLength(text);
    }
    const asked = this.exchange(method, target, sent, text);
    this.underWay.add(asked);
    const answer = await asked.finally(() => this.underWay.delete(asked));
    if ((answer.status >= 200 && answer.status < 300) || answer.status === 412) return answer;
    let told = answer.body;
    if (told && typeof told === 'object') told = told.error ?? JSON.stringify(told);
    throw new HearthError(`${answer.status} ${told ?? ''}`.trim(), { status: answer.status, unknown: answer.status >= 500 });
  }

  // A request that changes nothing: it may be asked again.
  async read(path, options) {
    for (let tries = 0; ; ++tries) {
      try {
        return await this.ask('GET', path, options);
      } catch (error) {
        if (!error.unknown || tries >= this.retries || this.closed) throw error;
        await wait(Math.min(100 * 2 ** tries, 2_000));
      }
    }
  }

  exchange(method, target, headers, text) {
    return new Promise((resolve, reject) => {
      const fail = (message, cause) => {
        clearTimeout(timer);
        reject(new HearthError(message, { unknown: true, cause }));
      };
      const request = this.transport.request(
        { hostname: this.url.hostname.replace(/^\[|\]$/g, ''), port: this.url.port || undefined, method, path: target, headers, agent: this.closed ? false : this.agent },
        (response) => {
          const pieces = [];
          let bytes = 0;
          response.on('data', (piece) => {
            bytes += piece.length;
            pieces.push(piece);
            if (bytes > kAnswerBytesMax) request.destroy(new Error(`an answer is longer than ${kAnswerBytesMax} bytes`));
          });
          response.on('error', (error) => fail(error.message, error));
          response.on('end', () => {
            clearTimeout(timer);
            const all = Buffer.concat(pieces).toString('utf8');
            const status = response.statusCode;
            try {
              resolve({ status, body: all === '' ? undefined : JSON.parse(all), etag: response.headers.etag });
            } catch (error) {
              fail(`${status}, and no JSON`, error);
            }
          });
        },
      );
      const timer = setTimeout(() => request.destroy(new Error(`no answer within ${this.timeout} ms`)), this.timeout);
      request.on('error', (error) => fail(error.message, error));
      request.end(text);
    });
  }
}

module.exports = { Client, HearthError, wait };
