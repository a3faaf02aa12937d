// The server that the test's Node side has started: the page knows its port.
import { NotHere } from './test.mjs';

export const patience = 30_000; // milliseconds, with anything that has to happen

export async function soon(promise, what, limit = patience) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${limit} ms for ${what}`)), limit);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

export class Server {
  static start = async (_after, flags = ['--dev']) => {
    if (flags[0] !== '--dev') throw new NotHere('a server that is not for development');
    return new Server();
  };
  port = Number(window.serverPort);
  url = `${window.serverOrigin}:${window.serverPort}`;
  async kill() {
    throw new NotHere('killing the server');
  }
}
