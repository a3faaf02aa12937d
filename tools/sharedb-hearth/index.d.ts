// Types of index.js. ShareDB's own are in @types/sharedb.
import type { DB } from 'sharedb';

interface Options {
  /** Where the server is: "http://127.0.0.1:9000". "?ns=NAME" names the namespace, if `namespace` does not. */
  url: string;
  /** The namespace; without it, the server's default one. */
  namespace?: string;
  /** Under which path collections lie; "sharedb". */
  path?: string;
  /** A token, or what gives one for each request: it needs `.read` and `.write` at `path`. */
  token?: string | (() => string | Promise<string>);
  /** The admin secret, instead. */
  secret?: string;
  /** Milliseconds that one request may take; 10,000. */
  timeout?: number;
  /** Connections at most; 32. */
  connections?: number;
  /** How often a request is tried again whose outcome is unknown; 5. */
  retries?: number;
  /** Documents that one query reads at most; 10,000. */
  scanMax?: number;
  /** ShareDB's. */
  pollDebounce?: number;
}

interface Query {
  /** Values that top-level members have. */
  filter?: Record<string, string | number | boolean | null>;
  /** Members in order, 1 ascending and -1 descending. */
  sort?: [member: string, direction: 1 | -1][];
}

declare class HearthDB extends DB {
  constructor(options: Options);
}
declare class HearthError extends Error {
  code: 'ERR_HEARTH';
  /** Of HTTP; 0: there was no answer. */
  status: number;
  /** Whether the server may have done what was asked. */
  unknown: boolean;
}
declare namespace HearthDB {
  export { HearthDB, HearthError, Options, Query };
}
export = HearthDB;
