// What stands between each node and each of the engine's servers, for tests of networks that go silent: a relay of TCP
// which may be a hole. Then connections are made and stay, and bytes that go into it do not come out.
//
//   n1 ──▶ :301 ─┬─▶ a          to       what the node says does not arrive
//          :302  ├─▶ b          from     what the engine says does not
//          :303  └─▶ c          both     neither
//
// What becomes of the bytes: late, they come when the hole is mended, as of a network that was parted and is whole again;
// or never, and then the connections that lost some are dead for ever, and nobody is told, as behind a NAT that forgot
// them.
import { createConnection, createServer } from 'node:net';

export class EngineHoles {
  #holes = new Map(); // by node: {to, from, isLate}
  #pipes = new Set();
  #servers = [];

  // `ports`: of the engine's servers. Node number i reaches them at base + 3 × (i - 1), …
  static async start(after, { base, ports, nodes = 3 }) {
    const all = new EngineHoles();
    for (let number = 1; number <= nodes; ++number) {
      for (const [i, port] of ports.entries()) {
        const server = createServer({ allowHalfOpen: true }, (client) => all.#join(`n${number}`, client, port));
        await new Promise((resolve, reject) => server.once('error', reject).listen(base + ports.length * (number - 1) + i, '127.0.0.1', resolve));
        all.#servers.push(server);
      }
    }
    after(() => all.#end());
    return all;
  }

  dig(node, { way = 'both', isLate = false } = {}) {
    this.#holes.set(node, { to: way !== 'from', from: way !== 'to', isLate });
  }
  mend(node) {
    this.#holes.delete(node);
    for (const pipe of this.#pipes) if (pipe.node === node) pipe.mend();
  }

  #join(node, client, port) {
    const engine = createConnection({ host: '127.0.0.1', port, allowHalfOpen: true });
    const pipe = { node, mend: () => {} };
    this.#pipes.add(pipe);
    const mends = [this.#pour(node, 'to', client, engine), this.#pour(node, 'from', engine, client)];
    pipe.mend = () => mends.forEach((mend) => mend());
    const over = () => {
      this.#pipes.delete(pipe);
      client.destroy();
      engine.destroy();
    };
    // An end is told as bytes are: in a hole it is not.
    for (const one of [client, engine]) one.on('error', over).on('close', () => this.#holes.has(node) || over());
  }

  // In order: what comes behind bytes that wait waits as well, and behind lost ones all is lost.
  #pour(node, way, from, into) {
    const waiting = [];
    let isDead = false;
    const put = (chunk) => (chunk === null ? into.end() : into.write(chunk));
    const take = (chunk) => {
      const hole = this.#holes.get(node);
      if (isDead) return;
      if (hole?.[way] && !hole.isLate) isDead = true;
      else if (hole?.[way] || waiting.length > 0) waiting.push(chunk);
      else put(chunk);
    };
    from.on('data', take).on('end', () => take(null));
    return () => waiting.splice(0).forEach(put);
  }

  #end() {
    this.#servers.forEach((server) => server.close());
    this.#holes.clear();
    this.#servers = [];
  }
}
