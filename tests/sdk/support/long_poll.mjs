// A Firebase client by long polling, which the published SDK does in browsers alone. It evaluates none of the scripts: it
// reads what they would call. One request is open at a time, but for what is to be sent.
import { get as httpGet, Agent } from 'node:http';
import { Story } from './apps.mjs';

const piece = 1_800; // characters of a segment

export class LongPoll {
  #port;
  #namespace;
  #agent = new Agent({ keepAlive: true, maxSockets: 4 });
  #serial = 0;
  #segment = 0;
  #request = 0;
  #next = 0; // the response that is to be read next
  #early = new Map(); // those that came before it
  #credentials = '';
  #waiting = new Map(); // by request: what takes its answer
  isOver = false;
  heard = new Story(); // data and cancellations: {a, p, d}

  // `port`: of a server; or a function that gives one for each request.
  static async open(port, namespace) {
    const poll = new LongPoll();
    poll.#port = port;
    poll.#namespace = namespace;
    const script = await poll.#get(`start=t&ser=1&cb=1&v=5`);
    const [, id, password] = /pLPCommand\('start','([^']*)','([^']*)'\)/.exec(script);
    poll.#credentials = `id=${id}&pw=${password}`;
    poll.#take(script);
    poll.#poll();
    return poll;
  }

  #get(query) {
    return new Promise((resolve, reject) => {
      const path = `/.lp?${query}&ns=${this.#namespace}`;
      const asked = httpGet({ host: '127.0.0.1', port: typeof this.#port === 'function' ? this.#port() : this.#port, path, agent: this.#agent }, async (response) => {
        let text = '';
        try {
          for await (const chunk of response.setEncoding('utf8')) text += chunk;
          if (response.statusCode !== 200) throw new Error(`a poll is answered ${response.statusCode}: ${text}`);
          resolve(text);
        } catch (error) {
          reject(error);
        }
      });
      asked.on('error', reject);
    });
  }

  async #poll() {
    while (!this.isOver) {
      try {
        this.#take(await this.#get(`${this.#credentials}&ser=${++this.#serial + 1}`));
      } catch {
        this.isOver = true;
      }
    }
  }

  // Scripts come in any order; what they say is read in theirs.
  #take(script) {
    if (/pLPCommand\('close'/.test(script)) this.isOver = true;
    const call = /pRTLPCB\((\d+),(\[[^]*\])\);?/.exec(script.slice(script.lastIndexOf('pRTLPCB(')));
    if (!call) return;
    this.#early.set(Number(call[1]), JSON.parse(call[2]));
    for (let messages; (messages = this.#early.get(this.#next)) !== undefined; ++this.#next) {
      this.#early.delete(this.#next);
      for (const message of messages) this.#hear(message);
    }
  }

  #hear({ t, d }) {
    if (t !== 'd') return;
    if (d.r === undefined) return this.heard.add({ a: d.a, p: d.b.p, d: d.b.d });
    this.#waiting.get(d.r)?.(d.b);
    this.#waiting.delete(d.r);
  }

  // The answer: {s, d}.
  request(action, body) {
    const number = ++this.#request;
    const answer = new Promise((resolve) => this.#waiting.set(number, resolve));
    const text = JSON.stringify({ t: 'd', d: { r: number, a: action, b: body } });
    const code = Buffer.from(text).toString('base64').replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '.');
    const count = Math.ceil(code.length / piece);
    for (let i = 0; i < count; ++i) {
      const segment = `seg0=${this.#segment++}&ts0=${count}&d0=${code.slice(i * piece, (i + 1) * piece)}`;
      this.#get(`${this.#credentials}&ser=${++this.#serial + 1}&${segment}`).then((script) => this.#take(script), () => (this.isOver = true));
    }
    return answer;
  }

  close() {
    this.isOver = true;
    this.#agent.destroy();
  }
}
