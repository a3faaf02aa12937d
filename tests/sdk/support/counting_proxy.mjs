// A TCP proxy before the server that counts what each side sends, and can be shut: then nobody gets through, as when a server
// is away. Unlike proxy.mjs it looks at nothing, so it is light enough for a thousand connections.
import { createConnection, createServer } from 'node:net';

export class CountingProxy {
  sent = { client: 0, server: 0 }; // bytes
  #listener;
  #sockets = new Set();
  #isShut = false;

  // `after`: a hook of the test or the file.
  static async start(after, port) {
    const proxy = new CountingProxy();
    proxy.#listener = createServer((client) => proxy.#join(client, port));
    await new Promise((resolve) => proxy.#listener.listen(0, '127.0.0.1', resolve));
    after(() => {
      proxy.shut();
      proxy.#listener.close();
    });
    return proxy;
  }

  get port() {
    return this.#listener.address().port;
  }
  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  // Ends all connections, and every one that comes, until open().
  shut() {
    this.#isShut = true;
    for (const socket of this.#sockets) socket.destroy();
  }
  open() {
    this.#isShut = false;
  }
  reset() {
    this.sent = { client: 0, server: 0 };
  }

  #join(client, port) {
    if (this.#isShut) return client.destroy();
    const server = createConnection({ host: '127.0.0.1', port });
    for (const [from, source, target] of [['client', client, server], ['server', server, client]]) {
      this.#sockets.add(source);
      source.on('error', () => {}); // a reset is a close
      source.on('close', () => {
        this.#sockets.delete(source);
        target.destroy();
      });
      source.on('data', (bytes) => {
        this.sent[from] += bytes.length;
        if (target.destroyed || target.write(bytes)) return;
        source.pause();
        target.once('drain', () => source.resume());
      });
    }
  }
}
