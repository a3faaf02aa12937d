// A TCP proxy before the server: writes down the messages of both sides, and can cut or freeze what goes through it.
import { createConnection, createServer } from 'node:net';
import { Story } from './apps.mjs';
import { FrameReader, MessageReader, opcode } from './frames.mjs';

export class Proxy {
  log = new Story(); // {from: 'client' | 'server', connection: 1, 2, …, message}
  #listener;
  #pairs = new Set();
  #count = 0;

  // For as long as `test` runs.
  static async start(test, port) {
    const proxy = new Proxy();
    proxy.#listener = createServer((client) => proxy.#join(client, port));
    await new Promise((resolve) => proxy.#listener.listen(0, '127.0.0.1', resolve));
    test.after(() => {
      proxy.cut();
      proxy.#listener.close();
    });
    return proxy;
  }

  get port() {
    return this.#listener.address().port;
  }

  // Both sides see their connection end.
  cut() {
    for (const { client, server } of this.#pairs) {
      client.destroy();
      server.destroy();
    }
  }

  // The client sees its connection end, the server sees nothing: as when a phone leaves the network.
  abandon() {
    for (const { client, server } of this.#pairs) {
      server.abandoned = true;
      client.destroy();
    }
  }

  // The messages of one connection, from both sides.
  of(connection) {
    return this.log.items.filter((item) => item.connection === connection);
  }

  #join(client, port) {
    const connection = ++this.#count;
    const server = createConnection({ host: '127.0.0.1', port });
    const pair = { client, server };
    this.#pairs.add(pair);
    this.#copy(client, server, 'client', connection);
    this.#copy(server, client, 'server', connection);
    client.on('close', () => server.abandoned || server.destroy());
    server.on('close', () => {
      client.destroy();
      this.#pairs.delete(pair);
    });
  }

  #copy(source, target, from, connection) {
    const frames = new FrameReader({ afterHead: true });
    const messages = new MessageReader();
    source.on('error', () => {}); // a reset is a close
    source.on('data', (bytes) => {
      for (const { code, payload } of frames.read(bytes)) {
        if (code !== opcode.text || payload.toString() === '0') continue;
        const message = messages.read(payload.toString('utf8'));
        if (message !== undefined) this.log.add({ from, connection, message: JSON.parse(message) });
      }
      if (!target.destroyed) target.write(bytes);
    });
  }
}
