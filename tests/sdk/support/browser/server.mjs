// The server that the test's Node side has started: the page knows its port.
import { NotHere } from './test.mjs';

export { patience, soon } from '../soon.mjs';

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
