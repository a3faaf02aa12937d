// Signed tokens, and an SDK app that has them: an identity provider and Firebase Auth in one place.
import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { Component } from '@firebase/component';
import { initializeApp } from '@firebase/app';
import { getDatabase } from '@firebase/database';

const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
export const now = () => Math.floor(Date.now() / 1000);

// A token of these claims, signed with HS256.
export function signedBy(secret, claims) {
  const body = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  return `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`;
}

// A provider's key: what it publishes, and tokens signed with it.
export class Key {
  #key;
  constructor(kid, kind = 'rsa') {
    this.kid = kid;
    this.alg = kind === 'rsa' ? 'RS256' : 'ES256';
    const options = kind === 'rsa' ? { modulusLength: 2048 } : { namedCurve: 'P-256' };
    const { privateKey, publicKey } = generateKeyPairSync(kind, options);
    this.#key = privateKey;
    this.jwk = { ...publicKey.export({ format: 'jwk' }), kid, alg: this.alg, use: 'sig' };
  }
  token(claims) {
    const body = `${part({ alg: this.alg, kid: this.kid, typ: 'JWT' })}.${part(claims)}`;
    return `${body}.${sign('sha256', body, { key: this.#key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
  }
}

let count = 0;

// A database handle of an app whose user has tokens. The SDK asks `user.token(forced)` when it wants one; null: signed out.
// user.changed() is to be called when another token is there.
export function openSignedIn(port, namespace, user) {
  const app = initializeApp({ databaseURL: `http://127.0.0.1:${port}?ns=${namespace}` }, `signed-in-${++count}`);
  const listeners = new Set();
  const current = () => {
    const token = user.token(false);
    return token && { accessToken: token };
  };
  user.changed = () => listeners.forEach((listener) => listener(user.token(false)));
  app.container.addOrOverwriteComponent(
    new Component(
      'auth-internal',
      () => ({
        getUid: () => null,
        getToken: async (forced) => {
          const token = user.token(forced);
          return token && { accessToken: token };
        },
        addAuthTokenListener: (listener) => {
          listeners.add(listener);
          listener(current()?.accessToken ?? null);
        },
        removeAuthTokenListener: (listener) => listeners.delete(listener),
      }),
      'PRIVATE',
    ),
  );
  return getDatabase(app);
}
