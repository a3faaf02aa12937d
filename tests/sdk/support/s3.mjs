// A small S3 store on this machine: s3rver, behind a door that knows who may ask. s3rver does not look at signatures of
// version 4, so the door does, by Amazon's description of them, and compares each body with the digest that was signed.
import { createHash, createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import S3rver from 's3rver';

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
const hmac = (key, text) => createHmac('sha256', key).update(text).digest();

// Why the request is not from who has the secret; nothing: it is.
function complaint(asked, body, { key, secret, token, region }) {
  const found = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d+)\/([^/]+)\/s3\/aws4_request, *SignedHeaders=([^,]+), *Signature=(\w+)$/.exec(asked.headers.authorization ?? '');
  if (!found) return 'no signature';
  const [, name, day, where, signed, signature] = found;
  if (name !== key || where !== region) return 'another key or region';
  if (token && asked.headers['x-amz-security-token'] !== token) return 'another session';
  const names = signed.split(';');
  for (const needed of ['host', 'x-amz-date', 'x-amz-content-sha256', ...(token ? ['x-amz-security-token'] : [])]) {
    if (!names.includes(needed)) return `${needed} is not signed`;
  }
  if (asked.headers['x-amz-content-sha256'] !== sha256(body)) return 'another body';
  const [path, query = ''] = asked.url.split('?');
  const canonical = [asked.method, path, query.split('&').sort().join('&'), ...names.map((one) => `${one}:${asked.headers[one]?.trim()}`), '', signed, asked.headers['x-amz-content-sha256']].join('\n');
  const scope = `${day}/${where}/s3/aws4_request`;
  const text = ['AWS4-HMAC-SHA256', asked.headers['x-amz-date'], scope, sha256(canonical)].join('\n');
  const own = ['s3', 'aws4_request'].reduce(hmac, hmac(hmac(`AWS4${secret}`, day), where));
  return hmac(own, text).toString('hex') === signature ? undefined : 'another signature';
}

export class S3 {
  requests = []; // "PUT /bucket/key?query"
  fail = () => false; // of a request: it is answered 503
  key = 'AKIDEXAMPLE';
  secret = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';
  token = 'a-session/token+of=some length';
  region = 'eu-test-1';
  #folder = mkdtempSync(join(tmpdir(), 'hearth-s3-'));
  #store;
  #door;

  static async start(after, bucket) {
    const s3 = new S3();
    after(() => s3.end());
    s3.#store = new S3rver({ port: 0, address: '127.0.0.1', silent: true, directory: s3.#folder, configureBuckets: [{ name: bucket }] });
    const { port } = await s3.#store.run();
    s3.#door = createServer(async (asked, answer) => {
      const chunks = [];
      for await (const chunk of asked) chunks.push(chunk);
      const body = Buffer.concat(chunks);
      s3.requests.push(`${asked.method} ${asked.url}`);
      const why = complaint(asked, body, s3);
      if (why || s3.fail(`${asked.method} ${asked.url}`)) {
        answer.statusCode = why ? 403 : 503;
        return answer.end(why ? `<Error><Code>SignatureDoesNotMatch</Code><Message>${why}</Message></Error>` : '<Error><Code>SlowDown</Code></Error>');
      }
      // The store behind the door is asked by nobody else, and does not look.
      const { authorization, ...headers } = asked.headers;
      const passed = request({ host: '127.0.0.1', port, method: asked.method, path: asked.url, headers, agent: false }, (reply) => {
        answer.writeHead(reply.statusCode, reply.headers);
        reply.pipe(answer);
      });
      passed.on('error', () => answer.destroy());
      answer.once('close', () => passed.destroy()); // whoever has read enough
      passed.end(body);
    });
    s3.#door.listen(0, '127.0.0.1');
    await once(s3.#door, 'listening');
    return s3;
  }

  get environment() {
    return {
      AWS_ACCESS_KEY_ID: this.key,
      AWS_SECRET_ACCESS_KEY: this.secret,
      AWS_SESSION_TOKEN: this.token,
      AWS_REGION: this.region,
      AWS_ENDPOINT_URL: `http://127.0.0.1:${this.#door.address().port}`,
    };
  }

  async end() {
    this.#door?.closeAllConnections();
    this.#door?.close();
    const closed = this.#store?.close();
    this.#store?.httpServer.closeAllConnections();
    await closed;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
