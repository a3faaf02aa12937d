// What needs processes or sockets that no page has.
import { NotHere } from './test.mjs';

export class Socket {
  static async open() {
    throw new NotHere('a client that says what no SDK would');
  }
}

export class Proxy {
  static async start() {
    throw new NotHere('a proxy that cuts connections');
  }
}

export const fileURLToPath = (url) => `${url}`;
export const once = () => {};
export function fork() {
  throw new NotHere('a process that can be killed');
}
