// SPDX-License-Identifier: MIT
// Calls of the API, and what holds for every answer.
import assert from 'node:assert/strict';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';

const VERSIONS = { deis_api_version: '1.7', x_deis_api_version: '1.7', deis_platform_version: '1.13.4', x_deis_platform_version: '1.13.4' };

const SAFE = {
  'x-content-type-options': 'nosniff', 'content-security-policy': "default-src 'none'; frame-ancestors 'none'", 'cache-control': 'no-store',
};

const PHRASES = {
  200: 'OK', 201: 'CREATED', 204: 'NO CONTENT', 400: 'BAD REQUEST', 401: 'UNAUTHORIZED', 403: 'FORBIDDEN', 404: 'NOT FOUND',
  405: 'METHOD NOT ALLOWED', 409: 'CONFLICT', 500: 'INTERNAL SERVER ERROR', 503: 'SERVICE UNAVAILABLE',
};

export class Answer {
  constructor(question, res, bytes) {
    this.question = question;
    this.status = res.statusCode;
    this.phrase = res.statusMessage;
    this.headers = res.headers;
    this.type = res.headers['content-type'];
    this.bytes = bytes;
    this.text = bytes.toString('utf8');
    try {
      this.json = JSON.parse(this.text);
    } catch {
      this.json = undefined;
    }
  }

  toString() {
    return `${this.question}: ${this.status} ${this.phrase} (${this.type}) ${this.text.slice(0, 600)}`;
  }

  // What the contract says of every answer.
  checkFrame() {
    for (const [name, value] of Object.entries({ ...VERSIONS, ...SAFE })) {
      assert.equal(this.headers[name], value, `${this}: header ${name}`);
    }
    assert.equal(this.phrase, PHRASES[this.status] || this.phrase.toUpperCase(), `${this}: reason phrase`);
    if (this.bytes.length === 0) {
      assert.ok(this.type === undefined || this.question.startsWith('HEAD '), `${this}: an empty answer has no content type`);
    } else if (this.json !== undefined && !/\/(logs|run)\/?(\?|$| )/.test(this.question)) {
      assert.equal(this.type, 'application/json', `${this}: content type`);
    }
    if (this.status === 401) {
      assert.equal(this.headers['www-authenticate'], 'Token', `${this}: WWW-Authenticate`);
    }
    return this;
  }

  is(status, wanted) {
    assert.equal(this.status, status, `${this}: wanted ${status}`);
    if (wanted instanceof RegExp) {
      assert.match(this.text, wanted, `${this}`);
    } else if (wanted !== undefined) {
      assert.deepEqual(this.json, wanted, `${this}`);
    }
    return this;
  }

  detail(status, wanted) {
    this.is(status);
    if (wanted instanceof RegExp) {
      assert.match(this.json.detail, wanted, `${this}`);
    } else {
      assert.deepEqual(this.json, { detail: wanted }, `${this}`);
    }
    return this;
  }

  // A field error that holds these words.
  field(name, words) {
    this.is(400);
    const list = this.json[name];
    assert.ok(Array.isArray(list), `${this}: wanted errors of '${name}'`);
    assert.ok(list.some((text) => text.includes(words)), `${this}: wanted '${words}' under '${name}'`);
    return this;
  }

  keysWithin(...names) {
    for (const name of Object.keys(this.json)) {
      assert.ok(names.includes(name), `${this}: key '${name}' is not part of the answer`);
    }
    return this;
  }
}

export class Client {
  constructor(port) {
    this.port = port;
    this.agent = new Agent({ keepAlive: true });
  }

  close() {
    this.agent.destroy();
  }

  // options: token, json (any value), text (raw body), type (content type), headers, timeoutMs
  send(method, path, options = {}) {
    const body = options.text !== undefined ? options.text : options.json === undefined ? '' : JSON.stringify(options.json);
    const headers = { 'Content-Type': options.type || 'application/json', 'Content-Length': Buffer.byteLength(body), ...options.headers };
    if (options.token) {
      headers.Authorization = `token ${options.token}`;
    }
    const question = `${method} ${path} ${String(body).slice(0, 200)}`;
    return new Promise((resolve, reject) => {
      const req = request({ host: '127.0.0.1', port: this.port, method, path, headers, agent: this.agent }, (res) => {
        const chunks = [];
        res.on('data', (chunk) => chunks.push(chunk));
        res.on('end', () => resolve(new Answer(question, res, Buffer.concat(chunks))));
        res.on('error', reject);
      });
      req.setTimeout(options.timeoutMs || 60000, () => req.destroy(new Error(`${question}: no answer in time`)));
      req.on('error', (error) => reject(new Error(`${question}: ${error.message}`)));
      req.end(body);
    });
  }

  // Bytes as they are, that make the other side end the connection; all that it answers, as text. A long silence is an end, too.
  raw(bytes) {
    return new Promise((resolve) => {
      const socket = connect({ host: '127.0.0.1', port: this.port });
      const chunks = [];
      const end = () => {
        socket.destroy();
        resolve(Buffer.concat(chunks).toString('latin1'));
      };
      socket.setTimeout(60000, end);
      socket.on('data', (chunk) => chunks.push(chunk));
      socket.on('error', () => {});
      socket.on('close', end);
      socket.write(bytes);
    });
  }
}
